/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * counts: what the writers say of themselves, in a file that writers and ctfread map. A writer is
 * one series of numbered events {u32 writer; u64 seq}; it stores `started` before an event and
 * `done` after it. So of a writer that was killed everything below `done` was written, and nothing
 * from `started` on.
 */
#ifndef STRESS_COUNTS_H
#define STRESS_COUNTS_H

#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define COUNTS_MAX (1u << 20)

struct counts {
	uint32_t next;	  /* writer */
	uint32_t stop;	  /* those without end end */
	uint64_t running; /* processes that have got through their start */
	struct count {
		uint64_t started;
		uint64_t done;
	} writer[COUNTS_MAX];
};

static inline struct counts *counts_map(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	struct counts *counts = MAP_FAILED;

	if (fd >= 0 && !ftruncate(fd, sizeof(*counts)))
		counts = mmap(NULL, sizeof(*counts), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (counts == MAP_FAILED) {
		perror(path);
		exit(99);
	}
	close(fd);
	return counts;
}

#endif
