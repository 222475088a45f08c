// SPDX-License-Identifier: GPL-2.0-only
/* Traces: names, limits, settings, epochs, the marker; and what a daemon that was killed leaves to the next one. */
#include "daemon.h"

#define TEST_USER 4711u

static const char *why;

static void test_names(void **state)
{
	static const char *const good[] = { "a", "web", "A-Z_0.9", "-x", "_", "x." };
	static const char *const bad[] = { "", ".", "..", ".x", "a b", "a/b", "a@b", "\xc3\xa4", "a\n", "a*" };
	char longest[WEIR_TRACE_NAME_MAX + 2];
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(good); i++) {
		struct weir_trace *trace = test_trace(good[i], 0, true);

		assert_int_equal(weir_trace_create(good[i], 0, 0, true, &why), -EEXIST);
		assert_int_equal(weir_trace_remove(trace), 0);
		assert_int_equal(weir_trace_remove(trace), -ENOENT);
		assert_true(trace->gone);
		weir_trace_put(trace);
		assert_null(weir_trace_find(good[i]));
	}
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		why = NULL;
		assert_int_equal(weir_trace_create(bad[i], 0, 0, true, &why), -EINVAL);
		assert_non_null(why);
	}
	memset(longest, 'x', sizeof(longest));
	longest[sizeof(longest) - 1] = 0;
	assert_int_equal(weir_trace_create(longest, 0, 0, true, &why), -ENAMETOOLONG);
	longest[sizeof(longest) - 2] = 0;
	weir_trace_put(test_trace(longest, 0, true));
}

static void test_limits(void **state)
{
	struct weir_trace *traces[WEIR_SLOTS];
	char name[16];
	unsigned int i;

	(void)state;
	for (i = 0; i < WEIR_SLOTS; i++) {
		snprintf(name, sizeof(name), "t%u", i);
		if (i == 4)
			assert_int_equal(weir_trace_create(name, TEST_USER, 0, false, &why), -EDQUOT);
		weir_trace_put(test_trace(name, i < 4 ? TEST_USER : 0, false));
	}
	assert_int_equal(weir_trace_create("t16", 0, 0, false, &why), -ENOSPC);
	assert_int_equal(weir_trace_create("t3", 0, 0, false, &why), -EEXIST);
	assert_int_equal(weir_traces(traces), WEIR_SLOTS);
	for (i = 0; i < WEIR_SLOTS; i++) {
		assert_int_equal(traces[i]->slot, i);
		assert_int_equal(weir_trace_remove(traces[i]), 0);
		weir_trace_put(traces[i]);
	}
	weir_trace_put(test_trace("again", TEST_USER, false));
}

static void test_quota(void **state)
{
	int i;

	(void)state;
	for (i = 0; i < 4; i++)
		assert_int_equal(weir_quota_take(TEST_USER, WEIR_QUOTA_TRACES, 1), 0);
	assert_int_equal(weir_quota_take(TEST_USER, WEIR_QUOTA_TRACES, 1), -EDQUOT);
	assert_int_equal(weir_quota_take(TEST_USER + 256, WEIR_QUOTA_TRACES, 1), 0);
	assert_int_equal(weir_quota_take(TEST_USER, WEIR_QUOTA_BYTES, ~0ull), -EDQUOT);
	assert_int_equal(weir_quota_take(TEST_USER, WEIR_QUOTA_BYTES, 1), 0);
	assert_int_equal(weir_quota_take(TEST_USER, WEIR_QUOTA_BYTES, ~0ull), -EDQUOT);
	weir_quota_give(TEST_USER, WEIR_QUOTA_BYTES, 1);
	weir_quota_give(TEST_USER, WEIR_QUOTA_TRACES, 3);
	assert_int_equal(weir_quota_take(TEST_USER, WEIR_QUOTA_TRACES, 3), 0);
	weir_quota_give(TEST_USER, WEIR_QUOTA_TRACES, 4);
	weir_quota_give(TEST_USER + 256, WEIR_QUOTA_TRACES, 1);
	assert_int_equal(weir_quota_take(0, WEIR_QUOTA_BYTES, ~0ull), 0);
	assert_int_equal(weir_quota_take(TEST_USER, WEIR_QUOTA_TRACES, 4), 0);
	weir_quota_give(TEST_USER, WEIR_QUOTA_TRACES, 4);
}

