// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench/pair: one program, traced by weir, by LTTng-UST, or by nobody, to compare what each costs
 * it. It is built three times: pair_weir, pair_ust, pair_plain. Run by bench/peers.sh.
 *
 *   pair write KIND THREADS EVENTS    ns of CPU time for an event; KIND: num str off
 *   pair lap EVENTS                   the same for 12 bytes, from the first event on
 *   pair run EVENTS                   so many events, the end
 *   pair hold EVENTS [THREADS]        so many events a thread, "ready", waits for its input's end
 *   pair rate EVENTS THREADS SECONDS  so many events a second, a piece of it every millisecond;
 *                                     how many it has written, and in how many seconds
 *   pair first                        "ready", then when its first event was recorded (us)
 *   pair make DIRECTORY               makes a trace and enables it, prints when it began to (us)
 *   pair spawn N EVENTS PROGRAM...    us from the start of `PROGRAM run EVENTS` to its end, N times
 */
#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include "bench.h"

#if defined(BENCH_UST)
#include "ust_events.h"
#define NUM(i, v) lttng_ust_tracepoint(bench, num, i, v)
#define STR(i, v, s) lttng_ust_tracepoint(bench, str, i, v, s)
#define OFF(i, v) lttng_ust_tracepoint(bench, off, i, v)
#define NUM_ENABLED() lttng_ust_tracepoint_enabled(bench, num)
#elif defined(BENCH_WEIR)
#include <weir/trace.h>
#define NUM(i, v) weir_trace(bench, num, i, v)
#define STR(i, v, s) weir_trace(bench, str, i, v, s)
#define OFF(i, v) weir_trace(bench, off, i, v)
#define NUM_ENABLED() weir_enabled(bench, num)
#else
#define NUM(i, v) __asm__ volatile("" : : "r"(i), "r"(v))
#define STR(i, v, s) __asm__ volatile("" : : "r"(i), "r"(v), "r"(s))
#define OFF(i, v) NUM(i, v)
#define NUM_ENABLED() 1
#endif

#define THREADS_MAX 64

extern char **environ;
static char text[] = "0123456789abcdefghijklmnopqrstu"; /* 31 and the NUL */

#define LOOP(name, statement)                                  \
	static __attribute__((noinline)) void name(uint64_t n) \
	{                                                      \
		for (uint64_t i = 0; i < n; i++) {             \
			statement;                             \
			barrier();                             \
		}                                              \
	}

LOOP(loop_num, NUM((uint32_t)i, i * 3))
LOOP(loop_str, STR((uint32_t)i, i * 3, text))
LOOP(loop_off, OFF((uint32_t)i, i * 3))

static const struct kind {
	const char *name;
	void (*loop)(uint64_t n);
} kinds[] = { { "num", loop_num }, { "str", loop_str }, { "off", loop_off } };

struct worker {
	pthread_t thread;
	int cpu;
	uint64_t events;
	void (*loop)(uint64_t n);
	pthread_barrier_t *start;
	double ns;
};

static void *worker_run(void *arg)
{
	struct worker *w = arg;
	uint64_t t;

	bench_pin(w->cpu);
	w->loop(w->events / 4); /* once around the ring */
	pthread_barrier_wait(w->start);
	t = bench_clock(CLOCK_THREAD_CPUTIME_ID);
	w->loop(w->events);
	w->ns = (double)(bench_clock(CLOCK_THREAD_CPUTIME_ID) - t) / (double)w->events;
	return NULL;
}

static int write_events(const char *kind, int threads, uint64_t events)
{
	int i, cpus = (int)sysconf(_SC_NPROCESSORS_ONLN);
	struct worker w[THREADS_MAX];
	pthread_barrier_t start;
	const struct kind *k;
	double sum = 0;

	for (k = kinds; k < kinds + 3 && strcmp(k->name, kind); k++)
		;
	if (k == kinds + 3 || threads < 1 || threads > THREADS_MAX)
		return 2;
	pthread_barrier_init(&start, NULL, (unsigned int)threads);
	for (i = 0; i < threads; i++) {
		w[i] = (struct worker){
			.cpu = i % cpus, .events = events, .loop = k->loop, .start = &start
		};
		if (pthread_create(&w[i].thread, NULL, worker_run, &w[i]))
			return 1;
	}
	for (i = 0; i < threads; i++) {
		pthread_join(w[i].thread, NULL);
		sum += w[i].ns;
	}
	printf("%.3f\n", sum / threads);
	return 0;
}

static int lap(uint64_t events)
{
	uint64_t t;

	bench_pin(0);
	loop_num(1); /* attached, and the site matched */
	t = bench_clock(CLOCK_THREAD_CPUTIME_ID);
	loop_num(events);
	t = bench_clock(CLOCK_THREAD_CPUTIME_ID) - t;
	printf("%.3f\n", (double)t / (double)events);
	return 0;
}

