// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench/write: nanoseconds of a thread's CPU time for an event, beside what its parts cost alone.
 *
 * Run by bench/write.sh under a mount whose trace records `bench:*` and not `off:*`. All questions are asked
 * once a round, in turn, so that a slow phase of the machine hits each. Threads are pinned, two to a CPU where
 * there are more threads than CPUs.
 */
#include <pthread.h>
#ifdef __x86_64__
#include <x86intrin.h>
#endif
#include <weir/trace.h>
#include "bench.h"

#define EVENTS 2000000u
#define ROUNDS_MAX 64

static char text[] = "0123456789abcdefghijklmnopqrstu"; /* 31 and the NUL */

#define LOOP(name, statement)                                                                            \
	static __attribute__((noinline)) void name(uint64_t n)                                           \
	{                                                                                                \
		for (uint64_t i = 0; i < n; i++) {                                                       \
			statement;                                                                       \
			barrier();                                                                       \
		}                                                                                        \
	}

/* What an event needs at least: the clock, and a copy into memory that is not always the same. */
static char lap[1 << 20] __attribute__((aligned(64)));

static inline void put(uint64_t i, size_t size, uint64_t word)
{
	uint64_t record[8] = { word, i, i * 3, 0 };

	barrier();
	memcpy(lap + (i * size & (sizeof(lap) - 1) & ~7ull), record, size);
}

LOOP(loop_empty, __asm__ volatile("" : : "r"(i)))
#ifdef __x86_64__
LOOP(loop_tsc, __asm__ volatile("" : : "r"(__rdtsc())))
LOOP(loop_floor, put(i, 24, __rdtsc()))
#endif
LOOP(loop_copy, put(i, 24, i))
LOOP(loop_monotonic, (void)bench_clock(CLOCK_MONOTONIC))
LOOP(loop_off, weir_trace(off, pair, i, i * 3))
LOOP(loop_0, weir_trace(bench, none))
LOOP(loop_12, weir_trace(bench, num, (uint32_t)i, i * 3))
LOOP(loop_16, weir_trace(bench, pair, i, i * 3))
LOOP(loop_48, weir_trace(bench, six, i, i * 3, i * 5, i * 7, i * 9, i * 11))
LOOP(loop_string, weir_trace(bench, str, (uint32_t)i, i * 3, text))

struct question {
	const char *name;
	void (*loop)(uint64_t n);
	int threads;
	double ns[ROUNDS_MAX];
};

static struct question questions[] = {
	{ "empty loop", loop_empty, 1, { 0 } },
#ifdef __x86_64__
	{ "rdtsc", loop_tsc, 1, { 0 } },
	{ "rdtsc + copy of 24 bytes (floor)", loop_floor, 1, { 0 } },
#endif
	{ "copy of 24 bytes", loop_copy, 1, { 0 } },
	{ "clock_gettime(CLOCK_MONOTONIC)", loop_monotonic, 1, { 0 } },
	{ "disabled event", loop_off, 1, { 0 } },
	{ "0 bytes, 1 thread", loop_0, 1, { 0 } },
	{ "12 bytes, 1 thread", loop_12, 1, { 0 } },
	{ "16 bytes, 1 thread", loop_16, 1, { 0 } },
	{ "48 bytes, 1 thread", loop_48, 1, { 0 } },
	{ "12 bytes + string of 32, 1 thread", loop_string, 1, { 0 } },
	{ "0 bytes, 2 threads", loop_0, 2, { 0 } },
	{ "16 bytes, 2 threads", loop_16, 2, { 0 } },
	{ "48 bytes, 2 threads", loop_48, 2, { 0 } },
	{ "0 bytes, 4 threads", loop_0, 4, { 0 } },
	{ "16 bytes, 4 threads", loop_16, 4, { 0 } },
	{ "48 bytes, 4 threads", loop_48, 4, { 0 } },
};

struct worker {
	pthread_t thread;
	int cpu;
	void (*loop)(uint64_t n);
	double ns;
	pthread_barrier_t *start;
};

static void *worker_run(void *arg)
{
	struct worker *w = arg;
	uint64_t t;

	bench_pin(w->cpu);
	w->loop(EVENTS / 10);
	pthread_barrier_wait(w->start);
	t = bench_clock(CLOCK_THREAD_CPUTIME_ID);
	w->loop(EVENTS);
	w->ns = (double)(bench_clock(CLOCK_THREAD_CPUTIME_ID) - t) / EVENTS;
	return NULL;
}

static double ask(const struct question *q)
{
	struct worker w[8];
	pthread_barrier_t start;
	double sum = 0;
	int i, cpus = (int)sysconf(_SC_NPROCESSORS_ONLN);

	pthread_barrier_init(&start, NULL, (unsigned int)q->threads);
	for (i = 0; i < q->threads; i++) {
		w[i] = (struct worker){ .cpu = i % cpus, .loop = q->loop, .start = &start };
		pthread_create(&w[i].thread, NULL, worker_run, &w[i]);
	}
	for (i = 0; i < q->threads; i++) {
		pthread_join(w[i].thread, NULL);
		sum += w[i].ns;
	}
	pthread_barrier_destroy(&start);
	return sum / q->threads;
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 15, r;
	size_t i;

	if (rounds < 1 || rounds > ROUNDS_MAX || !weir_enabled(bench, pair) || weir_enabled(off, pair)) {
		fprintf(stderr, "write: to be run by bench/write.sh, with 1 to %d rounds\n", ROUNDS_MAX);
		return 1;
	}
	if (argc > 2) { /* the clock that this mount has: an event by it */
		const struct question q = { "16 bytes", loop_16, 1, { 0 } };
		static double ns[ROUNDS_MAX];
		char name[64];

		for (r = 0; r < rounds; r++)
			ns[r] = ask(&q);
		snprintf(name, sizeof(name), "%s, 1 thread, %s as clock", q.name, argv[2]);
		bench_line("write", name, "ns", ns, rounds);
		return 0;
	}
	for (r = 0; r < rounds; r++)
		for (i = 0; i < sizeof(questions) / sizeof(questions[0]); i++)
			questions[i].ns[r] = ask(&questions[i]);
	for (i = 0; i < sizeof(questions) / sizeof(questions[0]); i++)
		bench_line("write", questions[i].name, "ns", questions[i].ns, rounds);
	return 0;
}
