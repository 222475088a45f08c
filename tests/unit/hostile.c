// SPDX-License-Identifier: GPL-2.0-only
/*
 * Processes that send what is no message of theirs, nothing at all, or too much; and one that scribbles over what it shares.
 */
#include <netinet/in.h>

#include "daemon.h"

static int test_zero(void)
{
	return open("/dev/zero", O_RDONLY | O_CLOEXEC);
}

/* Sends it, and nothing has come of it. */
static void test_refused(const void *message, size_t len, const int *fds, size_t count)
{
	int fd = test_connect();

	test_send(fd, message, len, fds, count);
	test_finish(fd);
	assert_int_equal(test_sources(), 0);
}

static void test_bad_messages(void **state)
{
	struct weir_attach good = test_attach_message("bad"), bad[10];
	char longer[sizeof(good) + 1] = { 0 };
	unsigned int fds = test_fds(), i;
	struct test_program program;
	int pair[2];

	(void)state;
	test_program_make(&program);
	pair[0] = program.control;
	pair[1] = program.buffers;
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		bad[i] = good;
	bad[0].magic++;
	bad[1].version++;
	bad[2].nr_cpus++;
	bad[3].nr_cpus = ~0u;
	bad[4].ring_stride = 0;
	bad[5].ring_stride = TEST_STRIDE + 1;
	bad[6].ring_stride = TEST_STRIDE * 2;
	bad[7].ring_stride = 4096;
	bad[8].ring_stride = 1ull << 27;
	bad[9].ring_stride = 1ull << 63;
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		test_refused(&bad[i], sizeof(bad[i]), pair, 2);
	memcpy(longer, &good, sizeof(good));
	test_refused(longer, sizeof(longer), pair, 2);
	test_refused(&good, sizeof(good) - 1, pair, 2);
	test_refused(&good, 0, pair, 2);
	test_refused(&good, 1, NULL, 0);
	test_refused(&good, sizeof(good), NULL, 0);
	test_attach(&program, "good");
	assert_int_equal(test_sources(), 1);
	test_program_free(&program);
	assert_int_equal(test_fds(), fds + 3); /* its control, buffers, pidfd */
}

