// SPDX-License-Identifier: GPL-2.0-only
/*
 * tick: a program to be traced. tick EVENTS [THREADS [LINGER]]: that many numbered events a thread, -1 for ever;
 * says "done" and waits until its standard input ends, if LINGER is there.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <weir/trace.h>

static long events;

static void *run(void *arg)
{
	unsigned int thread = (unsigned int)(unsigned long)arg;
	long i;

	for (i = 0; events < 0 || i < events; i++) {
		unsigned long n = (unsigned long)i;

		weir_trace(tick, count, thread, n);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	unsigned long i, threads = argc > 2 ? strtoul(argv[2], NULL, 10) : 1;
	pthread_t *id = calloc(threads, sizeof(*id));
	char c;

	if (!id)
		return 1;
	events = argc > 1 ? strtol(argv[1], NULL, 10) : 10;
	for (i = 0; i < threads; i++)
		if (pthread_create(&id[i], NULL, run, (void *)i))
			return 1;
	for (i = 0; i < threads; i++)
		pthread_join(id[i], NULL);
	free(id);
	if (argc > 3) {
		puts("done");
		fflush(stdout);
		while (read(0, &c, 1) > 0)
			;
	}
	return 0;
}