static u64 test_bits(const struct weir_trace *trace)
{
	return trace->epoch & 0xffff;
}

static void test_geometry(void **state)
{
	static const u64 bad[] = { 11 | 2 << 5, 4 | 1 << 5, 18 | 9 << 5, 26 | 1 << 5, 31 | 31 << 5, 12 | 15 << 5 };
	struct weir_trace *trace = test_trace("web", 0, true);
	u64 epoch = trace->epoch;
	size_t i;

	(void)state;
	assert_int_equal(test_bits(trace), WEIR_EPOCH_TID | 2 << 5 | 18);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		why = NULL;
		assert_int_equal(weir_trace_set_geometry(trace, bad[i], &why), -EINVAL);
		assert_non_null(why);
	}
	assert_int_equal(trace->epoch, epoch);
	assert_int_equal(weir_trace_set_geometry(trace, 12 | WEIR_EPOCH_DISCARD, &why), 0);
	assert_int_equal(test_bits(trace), WEIR_EPOCH_DISCARD | 2 << 5 | 12);
	assert_int_equal(weir_trace_set_geometry(trace, 14 << 5, &why), 0);
	assert_int_equal(test_bits(trace), 14 << 5 | 12);
	assert_true(trace->epoch > epoch);
	weir_trace_set_enabled(trace, true);
	assert_int_equal(weir_trace_set_geometry(trace, 3 << 5, &why), -EBUSY);
	weir_trace_set_enabled(trace, false);
	assert_int_equal(weir_trace_set_geometry(trace, 1 << 5, &why), 0); /* enabled once, but empty */
	weir_trace_set_enabled(trace, true);
	assert_int_equal(weir_trace_mark(trace, "x", 1, 1), 0);
	weir_trace_set_enabled(trace, false);
	assert_int_equal(weir_trace_set_geometry(trace, 3 << 5, &why), -EBUSY);
	assert_int_equal(weir_trace_clear(trace), 0);
	assert_int_equal(weir_trace_set_geometry(trace, 13, &why), 0);
	weir_trace_remove(trace);
	assert_int_equal(weir_trace_set_geometry(trace, 13, &why), -ENOENT);
	weir_trace_put(trace);
}

static void test_rules(void **state)
{
	static const char *const bad[] = { "a b", "!", "http", "http:[a", "x:\x01", "*\n! \n" };
	static char text[WEIR_RULES_SIZE], processes[WEIR_PROCESSES_SIZE], big[2 * WEIR_RULES_SIZE];
	struct weir_trace *trace = test_trace("web", 0, true);
	size_t i;

	(void)state;
	weir_trace_text(trace, text, processes);
	assert_string_equal(text, "*\n");
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		why = NULL;
		assert_int_equal(weir_trace_set_rules(trace, bad[i], false, &why), -EINVAL);
		assert_non_null(why);
	}
	assert_int_equal(weir_trace_set_rules(trace, "\n  http:*  \r\n!http:b[!o]dy", false, &why), 0);
	assert_int_equal(weir_trace_set_rules(trace, "db:?\n\n", true, &why), 0);
	weir_trace_text(trace, text, processes);
	assert_string_equal(text, "http:*\n!http:b[!o]dy\ndb:?\n");
	memset(big, '*', sizeof(big) - 1);
	assert_int_equal(weir_trace_set_rules(trace, big, false, &why), -E2BIG);
	big[WEIR_RULES_SIZE - 1] = 0; /* the newline does not fit */
	assert_int_equal(weir_trace_set_rules(trace, big, false, &why), -E2BIG);
	big[WEIR_RULES_SIZE - 2] = 0;
	assert_int_equal(weir_trace_set_rules(trace, big, true, &why), -E2BIG);
	weir_trace_text(trace, text, processes);
	assert_string_equal(text, "http:*\n!http:b[!o]dy\ndb:?\n");
	assert_int_equal(weir_trace_set_rules(trace, big, false, &why), 0);
	assert_int_equal(weir_trace_set_rules(trace, "\n", false, &why), 0);
	weir_trace_text(trace, text, processes);
	assert_string_equal(text, "");
	weir_trace_put(trace);
}

