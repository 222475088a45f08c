// SPDX-License-Identifier: GPL-2.0-only
/*
 * Processes, from their message to their end. hostile.c has those who send something else.
 */
#include <linux/sockios.h>
#include <sys/ioctl.h>

#include "daemon.h"
#include "../../fs/tree_i.h"

#define TEST_CPUX (weir_daemon.nr_cpus)

static size_t test_payload(u64 count)
{
	return WEIR_PACKET_FIRST + count * 16;
}

/* The ring holds the numbers from `from` on, `count` of them, in its one packet. */
static void test_holds(struct weir_source *source, struct weir_trace *trace, unsigned int cpu, u64 from, u64 count)
{
	struct weir_ring_view view;
	u64 record[2], n;

	assert_int_equal(weir_source_sample(source, trace, cpu, &view), 0);
	assert_int_equal(view.end - view.begin, test_payload(count));
	for (n = 0; n < count; n++) {
		assert_int_equal(source->backend->read(source, trace->slot, cpu, view.epoch,
						       view.begin + WEIR_PACKET_FIRST + n * 16, record, 16), 0);
		assert_int_equal(record[1], from + n);
	}
	assert_int_equal(source->backend->valid_from(source, trace->slot, cpu, &view), view.begin);
}

/* ---- a process while it lives -----------------------------------------------------------------*/

static void test_live(void **state)
{
	struct weir_trace *trace = test_small("web", 0, true), *other = test_small("other", 0, true);
	struct weir_ring_view view;
	struct test_program program;
	struct weir_source *source;

	(void)state;
	test_program_make(&program);
	test_attach(&program, "a b/c");
	source = test_find("a_b_c", getpid(), "");
	assert_non_null(source);
	assert_string_equal(source->comm, "a b/c");
	assert_int_equal(source->pid, getpid());
	assert_int_equal(source->uid, geteuid());
	assert_int_equal(source->dir_uid, geteuid());
	assert_int_equal(source->dir_gid, getegid());
	assert_false(weir_source_in(source, trace));
	assert_null(weir_trace_source(trace, source->name));

	test_emit(&program, trace->slot, 1, trace->epoch, 100, 20);
	test_emit(&program, trace->slot, TEST_CPUX, trace->epoch, 7, 1);
	assert_true(weir_source_in(source, trace));
	assert_false(weir_source_in(source, other));
	test_holds(source, trace, 1, 100, 20);
	test_holds(source, trace, TEST_CPUX, 7, 1);
	assert_int_equal(weir_source_sample(source, trace, 0, &view), -ENODATA);
	assert_int_equal(weir_source_sample(source, trace, TEST_CPUX + 1, &view), -ENODATA);

	weir_ring_lose(test_ring(&program, other->slot, 0), other->epoch);
	assert_true(weir_source_in(source, other));
	assert_int_equal(weir_source_sample(source, other, 0, &view), 0);
	assert_true(view.begin == view.end && view.lost == 1);

	assert_int_equal(source->backend->schemas(source), 1);
	test_describe(&program, "test:more");
	assert_int_equal(source->backend->schemas(source), 2);
	assert_string_equal(weir_schemas_class(&source->schemas, 1)->name, "test:more");

	assert_int_equal(weir_trace_clear(trace), 0);
	assert_false(weir_source_in(source, trace));
	weir_source_put(source);
	weir_trace_put(trace);
	weir_trace_put(other);
	test_program_free(&program);
}

/* A ring that the process has not reserved does not exist. */
static void test_large_ring(void **state)
{
	struct weir_trace *trace = test_trace("web", 0, true);
	struct weir_ring_view view;
	struct test_program program;
	struct weir_source *source;
	struct weir_ring *ring;
	const char *why;

	(void)state;
	assert_int_equal(weir_trace_set_geometry(trace, 20 | 1 << 5, &why), 0);
	test_program_make(&program);
	ring = test_ring(&program, trace->slot, 0);
	ring->epoch = trace->epoch;
	ring->position = 1000;
	ring->claim = 1 << 20;
	test_attach(&program, "p");
	source = test_find("p", getpid(), "");
	assert_int_equal(weir_source_sample(source, trace, 0, &view), -ENODATA);
	assert_false(weir_source_in(source, trace));
	weir_source_put(source);
	weir_trace_put(trace);
	test_program_free(&program);
}

