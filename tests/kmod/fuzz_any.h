/* SPDX-License-Identifier: GPL-2.0-only */
/* fuzz: what a worker has, and picks from. */
#ifndef WEIR_FUZZ_ANY_H
#define WEIR_FUZZ_ANY_H

#include "device.h"

#define FDS 12
#define MAPS 12
#define STRIDE (PAGE << 4) /* what most use, so that traces fit */

struct shared {
	unsigned long calls, succeeded, touched;
	unsigned long by[32], good[32]; /* of each kind of call */
	uint64_t epoch[WEIR_SLOTS];	/* what the last server put there: a hint */
};

struct map {
	char *at;
	size_t size;
};

static struct shared *shared;
static __thread uint64_t state;
enum kind { DEVICE, CONSUMER, STREAM };

static int fds[FDS];
static enum kind kinds[FDS];
static struct map maps[MAPS]; /* threads read it while it changes: they may fault */
static bool is_server, quiet;

static uint64_t rnd(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state * 0x2545f4914f6cdd1dull;
}

static uint64_t below(uint64_t n)
{
	return (rnd() >> 16) % n;
}

static bool one_in(unsigned int n)
{
	return !below(n);
}

/* A number that somebody might compare with. */
static uint64_t odd_number(void)
{
	static const uint64_t numbers[] = { 0, 1, 2, 7, 8, 15, 16, 17, 4095, 4096, 4097, 65535, 65536, 1ull << 26, 1ull << 31,
					    (1ull << 31) - 1, 1ull << 32, (1ull << 32) - 1, 1ull << 40, 1ull << 47, 1ull << 63,
					    ~0ull, ~0ull - 1, ~0ull - 4095 };

	switch (below(4)) {
	case 0: return numbers[below(sizeof(numbers) / sizeof(numbers[0]))];
	case 1: return below(32);
	case 2: return below(32) * PAGE;
	default: return rnd() >> below(64);
	}
}

static int any_fd(void)
{
	return fds[below(FDS)];
}

/* Mostly one of a kind, so that more than the first check is reached. */
static int fd_of(enum kind wanted_kind)
{
	unsigned int i = (unsigned int)below(FDS), n;

	for (n = 0; n < FDS && !one_in(24); n++, i = (i + 1) % FDS)
		if (fds[i] >= 0 && kinds[i] == wanted_kind)
			return fds[i];
	return any_fd();
}

static struct map *any_map(void)
{
	return &maps[below(MAPS)];
}

static char *any_address(void)
{
	struct map m = *any_map();

	if (!m.at || one_in(16))
		return (char *)odd_number();
	return m.at + below(m.size);
}

/* The first is the server's, and stays. */
static void keep_fd(int fd, enum kind kind)
{
	unsigned int i = 1 + (unsigned int)below(FDS - 1);

	if (fd < 0)
		return;
	if (fds[i] >= 0)
		close(fds[i]);
	if (kind == STREAM && !one_in(8))
		fcntl(fd, F_SETFL, O_NONBLOCK); /* others wait, until on_alarm() */
	fds[i] = fd;
	kinds[i] = kind;
}

#endif /* WEIR_FUZZ_ANY_H */
