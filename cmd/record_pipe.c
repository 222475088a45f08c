// SPDX-License-Identifier: GPL-2.0-only
/* record_pipe: one stream, TRACE/PROCESS/cpuN, to standard output until it or the reader ends, or a
 * signal comes. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd_i.h"
#include "record_i.h"

static volatile sig_atomic_t pipe_stop;
static sigset_t pipe_signals;

static void on_signal(int sig)
{
	(void)sig;
	pipe_stop = 1;
}

/* Who reads may be slow, or not read at all: a second signal ends it there. */
static int put_all(const char *data, size_t len)
{
	ssize_t n;

	while (len) {
		sigprocmask(SIG_UNBLOCK, &pipe_signals, NULL);
		n = write(STDOUT_FILENO, data, len);
		sigprocmask(SIG_BLOCK, &pipe_signals, NULL); /* errno stays: it cannot fail */
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EPIPE ? -ECANCELED : -errno;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

/* 1: goes on, 0: the end, or -errno. */
static int move(int fd, char *buf, size_t size)
{
	ssize_t n = read(fd, buf, size);

	if (n < 0)
		return errno == EINTR ? 1 : -errno;
	if (!n)
		return 0;
	n = put_all(buf, (size_t)n);
	return n ? (int)n : 1;
}

static int open_stream(int mount, const char *path, char *trace, size_t size)
{
	const char *process = strchr(path, '/'), *cpu = strrchr(path, '/');
	char live[600];

	if (!process || cpu == process || (size_t)(process - path) >= size) {
		errno = EINVAL;
		return -1;
	}
	snprintf(trace, size, "%.*s", (int)(process - path), path);
	snprintf(live, sizeof(live), "%.*s/live/%s", (int)(cpu - path), path, cpu + 1);
	return openat(mount, live, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
}

/* After a signal: what was written so far becomes a packet, and what is there is taken. */
static int drain(const struct recorder *rec, int fd, char *buf, size_t size)
{
	int more = 1, left;

	record_switch(rec);
	for (left = 64; more > 0 && left; left--) /* a writer may be faster than we are */
		more = move(fd, buf, size);
	return more == -EAGAIN || more > 0 ? 0 : more;
}

/* Signals come while we wait for either end only, so that none is missed. */
static int flow(const struct recorder *rec, int fd, char *buf, size_t size)
{
	struct sigaction act = { .sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND };
	struct pollfd poll = { .fd = fd, .events = POLLIN };
	static const struct timespec now;
	sigset_t old;
	int more = 1;

	sigemptyset(&pipe_signals);
	sigaddset(&pipe_signals, SIGINT);
	sigaddset(&pipe_signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &pipe_signals, &old);
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	signal(SIGPIPE, SIG_IGN);
	while (!pipe_stop && (more > 0 || more == -EAGAIN)) {
		ppoll(&poll, 1, more > 0 ? &now : NULL, &old);
		more = pipe_stop ? 1 : move(fd, buf, size);
	}
	return pipe_stop ? drain(rec, fd, buf, size) : more;
}

int record_pipe(const char *path)
{
	struct recorder rec = { .mount = weir_open_mount() };
	size_t size = 1 << 20;
	char trace[256], *buf;
	int fd, err;

	if (rec.mount < 0)
		return 1;
	fd = open_stream(rec.mount, path, trace, sizeof(trace));
	if (fd < 0 && errno == EINVAL)
		return weir_fail_why(path, "standard output takes one stream: TRACE/PROCESS/cpuN");
	if (fd < 0)
		return weir_fail("%s", path);
	rec.trace = openat(rec.mount, trace, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	buf = malloc(size);
	err = buf ? flow(&rec, fd, buf, size) : -ENOMEM;
	free(buf);
	if (!err || err == -ECANCELED)
		return 0;
	errno = -err;
	return weir_fail("%s", path);
}
