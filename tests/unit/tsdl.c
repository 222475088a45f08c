// SPDX-License-Identifier: GPL-2.0-only
/* TSDL: the text that readers were tried with, to the byte. */
#include "make.h"

static const struct weir_tsdl example = {
	.uuid = { 0x2f, 0x4d, 0x1c, 0x1a, 0x7f, 0x0e, 0x4a, 0x53, 0x8f, 0x6b, 0x0d, 0x3c, 0x5d,
		  0x1f, 0x9a, 0x10 },
	.clock_uuid = { 0x7b, 0x5c, 0x1c, 0x5e, 0x0a, 0x51, 0x4d, 0x6e, 0x9c, 0x55, 0x3a, 0x2d,
			0x0f, 0x0c, 0x9d, 0x11 },
	.clock_description = "TSC scaled to ns since boot",
	.clock_offset = 1738000000123456789,
	.hostname = "box",
	.trace_name = "web",
	.procname = "nginx",
	.pid = 812,
	.created = 1763888400,
	.tid = true,
};

static const char head[] =
	"/* CTF 1.8 */\n"
	"\n"
	"typealias integer { size = 8;  align = 8; signed = false; } := u8;\n"
	"typealias integer { size = 16; align = 8; signed = false; } := u16;\n"
	"typealias integer { size = 32; align = 8; signed = false; } := u32;\n"
	"typealias integer { size = 64; align = 8; signed = false; } := u64;\n"
	"typealias integer { size = 8;  align = 8; signed = true; } := i8;\n"
	"typealias integer { size = 16; align = 8; signed = true; } := i16;\n"
	"typealias integer { size = 32; align = 8; signed = true; } := i32;\n"
	"typealias integer { size = 64; align = 8; signed = true; } := i64;\n"
	"typealias integer { size = 64; align = 8; signed = false; base = 16; } := ptr;\n"
	"typealias integer { size = 8;  align = 8; signed = false; base = 16; } := byte;\n"
	"typealias integer { size = 8;  align = 8; signed = false; encoding = UTF8; } := utf8;\n"
	"typealias floating_point { exp_dig = 8;  mant_dig = 24; align = 8; } := f32;\n"
	"typealias floating_point { exp_dig = 11; mant_dig = 53; align = 8; } := f64;\n"
	"typealias string { encoding = UTF8; } := str;\n"
	"\n"
	"trace {\n"
	"\tmajor = 1;\n"
	"\tminor = 8;\n"
	"\tuuid = \"2f4d1c1a-7f0e-4a53-8f6b-0d3c5d1f9a10\";\n"
	"\tbyte_order = le;\n"
	"\tpacket.header := struct {\n"
	"\t\tu32 magic;\n"
	"\t\tu8  uuid[16];\n"
	"\t\tu32 stream_id;\n"
	"\t\tu64 stream_instance_id;\n"
	"\t};\n"
	"};\n"
	"\n"
	"env {\n"
	"\thostname = \"box\";\n"
	"\tdomain = \"weir\";\n"
	"\ttracer_name = \"weir\";\n"
	"\ttracer_major = 0;\n"
	"\ttracer_minor = 1;\n"
	"\ttracer_patch = 0;\n"
	"\ttrace_name = \"web\";\n"
	"\tprocname = \"nginx\";\n"
	"\tvpid = 812;\n"
	"\ttrace_creation_datetime = \"20251123T090000+0000\";\n"
	"};\n"
	"\n"
	"clock {\n"
	"\tname = \"weir\";\n"
	"\tuuid = \"7b5c1c5e-0a51-4d6e-9c55-3a2d0f0c9d11\";\n"
	"\tdescription = \"TSC scaled to ns since boot\";\n"
	"\tfreq = 1000000000;\n"
	"\tprecision = 1;\n"
	"\toffset = 1738000000123456789;\n"
	"\tabsolute = TRUE;\n"
	"};\n"
	"\n"
	"typealias integer { size = 64; align = 8; signed = false; map = clock.weir.value; } := time64;\n"
	"typealias integer { size = 48; align = 1; signed = false; map = clock.weir.value; } := time48;\n"
	"\n"
	"stream {\n"
	"\tid = 0;\n"
	"\tpacket.context := struct {\n"
	"\t\ttime64 timestamp_begin;\n"
	"\t\ttime64 timestamp_end;\n"
	"\t\tu64 content_size;\n"
	"\t\tu64 packet_size;\n"
	"\t\tu64 packet_seq_num;\n"
	"\t\tu64 events_discarded;\n"
	"\t\tu32 cpu_id;\n"
	"\t};\n"
	"\tevent.header := struct {\n"
	"\t\tu16 id;\n"
	"\t\ttime48 timestamp;\n"
	"\t} align(64);\n";

