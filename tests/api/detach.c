// SPDX-License-Identifier: GPL-2.0-only
/* A fork child that cannot attach, for it may open no file, keeps nothing of its parent's memory. */
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weir/trace.h>

static int shared_mappings(void)
{
	char line[4096];
	int count = 0;
	FILE *maps;

	close(0); /* the one descriptor there may be */
	maps = fopen("/proc/self/maps", "r");
	if (!maps)
		return -1;
	while (fgets(line, sizeof(line), maps))
		count += strstr(line, "memfd:weir") != NULL;
	fclose(maps);
	return count;
}

int main(void)
{
	struct rlimit limit = { 3, 3 };
	int status, i;
	pid_t pid;

	weir_trace(api, parent, 1);
	setrlimit(RLIMIT_NOFILE, &limit);
	pid = fork();
	if (!pid) {
		for (i = 0; i < 1000; i++)
			weir_trace(api, child, i);
		_exit(shared_mappings());
	}
	waitpid(pid, &status, 0);
	weir_trace(api, parent, 2);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 99;
}
