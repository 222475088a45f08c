// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench/fill: a thread a CPU writes EVENTS events, half of them with a string: what a text or a recorder
 * is to be fast with. fill EVENTS [LINGER]; with LINGER it ends when standard input does.
 */
#include <pthread.h>
#include <weir/trace.h>
#include "bench.h"

static uint64_t events;
static pthread_barrier_t start;

static void *fill(void *cpu)
{
	static const char path[] = "/articles/2024/index.html";
	uint64_t i;

	bench_pin((int)(intptr_t)cpu);
	pthread_barrier_wait(&start);
	for (i = 0; i < events; i += 2) {
		weir_trace(fill, pair, i, i * 3);
		weir_trace(fill, request, (uint32_t)i, path, (uint16_t)200);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t thread[256];
	int i, cpus = (int)sysconf(_SC_NPROCESSORS_ONLN);

	events = argc > 1 ? strtoull(argv[1], NULL, 10) : 0;
	cpus = cpus > 256 ? 256 : cpus;
	if (!events || !weir_enabled(fill, pair)) {
		fprintf(stderr, "fill: to be run under a mount whose trace records fill:*\n");
		return 1;
	}
	pthread_barrier_init(&start, NULL, (unsigned int)cpus);
	for (i = 0; i < cpus; i++)
		pthread_create(&thread[i], NULL, fill, (void *)(intptr_t)i);
	for (i = 0; i < cpus; i++)
		pthread_join(thread[i], NULL);
	if (argc > 2) {
		puts("done");
		fflush(stdout);
		while (getchar() != EOF)
			;
	}
	return 0;
}