static const char head_tid[] = "\tevent.context := struct {\n\t\tu32 _tid;\n\t};\n";
static const char head_end[] = "};\n";

static void test_head(void **state)
{
	char text[8192], expected[8192];
	struct weir_tsdl bare = example;
	size_t size, len = weir_tsdl_head(text, sizeof(text), &example);

	(void)state;
	snprintf(expected, sizeof(expected), "%s%s%s", head, head_tid, head_end);
	assert_string_equal(text, expected);
	assert_int_equal(len, strlen(expected));
	for (size = 1; size <= len; size += 13) {
		memset(text, 'Z', sizeof(text));
		assert_int_equal(weir_tsdl_head(text, size, &example), len);
		assert_int_equal(strlen(text), size - 1);
		assert_int_equal(text[size], 'Z');
	}
	assert_int_equal(weir_tsdl_head(NULL, 0, &example), len);
	bare.tid = false;
	snprintf(expected, sizeof(expected), "%s%s", head, head_end);
	weir_tsdl_head(text, sizeof(text), &bare);
	assert_string_equal(text, expected);
}

static void expect_part(const struct weir_tsdl *tsdl, const char *part);

static void test_snapshot(void **state)
{
	struct weir_tsdl frozen = example;

	(void)state;
	frozen.snapshot = 1763888400123456789ull;
	frozen.within = 250;
	expect_part(&frozen, "+0000\";\n\tsnapshot_time_ns = 1763888400123456789;\n"
			     "\tsnapshot_within_ns = 250;\n};\n");
}

static void expect_part(const struct weir_tsdl *tsdl, const char *part)
{
	char text[16384];

	assert_true(weir_tsdl_head(text, sizeof(text), tsdl) < sizeof(text));
	if (!strstr(text, part))
		fail_msg("no %s in %s", part, text);
}

static void test_dates(void **state)
{
	static const struct {
		u64 created;
		const char *date;
	} dates[] = {
		{ 0, "\"19700101T000000+0000\"" },
		{ 951782399, "\"20000228T235959+0000\"" },
		{ 951782400, "\"20000229T000000+0000\"" },
		{ 951868800, "\"20000301T000000+0000\"" },
		{ 1709210096, "\"20240229T123456+0000\"" },
		{ 1767225599, "\"20251231T235959+0000\"" },
		{ 1767225600, "\"20260101T000000+0000\"" },
		{ 4107542399, "\"21000228T235959+0000\"" },
		{ 4107542400, "\"21000301T000000+0000\"" },
		{ 253402300799, "\"99991231T235959+0000\"" },
		{ ~0ull, "\"99991231T235959+0000\"" },
	};
	struct weir_tsdl tsdl = example;
	unsigned int i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(dates); i++) {
		tsdl.created = dates[i].created;
		expect_part(&tsdl, dates[i].date);
	}
}