static void test_processes(void **state)
{
	static const char *const bad[] = { "", " \n", "0", "+0", "4194305", "+", "+x", "99999999999999999999",
					   "a[b", "sixteen-bytes-xx" };
	static char rules[WEIR_RULES_SIZE], text[WEIR_PROCESSES_SIZE], big[WEIR_PROCESSES_SIZE + 1];
	struct weir_trace *trace = test_trace("web", 0, true);
	size_t i;

	(void)state;
	weir_trace_text(trace, rules, text);
	assert_string_equal(text, "all");
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		why = NULL;
		assert_int_equal(weir_trace_set_processes(trace, bad[i], &why), -EINVAL);
		assert_non_null(why);
	}
	assert_int_equal(weir_trace_set_processes(trace, " 1 +4194304\tnginx*\n x[0-9]", &why), 0);
	weir_trace_text(trace, rules, text);
	assert_string_equal(text, "1 +4194304 nginx* x[0-9]");
	memset(big, '*', sizeof(big) - 1);
	assert_int_equal(weir_trace_set_processes(trace, big, &why), -E2BIG);
	big[WEIR_PROCESSES_SIZE - 1] = 0;
	assert_int_equal(weir_trace_set_processes(trace, big, &why), 0);
	weir_trace_put(trace);
}

static const struct weir_slot *test_slot(const struct weir_control *control, unsigned int slot)
{
	return &control->copy[control->sequence & 1].slot[slot];
}

static struct weir_control *test_map(void)
{
	int fd = open(test_path("control"), O_RDONLY | O_CLOEXEC);
	struct weir_control *control = mmap(NULL, sizeof(*control), PROT_READ, MAP_SHARED, fd, 0);

	assert_true(fd >= 0 && control != MAP_FAILED);
	close(fd);
	return control;
}

#define test_moves(expr)                                                                                   \
	do {                                                                                               \
		u64 test_before = control->generation;                                                     \
		assert_int_equal(expr, 0);                                                                 \
		assert_int_equal(control->generation, test_before + WEIR_GENERATION_STEP);                 \
	} while (0)

/* What programs see. */
static void test_published(void **state)
{
	struct weir_trace *other = test_trace("other", 0, true), *trace = test_trace("web", TEST_USER, false);
	struct weir_control *control = test_map();
	const struct weir_config *config = &control->copy[control->sequence & 1];

	(void)state;
	assert_int_equal(config->nr_cpus, weir_daemon.nr_cpus);
	assert_int_equal(config->nr_slots, WEIR_SLOTS);
	assert_int_equal(config->server, 1);
	assert_memory_equal(&config->clock, &weir_daemon.clock, sizeof(config->clock));
	assert_int_equal(test_slot(control, 1)->owner, TEST_USER);
	assert_int_equal(test_slot(control, 1)->flags, 0);
	assert_int_equal(test_slot(control, 0)->flags, WEIR_SLOT_ALL);
	test_moves(weir_trace_set_enabled(trace, true));
	assert_int_equal(test_slot(control, 1)->flags, WEIR_SLOT_ENABLED);
	assert_int_equal(test_slot(control, 1)->epoch, trace->epoch);
	test_moves(weir_trace_set_rules(trace, "a:b", false, &why));
	assert_string_equal(test_slot(control, 1)->rules, "a:b\n");
	test_moves(weir_trace_set_processes(trace, "sh", &why));
	assert_string_equal(test_slot(control, 1)->processes, "sh");
	test_moves(weir_trace_clear(trace));
	assert_int_equal(test_slot(control, 1)->epoch, trace->epoch);
	test_moves(weir_trace_remove(trace));
	assert_int_equal(test_slot(control, 1)->epoch, 0);
	assert_int_equal(control->sequence & 1, 0);
	assert_memory_equal(&control->copy[0], &control->copy[1], sizeof(control->copy[0]));
	weir_trace_put(trace);
	weir_trace_put(other);
	munmap(control, sizeof(*control));
}

