/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * stream.h: consumers' descriptors, for tests: rings of eight sub-buffers of 8 KiB.
 */
#ifndef STREAM_H
#define STREAM_H

#include <sched.h>

#include "device.h"

#define STRIDE (1ul << 20)
#define SHIFT 13
#define SUBBUF (1ul << SHIFT)
#define RING (8 * SUBBUF)

static inline void on_cpu(int n)
{
	cpu_set_t cpu;

	CPU_ZERO(&cpu);
	CPU_SET(n, &cpu);
	if (sched_setaffinity(0, sizeof(cpu), &cpu))
		bail("a CPU");
}

static inline int stream_of(int process, unsigned int slot, unsigned int cpu, uint64_t epoch)
{
	struct weir_dev_ring ring = { .slot = slot, .cpu = cpu, .epoch = epoch };

	return ioctl(process, WEIR_IOC_STREAM, &ring);
}

static inline void nonblock(int fd)
{
	fcntl(fd, F_SETFL, O_NONBLOCK);
}

static inline size_t content(const void *packet)
{
	return ((const struct weir_packet *)packet)->content_size / 8;
}

static inline size_t take(int fd, char *to, size_t size)
{
	size_t done = 0;
	ssize_t n;

	while (done < size && (n = read(fd, to + done, size - done)) > 0)
		done += (size_t)n;
	return done;
}

#endif /* STREAM_H */