static void test_bad_descriptors(void **state)
{
	struct weir_attach attach = test_attach_message("bad");
	const int no_grow = F_SEAL_SHRINK | F_SEAL_SEAL, no_seal = F_SEAL_SHRINK | F_SEAL_GROW;
	unsigned int before = test_fds(), i;
	int good[2], bad[16], pair[2], many[253], n = 0, pipes[2];

	(void)state;
	good[0] = test_memfd(test_control_size(), TEST_SEALS);
	good[1] = test_memfd(test_buffers_size(TEST_STRIDE), TEST_SEALS);
	bad[n++] = test_memfd(test_control_size(), 0);
	bad[n++] = test_memfd(test_control_size(), no_grow);
	bad[n++] = test_memfd(test_control_size(), no_seal);
	bad[n++] = test_memfd(test_control_size() - 1, TEST_SEALS);
	bad[n++] = test_memfd(test_control_size() + 4096, TEST_SEALS);
	bad[n++] = test_memfd(0, TEST_SEALS);
	bad[n++] = test_memfd(1ull << 40, TEST_SEALS);
	bad[n++] = test_memfd(test_control_size(), TEST_SEALS | F_SEAL_WRITE);
	bad[n++] = test_zero();
	bad[n++] = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bad[n++] = open("/tmp", O_PATH | O_CLOEXEC);
	bad[n++] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	bad[n++] = pipes[0];
	bad[n++] = pipes[1];
	for (i = 0; i < (unsigned int)n; i++) {
		test_refused(&attach, sizeof(attach), (int[]){ bad[i], good[1] }, 2);
		test_refused(&attach, sizeof(attach), (int[]){ good[0], bad[i] }, 2);
		test_refused(&attach, sizeof(attach), (int[]){ bad[i], bad[i] }, 2);
		test_refused(&attach, sizeof(attach), &bad[i], 1);
	}
	test_refused(&attach, sizeof(attach), (int[]){ good[1], good[0] }, 2);
	test_refused(&attach, sizeof(attach), good, 1);
	test_refused(&attach, sizeof(attach), (int[]){ good[0], good[1], good[1] }, 3);
	for (i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = good[i & 1];
	test_refused(&attach, sizeof(attach), many, ARRAY_SIZE(many));
	pair[0] = good[0];
	pair[1] = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	test_refused(&attach, sizeof(attach), pair, 2);
	close(pair[1]);
	for (i = 0; i < (unsigned int)n; i++)
		close(bad[i]);
	close(good[0]);
	close(good[1]);
	test_wait(test_fds() == before);
}

/* Huge pages that are not there would be SIGBUS. Where there can be no such file there is nothing to refuse. */
static void test_huge_pages(void **state)
{
	struct weir_attach attach = test_attach_message("huge");
	int fds[2] = { test_memfd(test_control_size(), TEST_SEALS), -1 };

	(void)state;
	fds[1] = memfd_create("weir-test", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB);
	if (fds[1] >= 0 && !ftruncate(fds[1], (off_t)test_buffers_size(TEST_STRIDE)) &&
	    !fcntl(fds[1], F_ADD_SEALS, TEST_SEALS))
		test_refused(&attach, sizeof(attach), fds, 2);
	close(fds[0]);
	if (fds[1] >= 0)
		close(fds[1]);
}

/* A user's 513th process is not recorded; when one has ended there is room again. */
static void test_process_quota(void **state)
{
	struct weir_trace *trace = test_small("a", 0, true);
	uid_t uid = geteuid() ? geteuid() : 65534;
	pid_t pid[2];
	int i;

	(void)state;
	assert_int_equal(weir_quota_take(uid, WEIR_QUOTA_PROCESSES, 511), 0);
	for (i = 0; i < 2; i++) {
		int status, refused[2];

		assert_int_equal(pipe2(refused, O_CLOEXEC), 0);
		pid[i] = fork();
		if (!pid[i]) {
			struct test_program program;

			if (!geteuid() && setresuid(uid, uid, uid))
				_exit(1);
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			test_program_make(&program);
			test_attach(&program, "child");
			status = write(refused[1], "", 1) == 1;
			while (status)
				pause();
			_exit(1);
		}
		close(refused[1]);
		assert_int_equal(read(refused[0], &status, 1), 1);
		close(refused[0]);
		assert_int_equal(test_is_there(pid[i]), i == 0);
	}
	assert_int_equal(test_sources(), 1);
	test_reap(pid[0]);
	test_reap(pid[1]);
	test_wait(!test_sources());
	assert_int_equal(weir_quota_take(uid, WEIR_QUOTA_PROCESSES, 1), 0);
	assert_int_equal(weir_quota_take(uid, WEIR_QUOTA_PROCESSES, 1), -EDQUOT);
	weir_quota_give(uid, WEIR_QUOTA_PROCESSES, 512);
	weir_trace_put(trace);
}

/* Those who connect and say nothing are dropped, and others are served meanwhile. */
static void test_silent(void **state)
{
	unsigned int before = test_fds(), i;
	int fd[300];
	struct test_program program;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(fd); i++)
		fd[i] = test_connect();
	test_program_make(&program);
	test_attach(&program, "good");
	assert_int_equal(test_sources(), 1);
	for (i = 0; i < ARRAY_SIZE(fd); i++)
		test_finish(fd[i]);
	test_program_free(&program);
	assert_int_equal(test_fds(), before + 3);
}

static void test_hangs_up(void **state)
{
	unsigned int before = test_fds(), i;
	struct test_program program;

	(void)state;
	for (i = 0; i < 500; i++)
		close(test_connect());
	test_program_make(&program);
	test_attach(&program, "good");
	test_program_free(&program);
	assert_int_equal(test_fds(), before + 3);
}

/* ---- who is slow to close ---------------------------------------------------------------------*/

/* A socket that whoever drops it last waits for, until `listener` is closed. */
static int test_lingering(int listener)
{
	static const struct linger linger = { 1, 100000 };
	static const char bytes[1 << 16];
	struct sockaddr_in address;
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), few = 4096;

	assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &len), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &few, sizeof(few)), 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, len), 0);
	while (send(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
	return fd;
}

static int test_listener(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), few = 4096;

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &few, sizeof(few)), 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 1000), 0);
	return fd;
}

/* There nobody runs while a close() waits. */
static bool test_valgrind(void)
{
	const char *preload = getenv("LD_PRELOAD");

	return preload && strstr(preload, "vgpreload");
}

/* A right message but for the descriptors, after so many others that carry none. */
static void test_send_lingering(int listener, unsigned int nr, unsigned int before, size_t len)
{
	struct weir_attach attach = test_attach_message("lingers");
	int fds[4], fd = test_connect();
	unsigned int i;

	for (i = 0; i < nr; i++)
		fds[i] = i < nr - 1 ? test_memfd(4096, TEST_SEALS) : test_lingering(listener);
	while (before--)
		test_send(fd, &attach, len, NULL, 0);
	test_send(fd, &attach, sizeof(attach), fds, nr);
	while (nr)
		close(fds[--nr]);
	close(fd);
}

