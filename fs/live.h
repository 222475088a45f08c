/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * live: consuming streams, live/cpuN.
 *
 *   live.c         streams: their table, opening, what a read(2) is given
 *   live_packet.c  packets out of a ring, each byte of it once
 *   live_batch.c   the packets that were made ahead
 *   live_open.c    who opens a stream that still has a reader
 *   live_wake.c    streams whose writer wakes
 *   waiter.c       requests that wait, the thread that answers them
 *   wakeup.c       what it sleeps on
 *   answer.c       reads and polls of what may wait: the same steps for all kinds
 *   switch.c       control/switch, control/switch_interval
 *   nodes_live.c   the directory
 *
 * A packet is a sealed sub-buffer, or a cut: what is complete of the open one when a switch was asked for, an
 * interval is over, or the process or its trace has ended. What was cut off a sub-buffer is not in the packet of
 * its rest.
 *
 * Packets are made ahead, a batch at a time, in memory of the daemon. A stream has two states: `made`, after the
 * last packet of the batch, and `done`, after the last one that a reader has got to its end. Only `done` is
 * published to the writer, and a reader that goes away takes the stream back to it: the next one begins with the
 * packet that the last one did not finish. A stream's state stays as long as its source and its trace.
 *
 * Locks, outermost first: a stream's, the waiters' (waiter.c). The table's (live.c) is taken alone, or under
 * the registry's. A stream's is held while its reader is answered, since the answer is in the batch; the kernel
 * copies and waits for nobody.
 */
#ifndef WEIR_LIVE_H
#define WEIR_LIVE_H

#include "tree_i.h"

/* What requests wait for: a stream that is consumed, or a text that is followed. Under the waiters' lock. */
struct weir_wait {
	const struct weir_wait_kind *kind;
	struct list_head watched; /* empty: nobody waits */
	struct list_head waiters;
	struct fuse_pollhandle *poll;
	bool told; /* any thread, atomic: a descriptor tells when there is something (wakeup.c) */
};

struct weir_wait_kind {
	bool (*serve)(struct weir_wait *wait); /* answers those who wait; was there anything? */
	void (*get)(struct weir_wait *wait);
	void (*put)(struct weir_wait *wait);
	/* Of those that are read; see answer.c. Both under this lock. */
	pthread_mutex_t *(*lock)(struct weir_wait *wait);
	int (*fill)(struct weir_wait *wait, size_t want);
	void (*reply)(struct weir_wait *wait, fuse_req_t req, size_t len, int err);
	bool one; /* request is answered at a time, so that others get their turn */
};

#define WEIR_LIVE_PACKETS 64u /* of a batch, at most */

struct weir_live_state {
	u64 epoch;
	u64 position;	/* in the ring; all below was taken or missed */
	u64 time;	/* of the last packet's end */
	u64 discarded;	/* events_discarded of it */
	u64 seq;	/* packet_seq_num of it, or of the last one that was missed */
	u64 bytes;	/* of the ring that were taken */
	u64 asked;	/* how many switches of the program's own were answered, */
	u32 switched;	/* and of control/switch */
	bool begun;	/* there was a packet */
};

struct weir_live_batch {
	size_t size;	     /* of data */
	size_t start, end;   /* of what is there to be read */
	unsigned int nr, at; /* packets; the one that `start` is in */
	struct {
		size_t end;
		struct weir_live_state state; /* when it has been read */
	} packet[WEIR_LIVE_PACKETS];
	u64 charged;
	u8 data[] __attribute__((aligned(4096)));
};

struct weir_live {
	struct list_head bucket; /* of the table */
	unsigned int refs;	 /* table, open file, waiting requests, who works with it */
	bool open;		 /* the table's lock */
	struct weir_trace *trace;
	struct weir_source *source;
	unsigned int cpu;
	u64 charged; /* to `maker` */
	uid_t maker;

	pthread_mutex_t lock;
	uid_t reader;  /* who has it open: user, */
	pid_t process; /* and process */
	u32 told;      /* event classes that its view of metadata knows of */
	struct weir_live_state made, done;
	u64 published; /* to the writer: a position of done.epoch */
	u64 empty;     /* ms: when there was nothing to be taken; 0: not known */
	u8 uuid[16];   /* of made.epoch */
	u32 count;     /* event classes of the batch */
	struct weir_live_batch *batch;
	int wake; /* tells of packets of made.epoch; -1: nobody does */

