// SPDX-License-Identifier: GPL-2.0-only
/*
 * killer: starts a program N times and kills it at a random instant: every fourth while it starts,
 * the others within US microseconds from where its first thread is about to write.
 *
 *   killer COUNTS N US[g] PROGRAM ARG...
 *
 * The program has a process group of its own. Every other time, with `g` always, the whole group is
 * killed; else the program's children go on, become the killer's and are waited for.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include "counts.h"

static struct counts *counts;

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static void wait_us(uint64_t us)
{
	uint64_t end = now() + us;

	while (now() < end)
		sched_yield();
}

static pid_t start(char **argv)
{
	pid_t pid = fork();

	if (pid < 0) {
		perror("killer: fork");
		exit(1);
	}
	if (pid) {
		setpgid(pid, pid);
		return pid;
	}
	setpgid(0, 0);
	execv(argv[0], argv);
	_exit(127);
}

/* Whether it still ran. */
static int kill_one(char **argv, long i, uint64_t us, bool group)
{
	uint64_t running = counts->running;
	int status, killed;
	pid_t pid = start(argv);

	if (i % 4) {
		while (counts->running == running &&
		       waitid(P_PID, (id_t)pid, NULL, WEXITED | WNOHANG | WNOWAIT) == 0 &&
		       kill(pid, 0) == 0)
			sched_yield();
		wait_us((uint64_t)rand() % us);
	} else {
		wait_us((uint64_t)rand() % 3000);
	}
	kill(i % 2 && !group ? pid : -pid, SIGKILL);
	if (waitpid(pid, &status, 0) != pid || (WIFEXITED(status) && WEXITSTATUS(status))) {
		fprintf(stderr, "killer: the program failed by itself\n");
		exit(1);
	}
	killed = WIFSIGNALED(status);
	while (waitpid(-1, &status, 0) > 0 || errno == EINTR)
		;
	return killed;
}

int main(int argc, char **argv)
{
	long i, n, killed = 0;

	if (argc < 5)
		return 2;
	counts = counts_map(argv[1]);
	n = atol(argv[2]);
	srand((unsigned int)now());
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	for (i = 0; i < n; i++)
		killed += kill_one(argv + 4, i, strtoull(argv[3], NULL, 0), strchr(argv[3], 'g'));
	printf("%ld\n", killed);
	return 0;
}
