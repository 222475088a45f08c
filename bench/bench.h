/* SPDX-License-Identifier: GPL-2.0-only */
/* What the benchmarks share: clocks, pinning, and one comparable line for a question. */
#ifndef WEIR_BENCH_H
#define WEIR_BENCH_H

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define barrier() __asm__ __volatile__("" ::: "memory")

static inline uint64_t bench_clock(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline void bench_pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set)) {
		perror("sched_setaffinity");
		exit(1);
	}
}

static inline int bench_compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* name, parameters, median, min, max, n */
static inline void bench_line(const char *name, const char *parameters, const char *unit, double *v, int n)
{
	qsort(v, (size_t)n, sizeof(*v), bench_compare);
	printf("%-10s %-56s %10.2f %10.2f %10.2f %4d  %s\n", name, parameters, v[n / 2], v[0], v[n - 1], n, unit);
	fflush(stdout);
}

static inline void bench_head(void)
{
	printf("# %-8s %-56s %10s %10s %10s %4s  %s\n", "name", "parameters", "median", "min", "max", "n", "unit");
}

#endif /* WEIR_BENCH_H */
