// SPDX-License-Identifier: GPL-2.0-only
/*
 * CTF directories as a reader copies them, read by babeltrace2: it must succeed, say nothing but how many
 * events were lost, and show what was written.
 */
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "make.h"

#define SIZE 4096
#define BEGIN 86400000000000ull
#define OUTPUT_MAX (4u << 20)

struct fixture {
	char dir[64]; /* of traces */
	char trace[128];
	FILE *stream;
	struct weir_schemas schemas;
	struct make make;
	struct weir_packet_stream packets;
	struct weir_tsdl tsdl;
	u64 seq;
	u8 data[SIZE];
	char out[OUTPUT_MAX];
	char err[OUTPUT_MAX];
};

/* ---- directories ------------------------------------------------------------------------------*/

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->dir, "/tmp/weir-ctf.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	f->tsdl = (struct weir_tsdl){ .uuid = "uuid-of-a-trace",
				      .clock_uuid = "uuid-of-a-clock",
				      .clock_description = "nanoseconds",
				      .clock_offset = 1738000000123456789,
				      .hostname = "box",
				      .trace_name = "web",
				      .procname = "nginx",
				      .pid = 812,
				      .created = 1763888400,
				      .tid = true };
	*state = f;
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	nftw(f->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	weir_schemas_destroy(&f->schemas);
	free(f);
	return 0;
}

static FILE *open_in(const struct fixture *f, const char *name)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", f->trace, name);
	file = fopen(path, "w");
	assert_non_null(file);
	return file;
}

static void open_trace(struct fixture *f, const char *name)
{
	snprintf(f->trace, sizeof(f->trace), "%s/%s", f->dir, name);
	assert_int_equal(mkdir(f->trace, 0700), 0);
	/* Equal uuids would be merged. */
	snprintf((char *)f->tsdl.uuid, sizeof(f->tsdl.uuid), "%s", name);
}

static void write_metadata(struct fixture *f)
{
	FILE *file = open_in(f, "metadata");
	char text[WEIR_TSDL_CLASS_MAX];
	u32 id;

	fwrite(text, 1, weir_tsdl_head(text, sizeof(text), &f->tsdl), file);
	for (id = 0; id < f->schemas.count; id++)
		fwrite(text, 1,
		       weir_tsdl_class(text, sizeof(text), weir_schemas_class(&f->schemas, id)),
		       file);
	assert_int_equal(fclose(file), 0);
}

static void open_stream(struct fixture *f, const char *name, u32 cpu, u64 lost)
{
	f->packets = (struct weir_packet_stream){ .uuid = f->tsdl.uuid,
						  .cpu = cpu,
						  .schemas = &f->schemas,
						  .count = f->schemas.count,
						  .tid = f->tsdl.tid,
						  .latest = BEGIN + 3600000000000ull,
						  .lost = lost };
	f->make.tid = f->tsdl.tid;
	f->seq = 0;
	f->stream = open_in(f, name);
}

static void open_packet(struct fixture *f, u64 time, u64 discarded)
{
	make_open(&f->make, f->data, SIZE, time, discarded);
}

/* Cuts what `len` bytes of the packet give, or a sealed one if `len` is 0. */
static void put_packet(struct fixture *f, size_t len)
{
	size_t size = len ? (len + 7) / 8 * 8 : SIZE;

	weir_packet_make(&f->packets, f->data, len ?: SIZE, size, f->seq++, len);
	assert_int_equal(fwrite(f->data, 1, size, f->stream), size);
}

static void put_empty(struct fixture *f, size_t size, u64 time, u64 discarded)
{
	weir_packet_make_empty(&f->packets, f->data, size, f->seq++, time, discarded);
	assert_int_equal(fwrite(f->data, 1, size, f->stream), size);
}

static void close_stream(struct fixture *f)
{
	assert_int_equal(fclose(f->stream), 0);
}

/* ---- babeltrace2 ------------------------------------------------------------------------------*/

