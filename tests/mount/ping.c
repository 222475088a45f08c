// SPDX-License-Identifier: GPL-2.0-only
/* ping: two threads, each on a CPU of its own if there are two, emit the numbers 0, 1, 2, ... in turn, for ever: each
 * number is emitted when the one before it has been. So a moment that has a number has all before it. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include <weir/trace.h>

static _Atomic unsigned long turn;

static void *run(void *arg)
{
	unsigned long me = (unsigned long)arg;
	cpu_set_t cpus;
	int cpu;

	sched_getaffinity(0, sizeof(cpus), &cpus);
	for (cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &cpus) && !me--)
			break;
	if (cpu < CPU_SETSIZE) {
		CPU_ZERO(&cpus);
		CPU_SET(cpu, &cpus);
		pthread_setaffinity_np(pthread_self(), sizeof(cpus), &cpus);
	}
	for (;;) {
		unsigned long n = turn;

		if (n % 2 != (unsigned long)arg) {
			sched_yield();
			continue;
		}
#ifdef __x86_64__
		__builtin_ia32_lfence(); /* the TSC is not read before the turn was seen */
#endif
		weir_trace(ping, turn, n);
		turn = n + 1;
	}
	return NULL;
}

int main(void)
{
	pthread_t t;

	if (pthread_create(&t, NULL, run, (void *)1))
		return 1;
	run(NULL);
	return 0;
}
