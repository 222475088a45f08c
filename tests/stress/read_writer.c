// SPDX-License-Identifier: GPL-2.0-only
/*
 * read_writer: threads that write numbered events with checksums until SIGTERM.
 *
 *   read_writer [-t THREADS] [-r EVENTS-A-SECOND] [-n EVENTS] [-s SECRET] [-c COUNTERS] [-p PLUGIN-DIRECTORY]
 *
 * Thread n stays on CPU n, so that each stream holds the events of one thread, numbered without a hole. -c: a
 * file in which each thread keeps its last number, stored after the event. -p: *.so there are loaded one by one,
 * as they appear, and called from then on. -s: a text that each event carries. -n: so many a thread, then the end.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <weir/trace.h>

#include "read_sum.h"

#define PLUGINS_MAX 4096
#define PAYLOAD_MAX 64

typedef void plugin_fire(uint32_t thread, uint64_t *seq);

static atomic_int stop;
static plugin_fire *plugins[PLUGINS_MAX];
static atomic_uint nr_plugins;
static volatile uint64_t *counters;
static const char *secret = "";
static unsigned long rate, limit;

static void on_term(int sig)
{
	(void)sig;
	stop = 1;
}

struct tick {
	uint32_t thread;
	uint64_t seq;
	char payload[PAYLOAD_MAX + 1];
} __attribute__((packed));

/* Of a length and content that follow from its number. */
static size_t fill(struct tick *tick, uint32_t thread, uint64_t seq)
{
	size_t i, len = seq * 7 % 41;

	tick->thread = thread;
	tick->seq = seq;
	if (*secret)
		len = (size_t)snprintf(tick->payload, sizeof(tick->payload), "%s", secret);
	else
		for (i = 0; i < len; i++)
			tick->payload[i] = (char)('a' + (seq + i) % 26);
	tick->payload[len] = 0;
	return offsetof(struct tick, payload) + len;
}

static void write_tick(uint32_t thread, uint64_t seq)
{
	struct tick tick;
	size_t len = fill(&tick, thread, seq);

	if (seq % 16)
		weir_trace_fields(stress, tick, weir_u32(thread, thread), weir_u64(seq, seq),
				  weir_str(payload, tick.payload), weir_u64(sum, read_sum(&tick, len + 1)));
	else
		weir_trace_fields(stress, tock, weir_u32(thread, thread), weir_u64(seq, seq),
				  weir_u64(sum, read_sum(&tick, offsetof(struct tick, payload))));
}

static void pin(uint32_t thread)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(thread % (uint32_t)sysconf(_SC_NPROCESSORS_ONLN), &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static void *run(void *arg)
{
	uint32_t thread = (uint32_t)(size_t)arg, i;
	struct timespec next;
	uint64_t seq = 0;

	pin(thread);
	clock_gettime(CLOCK_MONOTONIC, &next);
	while (!stop && (!limit || seq < limit)) {
		write_tick(thread, ++seq);
		if (seq % 1000 == 0)
			for (i = 0; i < nr_plugins; i++)
				plugins[i](thread, &seq);
		if (counters)
			counters[thread] = seq;
		if (rate && seq % 50 == 0) {
			next.tv_nsec += 50 * 1000000000ll / (long)rate;
			next.tv_sec += next.tv_nsec / 1000000000;
			next.tv_nsec %= 1000000000;
			clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
		}
	}
	return NULL;
}

static void load(const char *dir, const char *name)
{
	char path[4096];
	plugin_fire *fire;
	void *plugin;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	plugin = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	fire = plugin ? (plugin_fire *)dlsym(plugin, "plugin_fire") : NULL;
	if (!fire) {
		fprintf(stderr, "read_writer: %s\n", dlerror());
		exit(1);
	}
	unlink(path);
	if (nr_plugins < PLUGINS_MAX)
		plugins[nr_plugins++] = fire;
}

static void load_plugins(const char *dir)
{
	struct dirent *entry;
	DIR *d;

	while (!stop) {
		d = opendir(dir);
		while (d && (entry = readdir(d)))
			if (strlen(entry->d_name) > 3 && !strcmp(entry->d_name + strlen(entry->d_name) - 3, ".so"))
				load(dir, entry->d_name);
		if (d)
			closedir(d);
		usleep(5000);
	}
}

static void map_counters(const char *path)
{
	int fd = open(path, O_RDWR);

	counters = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (counters == MAP_FAILED) {
		perror(path);
		exit(1);
	}
	close(fd);
}

int main(int argc, char **argv)
{
	unsigned long threads = 2, i;
	const char *dir = NULL;
	pthread_t thread[64];
	int opt;

	signal(SIGTERM, on_term);
	while ((opt = getopt(argc, argv, "t:r:n:s:c:p:")) != -1) {
		switch (opt) {
		case 't': threads = strtoul(optarg, NULL, 10); break;
		case 'r': rate = strtoul(optarg, NULL, 10); break;
		case 'n': limit = strtoul(optarg, NULL, 10); break;
		case 's': secret = optarg; break;
		case 'c': map_counters(optarg); break;
		case 'p': dir = optarg; break;
		default: return 2;
		}
	}
	if (!threads || threads > 64)
		return 2;
	for (i = 0; i < threads; i++)
		if (pthread_create(&thread[i], NULL, run, (void *)i))
			return 1;
	if (dir)
		load_plugins(dir);
	for (i = 0; i < threads; i++)
		pthread_join(thread[i], NULL);
	return 0;
}
