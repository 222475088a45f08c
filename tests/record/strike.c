// SPDX-License-Identifier: GPL-2.0-only
/*
 * strike: kills a recorder while it writes. strike PID DIR NTH DELAY: waits until the streams below
 * DIR, those without a name yet included, take more room on the disk for the NTH time, and DELAY
 * microseconds more; then SIGKILL.
 */
#include <errno.h>
#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

static long long room(const char *dir, const char *names)
{
	long long blocks = 0;
	char pattern[4096];
	struct stat st;
	glob_t found;
	size_t i;

	snprintf(pattern, sizeof(pattern), "%s/*/%s", dir, names);
	if (glob(pattern, GLOB_NOSORT, NULL, &found))
		return 0;
	for (i = 0; i < found.gl_pathc; i++)
		blocks += stat(found.gl_pathv[i], &st) ? 0 : st.st_blocks;
	globfree(&found);
	return blocks;
}

int main(int argc, char **argv)
{
	pid_t pid = argc > 4 ? atoi(argv[1]) : 0;
	long nth = pid > 0 ? strtol(argv[3], NULL, 10) : 0,
	     delay = nth ? strtol(argv[4], NULL, 10) : 0;
	struct timespec wait = { 0, delay * 1000 };
	long long now, last = 0;

	if (nth <= 0)
		return 2;
	while (nth) {
		if (kill(pid, 0))
			return errno == ESRCH ? 1 : 2;
		now = room(argv[2], "cpu*") + room(argv[2], ".cpu*");
		nth -= now != last;
		last = now;
	}
	nanosleep(&wait, NULL);
	return kill(pid, SIGKILL) ? 1 : 0;
}
