// SPDX-License-Identifier: GPL-2.0-only
/* Cancels threads that wait in each wrapped cancellation point. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static pthread_t sleeper;
static int fds[2], listener, full[2];
static char zeros[1 << 16];

static void unlock(void *arg)
{
	(void)arg;
	printf("  unlock %d\n", pthread_mutex_unlock(&mutex));
}

static void cleanup(void *arg)
{
	(void)arg;
	free(malloc(100));
	printf("  cleanup\n");
}

static void *wait_cond(void *arg)
{
	(void)arg;
	pthread_mutex_lock(&mutex);
	pthread_cleanup_push(unlock, NULL);
	for (;;)
		pthread_cond_wait(&cond, &mutex);
	pthread_cleanup_pop(1);
	return NULL;
}

#define WAITS(name, call)                                                                          \
	static void *name(void *arg)                                                               \
	{                                                                                          \
		char c[8];                                                                         \
                                                                                                   \
		(void)arg;                                                                         \
		(void)c;                                                                           \
		pthread_cleanup_push(cleanup, NULL);                                               \
		for (;;)                                                                           \
			if (call)                                                                  \
				continue;                                                          \
		pthread_cleanup_pop(1);                                                            \
		return NULL;                                                                       \
	}

WAITS(wait_read, read(fds[0], c, 1))
WAITS(wait_recv, recv(fds[0], c, 1, 0))
WAITS(wait_recvfrom, recvfrom(fds[0], c, 1, 0, NULL, NULL))
WAITS(wait_accept, accept(listener, NULL, NULL))
WAITS(wait_write, write(full[1], zeros, sizeof(zeros)))
WAITS(wait_join, pthread_join(sleeper, NULL))
WAITS(wait_pause, pause())

int main(void)
{
	static void *(*const waits[])(void *) = { wait_cond, wait_read,	 wait_recv, wait_recvfrom,
						  wait_accept, wait_write, wait_join };
	void *value;
	pthread_t t;
	unsigned int i, round;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) || pipe(full))
		return 1;
	listener = socket(AF_INET, SOCK_STREAM, 0);
	listen(listener, 1);
	pthread_create(&sleeper, NULL, wait_pause, NULL);
	for (round = 0; round < 20; round++)
		for (i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
			pthread_create(&t, NULL, waits[i], NULL);
			if (round % 2)
				usleep(1000);
			pthread_cancel(t);
			pthread_join(t, &value);
			printf("%u %d\n", i, value == PTHREAD_CANCELED);
		}
	pthread_cancel(sleeper);
	printf("%d\n", pthread_join(sleeper, &value));
	return 0;
}
