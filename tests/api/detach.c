// SPDX-License-Identifier: GPL-2.0-only
/* A fork child that cannot attach, for it may open no file, keeps nothing of its parent's memory. Once it may, it joins. */
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
	struct rlimit limit = { 3, 64 };
	int status, i;
	pid_t pid;

	weir_trace(api, parent, 1);
	setrlimit(RLIMIT_NOFILE, &limit);
	pid = fork();
	if (!pid) {
		for (i = 0; i < 1000; i++)
			weir_trace(api, child, i);
		i = shared_mappings();
		if (i)
			_exit(i);
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
		while (!shared_mappings())
			weir_trace(api, joined, 1);
		weir_trace(api, late, 1);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	weir_trace(api, parent, 2);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 99;
}