static u64 test_counter(const struct weir_trace *trace)
{
	return trace->epoch >> WEIR_EPOCH_COUNTER_SHIFT;
}

/* Epochs grow over clear, remove, and the next daemon; who had the file mapped sees it. */
static void test_restart(void **state)
{
	struct weir_trace *trace = test_trace("web", 0, true);
	struct weir_control *control = test_map();
	u64 counter = test_counter(trace);

	(void)state;
	assert_int_equal(weir_trace_clear(trace), 0);
	assert_true(test_counter(trace) > counter);
	counter = test_counter(trace);
	weir_trace_set_enabled(trace, true);
	weir_trace_put(trace);
	weir_registry_stop();
	assert_int_equal(test_slot(control, 0)->epoch, 0);
	assert_int_equal(access(test_path("socket"), F_OK), -1);

	assert_int_equal(weir_registry_init(test_dir, "monotonic"), 0);
	assert_int_equal(weir_registry_start(), 0);
	assert_int_equal(control->copy[0].server, 2);
	assert_null(weir_trace_find("web"));
	trace = test_trace("web", 0, true);
	assert_true(test_counter(trace) > counter);
	assert_int_equal(test_slot(control, 0)->epoch, trace->epoch);
	weir_trace_put(trace);
	munmap(control, sizeof(*control));
}

/* A daemon that is killed leaves its slots and its socket. */
static void test_killed(void **state)
{
	struct weir_control *control;
	pid_t pid;

	(void)state;
	weir_registry_stop();
	pid = fork();
	if (!pid) {
		if (weir_registry_init(test_dir, "monotonic") || weir_trace_create("web", 0, 0, true, &why))
			_exit(1);
		kill(getpid(), SIGKILL);
	}
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	control = test_map();
	assert_int_not_equal(test_slot(control, 0)->epoch, 0);
	assert_int_equal(access(test_path("socket"), F_OK), 0);
	assert_int_equal(weir_registry_init(test_dir, "monotonic"), 0);
	assert_int_equal(weir_registry_start(), 0);
	assert_int_equal(test_slot(control, 0)->epoch, 0);
	assert_int_equal(control->copy[0].server, 3);
	close(test_connect());
	munmap(control, sizeof(*control));
}

