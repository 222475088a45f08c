// SPDX-License-Identifier: GPL-2.0-only
/*
 * record_watch: which processes the trace has. inotify says when there is a new one; what is found
 * is found by looking, at the start, after each event, and once a second, should events have been
 * lost.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cmd_i.h"
#include "record_i.h"

#define RECORD_LOOK_MS 1000
#define RECORD_END_MS 50 /* the trace is gone, streams are being drained */

/* ---- one process ------------------------------------------------------------------------------*/

static unsigned int cpu_number(const char *name)
{
	unsigned int cpu;

	if (sscanf(name, "cpu%u", &cpu) == 1 && cpu < RECORD_CPUS - 1)
		return cpu;
	return RECORD_CPUS - 1; /* cpux */
}

/* What stands in the way is said once a process, and tried again. */
static int refused(struct recorder *rec, struct record_process *process, const char *name, int err)
{
	process->refused = true;
	if (err == -ENOENT || err == -ENODEV)
		return 0; /* gone again */
	if (!process->told)
		fprintf(stderr, "weir: %s/%s/live/%s: %s\n", rec->name, process->name, name,
			err == -EBUSY ? "somebody else reads it" : strerror(-err));
	process->told = true;
	return err == -ENOMEM ? err : 0;
}

static int add_streams(struct recorder *rec, struct record_process *process)
{
	int fd = openat(process->tree, "live", O_RDONLY | O_DIRECTORY | O_CLOEXEC), err = 0;
	DIR *list = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	unsigned int cpu;

	if (!list)
		return refused(rec, process, "", -errno);
	process->refused = false;
	while (!err && (entry = readdir(list))) {
		if (strncmp(entry->d_name, "cpu", 3))
			continue;
		cpu = cpu_number(entry->d_name);
		if (process->opened[cpu])
			continue;
		err = record_stream_add(rec, process, entry->d_name, cpu);
		process->opened[cpu] = !err;
		if (err)
			err = refused(rec, process, entry->d_name, err);
	}
	closedir(list);
	return err;
}

static struct record_process *new_process(struct recorder *rec, const char *name, ino_t ino)
{
	struct record_process *process = calloc(1, sizeof(*process));

