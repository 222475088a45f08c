// SPDX-License-Identifier: GPL-2.0-only
/*
 * writer: writes numbered events under every kind of trouble, and says in COUNTS what it wrote.
 *
 *   writer [OPTION...] COUNTS
 *     -f FAMILIES  letters of abcd: which events, a:seq and so on (a)
 *     -n N         events a thread and family; 0: until counts->stop is set (0)
 *     -p N, -t N   processes (1), threads in each (1)
 *     -m           threads hop from CPU to CPU
 *     -s           signals of two kinds all the time; their handlers trace
 *     -x           events have a string as well
 *     -l           every other one has a string that is larger than the smallest sub-buffer
 *     -r           every other thread takes itself off rseq
 *     -F N, -V N, -S N   forks, vforks, posix_spawns N times; children trace
 *     -K           every other vfork child is killed while it traces
 *     -D PLUGIN    (may be repeated) is loaded and unloaded all the time
 *     -w           at the end says `written` and waits for the end of standard input
 */
#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <string.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <weir/trace.h>
#include "counts.h"

#define CHILD_EVENTS 100
#define PAD 4096
#define PLUGINS 4
#define THREADS 64

extern char **environ;

static struct counts *counts;
static const char *counts_path, *families = "a", *plugin[PLUGINS];
static long limit, processes = 1, threads = 1, forks, vforks, spawns, plugins;
static bool hop, storm, strings, large, no_rseq, wait_for_stdin, kill_children;
static volatile bool over;    /* the threads have ended */
static long ended;	      /* threads */
static volatile pid_t victim; /* a vfork child that wants to be killed */
static pthread_t worker[THREADS];

struct writer {
	char family;
	uint32_t id;
	uint64_t seq;
	pid_t pid;
};

/* ---- events -----------------------------------------------------------------------------------*/

static void writer_init(struct writer *w, char family)
{
	w->family = family;
	w->seq = 0;
	w->pid = getpid();
	w->id = __atomic_fetch_add(&counts->next, 1, __ATOMIC_RELAXED);
	if (w->id >= COUNTS_MAX)
		abort();
}

static void pad_make(char *pad, uint64_t seq)
{
	size_t len = large && seq & 1 ? PAD - 1 : seq % 50, i;

	for (i = 0; i < len; i++)
		pad[i] = (char)('a' + (seq + i) % 26);
	pad[len] = '\0';
}

#define EVENT(provider)                                                               \
	do {                                                                          \
		if (strings)                                                          \
			weir_trace_fields(provider, text, weir_u32(writer, w->id),    \
					  weir_u64(seq, w->seq), weir_str(pad, pad)); \
		else                                                                  \
			weir_trace_fields(provider, seq, weir_u32(writer, w->id),     \
					  weir_u64(seq, w->seq));                     \
	} while (0)

static void event(struct writer *w)
{
	struct count *count = &counts->writer[w->id];
	char pad[PAD];

	if (strings)
		pad_make(pad, w->seq);
	__atomic_store_n(&count->started, w->seq + 1, __ATOMIC_SEQ_CST);
	switch (w->family) {
	case 'a':
		EVENT(a);
		break;
	case 'b':
		EVENT(b);
		break;
	case 'c':
		EVENT(c);
		break;
	default:
		EVENT(d);
	}
	__atomic_store_n(&count->done, ++w->seq, __ATOMIC_SEQ_CST);
}

static void events(struct writer *w, uint64_t n)
{
	while (n--)
		event(w);
}

/* ---- signals ----------------------------------------------------------------------------------*/

/* A writer a thread and signal. In a child it is another one. */
static __thread struct writer in_handler[2];

static void handler(int sig)
{
	struct writer *w = &in_handler[sig == SIGALRM];

	if (w->pid != getpid())
		writer_init(w, families[0]);
	event(w);
}

static void signals_catch(void)
{
	struct sigaction sa = { .sa_handler = handler, .sa_flags = SA_RESTART };

	if (forks)
		setpgid(0, 0); /* see signals_send() */
	sigaction(SIGUSR1, &sa, NULL);
	sigaction(SIGALRM, &sa, NULL);
}