static void test_served(void)
{
	struct test_program program;
	struct weir_source *source;

	test_program_make(&program);
	test_attach(&program, "good");
	source = test_find("good", getpid(), "");
	assert_non_null(source);
	weir_source_put(source);
	test_program_free(&program);
}

/* Wherever in a message, and in whichever: nobody waits for it. The alarm is the hang guard. */
static void test_lingers(void **state)
{
	int listener = test_listener();
	unsigned int before, nr;

	(void)state;
	alarm(120);
	test_served();
	before = test_fds();
	for (nr = 1; nr <= 4; nr++) {
		test_send_lingering(listener, nr, 0, 0);
		test_send_lingering(listener, nr, 1, 0);
		test_send_lingering(listener, nr, 1, 7);
		test_send_lingering(listener, nr, 3, 0);
	}
	test_served();
	weir_registry_sync();
	close(listener);
	test_wait(test_fds() == before - 1);
	alarm(0);
}

/* Who has as many as there may be does not get more of the daemon's descriptors by it. */
static void test_lingers_over_quota(void **state)
{
	const uid_t uid = geteuid() ? geteuid() : 65534, was = geteuid();
	int listener = test_listener(), i;
	unsigned int before = test_fds();

	(void)state;
	alarm(120);
	assert_int_equal(weir_quota_take(uid, WEIR_QUOTA_CONNECTIONS, 3 * 64), 0);
	weir_registry_stop();
	assert_int_equal(weir_registry_init(test_dir, "monotonic"), 0);
	assert_int_equal(seteuid(uid), 0);
	for (i = 0; i < 300; i++) /* all has been said before the first is accepted */
		test_send_lingering(listener, 1 + (unsigned int)i % 3, 0, 0);
	assert_int_equal(seteuid(was), 0);
	assert_int_equal(weir_registry_start(), 0);
	weir_registry_sync();
	test_wait(test_fds() < before + 50);
	weir_quota_give(uid, WEIR_QUOTA_CONNECTIONS, 3 * 64);
	test_served();
	close(listener);
	test_wait(test_fds() == before - 1 + 3);
	alarm(0);
}

/* Nor does the end of the daemon, though nobody has accepted it. */
static void test_lingers_at_end(void **state)
{
	int listener = test_listener();
	unsigned int nr;

	(void)state;
	alarm(120);
	weir_registry_stop();
	assert_int_equal(weir_registry_init(test_dir, "monotonic"), 0);
	for (nr = 1; nr <= 3; nr++) {
		test_send_lingering(listener, nr, 0, 0);
		test_send_lingering(listener, nr, 1, 0);
	}
	weir_registry_stop();
	assert_int_equal(access(test_path("socket"), F_OK), -1);
	close(listener);
	assert_int_equal(weir_registry_init(test_dir, "monotonic"), 0);
	assert_int_equal(weir_registry_start(), 0);
	test_served();
	alarm(0);
}

/* Every word that it can write, at random. The daemon neither dies nor reads outside. */
static void test_scribble(void **state)
{
	struct weir_trace *trace = test_small("a", 0, true);
	u64 random = 88172645463325252ull, *words, size;
	struct test_program program;
	struct weir_source *source;
	int i;

	(void)state;
	test_program_make(&program);
	test_emit(&program, trace->slot, 0, trace->epoch, 0, 1000);
	test_attach(&program, "p");
	source = test_find("p", getpid(), "");
	words = (u64 *)program.process;
	size = test_control_size() / 8;
	for (i = 0; i < 20000; i++) {
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		words[i % 2 ? random % size : WEIR_RINGS_OFFSET / 8 + random % 8] = i % 3 ? random : random % 8192;
		if (i % 16 == 7)
			test_ring(&program, trace->slot, 0)->epoch = trace->epoch;
		test_read_one(source, trace);
	}
	weir_source_put(source);
	weir_trace_put(trace);
	test_program_free(&program);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(test_bad_messages), test(test_bad_descriptors),	 test(test_huge_pages),	    test(test_process_quota),
		test(test_silent),	 test(test_hangs_up),		 test(test_scribble),	    test(test_lingers),
		test(test_lingers_at_end), test(test_lingers_over_quota),
	};
	const size_t lingering = test_valgrind() ? 3 : 0; /* the last */

	urcu_memb_register_thread();
	return _cmocka_run_group_tests("tests", tests, ARRAY_SIZE(tests) - lingering, NULL, NULL);
}
