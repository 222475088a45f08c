// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a site promises beside recording: errno is kept, arguments are evaluated once and only while the event
 * is recorded, nothing is cut silently, strings that change under the copy stay strings, children are told apart however
 * they were forked. Speaks TAP itself; tests/api/behave.sh looks at what was recorded.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weir/trace.h>

static int nr, failed;

static void ok(int good, const char *what)
{
	printf("%sok %d - %s\n", good ? "" : "not ", ++nr, what);
	failed |= !good;
}

static int evaluated;

static int count(int value)
{
	evaluated++;
	return value;
}

static void test_arguments(void)
{
	weir_trace(api, evaluated, count(1), count(2));
	ok(evaluated == 2, "arguments of a recorded event are evaluated once");
	weir_trace(off, evaluated, count(1));
	ok(evaluated == 2, "arguments of a disabled event are not evaluated");
	ok(weir_enabled(api, evaluated) && !weir_enabled(off, evaluated), "weir_enabled tells which is which");
}

static void test_errno(void)
{
	errno = ERANGE;
	weir_trace(api, error, errno);
	ok(errno == ERANGE, "errno is kept");
}

/* One string of each length around the stage's and the record's limits. */
static void test_lengths(void)
{
	static const size_t lengths[] = { 0, 1, 7, 8, 9, 15, 16, 17, 511, 512, 513, 4096, 60000, 65000, 65535, 65536, 200000 };
	char *text = malloc(200001), *at;
	size_t i, shift;

	for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
		for (shift = 0; shift < 17; shift += 3) {
			at = text + shift;
			if (lengths[i] + shift > 200000)
				continue;
			memset(at, 'a' + (int)i, lengths[i]);
			at[lengths[i]] = '\0';
			weir_trace(api, length, (unsigned int)lengths[i], at, 0x5a5a5a5au);
		}
	weir_trace(api, two, "first", 1, "second", 2);
	weir_trace(api, null, (char *)NULL);
	weir_trace_fields(api, bytes, weir_bytes(none, NULL, 0), weir_bytes(null, NULL, 9), weir_bytes(b, text, 600),
			  weir_u32(after, 7));
	weir_trace_fields(api, toolong, weir_bytes(b, text, 65536));
	free(text);
}

static char changing[64];
static volatile sig_atomic_t stop;

static void *change(void *arg)
{
	(void)arg;
	while (!stop) {
		memset(changing, 'x', 63);
		memset(changing + 3, 0, 40);
	}
	return NULL;
}

static void test_changing(void)
{
	pthread_t thread;
	int i;

	pthread_create(&thread, NULL, change, NULL);
	for (i = 0; i < 20000; i++)
		weir_trace(api, changing, changing, 0x77777777);
	stop = 1;
	pthread_join(thread, NULL);
}

static volatile sig_atomic_t handled;

static void on_signal(int sig)
{
	weir_trace(api, handler, sig);
	handled++;
}

static void test_signal(void)
{
	int i;

	signal(SIGUSR1, on_signal);
	for (i = 0; i < 1000; i++)
		raise(SIGUSR1);
	ok(handled == 1000, "signal handlers trace");
}

static void test_fork(void)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		weir_trace(api, child, (int)getpid());
		_exit(0);
	}
	ok(waitpid(pid, &status, 0) == pid && !status, "a fork child traces and ends");
	pid = vfork();
	if (!pid) {
		weir_trace(api, vforked, 1);
		_exit(0);
	}
	ok(waitpid(pid, &status, 0) == pid && !status, "a vfork child traces and ends");
	weir_trace(api, parent, 1);
}

static pid_t fork_by_syscall(void)
{
#ifdef SYS_fork
	return (pid_t)syscall(SYS_fork);
#else
	return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
#endif
}

/* No handler of pthread_atfork runs: the child's first event is the first to know. */
static void test_fork_past_handlers(pid_t (*forks)(void), const char *what)
{
	int i, status;
	pid_t pid;

	weir_trace(api, past_parent, (int)getpid());
	pid = forks();
	if (!pid) {
		for (i = 0; i < 3; i++)
			weir_trace(api, past_child, (int)getpid());
		_exit(0);
	}
	ok(waitpid(pid, &status, 0) == pid && !status, what);
	weir_trace(api, past_parent, (int)getpid());
}

static __attribute__((noinline)) pid_t vforks(void)
{
	pid_t pid = vfork();

	if (!pid) {
		weir_trace(api, fresh, (int)getpid());
		_exit(0);
	}
	return pid;
}

static void *fresh(void *result)
{
	int status;
	pid_t pid = vforks();

	*(bool *)result = waitpid(pid, &status, 0) == pid && !status;
	return NULL;
}

/* Of a thread that has recorded nothing, on a CPU whose ring another one has begun. */
static void test_fresh_vfork(void)
{
	cpu_set_t before, one;
	pthread_t thread;
	bool good = false;

	sched_getaffinity(0, sizeof(before), &before);
	CPU_ZERO(&one);
	CPU_SET((size_t)sched_getcpu(), &one);
	sched_setaffinity(0, sizeof(one), &one);
	weir_trace(api, warm, 1);
	pthread_create(&thread, NULL, fresh, &good);
	pthread_join(thread, NULL);
	sched_setaffinity(0, sizeof(before), &before);
	ok(good, "a vfork child of a thread that has recorded nothing traces and ends");
}

/* What is shared with the daemon, by memfd or by the module's device; a core dump would be as large as all rings. */
static void test_dump(void)
{
	FILE *smaps = fopen("/proc/self/smaps", "r");
	bool weir = false;
	int mappings = 0, dumped = 0;
	char line[4096], mode[5];

	while (smaps && fgets(line, sizeof(line), smaps)) {
		if (sscanf(line, "%*x-%*x %4s", mode) == 1)
			weir = strstr(line, "memfd:weir-") || strstr(line, "/dev/weir");
		if (!weir || strncmp(line, "VmFlags:", 8))
			continue;
		mappings++;
		dumped += !strstr(line, " dd");
	}
	if (smaps)
		fclose(smaps);
	ok(mappings >= 2 && !dumped, "a core dump holds no rings");
}

__attribute__((constructor)) static void early(void)
{
	weir_trace(api, constructor, 1);
}

__attribute__((destructor)) static void late(void)
{
	weir_trace(api, destructor, 1);
}

int main(void)
{
	test_fresh_vfork();
	test_arguments();
	test_errno();
	test_lengths();
	test_changing();
	test_signal();
	test_fork();
	test_fork_past_handlers(_Fork, "a child of _Fork() traces and ends");
	test_fork_past_handlers(fork_by_syscall, "a child of the bare system call traces and ends");
	test_dump();
	printf("1..%d\n", nr);
	return failed;
}