	struct weir_wait wait;	  /* reads, */
	struct weir_wait opening; /* and who wants to be the next reader */
};

/* ---- live.c -----------------------------------------------------------------------------------*/

void weir_live_init(void);
int weir_live_open(const struct weir_caller *caller, const struct weir_place *place,
		   struct weir_live **live);
void weir_live_close(struct weir_live *live);
void weir_live_get(struct weir_live *live);
void weir_live_put(struct weir_live *live);
void weir_live_read(struct weir_live *live, fuse_req_t req, size_t len, bool nonblock);
struct weir_live *weir_live_find(const struct weir_trace *trace, const struct weir_source *source,
				 unsigned int cpu);
bool weir_live_busy(struct weir_live *live);
bool weir_live_any(const struct weir_trace *trace);
u64 weir_live_consumed(const struct weir_source *source, const struct weir_trace *trace,
		       unsigned int cpu);
void weir_live_sweep(bool all);

/* ---- live_open.c ------------------------------------------------------------------------------*/

extern const struct weir_wait_kind weir_live_opening_kind;

int weir_live_open_later(const struct weir_caller *caller, const struct weir_place *place,
			 const struct fuse_file_info *fi, fuse_req_t req);

/* ---- live_packet.c: under the stream's lock ---------------------------------------------------*/

int weir_live_fill(struct weir_live *live);

/* ---- live_batch.c: under the stream's lock ----------------------------------------------------*/

int weir_live_make_batch(struct weir_live *live, u64 epoch);
void weir_live_drop_batch(struct weir_live *live);
bool weir_live_batch_full(const struct weir_live_batch *batch, u64 epoch);
size_t weir_live_portion(const struct weir_live_batch *batch, size_t len);

/* ---- live_wake.c: under the stream's lock -----------------------------------------------------*/

void weir_live_wake(struct weir_live *live);
void weir_live_wake_drop(struct weir_live *live);

/* ---- wakeup.c ---------------------------------------------------------------------------------*/

int weir_wakeup_init(void);
int weir_wakeup_add(int fd);
void weir_wakeup_kick(void);
void weir_wakeup_sleep(int ms, bool listen);

/* ---- waiter.c ---------------------------------------------------------------------------------*/

struct weir_waiter {
	struct list_head list; /* of what it waits for */
	struct weir_wait *wait;
	fuse_req_t req;
	size_t len;
	uid_t uid;
	u64 charged;
	u64 until;  /* ms: an open is refused then */
	void *data; /* of its kind; freed with it */
	bool registering, interrupted;
	bool unwatched; /* was the last one: holds the list's reference to the stream */
};

void weir_wait_init(struct weir_wait *wait, const struct weir_wait_kind *kind);
struct weir_waiter *weir_waiter_take(struct weir_wait *wait);
struct weir_waiter *weir_waiter_take_due(struct weir_wait *wait, u64 now);
void weir_waiter_free(struct weir_waiter *waiter);
bool weir_waiter_notify(struct weir_wait *wait);
int weir_waiter_start(struct fuse_session *session);
void weir_waiter_stop(void);
int weir_waiter_park(struct weir_wait *wait, uid_t uid, fuse_req_t req, size_t len, u64 until,
		     void *data);
void weir_waiter_poll(struct weir_wait *wait, struct fuse_pollhandle *poll);

/* ---- answer.c ---------------------------------------------------------------------------------*/

bool weir_answer_serve(struct weir_wait *wait);
void weir_answer_read(struct weir_wait *wait, uid_t uid, fuse_req_t req, size_t len, bool nonblock);
void weir_answer_poll(struct weir_wait *wait, fuse_req_t req, struct fuse_pollhandle *poll);

/* ---- switch.c ---------------------------------------------------------------------------------*/

int weir_switch_store(const struct weir_caller *caller, const struct weir_place *place, char *text,
		      size_t len, bool append, const char **why);
int weir_switch_show(const struct weir_caller *caller, const struct weir_place *place,
		     struct weir_buf *out);
int weir_switch_interval_store(const struct weir_caller *caller, const struct weir_place *place,
			       char *text, size_t len, bool append, const char **why);
int weir_switch_interval_show(const struct weir_caller *caller, const struct weir_place *place,
			      struct weir_buf *out);

#endif /* WEIR_LIVE_H */