/* A trace records its owner's processes, unless it records all. */
static void test_owners(void **state)
{
	struct weir_trace *all = test_small("all", 4711, true), *own = test_small("own", geteuid(), false);
	struct weir_trace *foreign = test_small("foreign", geteuid() + 1, false);
	struct test_program program;
	struct weir_source *source;

	(void)state;
	test_program_make(&program);
	test_emit(&program, all->slot, 0, all->epoch, 0, 1);
	test_emit(&program, own->slot, 0, own->epoch, 0, 1);
	test_emit(&program, foreign->slot, 0, foreign->epoch, 0, 1);
	test_attach(&program, "p");
	source = test_find("p", getpid(), "");
	assert_true(weir_source_in(source, all));
	assert_true(weir_source_in(source, own));
	assert_false(weir_source_in(source, foreign));
	weir_source_put(source);
	weir_trace_put(all);
	weir_trace_put(own);
	weir_trace_put(foreign);
	test_program_free(&program);
}

static void test_bad_log(void **state)
{
	struct test_program program;
	struct weir_source *source;
	struct weir_desc *desc;

	(void)state;
	test_program_make(&program);
	test_attach(&program, "p");
	source = test_find("p", getpid(), "");
	test_describe(&program, "test:two");
	desc = (struct weir_desc *)((u8 *)program.process + program.process->schema_offset +
				    program.process->schema_bytes);
	desc->size = 3;
	program.process->schema_bytes = ~0ull;
	assert_int_equal(source->backend->schemas(source), 2);
	assert_int_equal(source->backend->schemas(source), 2);
	weir_source_put(source);
	test_program_free(&program);
}

/* A user without quota: the event types of a process are not known, which is said once, until there is room again. */
static void test_full_quota(void **state)
{
	const uid_t uid = geteuid() ? geteuid() : 65534, was = geteuid();
	struct weir_caller caller = { .uid = uid };
	struct test_program program;
	struct weir_source *source;
	u64 taken = 1ull << 30;
	struct weir_buf said = { 0 };
	char *line;

	(void)state;
	test_program_make(&program);
	assert_int_equal(weir_quota_take(uid, WEIR_QUOTA_BYTES, taken), 0);
	assert_int_equal(seteuid(uid), 0); /* whose process it is */
	test_attach(&program, "p");
	assert_int_equal(seteuid(was), 0);
	source = test_find("p", getpid(), "");
	assert_non_null(source);
	assert_int_equal(source->uid, uid);
	assert_int_equal(source->backend->schemas(source), 0);
	assert_int_equal(source->backend->schemas(source), 0);
	assert_int_equal(weir_errors_show(&caller, NULL, &said), 0);
	assert_non_null(said.data);
	line = strstr(said.data, "event types of p-");
	assert_non_null(line);
	assert_null(strstr(line + 1, "event types of p-"));
	weir_buf_free(&said);
	weir_quota_give(uid, WEIR_QUOTA_BYTES, taken);
	assert_int_equal(source->backend->schemas(source), 1);
	test_describe(&program, "test:two");
	assert_int_equal(source->backend->schemas(source), 2);
	weir_source_put(source);
	test_program_free(&program);
}

/* ---- names, exec, and the end -----------------------------------------------------------------*/

static void test_names(void **state)
{
	static const struct {
		const char *comm, *name;
	} names[] = {
		{ "nginx", "nginx" }, { "", "_" }, { "-x", "_x" }, { ".hidden", "_hidden" }, { "..", "_." }, { "\xff\x01", "__" },
		{ "a@b", "a_b" }, { "fifteen-bytes-x", "fifteen-bytes-x" },
	};
	struct test_program program;
	size_t i;

	(void)state;
	test_program_make(&program);
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		struct weir_source *source;

		test_attach(&program, names[i].comm);
		source = test_find(names[i].name, getpid(), "");
		assert_non_null(source);
		weir_source_put(source);
	}
	assert_int_equal(test_sources(), 1); /* each ended the one before */
	test_program_free(&program);
}

