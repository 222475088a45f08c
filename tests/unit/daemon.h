/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * daemon: the registry in a directory of its own, and programs that attach to it, made by hand.
 */
#ifndef WEIR_TEST_DAEMON_H
#define WEIR_TEST_DAEMON_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../fs/live.h"
#include "../../fs/registry_i.h"

#define TEST_STRIDE (1ull << 20)
#define TEST_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

static char test_dir[64];

/* A hang guard, no measurement. */
#define test_wait(cond)                                                                                    \
	do {                                                                                               \
		int test_left = 60000;                                                                     \
		while (!(cond) && test_left--)                                                             \
			usleep(1000);                                                                      \
		assert_true(test_left > 0);                                                                \
	} while (0)

static inline const char *test_path(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", test_dir, name);
	return path;
}

static inline void test_dir_make(void)
{
	strcpy(test_dir, "/tmp/weir-unit-XXXXXX");
	assert_non_null(mkdtemp(test_dir));
	assert_int_equal(chmod(test_dir, 0755), 0);
}

static inline void test_dir_remove(void)
{
	unlink(test_path("control"));
	unlink(test_path("control.lock"));
	unlink(test_path("socket"));
	assert_int_equal(rmdir(test_dir), 0);
}

/* Trusting the clock costs an eighth of a second, so tests take the other one. */
static inline int test_start(void **state)
{
	(void)state;
	test_dir_make();
	weir_live_init(); /* as weir_tree_init() does: a trace that goes looks for its streams' readers */
	assert_int_equal(weir_registry_init(test_dir, "monotonic"), 0);
	assert_int_equal(weir_registry_start(), 0);
	return 0;
}

static inline int test_stop(void **state)
{
	(void)state;
	weir_registry_stop();
	test_dir_remove();
	return 0;
}

static inline unsigned int test_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static inline struct weir_trace *test_trace(const char *name, uid_t uid, bool all)
{
	struct weir_trace *trace;
	const char *why = NULL;

	assert_int_equal(weir_trace_create(name, uid, 0, all, &why), 0);
	trace = weir_trace_find(name);
	assert_non_null(trace);
	return trace;
}

static inline int test_count_one(struct weir_source *source, void *count)
{
	(void)source;
	++*(unsigned int *)count;
	return 0;
}

static inline unsigned int test_sources(void)
{
	unsigned int count = 0;

	weir_sources_each(test_count_one, &count);
	return count;
}

/* ---- a program --------------------------------------------------------------------------------*/

struct test_program {
	int control, buffers;
	struct weir_process *process;
	u8 *bytes;
	u64 stride;
};