static void alarms(suseconds_t us)
{
	const struct itimerval often = { { 0, us }, { 0, us } };

	setitimer(ITIMER_REAL, &often, NULL);
}

/* Every thread of this process; if there are forks, all children as well. */
static void *signals_send(void *arg)
{
	long i;

	(void)arg;
	while (!over) {
		for (i = 0; i < threads; i++)
			pthread_kill(worker[i], SIGUSR1);
		if (forks)
			kill(0, SIGUSR1);
		usleep(20);
	}
	return NULL;
}

/* ---- children ---------------------------------------------------------------------------------*/

static void child_trace(uint64_t n)
{
	struct writer w;

	writer_init(&w, families[0]);
	events(&w, n);
}

static __attribute__((noinline)) pid_t vfork_one(bool die)
{
	pid_t pid = vfork();

	if (pid)
		return pid;
	if (die) {
		victim = getpid();
		child_trace(~0ull);
	}
	child_trace(CHILD_EVENTS);
	_exit(0);
}

static pid_t spawn_one(void)
{
	char *argv[] = { "writer",
			 "-n",
			 "100",
			 strings ? "-xf" : "-f",
			 (char *)families,
			 (char *)counts_path,
			 NULL };
	pid_t pid = -1;

	posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, environ);
	return pid;
}

static void reap(pid_t pid, int expected)
{
	int status = -1;

	if (pid < 0 || waitpid(pid, &status, 0) != pid ||
	    (WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status)) != expected) {
		fprintf(stderr, "writer: a child ended with status %x\n", (unsigned int)status);
		_exit(1);
	}
}

static void children(void)
{
	struct writer w;
	long i;
	pid_t pid;
	bool die;

	writer_init(&w, families[0]);
	for (i = 0; i < forks || i < vforks || i < spawns; i++) {
		event(&w);
		if (i < forks) {
			pid = fork();
			if (!pid) {
				child_trace(CHILD_EVENTS);
				_exit(0);
			}
			reap(pid, 0);
		}
		if (i < vforks) {
			die = kill_children && i % 2;
			reap(vfork_one(die), die ? SIGKILL : 0);
		}
		if (i < spawns)
			reap(spawn_one(), 0);
	}
}

/* The parent of a vfork child waits, so somebody else has to kill it. */
static void *killer(void *arg)
{
	unsigned int seed = 1, i;
	pid_t pid;

	(void)arg;
	while (!over) {
		pid = victim;
		if (!pid) {
			usleep(50);
			continue;
		}
		for (i = (unsigned int)rand_r(&seed) % 20000; i; i--)
			__asm__ __volatile__("" ::: "memory");
		victim = 0;
		kill(pid, SIGKILL);
	}
	return NULL;
}

/* ---- plugins ----------------------------------------------------------------------------------*/

static void *plug(void *arg)
{
	struct writer w;
	void (*plugged)(unsigned int writer, __u64 seq);
	void *object;
	long i, n;

	(void)arg;
	writer_init(&w, 'p');
	for (n = 0; n < plugins * 20 || !over; n++) {
		object = dlopen(plugin[n % plugins], RTLD_NOW | RTLD_LOCAL);
		*(void **)&plugged = object ? dlsym(object, "plugin_event") : NULL;
		if (!plugged) {
			fprintf(stderr, "writer: %s\n", dlerror());
			_exit(1);
		}
		for (i = 0; i < 20; i++) {
			counts->writer[w.id].started = w.seq + 1;
			plugged(w.id, w.seq);
			counts->writer[w.id].done = ++w.seq;
		}
		dlclose(object);
		if (dlopen(plugin[n % plugins], RTLD_NOW | RTLD_NOLOAD)) {
			fprintf(stderr, "writer: %s is not unloaded\n", plugin[n % plugins]);
			_exit(1);
		}
	}
	return NULL;
}

/* ---- threads ----------------------------------------------------------------------------------*/

static void rseq_leave(void)
{
	/* as glibc registered it: the first 32 bytes, the signature of x86 */
	if (syscall(SYS_rseq, (char *)__builtin_thread_pointer() + __rseq_offset, 32,
		    RSEQ_FLAG_UNREGISTER, 0x53053053))
		perror("writer: rseq");
}

