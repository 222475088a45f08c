// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench/spawn: what attaching adds to the start of a process, and what an attached process holds.
 *
 *   spawn ROUNDS   starts itself in turn with and without tracing, waits, and prints both
 *   spawn --child  is that process: one site, no event, ends
 *   spawn --memory prints the resident KiB of libweir's mappings in an idle process
 */
#include <spawn.h>
#include <sys/wait.h>
#include <weir/trace.h>
#include "bench.h"

#define ROUNDS_MAX 4096

extern char **environ;

static double start(char *self)
{
	char *argv[] = { self, "--child", NULL };
	uint64_t t = bench_clock(CLOCK_MONOTONIC);
	int status;
	pid_t pid;

	if (posix_spawn(&pid, self, NULL, NULL, argv, environ) || waitpid(pid, &status, 0) != pid || status)
		exit(1);
	return (double)(bench_clock(CLOCK_MONOTONIC) - t) / 1000;
}

static int memory(void)
{
	char line[512];
	FILE *f = fopen("/proc/self/smaps", "r");
	unsigned long kib, sum = 0;
	int ours = 0;
	double v;

	while (f && fgets(line, sizeof(line), f)) {
		if (strchr(line, '-') && strchr(line, ' ') && !strstr(line, "kB"))
			ours = strstr(line, "libweir") || strstr(line, "weir-") || strstr(line, "/control");
		else if (ours && sscanf(line, "Rss: %lu kB", &kib) == 1)
			sum += kib;
	}
	if (f)
		fclose(f);
	v = (double)sum;
	bench_line("attach", "resident, idle process", "KiB", &v, 1);
	return 0;
}

int main(int argc, char **argv)
{
	static double with[ROUNDS_MAX], without[ROUNDS_MAX], added[ROUNDS_MAX];
	int rounds = argc > 1 ? atoi(argv[1]) : 0, r;

	weir_trace(spawn, never, argc);
	if (argc > 1 && !strcmp(argv[1], "--child"))
		return 0;
	if (argc > 1 && !strcmp(argv[1], "--memory"))
		return memory();
	if (rounds < 1 || rounds > ROUNDS_MAX)
		return 1;
	for (r = -3; r < rounds; r++) {
		double a, b;

		unsetenv("WEIR_DISABLE");
		a = start(argv[0]);
		setenv("WEIR_DISABLE", "1", 1);
		b = start(argv[0]);
		if (r < 0)
			continue;
		with[r] = a;
		without[r] = b;
		added[r] = a - b;
	}
	bench_line("attach", "start to end, not attached", "us", without, rounds);
	bench_line("attach", "start to end, attached", "us", with, rounds);
	bench_line("attach", "added", "us", added, rounds);
	return 0;
}
