/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * weir record, inside.
 *
 *   record.c         options, the beginning, the report
 *   record_watch.c   which processes the trace has: inotify, and a look
 *   record_stream.c  a thread a CPU: packets out of live/cpuN
 *   record_file.c    directories, chunks, metadata
 *   record_segment.c a stream's file, whole at any moment
 *   record_cut.c     what a recorder that was killed has left
 *   record_pipe.c    one stream to standard output
 *
 * Threads: the main one watches, adds streams to those of the CPUs, and ends them; each of these
 * has its streams for itself. Two things are shared: a process's directory and metadata (its lock),
 * and which chunk is written (the recorder's). The lock of a process is taken before the
 * recorder's.
 *
 *   fail:A / stopped:A   what ends the recording, before `stop`
 *   close:B / over:B     a thread's last use of a stream and its process, before `streams` and `open` count it no more
 */
#ifndef WEIR_RECORD_I_H
#define WEIR_RECORD_I_H

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define RECORD_CPUS 4097 /* possible ones and cpux, at most */

struct record_thread;

struct recorder {
	int mount;	  /* the mount point */
	int trace;	  /* its directory there */
	int out;	  /* the directory that is written to */
	const char *name; /* of the trace */
	const char *dir;  /* of the directory */
	uint64_t rotate;  /* bytes of a chunk; 0: there are none */
	uint64_t max;	  /* bytes of all chunks; 0: no limit */
	bool terminal;	  /* progress is shown */

	int wake;	     /* eventfd: readable when `stop` is set */
	bool stop;	     /* atomic: take what is there, and end */
	int failed;	     /* atomic: errno of what ends it all */
	uint64_t stop_bytes; /* what a stream reads at most after `stop` */
	unsigned int known;  /* processes so far */
	unsigned int open;   /* atomic: streams */
	struct record_thread *thread[RECORD_CPUS];
	struct record_process *processes;

	/* counted, atomic */
	uint64_t bytes, packets, lost, missed, unsaved;
	unsigned int stuck; /* threads that wait for room */
	bool told;	    /* that there is none */

	pthread_mutex_t lock; /* of the chunks */
	uint64_t chunk, oldest;
	uint64_t *chunk_bytes; /* of `oldest` .. `chunk` */
	uint64_t total;
};

struct record_process {
	struct record_process *next;
	char name[256]; /* in the tree */
	ino_t ino;
	int tree;     /* its directory there; -1: it has ended */
	bool seen;    /* in this look at the trace */
	bool refused; /* a stream was busy: to be tried again */
	bool told;
	unsigned int streams;	     /* atomic: that are open */
	uint8_t opened[RECORD_CPUS]; /* once */

	pthread_mutex_t lock;
	char out_name[280]; /* its directory in a chunk */
	int out;
	uint64_t chunk; /* that `out` is in */
	uint8_t uuid[16]; /* of the packets there; `clear` gives them another one */
	char *metadata; /* as it was read last */
	size_t size;
	bool written; /* it is in `out` */
};

/* A stream's file. */
struct record_segment {
	int dir;	 /* where it is; -1: none yet */
	int fd;		 /* -1: no packet so far */
	char stream[16]; /* cpuN */
	unsigned int nr; /* of its files here */
	off_t size;	 /* of the file, all of the time */
	off_t last, end; /* the last packet's beginning and end */
};

struct record_stream {
	struct record_process *process;
	char name[16];	/* cpuN */
	int fd;		/* live/cpuN */
	uint64_t chunk; /* that the file is in */
	struct record_segment file;
	bool begun;
	bool fresh;	/* the next packets have another uuid than the file's */
	uint8_t uuid[16]; /* of the file's packets */
	uint64_t discarded, seq;    /* of the last packet */
	uint64_t after_stop;	    /* bytes read */
	struct record_stream *next; /* of its thread */
};

static inline bool record_stopped(const struct recorder *rec)
{
	return __atomic_load_n(&rec->stop, __ATOMIC_ACQUIRE); /* stopped:A */
}

#define record_count(counter, n) __atomic_add_fetch(counter, n, __ATOMIC_RELAXED)
#define record_read(counter) __atomic_load_n(counter, __ATOMIC_RELAXED)

/* All of these return 0 or -errno. */
int record_watch(struct recorder *rec); /* until the trace ends or a signal says so */
void record_stop(struct recorder *rec);
void record_fail(struct recorder *rec, int err); /* the first one counts */
void record_switch(const struct recorder *rec);
void record_signals(sigset_t *set); /* those that end a recording */

int record_stream_add(struct recorder *rec, struct record_process *process, const char *name,
		      unsigned int cpu);
void record_threads_join(struct recorder *rec);

int record_out_open(struct recorder *rec);
int record_metadata(const struct recorder *rec, struct record_process *process, const uint8_t *uuid);
int record_store(struct recorder *rec, struct record_stream *stream, char *data, size_t len);

int record_write(int fd, const void *data, size_t len, off_t at);
int record_segment_open(struct record_segment *seg, int dir, const char *stream);
int record_segment_append(struct record_segment *seg, char *data, size_t len);
void record_segment_close(struct record_segment *seg);

int record_cut(const char *dir);
int record_pipe(const char *path);
char *record_human(char buf[32], uint64_t bytes);

#endif /* WEIR_RECORD_I_H */