/* A process that attaches again has called exec(): the earlier source has ended, and stays if it holds events. */
static void test_exec(void **state)
{
	struct weir_trace *trace = test_small("web", 0, true), *other = test_small("other", 0, true);
	struct weir_source *source[3];
	struct test_program program[3];
	static const char *const more[] = { "", ".1", ".2" };
	int i;

	(void)state;
	for (i = 0; i < 3; i++) {
		test_program_make(&program[i]);
		test_attach(&program[i], "sh");
		test_emit(&program[i], trace->slot, 0, trace->epoch, 1000u * (unsigned int)i, 5);
	}
	test_emit(&program[1], other->slot, 1, other->epoch, 50, 2); /* too late: it has ended */
	for (i = 0; i < 3; i++) {
		source[i] = test_find("sh", getpid(), more[i]);
		assert_non_null(source[i]);
		assert_int_equal(READ_ONCE(source[i]->ended), i < 2);
		assert_int_equal(source[i]->backend->schemas(source[i]), 1);
		test_holds(source[i], trace, 0, 1000u * (unsigned int)i, 5);
		assert_false(weir_source_in(source[i], other));
	}
	assert_true(weir_trace_dead_bytes(trace) >= 2 * test_payload(5));
	assert_int_equal(weir_trace_dead_bytes(other), 0);
	assert_true(source[0]->serial < source[1]->serial && source[1]->serial < source[2]->serial);
	assert_int_equal(weir_trace_remove(trace), 0);
	assert_true(source[0]->gone && source[1]->gone && !source[2]->gone);
	assert_int_equal(weir_trace_dead_bytes(trace), 0);
	assert_int_equal(test_sources(), 1);
	for (i = 0; i < 3; i++) {
		weir_source_put(source[i]);
		test_program_free(&program[i]);
	}
	weir_trace_put(trace);
	weir_trace_put(other);
}

/* A child that attaches, writes `count` events to each trace, and waits, or not. */
static pid_t test_child(struct weir_trace *a, struct weir_trace *b, u64 count, bool wait)
{
	pid_t pid = fork();
	struct test_program program;

	assert_true(pid >= 0);
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	test_program_make(&program);
	test_emit(&program, a->slot, 0, a->epoch, 0, count);
	if (b)
		test_emit(&program, b->slot, 0, b->epoch, 500, count);
	test_attach(&program, "child");
	while (wait)
		pause();
	_exit(0);
}

static void test_end(void **state)
{
	struct weir_trace *a = test_small("a", 0, true), *b = test_small("b", 0, true);
	unsigned int fds = test_fds();
	struct weir_ring_view view;
	struct weir_source *source;
	pid_t pid = test_child(a, b, 10, true);

	(void)state;
	test_wait(test_is_there(pid));
	source = test_find("child", pid, "");
	test_holds(source, a, 0, 0, 10);
	assert_int_equal(weir_source_sample(source, a, 0, &view), 0);
	test_reap(pid);
	test_wait(READ_ONCE(source->ended));
	test_holds(source, a, 0, 0, 10);
	test_holds(source, b, 0, 500, 10);
	/* who had sampled before reads on */
	assert_int_equal(source->backend->valid_from(source, a->slot, 0, &view), view.begin);
	assert_int_equal(source->backend->schemas(source), 1);
	weir_rcu_barrier();
	test_wait(test_fds() == fds);

	assert_int_equal(weir_trace_clear(a), 0);
	assert_false(weir_source_in(source, a));
	assert_false(source->gone);
	test_holds(source, b, 0, 500, 10);
	assert_int_equal(weir_trace_remove(b), 0);
	assert_true(source->gone);
	assert_false(test_is_there(pid));
	assert_int_equal(weir_source_sample(source, a, 0, &view), -ENODATA);
	weir_source_put(source);
	weir_trace_put(a);
	weir_trace_put(b);
}