static inline int test_memfd(u64 size, int seals)
{
	int fd = memfd_create("weir-test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

static inline u64 test_control_size(void)
{
	return weir_schema_offset(weir_daemon.nr_cpus) + WEIR_SCHEMA_SIZE;
}

static inline u64 test_buffers_size(u64 stride)
{
	return weir_ring_index(weir_daemon.nr_cpus, WEIR_SLOTS, 0) * stride;
}

static inline void test_describe(struct test_program *program, const char *event)
{
	static const char *const names[] = { "n" };
	static const u8 types[] = { WEIR_TYPE_U64 };
	u8 *log = (u8 *)program->process + program->process->schema_offset;
	u64 bytes = program->process->schema_bytes;
	int size = weir_desc_write(log + bytes, WEIR_SCHEMA_SIZE - bytes, event, 1, names, types);

	assert_true(size > 0);
	smp_store_release(&program->process->schema_bytes, bytes + (u64)size);
}

static inline void test_program_make(struct test_program *program)
{
	program->stride = TEST_STRIDE;
	program->control = test_memfd(test_control_size(), TEST_SEALS);
	program->buffers = test_memfd(test_buffers_size(TEST_STRIDE), TEST_SEALS);
	program->process = mmap(NULL, test_control_size(), PROT_READ | PROT_WRITE, MAP_SHARED, program->control, 0);
	program->bytes = mmap(NULL, test_buffers_size(TEST_STRIDE), PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_NORESERVE, program->buffers, 0);
	assert_true(program->process != MAP_FAILED && program->bytes != MAP_FAILED);
	program->process->schema_offset = weir_schema_offset(weir_daemon.nr_cpus);
	test_describe(program, "test:number");
}

static inline void test_program_free(struct test_program *program)
{
	munmap(program->process, test_control_size());
	munmap(program->bytes, test_buffers_size(TEST_STRIDE));
	close(program->control);
	close(program->buffers);
}

/* Writing into a mapping: one frame, the ring. */
static inline void *test_ring_populate(void *priv, size_t offset)
{
	return (u8 *)priv + offset;
}

static inline void test_ring_release(void *priv, void *page)
{
	(void)priv;
	(void)page;
}

static inline int test_ring_write(void *priv, void *page, size_t offset, const void *src, size_t len)
{
	(void)page;
	memcpy((u8 *)priv + offset, src, len);
	return 0;
}

static inline void *test_ring_address(void *priv, void *page)
{
	(void)priv;
	return page;
}

static const struct weir_relay_ops test_ring_ops = {
	.populate = test_ring_populate,
	.release = test_ring_release,
	.write = test_ring_write,
	.address = test_ring_address,
};

static inline struct weir_ring *test_ring(struct test_program *program, unsigned int slot, unsigned int cpu)
{
	return (struct weir_ring *)((u8 *)program->process + WEIR_RINGS_OFFSET) +
	       weir_ring_index(weir_daemon.nr_cpus, slot, cpu);
}

/* `count` events test:number of 16 bytes. */
static inline void test_emit(struct test_program *program, unsigned int slot, unsigned int cpu, u64 epoch, u64 from,
			     u64 count)
{
	u64 size = weir_epoch_ring_size(epoch), n, record[2], now;
	u8 *base = program->bytes + weir_ring_index(weir_daemon.nr_cpus, slot, cpu) * program->stride;
	struct weir_relay relay;

	assert_false(epoch & WEIR_EPOCH_TID);
	assert_int_equal(weir_relay_init(&relay, size, weir_epoch_ring_shift(epoch), weir_epoch_subbuf_shift(epoch),
					 &test_ring_ops, base), 0);
	for (n = from; n < from + count; n++) {
		now = weir_clock_now();
		record[0] = now << WEIR_TIME_SHIFT;
		record[1] = n;
		weir_ring_append_locked(test_ring(program, slot, cpu), &relay, epoch, cpu, now, record,
					sizeof(record));
	}
	weir_relay_destroy(&relay);
}

/* ---- the socket -------------------------------------------------------------------------------*/

static inline int test_connect(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", test_dir);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static inline void test_send(int fd, const void *message, size_t len, const int *fds, size_t count)
{
	char space[CMSG_SPACE(253 * sizeof(int))] __attribute__((aligned(8))) = { 0 };
	struct iovec iov = { (void *)(uintptr_t)message, len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *cmsg;

	if (count) {
		msg.msg_control = space;
		msg.msg_controllen = CMSG_SPACE(count * sizeof(int));
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(count * sizeof(int));
		memcpy(CMSG_DATA(cmsg), fds, count * sizeof(int));
	}
	/* the daemon may have closed it after an earlier one */
	assert_true(sendmsg(fd, &msg, MSG_NOSIGNAL) >= 0 || errno == EPIPE || errno == ECONNRESET);
}

/* Until the daemon has closed it: everything it did with the message is done. */
static inline void test_finish(int fd)
{
	char byte;

	assert_int_equal(recv(fd, &byte, 1, 0) > 0, 0);
	close(fd);
}

static inline struct weir_attach test_attach_message(const char *comm)
{
	struct weir_attach attach = {
		.magic = WEIR_ATTACH_MAGIC,
		.version = WEIR_ABI_VERSION,
		.nr_cpus = weir_daemon.nr_cpus,
		.ring_stride = TEST_STRIDE,
	};

	snprintf(attach.comm, sizeof(attach.comm), "%s", comm);
	return attach;
}

static inline void test_attach(struct test_program *program, const char *comm)
{
	struct weir_attach attach = test_attach_message(comm);
	int fds[2] = { program->control, program->buffers }, fd = test_connect();

	test_send(fd, &attach, sizeof(attach), fds, 2);
	test_finish(fd);
}

/* The source of this name, by pid. */
static inline struct weir_source *test_find(const char *comm, pid_t pid, const char *more)
{
	char name[64];

	snprintf(name, sizeof(name), "%s-%d%s", comm, (int)pid, more);
	return weir_source_find(name);
}

/* A trace with small rings and no context, enabled. */
static inline struct weir_trace *test_small(const char *name, uid_t uid, bool all)
{
	struct weir_trace *trace = test_trace(name, uid, all);
	const char *why;

	assert_int_equal(weir_trace_set_geometry(trace, 12 | 1 << 5, &why), 0);
	assert_int_equal(weir_trace_set_enabled(trace, true), 0);
	return trace;
}

static inline void test_reap(pid_t pid)
{
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static inline bool test_is_there(pid_t pid)
{
	struct weir_source *source = test_find("child", pid, "");

	weir_source_put(source);
	return source;
}

static inline int test_read_one(struct weir_source *source, void *arg)
{
	struct weir_trace *trace = arg;
	struct weir_ring_view view;
	u8 bytes[8192];

	if (weir_source_in(source, trace) && !weir_source_sample(source, trace, 0, &view) &&
	    view.end - view.begin <= sizeof(bytes))
		source->backend->read(source, trace->slot, 0, view.epoch, view.begin, bytes,
				      view.end - view.begin);
	source->backend->schemas(source);
	return 0;
}

/* A test beside a registry of its own; and all of them. */
#define test(fn) cmocka_unit_test_setup_teardown(fn, test_start, test_stop)
#define test_run(tests) (urcu_memb_register_thread(), cmocka_run_group_tests(tests, NULL, NULL))

#endif /* WEIR_TEST_DAEMON_H */
