// SPDX-License-Identifier: GPL-2.0-only
/*
 * A signal at an instant of an attach: `signals WHAT CALL`. It comes in the CALL-th of libweir's memfd_create() and
 * socket(); its handler does WHAT: exit, jump, cancel, fork.
 *
 * The attach is that of an event, for the daemon comes when the program runs already: it says "ready" and reads a byte.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weir/trace.h>

static const char *what;
static int call, calls;
static volatile sig_atomic_t armed;
static sigjmp_buf back;
static volatile pid_t child = -1;

static long at(long result)
{
	if (armed && ++calls == call)
		raise(SIGUSR1);
	return result;
}

int memfd_create(const char *name, unsigned int flags)
{
	return (int)at(syscall(SYS_memfd_create, name, flags));
}

int socket(int domain, int type, int protocol)
{
	return (int)at(syscall(SYS_socket, domain, type, protocol));
}

static void handler(int signal)
{
	(void)signal;
	armed = 0;
	if (!strcmp(what, "exit"))
		exit(7);
	if (!strcmp(what, "jump"))
		siglongjmp(back, 1);
	if (!strcmp(what, "cancel"))
		pthread_cancel(pthread_self());
	if (!strcmp(what, "fork"))
		child = fork();
}

static void *first(void *unused)
{
	int type;

	pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &type);
	armed = 1;
	weir_trace(api, first, 1);
	armed = 0;
	pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, &type);
	return unused;
}

int main(int argc, char **argv)
{
	pthread_t thread;
	int i, status = 0;
	char c;

	if (argc != 3)
		return 2;
	what = argv[1];
	call = atoi(argv[2]);
	signal(SIGUSR1, handler);
	puts("ready");
	fflush(stdout);
	if (read(0, &c, 1) != 1)
		return 3;
	if (!strcmp(what, "cancel")) {
		if (pthread_create(&thread, NULL, first, NULL))
			return 4;
		pthread_join(thread, NULL);
	} else if (!sigsetjmp(back, 1)) {
		first(NULL);
	}
	for (i = 0; i < 10; i++) {
		if (child)
			weir_trace(api, parent, i);
		else
			weir_trace(api, child, i);
	}
	if (!child)
		_exit(0);
	if (child > 0 && (waitpid(child, &status, 0) < 0 || status))
		return 5;
	return calls >= call ? 0 : 6;
}
