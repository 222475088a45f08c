// SPDX-License-Identifier: GPL-2.0-only
/*
 * fuzz: processes misuse /dev/weir in every way. Nothing is right or wrong here but that the kernel stays silent and the module
 * can be unloaded afterwards; so this only counts calls.
 *
 *   fuzz CALLS [SEED [quiet]]     until so many calls have been made by all workers; quiet: no trace has events of
 *                                 the kernel, whose code is left alone then
 *
 * Traced processes: ioctl numbers, sizes and pointers, mappings of any offset, size and kind, madvise and the like over
 * them, scribbled words, reads and splices; with threads that touch, fork and die meanwhile. One of the workers is the server
 * and a consumer (it may be: this runs as root), with the same habits; it puts traces into slots and takes them away under
 * the others.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <time.h>

#include "fuzz_calls.h"

#define WORKERS 4

static unsigned long wanted;
static uint64_t seed;

static bool enough(void)
{
	return __atomic_load_n(&shared->calls, __ATOMIC_RELAXED) >= wanted;
}

static __thread sigjmp_buf faulted;

static void on_fault(int sig)
{
	(void)sig;
	siglongjmp(faulted, 1);
}

/* Ends what waits. */
static void on_alarm(int sig)
{
	(void)sig;
}

static pthread_mutex_t stop_lock = PTHREAD_MUTEX_INITIALIZER;

/* Touches what is mapped, or may not be, or is not any more. */
static void *toucher(void *seed_)
{
	sigset_t alarms;

	sigemptyset(&alarms);
	sigaddset(&alarms, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &alarms, NULL);
	state = seed ^ (uintptr_t)seed_;
	while (!enough() && pthread_mutex_trylock(&stop_lock)) {
		struct map m = *any_map();

		if (one_in(64))
			sched_yield();
		if (!m.at || !m.size || sigsetjmp(faulted, 1))
			continue;
		m.at += below(m.size);
		if (one_in(2))
			*(volatile char *)m.at = (char)rnd();
		else
			(void)*(volatile char *)m.at;
		__atomic_fetch_add(&shared->touched, 1, __ATOMIC_RELAXED);
	}
	pthread_mutex_unlock(&stop_lock);
	return NULL;
}

static void forks(void)
{
	const struct itimerval tick = { { 0, 100000 }, { 0, 100000 } };
	pid_t pid = fork();
	int i;

	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		setitimer(ITIMER_REAL, &tick, NULL);
		state += (uint64_t)getpid() << 20;
		for (i = (int)below(40); i > 0; i--)
			any_call();
		if (one_in(2))
			raise(SIGKILL);
		_exit(0);
	}
	if (pid > 0) {
		if (one_in(3))
			kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
}

/* One of the workers is; the others are as processes are. */
static void becomes_server(void)
{
	struct weir_dev_serve s = { .version = WEIR_ABI_VERSION };

	is_server = !ioctl(fds[0], WEIR_IOC_SERVE, &s);
	memset(config.slot, 0, sizeof(config.slot));
	config.server = s.server + 1;
	config.counter = s.counter;
	config.flags = WEIR_CONFIG_DEVICE;
	config.nr_slots = WEIR_SLOTS;
	config.nr_cpus = nr_cpus;
}

static void lifetime(unsigned int number, bool threads)
{
	const struct itimerval tick = { { 0, 100000 }, { 0, 100000 } };
	pthread_t thread[2];
	uintptr_t i;

	state = seed ^ ((uint64_t)number + 1) * 0x9e3779b97f4a7c15ull ^ (uint64_t)getpid() << 32;
	for (i = 0; i < FDS; i++)
		fds[i] = -1;
	fds[0] = open(WEIR_DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	becomes_server();
	setitimer(ITIMER_REAL, &tick, NULL);
	call_attach();
	pthread_mutex_lock(&stop_lock);
	if (threads)
		for (i = 0; i < 2; i++)
			pthread_create(&thread[i], NULL, toucher, (void *)(number * 2 + i + 1));
	for (i = 500 + below(2000); i && !enough(); i--) {
		any_call();
		if (!is_server && one_in(50)) /* the last one may have gone */
			becomes_server();
		if (one_in(300))
			forks();
	}
	if (one_in(2))
		_exit(0); /* with threads in the middle of what they do */
	pthread_mutex_unlock(&stop_lock);
	if (threads)
		for (i = 0; i < 2; i++)
			pthread_join(thread[i], NULL);
	_exit(0);
}

int main(int argc, char **argv)
{
	struct rlimit core = { 0, 0 };
	unsigned int number = 0, i;
	int running = 0, died = 0, status;

	if (argc < 2 || argc > 4) {
		fprintf(stderr, "usage: fuzz CALLS [SEED [quiet]]\n");
		return 2;
	}
	quiet = argc > 3;
	wanted = strtoul(argv[1], NULL, 0);
	seed = argc > 2 ? strtoull(argv[2], NULL, 0) : (uint64_t)time(NULL) * 1000003 ^ (uint64_t)getpid();
	printf("# fuzz %lu %llu\n", wanted, (unsigned long long)seed);
	fflush(stdout);
	nr_cpus = (unsigned int)sysconf(_SC_NPROCESSORS_CONF);
	setrlimit(RLIMIT_CORE, &core);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGIO, SIG_IGN);
	signal(SIGSEGV, on_fault);
	signal(SIGBUS, on_fault);
	sigaction(SIGALRM, &(struct sigaction){ .sa_handler = on_alarm }, NULL);
	shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	do {
		while (!enough() && running < WORKERS) {
			if (!fork())
				lifetime(number, number % 3 != 2);
			running++;
			number++;
		}
		if (wait(&status) > 0) {
			running--;
			died += WIFSIGNALED(status);
		}
	} while (running);
	printf("# %lu calls, %lu touches, %u processes, %d of them died\n", shared->calls, shared->touched, number, died);
	for (i = 0; i < CALLS; i++)
		printf("# %s %lu, %lu succeeded\n", calls[i].name, shared->by[i], shared->good[i]);
	ok(shared->calls >= wanted, "%lu calls were made", wanted);
	for (i = 0; i < CALLS; i++)
		if (!shared->good[i] && shared->by[i] > 200)
			ok(false, "%s never succeeds: nothing is tried behind it", calls[i].name);
	return tap_end();
}
