// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls wrapped functions as early and as late as a program can: in a resolver of an indirect
 * function, .preinit_array, constructors, exit handlers, destructors, thread-local destructors of
 * the main thread. Built with -DLIBRARY it is a library that the program is linked with:
 * initialised before preloaded ones, or loaded and unloaded by it.
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void calls(const char *where)
{
	static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	char *p = malloc(100), *q = calloc(10, 10), line[100];
	int fd;

	p = realloc(p, 200);
	free(p);
	free(q);
	free(memalign(64, 64));
	pthread_mutex_lock(&mutex);
	pthread_mutex_unlock(&mutex);
	fd = open("/dev/null", O_RDWR);
	if (read(fd, line, 1) || connect(fd, NULL, 0) != -1 || errno != ENOTSOCK)
		_exit(99);
	close(fd);
	snprintf(line, sizeof(line), "%s\n", where);
	if (write(1, line, strlen(line)) < 0)
		_exit(98);
}

static void __attribute__((constructor(101))) first(void)
{
	calls("constructor 101");
}

static void __attribute__((destructor)) last(void)
{
	calls("destructor");
}

#ifdef LIBRARY

void library(void);
void library(void)
{
	calls("library");
}

#else

void library(void);

static void preinit(void)
{
	calls("preinit");
}
__attribute__((section(".preinit_array"), used)) static void (*preinit_entry)(void) = preinit;

static void at_exit(void)
{
	calls("atexit");
}

int main(void)
{
	atexit(at_exit);
	library();
	calls("main");
	return 7;
}
#endif