static void migrate(unsigned int n)
{
	static long cpus;
	cpu_set_t set;

	if (!cpus)
		cpus = sysconf(_SC_NPROCESSORS_ONLN);
	CPU_ZERO(&set);
	CPU_SET(n % (unsigned long)cpus, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static void *work(void *arg)
{
	long number = (long)arg, nr = (long)strlen(families), f;
	struct writer w[4];
	uint64_t n;

	if (no_rseq && number % 2)
		rseq_leave();
	for (f = 0; f < nr; f++)
		writer_init(&w[f], families[f]);
	for (n = 0; limit ? n < (uint64_t)limit : !counts->stop; n++) {
		if (hop && n % 64 == 0)
			migrate((unsigned int)(n / 64 + (uint64_t)number));
		for (f = 0; f < nr; f++)
			event(&w[f]);
	}
	__atomic_fetch_add(&ended, 1, __ATOMIC_RELEASE);
	return NULL;
}

static pthread_t start(void *(*run)(void *), void *arg)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, run, arg))
		abort();
	return thread;
}

static void process(void)
{
	void *(*const helper[])(void *) = { storm ? signals_send : NULL,
					    kill_children ? killer : NULL, plugins ? plug : NULL };
	pthread_t help[3];
	int i;

	__atomic_fetch_add(&counts->running, 1, __ATOMIC_RELAXED);
	for (i = 0; i < threads; i++)
		worker[i] = start(work, (void *)(long)i);
	for (i = 0; i < 3; i++)
		help[i] = helper[i] ? start(helper[i], NULL) : 0;
	if (storm)
		alarms(200);
	children();
	while (__atomic_load_n(&ended, __ATOMIC_ACQUIRE) < threads)
		usleep(500);
	over = true;
	for (i = 0; i < 3; i++)
		if (help[i])
			pthread_join(help[i], NULL);
	for (i = 0; i < threads; i++) /* not before: signals are sent to them */
		pthread_join(worker[i], NULL);
	alarms(0);
}

static const struct {
	char letter;
	long *number;
	bool *flag;
} option[] = {
	{ 'n', &limit, NULL },
	{ 'p', &processes, NULL },
	{ 't', &threads, NULL },
	{ 'F', &forks, NULL },
	{ 'V', &vforks, NULL },
	{ 'S', &spawns, NULL },
	{ 'm', NULL, &hop },
	{ 's', NULL, &storm },
	{ 'x', NULL, &strings },
	{ 'l', NULL, &large },
	{ 'r', NULL, &no_rseq },
	{ 'K', NULL, &kill_children },
	{ 'w', NULL, &wait_for_stdin },
};

static void option_set(int letter)
{
	unsigned int i;

	for (i = 0; i < sizeof(option) / sizeof(option[0]); i++) {
		if (option[i].letter != letter)
			continue;
		if (option[i].number)
			*option[i].number = atol(optarg);
		else
			*option[i].flag = true;
		return;
	}
	exit(2);
}

static void options(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "f:n:p:t:msxlrF:V:S:KD:w")) > 0) {
		if (c == 'f')
			families = optarg;
		else if (c == 'D' && plugins < PLUGINS)
			plugin[plugins++] = optarg;
		else
			option_set(c);
	}
	strings |= large;
	counts_path = argv[optind];
	if (!counts_path || threads > THREADS || strlen(families) > 4)
		exit(2);
}

int main(int argc, char **argv)
{
	pid_t *pid;
	char byte;
	long i;

	options(argc, argv);
	counts = counts_map(counts_path);
	pid = calloc((size_t)processes, sizeof(*pid));
	if (storm)
		signals_catch();
	for (i = 1; i < processes; i++) {
		pid[i] = fork();
		if (pid[i])
			continue;
		process();
		_exit(0);
	}
	process();
	for (i = 1; i < processes; i++)
		reap(pid[i], 0);
	if (wait_for_stdin)
		dprintf(STDOUT_FILENO, "written\n");
	while (wait_for_stdin && read(STDIN_FILENO, &byte, 1) > 0)
		;
	return 0;
}