static void *hold_run(void *arg)
{
	struct worker *w = arg;

	bench_pin(w->cpu);
	loop_num(w->events);
	return NULL;
}

static int hold(uint64_t events, int threads)
{
	struct worker w[THREADS_MAX];
	int i;
	char c;

	for (i = 0; i < threads && i < THREADS_MAX; i++) {
		w[i] = (struct worker){ .cpu = i, .events = events };
		if (pthread_create(&w[i].thread, NULL, hold_run, &w[i]))
			return 1;
	}
	while (i)
		pthread_join(w[--i].thread, NULL);
	puts("ready");
	fflush(stdout);
	while (read(0, &c, 1) > 0)
		;
	return 0;
}

static void *rate_run(void *arg)
{
	struct worker *w = arg;
	uint64_t ms, next = bench_clock(CLOCK_MONOTONIC);

	bench_pin(w->cpu);
	for (ms = 0; ms < (uint64_t)w->ns; ms++) {
		struct timespec t;

		loop_num(w->events / 1000);
		next += 1000000;
		t = (struct timespec){ .tv_sec = (time_t)(next / 1000000000),
				       .tv_nsec = (long)(next % 1000000000) };
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
	}
	return NULL;
}

static int rate(uint64_t events, int threads, int seconds)
{
	struct worker w[THREADS_MAX];
	uint64_t t = bench_clock(CLOCK_MONOTONIC);
	int i, cpus = (int)sysconf(_SC_NPROCESSORS_ONLN);

	if (threads < 1 || threads > THREADS_MAX)
		return 2;
	for (i = 0; i < threads; i++) {
		w[i] = (struct worker){ .cpu = i % cpus,
					.events = events / (uint64_t)threads,
					.ns = seconds * 1000.0 };
		if (pthread_create(&w[i].thread, NULL, rate_run, &w[i]))
			return 1;
	}
	for (i = 0; i < threads; i++)
		pthread_join(w[i].thread, NULL);
	t = bench_clock(CLOCK_MONOTONIC) - t;
	printf("%llu %.3f\n",
	       (unsigned long long)(w[0].events / 1000 * 1000 * (uint64_t)(threads * seconds)),
	       (double)t / 1e9);
	return 0;
}

static int first(void)
{
	uint64_t end = bench_clock(CLOCK_MONOTONIC) + 20000000000u;

	puts("ready");
	fflush(stdout);
	while (bench_clock(CLOCK_MONOTONIC) < end) {
		if (!NUM_ENABLED())
			continue;
		NUM(1, 2);
		printf("%llu\n", (unsigned long long)bench_clock(CLOCK_REALTIME) / 1000);
		return 0;
	}
	return 1;
}

/* What mkdir(1) and a shell do, without what it takes to start them. */
static int make(const char *dir)
{
	uint64_t t = bench_clock(CLOCK_REALTIME) / 1000;
	char path[4096];
	int fd;

	if (mkdir(dir, 0777))
		return 1;
	snprintf(path, sizeof(path), "%s/control/enabled", dir);
	fd = open(path, O_WRONLY);
	if (fd < 0 || write(fd, "1", 1) != 1)
		return 1;
	printf("%llu\n", (unsigned long long)t);
	return 0;
}

static int spawn(int n, char *events, char **programs)
{
	for (; n > 0; n--) {
		char **program;

		for (program = programs; *program; program++) {
			char *argv[] = { *program, "run", events, NULL };
			uint64_t t = bench_clock(CLOCK_MONOTONIC);
			int status;
			pid_t pid;

			if (posix_spawn(&pid, *program, NULL, NULL, argv, environ) ||
			    waitpid(pid, &status, 0) != pid || status)
				return 1;
			printf("%.1f%c", (double)(bench_clock(CLOCK_MONOTONIC) - t) / 1000,
			       program[1] ? ' ' : '\n');
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (!strcmp(what, "write") && argc == 5)
		return write_events(argv[2], atoi(argv[3]), strtoull(argv[4], NULL, 0));
	if (!strcmp(what, "lap") && argc == 3)
		return lap(strtoull(argv[2], NULL, 0));
	if (!strcmp(what, "run") && argc == 3) {
		loop_num(strtoull(argv[2], NULL, 0));
		return 0;
	}
	if (!strcmp(what, "hold") && argc >= 3)
		return hold(strtoull(argv[2], NULL, 0), argc > 3 ? atoi(argv[3]) : 1);
	if (!strcmp(what, "rate") && argc == 5)
		return rate(strtoull(argv[2], NULL, 0), atoi(argv[3]), atoi(argv[4]));
	if (!strcmp(what, "first"))
		return first();
	if (!strcmp(what, "make") && argc == 3)
		return make(argv[2]);
	if (!strcmp(what, "spawn") && argc > 4)
		return spawn(atoi(argv[2]), argv[3], argv + 4);
	return 2;
}
