// SPDX-License-Identifier: GPL-2.0-only
/*
 * paced: THREADS threads write EVENTS numbered events each, RATE a second of all together; 0: as
 * fast as they can. paced RATE EVENTS THREADS COUNTS; `stop` there ends them earlier. A thread that
 * comes too late goes on at its pace, not faster.
 */
#include <pthread.h>
#include <string.h>
#include <time.h>
#include <weir/trace.h>
#include "../stress/counts.h"

#define STEP_NS 1000000u

static struct counts *counts;
static uint64_t events, step; /* events of a thread; of a step */

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void sleep_until(uint64_t ns)
{
	struct timespec t = { (time_t)(ns / 1000000000u), (long)(ns % 1000000000u) };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL))
		;
}

static void *run(void *unused)
{
	uint32_t id = __atomic_fetch_add(&counts->next, 1, __ATOMIC_RELAXED);
	struct count *count = &counts->writer[id];
	uint64_t seq, due = now();

	(void)unused;
	for (seq = 0; seq < events && !__atomic_load_n(&counts->stop, __ATOMIC_RELAXED); seq++) {
		if (step && !(seq % step)) {
			sleep_until(due);
			due = now() > due + 10 * STEP_NS ? now() : due + STEP_NS;
		}
		count->started = seq + 1;
		weir_trace_fields(a, seq, weir_u32(writer, id), weir_u64(seq, seq));
		count->done = seq + 1;
	}
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t thread[64];
	unsigned long i, threads = argc > 4 ? strtoul(argv[3], NULL, 10) : 0;

	if (!threads || threads > 64)
		return 2;
	events = strtoull(argv[2], NULL, 10);
	step = strtoull(argv[1], NULL, 10) * STEP_NS / 1000000000u / threads;
	counts = counts_map(argv[4]);
	for (i = 0; i < threads; i++)
		if (pthread_create(&thread[i], NULL, run, NULL))
			return 1;
	for (i = 0; i < threads; i++)
		pthread_join(thread[i], NULL);
	return 0;
}