	if (!process)
		return NULL;
	snprintf(process->name, sizeof(process->name), "%s", name);
	process->ino = ino;
	process->out = -1;
	pthread_mutex_init(&process->lock, NULL);
	process->tree = openat(rec->trace, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	process->next = rec->processes;
	rec->processes = process;
	rec->known++;
	return process;
}

/* All is read: only its name is kept, as long as it is in the trace. */
static void end_process(struct record_process *process)
{
	if (process->tree >= 0)
		close(process->tree);
	if (process->out >= 0)
		close(process->out);
	free(process->metadata);
	process->metadata = NULL;
	process->tree = process->out = -1;
}

/* ---- a look -----------------------------------------------------------------------------------*/

static int look_at(struct recorder *rec, const char *name)
{
	struct record_process *process = rec->processes;
	struct stat st;
	int err;

	if (name[0] == '.' || !strcmp(name, "control") ||
	    fstatat(rec->trace, name, &st, AT_SYMLINK_NOFOLLOW) || !S_ISDIR(st.st_mode))
		return 0;
	while (process && (process->ino != st.st_ino || strcmp(process->name, name)))
		process = process->next;
	if (!process) {
		process = new_process(rec, name, st.st_ino);
		if (!process)
			return -ENOMEM;
		if (process->tree < 0)
			return refused(rec, process, "", -errno);
		pthread_mutex_lock(&process->lock);
		err = record_metadata(rec, process, NULL);
		pthread_mutex_unlock(&process->lock);
		process->seen = true;
		return err ? refused(rec, process, "", err) : add_streams(rec, process);
	}
	process->seen = true;
	return process->refused && process->tree >= 0 ? add_streams(rec, process) : 0;
}

static void forget(struct recorder *rec)
{
	struct record_process **p = &rec->processes, *process;

	while ((process = *p)) {
		bool over = !process->refused &&
			    !__atomic_load_n(&process->streams, __ATOMIC_ACQUIRE); /* over:B */

		if (over)
			end_process(process);
		if (process->seen || !over) {
			p = &process->next;
			continue;
		}
		*p = process->next;
		pthread_mutex_destroy(&process->lock);
		free(process);
	}
}

/* 1: the trace is gone; or -errno. */
static int look(struct recorder *rec)
{
	struct stat now, then;
	struct record_process *process;
	struct dirent *entry;
	int fd, err = 0;
	DIR *list;

	if (fstat(rec->trace, &then) || fstatat(rec->mount, rec->name, &now, 0) ||
	    now.st_ino != then.st_ino)
		return errno == ENOTCONN ? -ENOTCONN : 1;
	fd = openat(rec->trace, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	list = fd < 0 ? NULL : fdopendir(fd);
	if (!list)
		return 1;
	for (process = rec->processes; process; process = process->next)
		process->seen = false;
	while (!err && (entry = readdir(list)))
		err = look_at(rec, entry->d_name);
	closedir(list);
	forget(rec);
	return err;
}

/* ---- the end ----------------------------------------------------------------------------------*/

void record_stop(struct recorder *rec)
{
	static const uint64_t one = 1;

	__atomic_store_n(&rec->stop, true, __ATOMIC_RELEASE); /* fail:A */
	if (write(rec->wake, &one, sizeof(one)) < 0) {
		/* it is readable already */
	}
}

void record_fail(struct recorder *rec, int err)
{
	int none = 0;

	__atomic_compare_exchange_n(&rec->failed, &none, err, false, __ATOMIC_RELAXED,
				    __ATOMIC_RELAXED);
	record_stop(rec);
}

/* What was written before becomes readable. Who may not write to control/ takes what is whole. */
void record_switch(const struct recorder *rec)
{
	int fd = openat(rec->trace, "control/switch", O_WRONLY | O_TRUNC | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, "all", 3) < 0) {
		/* refused, or the trace is gone: it has a packet of everything then */
	}
	close(fd);
}

/* ---- progress ---------------------------------------------------------------------------------*/

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void progress(const struct recorder *rec)
{
	static double last_time;
	static uint64_t last_bytes;
	uint64_t bytes = record_read(&rec->bytes);
	double now = seconds(), passed = now - last_time;
	char all[32], rate[32];

	if (!rec->terminal || (last_time > 0 && passed < 0.5))
		return;
	fprintf(stderr, "\r\33[K%s: %s, %s/s, %llu events lost, %u processes%s", rec->name,
		record_human(all, bytes),
		record_human(rate,
			     last_time > 0 ? (uint64_t)((double)(bytes - last_bytes) / passed) : 0),
		(unsigned long long)record_read(&rec->lost), rec->known,
		record_read(&rec->stuck) ? ", NO ROOM LEFT" : "");
	last_time = now;
	last_bytes = bytes;
}

/* ---- the loop ---------------------------------------------------------------------------------*/

static int watches(const struct recorder *rec)
{
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	char path[600];

	if (fd < 0)
		return -errno;
	snprintf(path, sizeof(path), "%s/%s", weir_mountpoint(), rec->name);
	inotify_add_watch(fd, path, IN_CREATE | IN_DELETE | IN_DELETE_SELF | IN_ONLYDIR);
	inotify_add_watch(fd, weir_mountpoint(), IN_DELETE | IN_ONLYDIR);
	return fd;
}

static void swallow(int fd)
{
	char events[4096];

	while (read(fd, events, sizeof(events)) > 0)
		;
}

/* Ends with 0: the trace is over, or a signal came; or -errno. */
static int loop(struct recorder *rec, struct pollfd fds[3])
{
	int gone = 0;

	while (!record_stopped(rec)) {
		if (gone <= 0)
			gone = look(rec);
		if (gone < 0)
			return gone;
		if (gone && !__atomic_load_n(&rec->open, __ATOMIC_ACQUIRE)) /* over:B */
			return 0;
		progress(rec);
		poll(fds, 3, gone ? RECORD_END_MS : RECORD_LOOK_MS);
		if (fds[0].revents)
			swallow(fds[0].fd);
		if (fds[1].revents)
			return 0;
	}
	return 0;
}

int record_watch(struct recorder *rec)
{
	sigset_t set;
	struct pollfd fds[3] = {
		{ .fd = watches(rec), .events = POLLIN },
		{ .events = POLLIN },
		{ .fd = rec->wake, .events = POLLIN },
	};
	int err;

	record_signals(&set);
	fds[1].fd = signalfd(-1, &set, SFD_CLOEXEC);
	if (fds[0].fd < 0 || fds[1].fd < 0)
		return -errno;
	err = loop(rec, fds);
	if (!err) /* who came since the last look belongs to it as well */
		err = look(rec);
	err = err < 0 ? err : 0;
	record_switch(rec);
	record_stop(rec);
	if (rec->terminal)
		fputs("\r\33[K", stderr);
	close(fds[0].fd);
	close(fds[1].fd);
	return err;
}