static void test_marker(void **state)
{
	struct weir_trace *trace = test_trace("web", TEST_USER, false), *other = test_trace("other", 0, true);
	const size_t payload = 4 + 6 + 4; /* tid, text, pid */
	struct weir_source *marker;
	struct weir_ring_view view;
	char bytes[64], text[70000];

	(void)state;
	assert_int_equal(weir_trace_mark(trace, "hello", 5, 77), -EBADF);
	assert_null(weir_trace_source(trace, "marker-0"));
	assert_int_equal(weir_trace_set_geometry(trace, 14 | 1 << 5 | WEIR_EPOCH_TID, &why), 0);
	weir_trace_set_enabled(trace, true);
	assert_int_equal(weir_trace_mark(trace, "hello", 5, 77), 0);
	marker = weir_trace_source(trace, "marker-0");
	assert_non_null(marker);
	assert_null(weir_trace_source(other, "marker-0"));
	assert_null(weir_source_find("marker-0"));
	assert_false(weir_source_in(marker, other));
	assert_int_equal(marker->dir_uid, TEST_USER);
	assert_int_equal(marker->backend->schemas(marker), 1);
	assert_string_equal(weir_schemas_class(&marker->schemas, 0)->name, "marker:print");
	assert_int_equal(weir_source_sample(marker, trace, 1, &view), -ENODATA);
	assert_int_equal(weir_source_sample(marker, trace, 0, &view), 0);
	assert_int_equal(view.end - view.begin, WEIR_PACKET_FIRST + 8 + payload);
	assert_int_equal(marker->backend->read(marker, trace->slot, 0, view.epoch, WEIR_PACKET_FIRST + 8 + 4, bytes,
					       10), 0);
	assert_string_equal(bytes, "hello");
	assert_int_equal(bytes[6], 77);
	assert_int_equal(marker->backend->valid_from(marker, trace->slot, 0, &view), 0);

	memset(text, 'x', sizeof(text));
	assert_int_equal(weir_trace_mark(trace, text, sizeof(text), 1), -EMSGSIZE);
	assert_int_equal(weir_trace_mark(trace, text, 20000, 1), -EMSGSIZE); /* lost, and counted */
	assert_int_equal(weir_source_sample(marker, trace, 0, &view), 0);
	assert_int_equal(view.lost, 1);
	assert_int_equal(weir_trace_clear(trace), 0);
	assert_false(weir_source_in(marker, trace));
	weir_trace_set_enabled(trace, false);
	assert_int_equal(weir_trace_set_geometry(trace, 12 | 1 << 5, &why), 0);
	weir_trace_set_enabled(trace, true);
	assert_int_equal(weir_trace_mark(trace, "a\0b", 3, 1), 0);
	assert_int_equal(weir_source_sample(marker, trace, 0, &view), 0);
	assert_int_equal(view.end, WEIR_PACKET_FIRST + 8 + 2 + 4);
	assert_int_equal(view.lost, 0);
	weir_trace_remove(trace);
	assert_true(marker->gone);
	weir_source_put(marker);
	weir_trace_put(trace);
	weir_trace_put(other);
}

/* A mount's clock starts at CLOCK_MONOTONIC's time and never goes back; wall-clock time follows from it. */
static void test_clock(void **state)
{
	static const char *const names[] = { NULL, "monotonic" };
	struct timespec ts;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		u64 last, now, wall;
		int n;

		assert_int_equal(weir_clock_init(names[i]), 0);
		last = weir_clock_now();
		for (n = 0; n < 10000; n++, last = now) {
			now = weir_clock_now();
			assert_true(now >= last);
		}
		clock_gettime(CLOCK_REALTIME, &ts);
		wall = (u64)ts.tv_sec * 1000000000 + (u64)ts.tv_nsec;
		now = weir_clock_now() + (u64)weir_daemon.clock_offset;
		assert_in_range(now - wall + 1000000000, 0, 2000000000);
	}
	assert_int_equal(weir_clock_init("sundial"), -EINVAL);
}

static void test_uuids(void **state)
{
	struct weir_trace *a = test_trace("a", 0, true), *b = test_trace("b", 0, true);
	struct weir_source one = { .uuid = { 1 } }, two = { .uuid = { 2 } };
	u8 uuid[6][16];
	int i, j;

	(void)state;
	weir_source_uuid(&one, a, a->epoch, uuid[0]);
	weir_source_uuid(&two, a, a->epoch, uuid[1]);
	weir_source_uuid(&one, b, b->epoch, uuid[2]);
	weir_source_uuid(&two, b, b->epoch, uuid[3]);
	weir_source_uuid(&one, a, a->epoch + 65536, uuid[4]);
	weir_source_uuid(&one, a, a->epoch, uuid[5]);
	for (i = 0; i < 5; i++)
		for (j = 0; j < i; j++)
			assert_memory_not_equal(uuid[i], uuid[j], 16);
	assert_memory_equal(uuid[0], uuid[5], 16);
	weir_trace_put(a);
	weir_trace_put(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(test_names),     test(test_limits),    test(test_quota),	test(test_geometry),
		test(test_rules),     test(test_processes), test(test_published), test(test_restart),
		test(test_killed),    test(test_marker),    test(test_clock),	test(test_uuids),
	};

	return test_run(tests);
}