static void slurp(const char *path, char *text)
{
	FILE *file = fopen(path, "r");
	size_t len;

	assert_non_null(file);
	len = fread(text, 1, OUTPUT_MAX - 1, file);
	assert_true(len < OUTPUT_MAX - 1);
	text[len] = '\0';
	fclose(file);
	unlink(path);
}

/* Runs babeltrace2 on all traces; its output goes to f->out and f->err, its exit code must be 0. */
static void babeltrace(struct fixture *f, const char *option)
{
	char out[128], err[128];
	char *argv[] = { "babeltrace2", f->dir, "--no-delta", (char *)option, NULL, NULL };
	char *env[] = { "LC_ALL=C", "TZ=UTC", NULL, NULL };
	posix_spawn_file_actions_t actions;
	int status, error;
	pid_t pid;

	if (option && !strcmp(option, "counter")) {
		argv[2] = "-c";
		argv[3] = "sink.utils.counter";
	}
	snprintf(out, sizeof(out), "%s.out", f->dir);
	snprintf(err, sizeof(err), "%s.err", f->dir);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 1, out, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	posix_spawn_file_actions_addopen(&actions, 2, err, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	error = posix_spawnp(&pid, argv[0], &actions, NULL, argv, env);
	posix_spawn_file_actions_destroy(&actions);
	if (error)
		fail_msg("babeltrace2: %s", strerror(error));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	slurp(out, f->out);
	slurp(err, f->err);
	if (status)
		fail_msg("babeltrace2: status %d: %s", status, f->err);
}

/* Adds up the losses that babeltrace2 counts in f->err; any other line is a failure. */
static u64 losses(struct fixture *f, unsigned int *lines)
{
	static const char warning[] = "WARNING: Tracer discarded ";
	char *line = f->err, *end;
	u64 sum = 0;

	for (*lines = 0; *line; line = end + 1, ++*lines) {
		if (strncmp(line, warning, strlen(warning)))
			fail_msg("babeltrace2 says: %s", line);
		sum += strtoull(line + strlen(warning), &end, 10);
		assert_true(!strncmp(end, " events between ", 16) ||
			    !strncmp(end, " event between ", 15));
		end = strchr(line, '\n');
		assert_non_null(end);
	}
	return sum;
}

static void expect_output(struct fixture *f, const char *expected)
{
	assert_string_equal(f->err, "");
	assert_string_equal(f->out, expected);
}

/* ---- what was written is what is shown --------------------------------------------------------*/

static void put_every_type(struct make *make)
{
	make_u8(make, 255);
	make_u16(make, 65535);
	make_u32(make, ~0u);
	make_u64(make, ~0ull);
	make_u8(make, 0x80);
	make_u16(make, 0x8000);
	make_u32(make, 0x80000000);
	make_u64(make, 1ull << 63);
	make_f32(make, 1.5f);
	make_f64(make, -0.25);
	make_u8(make, 1);
	make_u64(make, 0x7ffd12345678);
	make_str(make, "/index.html");
	make_counted(make, "\x01\xab\xff", 3);
	make_counted(make, "h\xc3\xa4llo", 6);
	make_counted(make, "", 0);
}

static void test_every_type(void **state)
{
	struct fixture *f = *state;

	open_trace(f, "a");
	make_class(
		&f->schemas, "t:all",
		MAKE_FIELDS({ "a", WEIR_TYPE_U8 }, { "b", WEIR_TYPE_U16 }, { "c", WEIR_TYPE_U32 },
			    { "d", WEIR_TYPE_U64 }, { "e", WEIR_TYPE_I8 }, { "f", WEIR_TYPE_I16 },
			    { "g", WEIR_TYPE_I32 }, { "h", WEIR_TYPE_I64 }, { "i", WEIR_TYPE_F32 },
			    { "j", WEIR_TYPE_F64 }, { "k", WEIR_TYPE_BOOL }, { "l", WEIR_TYPE_PTR },
			    { "m", WEIR_TYPE_STR }, { "n", WEIR_TYPE_BYTES },
			    { "o", WEIR_TYPE_TEXT }, { "p", WEIR_TYPE_TEXT }));
	make_class(&f->schemas, "t:none", MAKE_NO_FIELDS);
	write_metadata(f);
	open_stream(f, "cpu0", 0, 0);
	open_packet(f, BEGIN, 0);
	make_record(&f->make, 1, BEGIN, 4001);
	make_record(&f->make, 0, BEGIN + 1000, ~0u);
	put_every_type(&f->make);
	make_seal(&f->make, BEGIN + 1000);
	put_packet(f, 0);
	close_stream(f);
	babeltrace(f, NULL);
	expect_output(
		f,
		"[17:46:40.123456789] box:nginx:(812) t:none: { cpu_id = 0 }, { tid = 4001 }, { }\n"
		"[17:46:40.123457789] box:nginx:(812) t:all: { cpu_id = 0 }, { tid = 4294967295 }, { "
		"a = 255, b = 65535, c = 4294967295, d = 18446744073709551615, "
		"e = -128, f = -32768, g = -2147483648, h = -9223372036854775808, "
		"i = 1.5, j = -0.25, k = 1, l = 0x7FFD12345678, m = \"/index.html\", "
		"_n_length = 3, n = [ [0] = 0x1, [1] = 0xAB, [2] = 0xFF ], "
		"_o_length = 6, o = \"h\xc3\xa4llo\", _p_length = 0, p = \"\" }\n");
}

static void test_names(void **state)
{
	struct fixture *f = *state;
	unsigned int i;

	f->tsdl.tid = false;
	f->tsdl.hostname = "my \"box\\";
	open_trace(f, "a");
	make_class(&f->schemas, "a \"b\\ \x01:\xc3\xa4\xff",
		   MAKE_FIELDS({ "int", WEIR_TYPE_U8 }, { "string", WEIR_TYPE_U8 },
			       { "event", WEIR_TYPE_U8 }, { "struct", WEIR_TYPE_U8 },
			       { "Bool", WEIR_TYPE_U8 }, { "Complex", WEIR_TYPE_U8 },
			       { "&Imaginary", WEIR_TYPE_U8 }, { "Bool", WEIR_TYPE_U8 },
			       { "req->id", WEIR_TYPE_U8 }, { "stream", WEIR_TYPE_U8 },
			       { "u8", WEIR_TYPE_U8 }, { "1", WEIR_TYPE_U8 },
			       { "_x", WEIR_TYPE_U8 }, { "x", WEIR_TYPE_U8 },
			       { "id", WEIR_TYPE_U8 }, { "}; };", WEIR_TYPE_U8 }));
	make_class(&f->schemas, "x:y",
		   MAKE_FIELDS({ "Bool", WEIR_TYPE_BYTES }, { "Bool", WEIR_TYPE_TEXT },
			       { "typealias", WEIR_TYPE_BYTES },
			       { "_typealias_length", WEIR_TYPE_U8 }, { "event", WEIR_TYPE_BYTES },
			       { "stream", WEIR_TYPE_BYTES }, { "env", WEIR_TYPE_TEXT }));
	make_class(&f->schemas, "x:y", MAKE_NO_FIELDS);
	write_metadata(f);
	open_stream(f, "cpux", 8, 0);
	open_packet(f, BEGIN, 0);
	make_record(&f->make, 0, BEGIN, 0);
	for (i = 0; i < 16; i++)
		make_u8(&f->make, (u8)i);
	make_record(&f->make, 1, BEGIN, 0);
	make_counted(&f->make, "\1", 1);
	make_counted(&f->make, "b", 1);
	make_counted(&f->make, "\2", 1);
	make_u8(&f->make, 3);
	make_counted(&f->make, "", 0);
	make_counted(&f->make, "", 0);
	make_counted(&f->make, "e", 1);
	make_record(&f->make, 2, BEGIN, 0);
	put_packet(f, f->make.len);
	close_stream(f);
	babeltrace(f, NULL);
	expect_output(
		f,
		"[17:46:40.123456789] my \"box\\:nginx:(812) a \"b\\ \x01:\xc3\xa4\xef\xbf\xbd: { cpu_id = 8 }, "
		"{ int = 0, string = 1, event = 2, struct = 3, Bool = 4, Complex = 5, Imaginary = 6, "
		"Bool_2 = 7, req_id = 8, stream = 9, u8 = 10, 1 = 11, _x = 12, x_2 = 13, id = 14, "
		"field = 15 }\n"
		"[17:46:40.123456789] my \"box\\:nginx:(812) x:y: { cpu_id = 8 }, "
		"{ Bool_length = 1, Bool = [ [0] = 0x1 ], _Bool_2_length = 1, Bool_2 = \"b\", "
		"_typealias_length = 1, typealias = [ [0] = 0x2 ], _typealias_length_2 = 3, "
		"_event_length = 0, event = [ ], _stream_length = 0, stream = [ ], "
		"_env_length = 1, env = \"e\" }\n"
		"[17:46:40.123456789] my \"box\\:nginx:(812) x:y: { cpu_id = 8 }, { }\n");
}

/* Two streams, packets of several sizes, an empty one for what was overwritten, 48 bits running over. */
static void test_packets(void **state)
{
	const u64 wrap = 1ull << 48;
	struct fixture *f = *state;
	u64 cpu;

	f->tsdl.clock_offset = 0;
	f->tsdl.tid = false;
	open_trace(f, "a");
	make_class(&f->schemas, "t:n", MAKE_FIELDS({ "n", WEIR_TYPE_U8 }));
	write_metadata(f);
	for (cpu = 0; cpu < 2; cpu++) {
		open_stream(f, cpu ? "cpu1" : "cpu0", (u32)cpu, 0);
		f->packets.latest = wrap + 100;
		put_empty(f, 2 * SIZE / 2, wrap - 10, 0);
		f->seq = 5;
		open_packet(f, wrap - 4 + cpu, 0);
		make_record(&f->make, 0, wrap - 4 + cpu, 0);
		make_u8(&f->make, 1);
		make_record(&f->make, 0, wrap + cpu, 0);
		make_u8(&f->make, 2);
		make_seal(&f->make, wrap + 1);
		put_packet(f, 0);
		open_packet(f, wrap + 2 + cpu, 0);
		make_record(&f->make, 0, wrap + 2 + cpu, 0);
		make_u8(&f->make, 3);
		put_packet(f, f->make.len);
		close_stream(f);
	}
	babeltrace(f, "--clock-cycles");
	/* Packets 1 to 4 of each stream are missing, and babeltrace2 says so. */
	assert_non_null(strstr(f->err, "WARNING: Tracer discarded 4 packets between"));
	assert_string_equal(
		f->out, "[00000281474976710652] box:nginx:(812) t:n: { cpu_id = 0 }, { n = 1 }\n"
			"[00000281474976710653] box:nginx:(812) t:n: { cpu_id = 1 }, { n = 1 }\n"
			"[00000281474976710656] box:nginx:(812) t:n: { cpu_id = 0 }, { n = 2 }\n"
			"[00000281474976710657] box:nginx:(812) t:n: { cpu_id = 1 }, { n = 2 }\n"
			"[00000281474976710658] box:nginx:(812) t:n: { cpu_id = 0 }, { n = 3 }\n"
			"[00000281474976710659] box:nginx:(812) t:n: { cpu_id = 1 }, { n = 3 }\n");
}

/* ---- losses -----------------------------------------------------------------------------------*/

static void put_one_record(struct fixture *f, u64 time, u64 discarded)
{
	open_packet(f, time, discarded);
	make_record(&f->make, 0, time, 0);
	make_seal(&f->make, time);
	put_packet(f, 0);
}

static void test_losses(void **state)
{
	struct fixture *f = *state;
	unsigned int lines;

	open_trace(f, "a");
	make_class(&f->schemas, "t:none", MAKE_NO_FIELDS);
	write_metadata(f);
	/* All after the first packet was opened: the packet at the end completes the sum. */
	open_stream(f, "cpu0", 0, 1000);
	put_one_record(f, BEGIN, 0);
	put_one_record(f, BEGIN + 1000, 10);
	put_one_record(f, BEGIN + 2000, 10);
	put_empty(f, 88, BEGIN + 3000, 1000);
	close_stream(f);
	/* 5 before the first packet: readers need a packet before it to compare with. */
	open_stream(f, "cpu1", 1, 7);
	put_empty(f, 88, BEGIN - 1000, 0);
	put_one_record(f, BEGIN, 5);
	put_empty(f, 88, BEGIN + 3000, 7);
	close_stream(f);
	/* Nothing but losses. */
	open_stream(f, "cpu2", 2, 44);
	put_empty(f, 88, BEGIN, 0);
	put_empty(f, 88, BEGIN + 1, 44);
	close_stream(f);
	babeltrace(f, NULL);
	assert_int_equal(losses(f, &lines), 1000 + 7 + 44);
	assert_int_equal(lines, 2 + 2 + 1);
	assert_non_null(strstr(
		f->err,
		"Tracer discarded 10 events between [17:46:40.123456789] and [17:46:40.123457789]"
		""));
	assert_non_null(strstr(f->err, "Tracer discarded 990 events between "));
	assert_non_null(
		strstr(f->err, "Tracer discarded 5 events between [17:46:40.123455789] and "));
}

/* Without a packet to compare with, the losses before the first one are shown, but not counted. */
static void test_losses_before_first(void **state)
{
	struct fixture *f = *state;
	unsigned int lines;

	open_trace(f, "a");
	make_class(&f->schemas, "t:none", MAKE_NO_FIELDS);
	write_metadata(f);
	open_stream(f, "cpu0", 0, 7);
	put_one_record(f, BEGIN, 5);
	put_empty(f, 88, BEGIN + 3000, 7);
	close_stream(f);
	babeltrace(f, NULL);
	assert_int_equal(strncmp(f->err, "WARNING: Tracer may have discarded events between ", 50),
			 0);
	memmove(f->err, strchr(f->err, '\n') + 1, strlen(strchr(f->err, '\n')));
	assert_int_equal(losses(f, &lines), 2);
}

/* ---- damage and mischief ----------------------------------------------------------------------*/

static void test_damaged(void **state)
{
	struct fixture *f = *state;
	unsigned int i;

	f->tsdl.tid = false;
	open_trace(f, "a");
	make_class(&f->schemas, "t:s", MAKE_FIELDS({ "s", WEIR_TYPE_STR }));
	write_metadata(f);
	open_stream(f, "cpu0", 0, 0);
	for (i = 0; i < 6; i++) {
		u64 time = BEGIN + 1000 * i;

		open_packet(f, i == 4 ? BEGIN : time, 0);
		make_record(&f->make, i == 3 ? 9 : 0, time, 0);
		make_str(&f->make, "first");
		make_record(&f->make, 0, time + 1, 0);
		make_bytes(&f->make, i == 1 ? "no end of it" : "second", i == 1 ? 12 : 7);
		make_seal(&f->make, time + 1);
		if (i == 2)
			memset(f->data + offsetof(struct weir_packet, content_size), 0xff, 8);
		put_packet(f, i == 1 ? f->make.len : 0);
	}
	close_stream(f);
	assert_int_equal(f->packets.damaged, 3 + 1);
	babeltrace(f, NULL);
	expect_output(
		f,
		"[17:46:40.123456789] box:nginx:(812) t:s: { cpu_id = 0 }, { s = \"first\" }\n"
		"[17:46:40.123456790] box:nginx:(812) t:s: { cpu_id = 0 }, { s = \"second\" }\n"
		"[17:46:40.123457789] box:nginx:(812) t:s: { cpu_id = 0 }, { s = \"first\" }\n"
		"[17:46:40.123461789] box:nginx:(812) t:s: { cpu_id = 0 }, { s = \"first\" }\n"
		"[17:46:40.123461790] box:nginx:(812) t:s: { cpu_id = 0 }, { s = \"second\" }\n");
}

/* A log of names that look for trouble, damaged or not; what of it is taken becomes the trace's classes. */
static void fuzz_classes(struct fixture *f, u64 *seed)
{
	static const char *const names[] = {
		"x",	 "_x_length",	   "x_2",	 "Bool",  "(Imaginary)",
		"-",	 "_Bool_2_length", "a->b",	 "event", "stream.event.context",
		"trace", "\x01\x9b\"\\",   "integer { }"
	};
	u8 log[8192];
	size_t len = 0;

	weir_schemas_destroy(&f->schemas);
	while (len < 2048) {
		struct make_field fields[WEIR_FIELDS_MAX + 1] = { { NULL, 0 } };
		u64 n = make_below(seed, WEIR_FIELDS_MAX + 1);

		while (n--)
			fields[n] = (struct make_field){ names[make_below(seed, ARRAY_SIZE(names))],
							 (u8)(1 + make_below(seed, WEIR_TYPE_COUNT -
											   1)) };
		len += (size_t)make_desc(log + len, sizeof(log) - len,
					 names[make_below(seed, ARRAY_SIZE(names))], fields);
	}
	make_class(&f->schemas, "fuzz:always", MAKE_FIELDS({ "s", WEIR_TYPE_STR }));
	make_damage(seed, log, len, 3);
	weir_schemas_parse(&f->schemas, log, len);
}

static void fuzz_stream(struct fixture *f, u64 *seed)
{
	u64 packets = 1 + make_below(seed, 5), n, time;

	while (packets--) {
		bool open = !packets && make_below(seed, 2);

		time = max(BEGIN, f->packets.time);
		n = make_below(seed, 8);
		open_packet(f, time, 0);
		while (n-- && SIZE - f->make.len > 1400)
			make_random_record(
				&f->make, seed,
				weir_schemas_class(&f->schemas,
						   (u32)make_below(seed, f->schemas.count)),
				time += make_below(seed, 1000));
		make_seal(&f->make, time);
		if (make_below(seed, 3))
			make_damage(seed, f->data, f->make.len, 12);
		put_packet(f, open ? f->make.len : 0);
	}
}

static void test_fuzz(void **state)
{
	struct fixture *f = *state;
	u64 seed = 161803398874, records = 0, damaged = 0;
	char name[16], expected[64];
	unsigned int i;

	for (i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "t%u", i);
		f->tsdl.tid = make_below(&seed, 2);
		open_trace(f, name);
		fuzz_classes(f, &seed);
		write_metadata(f);
		open_stream(f, "cpu0", 0, 0);
		fuzz_stream(f, &seed);
		close_stream(f);
		records += f->packets.records;
		damaged += f->packets.damaged;
	}
	assert_true(records > 1000 && damaged > 100);
	/* As text, and counted. */
	babeltrace(f, NULL);
	assert_string_equal(f->err, "");
	babeltrace(f, "counter");
	assert_string_equal(f->err, "");
	snprintf(expected, sizeof(expected), "%llu Event messages", records);
	if (!strstr(f->out, expected))
		fail_msg("no %s in %s", expected, f->out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_every_type, setup, teardown),
		cmocka_unit_test_setup_teardown(test_names, setup, teardown),
		cmocka_unit_test_setup_teardown(test_packets, setup, teardown),
		cmocka_unit_test_setup_teardown(test_losses, setup, teardown),
		cmocka_unit_test_setup_teardown(test_losses_before_first, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damaged, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fuzz, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
