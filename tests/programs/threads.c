// SPDX-License-Identifier: GPL-2.0-only
/*
 * Threads that contend: a queue with condition variables, timed locks, allocation across threads,
 * keys whose destructors allocate, detached threads. Prints sums that do not depend on the
 * schedule.
 *
 *   threads [forever]
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define THREADS 6
#define ITEMS 3000

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t filled = PTHREAD_COND_INITIALIZER, emptied = PTHREAD_COND_INITIALIZER;
static void *queue[16];
static int queued, detached;
static long total;
static pthread_key_t key;

static void at_thread_exit(void *p)
{
	free(p);
	free(calloc(3, 50));
}

static void *produce(void *arg)
{
	struct timespec past = { 1, 0 };
	long i, *item;

	(void)arg;
	pthread_setspecific(key, malloc(64));
	for (i = 0; i < ITEMS; i++) {
		item = malloc(sizeof(*item) + (size_t)i % 100);
		*item = i;
		while (pthread_mutex_timedlock(&mutex, &past))
			if (!pthread_mutex_trylock(&mutex))
				pthread_mutex_unlock(&mutex);
		while (queued == 16)
			pthread_cond_wait(&emptied, &mutex);
		queue[queued++] = item;
		pthread_cond_signal(&filled);
		pthread_mutex_unlock(&mutex);
	}
	return NULL;
}

static void *consume(void *arg)
{
	struct timespec until;
	long i, *item;

	(void)arg;
	pthread_setspecific(key, malloc(64));
	for (i = 0; i < ITEMS; i++) {
		pthread_mutex_lock(&mutex);
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec = (until.tv_nsec + 1000000) % 1000000000;
		while (!queued)
			pthread_cond_timedwait(&filled, &mutex, &until);
		item = queue[--queued];
		total += *item;
		pthread_cond_signal(&emptied);
		pthread_mutex_unlock(&mutex);
		free(item);
	}
	return NULL;
}

/* Frees what its creator's pthread_t is in. */
static void *lonely(void *arg)
{
	pthread_detach(pthread_self());
	memset(arg, 0xff, sizeof(pthread_t));
	free(arg);
	pthread_mutex_lock(&mutex);
	detached++;
	pthread_cond_broadcast(&emptied);
	pthread_mutex_unlock(&mutex);
	return NULL;
}

static void round_of_all(void)
{
	pthread_t t[THREADS];
	int i;

	total = detached = 0;
	for (i = 0; i < THREADS; i++)
		pthread_create(&t[i], NULL, i % 2 ? produce : consume, NULL);
	for (i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	for (i = 0; i < 50; i++)
		pthread_create(malloc(sizeof(pthread_t)), NULL, lonely, NULL);
	pthread_mutex_lock(&mutex);
	while (detached < 50)
		pthread_cond_wait(&emptied, &mutex);
	pthread_mutex_unlock(&mutex);
	printf("total %ld detached %d\n", total, detached);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	int forever = argc > 1 && !strcmp(argv[1], "forever");

	pthread_key_create(&key, at_thread_exit);
	do
		round_of_all();
	while (forever);
	return 0;
}
