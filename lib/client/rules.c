// SPDX-License-Identifier: LGPL-2.1-only
/*
 * rules: does a trace want this event, and this process? Both texts come from the tracing control, where the
 * daemon has checked them.
 *
 * The globs are lib/core/glob.c's.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "raw.h"
#include "rules_i.h"
#include "weir_glob.h"

/* ---- processes --------------------------------------------------------------------------------*/

#define WEIR_ANCESTORS 64

static struct {
	pid_t pid, run;
	pid_t ancestor[WEIR_ANCESTORS];
	int nr_ancestors; /* -1: not looked up yet */
	char comm[16];
} weir_self = { .nr_ancestors = -1 };

/* Who this process is. `run` is the process that `weir run` started, of which it is a descendant, or 0. */
void weir_rules_init(pid_t pid, pid_t run, const char *comm)
{
	weir_self.pid = pid;
	weir_self.run = run;
	strncpy(weir_self.comm, comm, sizeof(weir_self.comm) - 1);
}

/* In a fork child: its parent is one ancestor more, also after it has exited. */
void weir_rules_forked(pid_t pid)
{
	if (weir_self.nr_ancestors >= 0 && weir_self.nr_ancestors < WEIR_ANCESTORS)
		weir_self.ancestor[weir_self.nr_ancestors++] = weir_self.pid;
	weir_self.pid = pid;
}

/* From /proc/PID/stat, "pid (comm) state ppid": comm may hold anything, so from the last parenthesis. */
static pid_t weir_parent_of(pid_t pid)
{
	char path[32] = "/proc/", text[256], *p = path + 6, digits[12];
	ssize_t len = -1;
	int n = 0, fd;

	for (unsigned int v = (unsigned int)pid; v || !n; v /= 10)
		digits[n++] = (char)('0' + v % 10);
	while (n)
		*p++ = digits[--n];
	memcpy(p, "/stat", 6);
	fd = weir_sys_open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		len = weir_sys_read(fd, text, sizeof(text) - 1);
		weir_sys_close(fd);
	}
	if (len <= 0)
		return 0;
	text[len] = '\0';
	p = strrchr(text, ')');
	return p && p[1] == ' ' && p[2] ? (pid_t)strtol(p + 3, NULL, 10) : 0;
}

static void weir_find_ancestors(void)
{
	pid_t pid = getppid();

	weir_self.nr_ancestors = 0;
	while (pid > 0 && weir_self.nr_ancestors < WEIR_ANCESTORS) {
		weir_self.ancestor[weir_self.nr_ancestors++] = pid;
		pid = pid > 1 ? weir_parent_of(pid) : 0;
	}
}

static bool weir_descends_from(pid_t pid)
{
	int i;

	if (pid == weir_self.pid || pid == weir_self.run)
		return true;
	if (weir_self.nr_ancestors < 0)
		weir_find_ancestors();
	for (i = 0; i < weir_self.nr_ancestors; i++)
		if (weir_self.ancestor[i] == pid)
			return true;
	return false;
}

static bool weir_process_is(const char *word, const char *end)
{
	size_t plus = *word == '+', digits = strspn(word + plus, "0123456789");
	pid_t pid;

	if (digits && word + plus + digits == end) {
		pid = (pid_t)strtol(word + plus, NULL, 10);
		return plus ? weir_descends_from(pid) : pid == weir_self.pid;
	}
	return weir_glob(word, end, weir_self.comm, weir_self.comm + strlen(weir_self.comm));
}

/* "all", or words of pid, +pid (it and its descendants), comm glob. */
bool weir_processes_match(const char *words)
{
	const char *word, *end;

	while ((word = weir_next_word(&words, " \t\n", &end)))
		if ((end - word == 3 && !memcmp(word, "all", 3)) || weir_process_is(word, end))
			return true;
	return false;
}
