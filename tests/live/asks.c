// SPDX-License-Identifier: GPL-2.0-only
/*
 * asks: a program to be traced that does what it is told, a line each, and says `ok` to it:
 *   N   writes N events
 *   s   asks for a switch, weir_switch()
 *   h   does so from a signal handler
 *   l PLUGIN   loads an object (tests/stress/plugin.c) and has it write an event
 *   f   does so from a child made by fork(), which writes one event and ends
 */
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weir/trace.h>

static unsigned int n;

static void write_events(long count)
{
	while (count-- > 0) {
		n++;
		weir_trace(asks, event, n);
	}
}

static void handler(int sig)
{
	(void)sig;
	weir_switch();
}

static void fork_and_ask(void)
{
	pid_t child = fork();

	if (!child) {
		write_events(1);
		weir_switch();
		_exit(0);
	}
	waitpid(child, NULL, 0);
}

static void load(char *path)
{
	void (*event)(unsigned int writer, unsigned long long seq);
	void *object;

	path[strcspn(path, "\n")] = 0;
	object = dlopen(path, RTLD_NOW);
	event = object ? (void (*)(unsigned int, unsigned long long))dlsym(object, "plugin_event")
		       : NULL;
	if (!event) {
		fprintf(stderr, "asks: %s\n", dlerror());
		exit(1);
	}
	event(1, 1);
}

int main(void)
{
	char line[64];

	signal(SIGUSR1, handler);
	while (fgets(line, sizeof(line), stdin)) {
		if (*line == 's')
			weir_switch();
		else if (*line == 'h')
			raise(SIGUSR1);
		else if (*line == 'l')
			load(line + 2);
		else if (*line == 'f')
			fork_and_ask();
		else
			write_events(strtol(line, NULL, 10));
		puts("ok");
		fflush(stdout);
	}
	return 0;
}