/* One that has ended before it was accepted; one that nobody records. */
static void test_end_early(void **state)
{
	struct weir_trace *trace = test_small("a", 0, true), *other = test_small("b", 0, true);
	struct weir_source *source;
	struct test_program program;
	pid_t pid = test_child(trace, NULL, 3, false);

	(void)state;
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	test_wait(test_is_there(pid));
	source = test_find("child", pid, "");
	test_wait(READ_ONCE(source->ended));
	test_holds(source, trace, 0, 0, 3);
	weir_source_put(source);

	pid = fork();
	if (!pid) {
		struct weir_attach attach = test_attach_message("ghost");
		int fds[2];

		test_program_make(&program);
		fds[0] = program.control;
		fds[1] = program.buffers;
		test_send(test_connect(), &attach, sizeof(attach), fds, 2);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	test_program_make(&program);
	test_attach(&program, "later"); /* after the ghost */
	test_program_free(&program);
	test_wait(test_sources() == 2);
	weir_trace_put(trace);
	weir_trace_put(other);
}

static void test_max_bytes(void **state)
{
	struct weir_trace *trace = test_small("a", 0, true);
	u64 each = 0;
	pid_t pid[8];
	int i;

	(void)state;
	for (i = 0; i < 8; i++) {
		pid[i] = test_child(trace, NULL, 100, true);
		test_wait(test_is_there(pid[i]));
		test_reap(pid[i]);
		test_wait(weir_trace_dead_bytes(trace) >= each * (unsigned int)(i + 1) && weir_trace_dead_bytes(trace));
		if (!i) {
			each = weir_trace_dead_bytes(trace);
			assert_true(each > test_payload(100));
		}
		if (i == 3)
			assert_int_equal(weir_trace_set_max_bytes(trace, 5 * each), 0);
		if (i >= 4)
			break;
	}
	assert_int_equal(weir_trace_dead_bytes(trace), 5 * each);
	assert_int_equal(weir_trace_dropped(trace), 0);
	pid[5] = test_child(trace, NULL, 100, true);
	test_wait(test_is_there(pid[5]));
	test_reap(pid[5]);
	/* it is counted before its bytes go */
	test_wait(weir_trace_dropped(trace) == 1 && weir_trace_dead_bytes(trace) == 5 * each);
	assert_false(test_is_there(pid[0]));
	assert_true(test_is_there(pid[1]));
	assert_int_equal(weir_trace_set_max_bytes(trace, 2 * each + 1), 0);
	assert_int_equal(weir_trace_dropped(trace), 4);
	assert_int_equal(weir_trace_dead_bytes(trace), 2 * each);
	assert_false(test_is_there(pid[3]));
	assert_true(test_is_there(pid[4]) && test_is_there(pid[5]));
	assert_int_equal(weir_trace_set_max_bytes(trace, 100), 0);
	assert_int_equal(weir_trace_dead_bytes(trace), 0);
	assert_int_equal(test_sources(), 0);
	pid[6] = test_child(trace, NULL, 100, true);
	test_wait(test_is_there(pid[6]));
	test_reap(pid[6]);
	test_wait(weir_trace_dropped(trace) == 7 && !weir_trace_dead_bytes(trace));
	weir_trace_put(trace);
}

/* Who was listed can be looked up, though there is no room for it, until nobody has listed for a while. */
static void test_listed(void **state)
{
	struct weir_trace *trace = test_small("a", 0, true);
	struct weir_source *source, *again;
	u64 bytes = 0;
	pid_t pid[2];
	int i;

	(void)state;
	for (i = 0; i < 2; i++) {
		pid[i] = test_child(trace, NULL, 100, true);
		test_wait(test_is_there(pid[i]));
		test_reap(pid[i]);
		test_wait(weir_trace_dead_bytes(trace) > bytes);
		bytes = weir_trace_dead_bytes(trace);
	}
	source = test_find("child", pid[0], "");
	weir_trace_list(trace);
	assert_int_equal(weir_trace_set_max_bytes(trace, bytes / 2), 0);
	assert_int_equal(weir_trace_dropped(trace), 1);
	assert_false(weir_source_in(source, trace));
	again = weir_trace_source(trace, source->name);
	assert_ptr_equal(again, source);
	test_holds(source, trace, 0, 0, 100);
	weir_registry_sweep();
	assert_false(source->gone);
	WRITE_ONCE(trace->listed, 0);
	weir_registry_sweep();
	assert_true(source->gone);
	assert_int_equal(weir_trace_dropped(trace), 1);
	assert_int_equal(weir_trace_dead_bytes(trace), bytes / 2);
	assert_null(weir_trace_source(trace, source->name));
	assert_true(test_is_there(pid[1]));
	weir_source_put(again);
	weir_source_put(source);
	weir_trace_put(trace);
}

static void test_send_program(int fd, struct test_program *program, const char *comm)
{
	struct weir_attach attach = test_attach_message(comm);

	test_send(fd, &attach, sizeof(attach), (int[]){ program->control, program->buffers }, 2);
}

static bool test_taken(int fd)
{
	int left = -1;

	assert_int_equal(ioctl(fd, SIOCOUTQ, &left), 0);
	return !left;
}

/* A process that attaches, calls exec() and attaches again, while the daemon is busy: mostly its socket tells of
 * the second connection before it tells of the first one's message. */
static void test_order_once(void)
{
	static const char *const comm[] = { "first", "second", "busy" };
	struct weir_trace *trace = test_small("a", 0, true);
	struct test_program program[3];
	struct weir_source *source;
	int fd[3], i;

	for (i = 0; i < 3; i++)
		test_program_make(&program[i]);
	test_emit(&program[0], trace->slot, 0, trace->epoch, 0, 1);
	fd[0] = test_connect();
	test_attach(&program[2], "served"); /* the first one was accepted, too */
	pthread_mutex_lock(&weir_registry.lock);
	fd[2] = test_connect();
	test_send_program(fd[2], &program[2], comm[2]);
	test_wait(test_taken(fd[2]));
	test_send_program(fd[0], &program[0], comm[0]);
	fd[1] = test_connect();
	test_send_program(fd[1], &program[1], comm[1]);
	pthread_mutex_unlock(&weir_registry.lock);
	for (i = 0; i < 3; i++)
		test_finish(fd[i]);
	for (i = 0; i < 2; i++) {
		source = test_find(comm[i], getpid(), "");
		assert_non_null(source);
		assert_int_equal(READ_ONCE(source->ended), i == 0);
		weir_source_put(source);
	}
	for (i = 0; i < 3; i++)
		test_program_free(&program[i]);
	assert_int_equal(weir_trace_remove(trace), 0);
	weir_trace_put(trace);
}

static void test_order(void **state)
{
	int i;

	(void)state;
	for (i = 0; i < 20; i++)
		test_order_once();
}

/* Who looks after a process has attached finds it. */
static void test_sync(void **state)
{
	struct test_program program;
	struct weir_source *source;
	int i, fd;

	(void)state;
	test_program_make(&program);
	for (i = 0; i < 200; i++) {
		char comm[16];

		snprintf(comm, sizeof(comm), "p%d", i);
		fd = test_connect();
		test_send_program(fd, &program, comm);
		weir_registry_sync();
		source = test_find(comm, getpid(), "");
		assert_non_null(source);
		weir_source_put(source);
		close(fd);
	}
	test_program_free(&program);
}

/* ---- readers while processes come and go ------------------------------------------------------*/

static bool test_readers_stop;

static void *test_reader(void *trace)
{
	urcu_memb_register_thread();
	while (!__atomic_load_n(&test_readers_stop, __ATOMIC_RELAXED)) {
		weir_sources_each(test_read_one, trace);
		weir_source_put(test_find("sh", getpid(), ".1"));
	}
	urcu_memb_unregister_thread();
	return NULL;
}

static void test_readers(void **state)
{
	struct weir_trace *trace = test_small("a", 0, true), *other;
	struct test_program program;
	pthread_t thread[2];
	int i;

	(void)state;
	__atomic_store_n(&test_readers_stop, false, __ATOMIC_RELAXED);
	for (i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, test_reader, trace), 0);
	for (i = 0; i < 300; i++) {
		test_program_make(&program);
		test_emit(&program, trace->slot, 0, trace->epoch, 0, 10);
		test_attach(&program, "sh");
		test_program_free(&program);
		if (i % 10 == 5)
			assert_int_equal(weir_trace_clear(trace), 0);
		if (i % 10 == 7)
			assert_int_equal(weir_trace_mark(trace, "x", 1, 1), 0);
		if (i % 20 == 9) {
			other = test_trace("b", 0, true);
			assert_int_equal(weir_trace_remove(other), 0);
			weir_trace_put(other);
		}
	}
	__atomic_store_n(&test_readers_stop, true, __ATOMIC_RELAXED);
	for (i = 0; i < 2; i++)
		assert_int_equal(pthread_join(thread[i], NULL), 0);
	weir_trace_put(trace);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(test_live),      test(test_large_ring), test(test_owners), test(test_bad_log),
		test(test_full_quota), test(test_names),     test(test_exec),	test(test_end),
		test(test_end_early), test(test_max_bytes),  test(test_listed), test(test_sync),
		test(test_order),     test(test_readers),
	};

	return test_run(tests);
}
