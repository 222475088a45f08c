// SPDX-License-Identifier: GPL-2.0-only
/*
 * lively: reads live streams in ways that the shell cannot.
 *
 *   lively trim FILE           cuts a captured stream behind its last whole packet; says how many
 * there are lively uuids FILE          how many traces' packets follow each other in a captured
 * stream lively poll STREAM OUT     without blocking and by epoll, to the end; says `empty`
 * whenever there is nothing lively small STREAM OUT    reads of 1 to 999 bytes, to the end lively
 * vector STREAM OUT   readv(2) into 16 pieces, not aligned, to the end lively interrupted STREAM  a
 * signal ends a read that waits; says so, then what the next signal and EOF do lively threads N
 * STREAM    N threads wait in reads of one descriptor; ends by a signal
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

#define SIZE (4u << 20)

static char *buffer;

static void die(const char *what)
{
	fprintf(stderr, "lively: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int open_or_die(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0666);

	if (fd < 0)
		die(path);
	return fd;
}

static void keep(int out, const char *data, size_t len)
{
	if (write(out, data, len) != (ssize_t)len)
		die("write");
}

static int trim(char **argv)
{
	int fd = open_or_die(argv[0], O_RDWR);
	uint64_t bits;
	off_t at = 0, size = lseek(fd, 0, SEEK_END);
	unsigned int packets = 0;

	/* packet_size stands at byte 56 of a packet */
	for (; pread(fd, &bits, 8, at + 56) == 8 && at + (off_t)(bits / 8) <= size; packets++)
		at += (off_t)(bits / 8);
	if (ftruncate(fd, at))
		die("ftruncate");
	printf("%u\n", packets);
	return 0;
}

static int uuids(char **argv)
{
	struct {
		uint32_t magic;
		uint8_t uuid[16];
		uint8_t rest[36];
		uint64_t bits;
	} header;
	int fd = open_or_die(argv[0], O_RDONLY);
	unsigned int changes = 0;
	uint8_t last[16] = "";
	off_t at = 0;

	for (; pread(fd, &header, sizeof(header), at) == sizeof(header);
	     at += (off_t)(header.bits / 8)) {
		changes += memcmp(last, header.uuid, 16) != 0;
		memcpy(last, header.uuid, 16);
	}
	printf("%u\n", changes);
	return 0;
}

static int poll_stream(char **argv)
{
	int fd = open_or_die(argv[0], O_RDONLY | O_NONBLOCK), ep = epoll_create1(0);
	int out = open_or_die(argv[1], O_WRONLY | O_CREAT | O_TRUNC);
	struct epoll_event event = { .events = EPOLLIN };
	struct pollfd now = { .fd = fd, .events = POLLIN };
	ssize_t n;

	if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event))
		die("epoll_ctl");
	for (;;) {
		if (epoll_wait(ep, &event, 1, -1) != 1 || !(event.events & EPOLLIN))
			die("epoll_wait");
		if (poll(&now, 1, 0) != 1 || !(now.revents & POLLIN))
			die("poll: epoll knows more");
		n = read(fd, buffer, SIZE);
		if (n < 0)
			die("read what epoll promised");
		if (!n)
			break;
		keep(out, buffer, (size_t)n);
		while ((n = read(fd, buffer, SIZE)) > 0)
			keep(out, buffer, (size_t)n);
		if (n < 0 && errno != EAGAIN)
			die("read");
		if (n < 0) {
			puts("empty");
			fflush(stdout);
		}
	}
	if (poll(&now, 1, 0) != 1 || !(now.revents & POLLHUP))
		die("poll at the end");
	puts("end");
	return 0;
}

static int small(char **argv)
{
	int fd = open_or_die(argv[0], O_RDONLY);
	int out = open_or_die(argv[1], O_WRONLY | O_CREAT | O_TRUNC);
	unsigned int size = 0;
	ssize_t n;

	while ((n = read(fd, buffer, 1 + (size += 37) % 999)) > 0)
		keep(out, buffer, (size_t)n);
	if (n)
		die("read");
	return 0;
}

static int vector(char **argv)
{
	int fd = open_or_die(argv[0], O_RDONLY);
	int out = open_or_die(argv[1], O_WRONLY | O_CREAT | O_TRUNC), i;
	struct iovec iov[16];
	ssize_t n;

	for (i = 0; i < 16; i++)
		iov[i] = (struct iovec){ buffer + 13 + i * 100003, 100003 };
	while ((n = readv(fd, iov, 16)) > 0)
		keep(out, buffer + 13, (size_t)n);
	if (n)
		die("readv");
	return 0;
}

static void ring(int sig)
{
	(void)sig;
}

static int interrupted(char **argv)
{
	struct itimerval soon = { .it_value.tv_usec = 100000, .it_interval.tv_usec = 100000 },
			 off = { 0 };
	struct sigaction action = { .sa_handler = ring };
	int fd = open_or_die(argv[0], O_RDONLY), i;

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &soon, NULL);
	for (i = 0; i < 5; i++) {
		if (read(fd, buffer, SIZE) >= 0 || errno != EINTR)
			die("read");
	}
	setitimer(ITIMER_REAL, &off, NULL);
	puts("interrupted");
	fflush(stdout);
	return read(fd, buffer, SIZE) > 0 ? 0 : 1;
}

static void *wait_in_read(void *arg)
{
	char c;

	(void)!read((int)(intptr_t)arg, &c, 1);
	return NULL;
}

static int threads(char **argv)
{
	int fd = open_or_die(argv[1], O_RDONLY), i;
	pthread_t thread;

	for (i = 0; i < atoi(argv[0]); i++) {
		if (pthread_create(&thread, NULL, wait_in_read, (void *)(intptr_t)fd))
			die("pthread_create");
	}
	puts("started");
	fflush(stdout);
	pause();
	return 0;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(char **argv);
	} commands[] = {
		{ "trim", trim },     { "poll", poll_stream },	      { "small", small },
		{ "vector", vector }, { "interrupted", interrupted }, { "threads", threads },
		{ "uuids", uuids },
	};
	unsigned int i;

	buffer = aligned_alloc(4096, SIZE);
	for (i = 0; argc > 2 && buffer && i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (!strcmp(argv[1], commands[i].name))
			return commands[i].run(argv + 2);
	}
	return 2;
}
