// SPDX-License-Identifier: GPL-2.0-only
/* Text: each type's form, escapes, how long it can become. */
#include <float.h>
#include <math.h>

#include "make.h"

struct fixture {
	struct weir_schemas schemas;
	struct make make;
	u8 data[1 << 17];
	char text[1 << 19];
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	make_open(&f->make, f->data, sizeof(f->data), 0, 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	weir_schemas_destroy(&f->schemas);
	free(f);
	return 0;
}

/* Walks to the one record of the packet, which the walk must take; both the packet and its text are in memory
 * of just their size. NUL-terminated, in f->text. */
static size_t render(struct fixture *f)
{
	u8 *copy = malloc(f->make.len);
	struct weir_record record;
	struct weir_walk walk = { .data = memcpy(copy, f->data, f->make.len),
				  .offset = WEIR_PACKET_HEADER,
				  .end = f->make.len,
				  .latest = ~0ull,
				  .schemas = &f->schemas,
				  .count = f->schemas.count };
	size_t len, most;
	char *text;

	assert_int_equal(weir_walk_next(&walk, &record), 1);
	most = weir_text_record_max(&record);
	assert_true(most < sizeof(f->text));
	text = malloc(most + 1);
	text[most] = 'Z';
	len = weir_text_record(text, &record);
	assert_true(len <= most);
	assert_int_equal(text[most], 'Z');
	memcpy(f->text, text, len);
	f->text[len] = 0;
	free(text);
	free(copy);
	return len;
}

static void expect_line(struct fixture *f, const char *expected)
{
	assert_int_equal(render(f), strlen(expected));
	assert_string_equal(f->text, expected);
}

/* One field of `type` and the bytes that are its value; the text behind its `=`. */
static void expect_field(struct fixture *f, u8 type, const void *value, size_t len,
			 const char *expected)
{
	char line[512];

	weir_schemas_destroy(&f->schemas);
	make_class(&f->schemas, "a:b", MAKE_FIELDS({ "v", type }));
	make_open(&f->make, f->data, sizeof(f->data), 0, 0);
	make_record(&f->make, 0, 0, 0);
	make_bytes(&f->make, value, len);
	snprintf(line, sizeof(line), "a:b: v=%s", expected);
	expect_line(f, line);
}

#define EXPECT(f, type, c_type, value, expected)                  \
	do {                                                      \
		c_type v_ = (value);                              \
		expect_field(f, type, &v_, sizeof(v_), expected); \
	} while (0)

static void test_integers(void **state)
{
	struct fixture *f = *state;

	EXPECT(f, WEIR_TYPE_U8, u8, 0, "0");
	EXPECT(f, WEIR_TYPE_U8, u8, 255, "255");
	EXPECT(f, WEIR_TYPE_U16, u16, 65535, "65535");
	EXPECT(f, WEIR_TYPE_U32, u32, 4294967295u, "4294967295");
	EXPECT(f, WEIR_TYPE_U64, u64, ~0ull, "18446744073709551615");
	EXPECT(f, WEIR_TYPE_I8, s8, -128, "-128");
	EXPECT(f, WEIR_TYPE_I8, s8, 127, "127");
	EXPECT(f, WEIR_TYPE_I16, s16, -32768, "-32768");
	EXPECT(f, WEIR_TYPE_I32, s32, -2147483647 - 1, "-2147483648");
	EXPECT(f, WEIR_TYPE_I64, s64, -9223372036854775807ll - 1, "-9223372036854775808");
	EXPECT(f, WEIR_TYPE_I64, s64, 9223372036854775807ll, "9223372036854775807");
	EXPECT(f, WEIR_TYPE_I64, s64, -1, "-1");
	EXPECT(f, WEIR_TYPE_PTR, u64, 0, "0x0");
	EXPECT(f, WEIR_TYPE_PTR, u64, 0x7ffd12345678, "0x7ffd12345678");
	EXPECT(f, WEIR_TYPE_PTR, u64, ~0ull, "0xffffffffffffffff");
	EXPECT(f, WEIR_TYPE_BOOL, u8, 0, "false");
	EXPECT(f, WEIR_TYPE_BOOL, u8, 1, "true");
	EXPECT(f, WEIR_TYPE_BOOL, u8, 255, "true");
}

static void test_floats(void **state)
{
	struct fixture *f = *state;

	EXPECT(f, WEIR_TYPE_F32, float, 1.5f, "1.5");
	EXPECT(f, WEIR_TYPE_F32, float, 0.1f, "0.1");
	EXPECT(f, WEIR_TYPE_F32, float, 16777217.f, "16777216");
	EXPECT(f, WEIR_TYPE_F32, float, FLT_MAX, "3.40282347e+38");
	EXPECT(f, WEIR_TYPE_F32, float, -INFINITY, "-inf");
	EXPECT(f, WEIR_TYPE_F32, float, (float)NAN, "nan");
	EXPECT(f, WEIR_TYPE_F64, double, 0.1, "0.1");
	EXPECT(f, WEIR_TYPE_F64, double, 1. / 3, "0.33333333333333331");
	EXPECT(f, WEIR_TYPE_F64, double, -0., "-0");
	EXPECT(f, WEIR_TYPE_F64, double, DBL_MAX, "1.7976931348623157e+308");
	EXPECT(f, WEIR_TYPE_F64, double, -DBL_TRUE_MIN, "-4.94065645841247e-324");
	EXPECT(f, WEIR_TYPE_F64, double, INFINITY, "inf");
}

static void test_strings(void **state)
{
	struct fixture *f = *state;

	expect_field(f, WEIR_TYPE_STR, "", 1, "\"\"");
	expect_field(f, WEIR_TYPE_STR, "/index.html", 12, "\"/index.html\"");
	expect_field(f, WEIR_TYPE_STR, "a\"b\\c\nd\te\r\x1b[m\x7f", 15,
		     "\"a\\\"b\\\\c\\nd\\te\\015\\033[m\\177\"");
	expect_field(f, WEIR_TYPE_TEXT, "\0\0", 2, "\"\"");
	expect_field(f, WEIR_TYPE_TEXT, "\5\0a\0b\0c", 7, "\"a\\000b\\000c\"");
	expect_field(f, WEIR_TYPE_BYTES, "\0\0", 2, "0x");
	expect_field(f, WEIR_TYPE_BYTES, "\3\0\x01\xab\x00", 5, "0x01ab00");
}

/* UTF-8 passes; what is none, or would steer a terminal, does not. */
static void test_utf8(void **state)
{
	static const struct {
		const char *bytes, *text;
	} cases[] = {
		{ "\xc3\xa4\xe2\x82\xac\xf0\x9f\x8c\x8a", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x8c\x8a" },
		{ "\xf4\x8f\xbf\xbf", "\xf4\x8f\xbf\xbf" }, /* U+10FFFF */
		{ "\xef\xbf\xbd", "\xef\xbf\xbd" },
		{ "\xf4\x90\x80\x80", "\\364\\220\\200\\200" }, /* beyond */
		{ "\xf8\x88\x80\x80\x80", "\\370\\210\\200\\200\\200" },
		{ "\xed\xa0\x80", "\\355\\240\\200" }, /* a surrogate */
		{ "\xc0\x80", "\\300\\200" },	       /* overlong */
		{ "\xe0\x80\x8a", "\\340\\200\\212" },
		{ "\xf0\x80\x80\x8a", "\\360\\200\\200\\212" },
		{ "\xc2\x9b"
		  "2J",
		  "\\302\\2332J" }, /* CSI */
		{ "\xc2\xa0", "\xc2\xa0" },
		{ "\xff\xfe", "\\377\\376" },
		{ "\xc3", "\\303" }, /* cut */
		{ "\xe2\x82", "\\342\\202" },
		{ "\xe2\x82"
		  "a",
		  "\\342\\202a" },
		{ "\x80", "\\200" },
	};
	struct fixture *f = *state;
	unsigned int i;
	char text[64];

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		snprintf(text, sizeof(text), "\"%s\"", cases[i].text);
		expect_field(f, WEIR_TYPE_STR, cases[i].bytes, strlen(cases[i].bytes) + 1, text);
	}
}

static void test_line(void **state)
{
	struct fixture *f = *state;

	make_class(&f->schemas, "http:request_done",
		   MAKE_FIELDS({ "id", WEIR_TYPE_U32 }, { "req->path", WEIR_TYPE_STR },
			       { "ok", WEIR_TYPE_BOOL }, { "raw", WEIR_TYPE_BYTES },
			       { "ok", WEIR_TYPE_I8 }, { "cut", WEIR_TYPE_TEXT },
			       { "n", WEIR_TYPE_U8 }));
	make_class(&f->schemas, "od d\n\"\x1b:\xff", MAKE_NO_FIELDS);
	make_record(&f->make, 0, 0, 0);
	make_u32(&f->make, 7);
	make_str(&f->make, "/index.html");
	make_u8(&f->make, 1);
	make_counted(&f->make, "\x01\xff", 2);
	make_u8(&f->make, 0xfd);
	make_counted(&f->make, "a\xc3", 2); /* what follows it must not complete it */
	make_u8(&f->make, 0xa4);
	expect_line(
		f,
		"http:request_done: id=7 req_path=\"/index.html\" ok=true raw=0x01ff ok_2=-3 cut=\"a\\303\" n=164");
	make_open(&f->make, f->data, sizeof(f->data), 0, 0);
	make_record(&f->make, 1, 0, 0);
	expect_line(f, "od d\\n\\\"\\033:\\377:");
}

static void test_class(void **state)
{
	struct fixture *f = *state;
	const struct weir_class *class = make_class(
		&f->schemas, "http:done",
		MAKE_FIELDS({ "a", WEIR_TYPE_U8 }, { "b", WEIR_TYPE_I64 }, { "c", WEIR_TYPE_F32 },
			    { "d", WEIR_TYPE_F64 }, { "e", WEIR_TYPE_BOOL }, { "f", WEIR_TYPE_PTR },
			    { "g", WEIR_TYPE_STR }, { "h", WEIR_TYPE_BYTES },
			    { "x\n", WEIR_TYPE_TEXT }));
	static const char expected[] =
		"http:done { u8 a; i64 b; f32 c; f64 d; bool e; ptr f; str g; bytes h; text x; }";

	assert_int_equal(weir_text_class(f->text, sizeof(f->text), class), strlen(expected));
	assert_string_equal(f->text, expected);
	class = make_class(&f->schemas, "a\nb", MAKE_NO_FIELDS);
	weir_text_class(f->text, sizeof(f->text), class);
	assert_string_equal(f->text, "a\\nb { }");
}

/* Classes, each buffer size: the same length is asked for, the text is a prefix, ends in NUL, and nothing
 * follows it. */
static void test_as_snprintf(void **state)
{
	struct fixture *f = *state;
	const struct weir_class *class = make_class(
		&f->schemas, "a:b", MAKE_FIELDS({ "s", WEIR_TYPE_STR }, { "x\n", WEIR_TYPE_PTR }));
	size_t len = weir_text_class(f->text, sizeof(f->text), class), size;
	char small[512];

	assert_int_equal(len, strlen(f->text));
	assert_int_equal(weir_text_class(NULL, 0, class), len);
	for (size = 1; size < len + 3; size++) {
		memset(small, 'Z', sizeof(small));
		assert_int_equal(weir_text_class(small, size, class), len);
		assert_int_equal(strlen(small), min(size - 1, len));
		assert_memory_equal(small, f->text, strlen(small));
		assert_int_equal(small[size], 'Z');
	}
}

/* What needs most of its kind fits into what is asked for: render() would find what does not. */
static void test_most(void **state)
{
	struct fixture *f = *state;

	EXPECT(f, WEIR_TYPE_F32, float, -1.17549435e-38f, "-1.17549435e-38");
	EXPECT(f, WEIR_TYPE_F64, double, -2.2250738585072014e-308, "-2.2250738585072014e-308");
	expect_field(f, WEIR_TYPE_STR, "\1\2\3\4\5\6\7\x1f\x7f", 10,
		     "\"\\001\\002\\003\\004\\005\\006\\007\\037\\177\"");
	expect_field(f, WEIR_TYPE_TEXT, "\2\0\xff\xfe", 4, "\"\\377\\376\"");
	expect_field(f, WEIR_TYPE_TEXT, "\0\0", 2, "\"\"");
}

/* Every number of digits, at its edges. */
static void test_digits(void **state)
{
	struct fixture *f = *state;
	char expected[32];
	u64 power = 1;
	int i, delta;

	for (i = 0; i < 20; i++, power *= 10) {
		for (delta = -1; delta < 2; delta++) {
			snprintf(expected, sizeof(expected), "%llu", power + (u64)delta);
			EXPECT(f, WEIR_TYPE_U64, u64, power + (u64)delta, expected);
		}
	}
	for (i = 0; i < 64; i++) {
		snprintf(expected, sizeof(expected), "0x%llx", 1ull << i);
		EXPECT(f, WEIR_TYPE_PTR, u64, 1ull << i, expected);
		snprintf(expected, sizeof(expected), "0x%llx", (2ull << i) - 1);
		EXPECT(f, WEIR_TYPE_PTR, u64, (2ull << i) - 1, expected);
	}
}

/* Numbers of few digits, and those beside them: as printf says, the fewest digits that give it back. */
static void test_decimals(void **state)
{
	static const double plain[] = { 0.001, 0.0015, 1e-4, 0.25, 1, 12.5, 99.99, 999999, 1000000, 123456.5,
					999999.9999995, 1e14, 1e15, 999999999999999., 0.3, 1e-3 / 3 };
	struct fixture *f = *state;
	unsigned int i, step;
	char expected[64];
	double d;
	float s;

	for (i = 0; i < ARRAY_SIZE(plain) * 2; i++) {
		d = i % 2 ? -plain[i / 2] : plain[i / 2];
		s = (float)d;
		for (step = 0; step < 40; step++, d = nextafter(d, 2 * d), s = nextafterf(s, 2 * s)) {
			snprintf(expected, sizeof(expected), "%.15g", d);
			if (strtod(expected, NULL) != d)
				snprintf(expected, sizeof(expected), "%.17g", d);
			EXPECT(f, WEIR_TYPE_F64, double, d, expected);
			snprintf(expected, sizeof(expected), "%.6g", (double)s);
			if (strtof(expected, NULL) != s)
				snprintf(expected, sizeof(expected), "%.9g", (double)s);
			EXPECT(f, WEIR_TYPE_F32, float, s, expected);
		}
	}
	for (i = 0; i < 300000; i += 7) {
		d = i / 1000.;
		snprintf(expected, sizeof(expected), "%.15g", d);
		EXPECT(f, WEIR_TYPE_F64, double, d, expected);
		snprintf(expected, sizeof(expected), "%.6g", d);
		EXPECT(f, WEIR_TYPE_F32, float, (float)d, expected);
	}
}

/* Each byte at each place of a string longer than a word: as it is alone. */
static void test_each_byte(void **state)
{
	struct fixture *f = *state;
	char value[25], expected[64], alone[8];
	int c, at;

	for (c = 1; c < 256; c++) {
		if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\')
			snprintf(alone, sizeof(alone), "%c", c);
		else if (c == '\n' || c == '\t')
			snprintf(alone, sizeof(alone), "\\%c", c == '\n' ? 'n' : 't');
		else if (c == '"' || c == '\\')
			snprintf(alone, sizeof(alone), "\\%c", c);
		else
			snprintf(alone, sizeof(alone), "\\%03o", c);
		for (at = 0; at < 24; at++) {
			memset(value, 'a' + at, 24);
			value[24] = 0;
			value[at] = (char)c;
			snprintf(expected, sizeof(expected), "\"%.*s%s%s\"", at, value, alone, value + at + 1);
			expect_field(f, WEIR_TYPE_STR, value, 25, expected);
		}
	}
}

static void test_longest(void **state)
{
	struct fixture *f = *state;

	make_class(&f->schemas, "a:b", MAKE_FIELDS({ "t", WEIR_TYPE_TEXT }));
	make_record(&f->make, 0, 0, 0);
	memset(f->data + f->make.len + 2, 1, 65500);
	memcpy(f->data + f->make.len, &(u16){ 65500 }, 2);
	f->make.len += 2 + 65500;
	assert_int_equal(render(f), strlen("a:b: t=\"\"") + 4 * 65500);
	assert_int_equal(strlen(f->text), strlen("a:b: t=\"\"") + 4 * 65500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_integers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_floats, setup, teardown),
		cmocka_unit_test_setup_teardown(test_strings, setup, teardown),
		cmocka_unit_test_setup_teardown(test_utf8, setup, teardown),
		cmocka_unit_test_setup_teardown(test_line, setup, teardown),
		cmocka_unit_test_setup_teardown(test_class, setup, teardown),
		cmocka_unit_test_setup_teardown(test_as_snprintf, setup, teardown),
		cmocka_unit_test_setup_teardown(test_most, setup, teardown),
		cmocka_unit_test_setup_teardown(test_digits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_decimals, setup, teardown),
		cmocka_unit_test_setup_teardown(test_each_byte, setup, teardown),
		cmocka_unit_test_setup_teardown(test_longest, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