static void test_bounds_and_escapes(void **state)
{
	struct weir_tsdl tsdl = example;

	(void)state;
	tsdl.clock_offset = -5;
	expect_part(&tsdl, "\toffset = 0;\n");
	tsdl.clock_offset = 9223372036854775807ll;
	expect_part(&tsdl, "\toffset = 4611686018427387904;\n");
	tsdl.pid = -1;
	expect_part(&tsdl, "\tvpid = -1;\n");
	tsdl.hostname = "a\"; };\n\\";
	expect_part(&tsdl, "\thostname = \"a\\\"; };\\012\\\\\";\n");
	tsdl.procname = "\xc3\xa4\xff\xc2\x85";
	expect_part(&tsdl, "\tprocname = \"\xc3\xa4\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\";\n");
	tsdl.trace_name = "";
	expect_part(&tsdl, "\ttrace_name = \"\";\n");
}

static void expect_class(const char *name, const struct make_field *fields, const char *expected)
{
	struct weir_schemas schemas = { 0 };
	const struct weir_class *class = make_class(&schemas, name, fields);
	char text[4096];

	assert_int_equal(weir_tsdl_class(text, sizeof(text), class), strlen(expected));
	assert_string_equal(text, expected);
	weir_schemas_destroy(&schemas);
}

static void test_class(void **state)
{
	(void)state;
	expect_class("http:request_done",
		     MAKE_FIELDS({ "id", WEIR_TYPE_U32 }, { "path", WEIR_TYPE_STR },
				 { "status", WEIR_TYPE_I32 }, { "keepalive", WEIR_TYPE_BOOL },
				 { "conn", WEIR_TYPE_PTR }, { "load", WEIR_TYPE_F32 },
				 { "delta", WEIR_TYPE_F64 }, { "raw", WEIR_TYPE_BYTES },
				 { "body", WEIR_TYPE_TEXT }),
		     "\n"
		     "event {\n"
		     "\tname = \"http:request_done\";\n"
		     "\tid = 0;\n"
		     "\tstream_id = 0;\n"
		     "\tfields := struct {\n"
		     "\t\tu32 _id;\n"
		     "\t\tstr _path;\n"
		     "\t\ti32 _status;\n"
		     "\t\tu8 _keepalive;\n"
		     "\t\tptr _conn;\n"
		     "\t\tf32 _load;\n"
		     "\t\tf64 _delta;\n"
		     "\t\tu16 __raw_length;\n"
		     "\t\tbyte _raw[ __raw_length ];\n"
		     "\t\tu16 __body_length;\n"
		     "\t\tutf8 _body[ __body_length ];\n"
		     "\t};\n"
		     "};\n");
	expect_class("\"\\\x01\x7f:\x80",
		     MAKE_FIELDS({ "a\"b", WEIR_TYPE_U8 }, { "Bool", WEIR_TYPE_BYTES }),
		     "\n"
		     "event {\n"
		     "\tname = \"\\\"\\\\\\001\\177:\xef\xbf\xbd\";\n"
		     "\tid = 0;\n"
		     "\tstream_id = 0;\n"
		     "\tfields := struct {\n"
		     "\t\tu8 _a_b;\n"
		     "\t\tu16 _Bool_length;\n"
		     "\t\tbyte Bool[ _Bool_length ];\n"
		     "\t};\n"
		     "};\n");
}

static void test_largest_class(void **state)
{
	struct make_field fields[WEIR_FIELDS_MAX + 1] = { { NULL, 0 } };
	struct weir_schemas schemas = { 0 };
	char name[WEIR_NAME_MAX + 1];
	int i;

	(void)state;
	memset(name, '\x01', WEIR_NAME_MAX);
	name[WEIR_NAME_MAX] = '\0';
	for (i = 0; i < WEIR_FIELDS_MAX; i++)
		fields[i] = (struct make_field){ name, WEIR_TYPE_BYTES };
	assert_true(weir_tsdl_class(NULL, 0, make_class(&schemas, name, fields)) <
		    WEIR_TSDL_CLASS_MAX);
	weir_schemas_destroy(&schemas);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_head),
		cmocka_unit_test(test_snapshot),
		cmocka_unit_test(test_dates),
		cmocka_unit_test(test_bounds_and_escapes),
		cmocka_unit_test(test_class),
		cmocka_unit_test(test_largest_class),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
