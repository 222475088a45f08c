// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench/many: N attached processes that have recorded something in every trace; they trace one event more
 * whenever a line comes on standard input, and end with it.
 */
#include <signal.h>
#include <sys/wait.h>
#include <weir/trace.h>
#include "bench.h"

static volatile sig_atomic_t go;

static void on_signal(int sig)
{
	go = sig;
}

static void child(int n, int ready)
{
	sigset_t set;
	int cpu, cpus = (int)sysconf(_SC_NPROCESSORS_ONLN);

	sigemptyset(&set);
	for (;;) {
		for (cpu = 0; cpu < cpus; cpu++) {
			bench_pin(cpu);
			weir_trace(many, tick, n, cpu);
		}
		if (write(ready, "x", 1) != 1)
			_exit(1);
		sigsuspend(&set);
		if (go == SIGTERM)
			_exit(0);
	}
}

int main(int argc, char **argv)
{
	int n = argc > 1 ? atoi(argv[1]) : 500, i, ready[2];
	pid_t *pid = calloc((size_t)n, sizeof(*pid));
	sigset_t set;
	char line[64], c;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGUSR1, on_signal);
	signal(SIGTERM, on_signal);
	if (!pid || pipe(ready))
		return 1;
	for (i = 0; i < n; i++) {
		pid[i] = fork();
		if (!pid[i])
			child(i, ready[1]);
	}
	for (;;) {
		for (i = 0; i < n; i++)
			if (read(ready[0], &c, 1) != 1)
				return 1;
		puts("ready");
		fflush(stdout);
		if (!fgets(line, sizeof(line), stdin))
			break;
		for (i = 0; i < n; i++)
			kill(pid[i], SIGUSR1);
	}
	for (i = 0; i < n; i++)
		kill(pid[i], SIGTERM);
	while (wait(NULL) > 0)
		;
	return 0;
}
