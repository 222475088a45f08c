// SPDX-License-Identifier: GPL-2.0-only
/*
 * A program all of whose memory is locked. Traces, says how many KiB of shared memory it has, reads a byte; again; and a
 * child does, whose memory is locked afterwards.
 */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weir/trace.h>

static long shared_memory(void)
{
	FILE *status = fopen("/proc/self/status", "r");
	char line[256];
	long kib = -1;

	while (status && fgets(line, sizeof(line), status))
		sscanf(line, "RssShmem: %ld", &kib);
	if (status)
		fclose(status);
	return kib;
}

/* Memory is not locked in a child. */
static int child(void)
{
	weir_trace(api, locked, 3);
	if (mlockall(MCL_CURRENT))
		return 1;
	printf("3: %ld\n", shared_memory());
	fflush(stdout);
	return 0;
}

int main(void)
{
	int i, status;
	pid_t pid;
	char c;

	if (mlockall(MCL_CURRENT | MCL_FUTURE))
		return 1;
	for (i = 1; i <= 2; i++) {
		weir_trace(api, locked, i);
		printf("%d: %ld\n", i, shared_memory());
		fflush(stdout);
		if (read(0, &c, 1) != 1)
			return 1;
	}
	pid = fork();
	if (!pid)
		_exit(child());
	return waitpid(pid, &status, 0) == pid && !status ? 0 : 1;
}
