// SPDX-License-Identifier: GPL-2.0-only
/* Descriptors: what is written is what is parsed; what is hostile is refused, and what came before it stays. */
#include "make.h"

static const struct make_field every_type[] = {
	{ "u8", WEIR_TYPE_U8 },
	{ "u16", WEIR_TYPE_U16 },
	{ "u32", WEIR_TYPE_U32 },
	{ "u64", WEIR_TYPE_U64 },
	{ "i8", WEIR_TYPE_I8 },
	{ "i16", WEIR_TYPE_I16 },
	{ "i32", WEIR_TYPE_I32 },
	{ "i64", WEIR_TYPE_I64 },
	{ "f32", WEIR_TYPE_F32 },
	{ "f64", WEIR_TYPE_F64 },
	{ "b", WEIR_TYPE_BOOL },
	{ "p", WEIR_TYPE_PTR },
	{ "s", WEIR_TYPE_STR },
	{ "by", WEIR_TYPE_BYTES },
	{ "t", WEIR_TYPE_TEXT },
	{ "last", WEIR_TYPE_U16 },
	{ NULL, 0 },
};

static void test_every_type(void **state)
{
	struct weir_schemas schemas = { 0 };
	const struct weir_class *class = make_class(&schemas, "http:done", every_type);
	unsigned int i;

	(void)state;
	assert_int_equal(schemas.count, 1);
	assert_int_equal(class->id, 0);
	assert_string_equal(class->name, "http:done");
	assert_int_equal(class->nr_fields, 16);
	for (i = 0; i < 16; i++) {
		assert_string_equal(class->field[i].name, every_type[i].name);
		assert_string_equal(class->field[i].shown, every_type[i].name);
		assert_int_equal(class->field[i].type, every_type[i].type);
	}
	assert_int_equal(class->nr_steps, 3);
	assert_int_equal(class->step[0].skip, 30 + 12 + 9);
	assert_int_equal(class->step[0].type, WEIR_TYPE_STR);
	assert_int_equal(class->step[2].skip, 0);
	assert_int_equal(class->tail, 2);
	assert_null(weir_schemas_class(&schemas, 1));
	weir_schemas_destroy(&schemas);
}

static void test_no_fields(void **state)
{
	struct weir_schemas schemas = { 0 };
	const struct weir_class *class = make_class(&schemas, "x", MAKE_NO_FIELDS);

	(void)state;
	assert_int_equal(class->nr_fields, 0);
	assert_int_equal(class->nr_steps, 0);
	assert_int_equal(class->tail, 0);
	weir_schemas_destroy(&schemas);
}

static void test_write_refuses(void **state)
{
	struct make_field many[WEIR_FIELDS_MAX + 2] = { { NULL, 0 } };
	char name[WEIR_NAME_MAX + 2];
	u8 buf[8192];
	int i, size;

	(void)state;
	memset(name, 'n', sizeof(name));
	name[WEIR_NAME_MAX] = '\0';
	for (i = 0; i < (int)WEIR_FIELDS_MAX; i++)
		many[i] = (struct make_field){ name, WEIR_TYPE_TEXT };
	size = make_desc(buf, sizeof(buf), name, many);
	assert_int_equal(size, (8 + 256 + 16 * 257 + 7) / 8 * 8);
	assert_int_equal(make_desc(buf, (size_t)size, name, many), size);
	assert_int_equal(make_desc(buf, (size_t)size - 1, name, many), -ENOSPC);
	assert_int_equal(make_desc(buf, 0, name, many), -ENOSPC);
	many[WEIR_FIELDS_MAX] = (struct make_field){ "x", WEIR_TYPE_U8 };
	assert_int_equal(make_desc(buf, sizeof(buf), name, many), -EINVAL);
	name[WEIR_NAME_MAX] = 'n';
	name[WEIR_NAME_MAX + 1] = '\0';
	assert_int_equal(make_desc(buf, sizeof(buf), name, MAKE_NO_FIELDS), -EINVAL);
	assert_int_equal(make_desc(buf, sizeof(buf), "", MAKE_NO_FIELDS), -EINVAL);
	assert_int_equal(make_desc(buf, sizeof(buf), "x", MAKE_FIELDS({ "", WEIR_TYPE_U8 })),
			 -EINVAL);
	assert_int_equal(make_desc(buf, sizeof(buf), "x", MAKE_FIELDS({ name, WEIR_TYPE_U8 })),
			 -EINVAL);
	assert_int_equal(make_desc(buf, sizeof(buf), "x", MAKE_FIELDS({ "y", WEIR_TYPE_NONE })),
			 -EINVAL);
	assert_int_equal(make_desc(buf, sizeof(buf), "x", MAKE_FIELDS({ "y", WEIR_TYPE_COUNT })),
			 -EINVAL);
}

static void test_padding_is_zero(void **state)
{
	static const u8 expected[16] = { 0, 0, 0, 0, 0, 0, 0, 0, 'a', 0, WEIR_TYPE_U8, 'b', 0 };
	u8 buf[16];

	(void)state;
	memset(buf, 0xff, sizeof(buf));
	assert_int_equal(make_desc(buf, sizeof(buf), "a", MAKE_FIELDS({ "b", WEIR_TYPE_U8 })), 16);
	assert_memory_equal(buf + 8, expected + 8, 8);
}

/* The log of a good entry and then a bad one: {size, nr_fields, bytes that follow the head}. */
static const struct bad {
	u16 size;
	u16 nr_fields;
	char bytes[25];
} bad[] = {
	{ 0, 0, "a" },	/* no size */
	{ 4, 0, "a" },	/* smaller than its head */
	{ 8, 0, "a" },	/* no name */
	{ 12, 0, "a" }, /* not a multiple of 8 */
	{ 40, 0, "a" }, /* beyond the log */
	{ 0xfff8, 0, "a" },
	{ 0xffff, 0, "a" },
	{ 16, 0, "" },		       /* empty name */
	{ 16, 0, "abcdefghijklmnop" }, /* name ends in the next entry */
	{ 32, 17, "a" },	       /* too many fields */
	{ 32, 0xffff, "a" },
	{ 16, 1, "abcdefg" },	 /* no room for a field */
	{ 16, 1, "abcdef\0\1" }, /* type, but no name */
	{ 16, 1, "a" },		 /* type 0 */
	{ 16, 1, "a\0\20b" },	 /* type too large */
	{ 16, 1, "a\0\377b" },
	{ 16, 1, "a\0\1" },	      /* empty field name */
	{ 16, 1, "a\0\1bcdefghijk" }, /* field name ends in the next entry */
	{ 16, 2, "a\0\1b" },	      /* second field's type is 0 */
};

static void test_parse_refuses(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		struct weir_schemas schemas = { 0 };
		u8 *log = malloc(16 + 32);
		struct weir_desc desc = { bad[i].size, bad[i].nr_fields, 0 };

		assert_int_equal(make_desc(log, 16, "good", MAKE_NO_FIELDS), 16);
		memcpy(log + 16, &desc, sizeof(desc));
		memcpy(log + 24, bad[i].bytes, 24);
		if (weir_schemas_parse(&schemas, log, 48) != -EINVAL)
			fail_msg("entry %u was taken", i);
		assert_int_equal(schemas.count, 1);
		assert_int_equal(schemas.bytes, 16);
		/* It stays refused, and nothing is added. */
		assert_int_equal(weir_schemas_parse(&schemas, log + 16, 32), -EINVAL);
		assert_int_equal(schemas.count, 1);
		weir_schemas_destroy(&schemas);
		free(log);
	}
}

static void test_long_name_refused(void **state)
{
	struct weir_schemas schemas = { 0 };
	struct weir_desc desc = { 272, 0, 0 };
	u8 log[272];

	(void)state;
	memset(log, 'n', sizeof(log));
	memcpy(log, &desc, sizeof(desc));
	log[8 + WEIR_NAME_MAX + 1] = 0;
	assert_int_equal(weir_schemas_parse(&schemas, log, sizeof(log)), -EINVAL);
	log[8 + WEIR_NAME_MAX] = 0;
	assert_int_equal(weir_schemas_parse(&schemas, log, sizeof(log)), 0);
	weir_schemas_destroy(&schemas);
}

static void test_field_too_many(void **state)
{
	struct weir_schemas schemas = { 0 };
	struct make_field fields[WEIR_FIELDS_MAX + 1] = { { NULL, 0 } };
	_Alignas(struct weir_desc) u8 log[64];
	int i;

	(void)state;
	for (i = 0; i < WEIR_FIELDS_MAX; i++)
		fields[i] = (struct make_field){ "f", WEIR_TYPE_U8 };
	assert_int_equal(make_desc(log, sizeof(log), "e", fields), 64);
	assert_int_equal(weir_schemas_parse(&schemas, log, 64), 0);
	/* One more as good as the others fits the entry. */
	memcpy(log + 8 + 2 + 16 * 3, "\1f", 3);
	((struct weir_desc *)log)->nr_fields++;
	assert_int_equal(weir_schemas_parse(&schemas, log, 64), -EINVAL);
	assert_int_equal(schemas.count, 1);
	weir_schemas_destroy(&schemas);
}

static void test_cut_log(void **state)
{
	u8 log[64];
	int size = make_desc(log, sizeof(log), "provider:event", every_type + 12), len;

	(void)state;
	for (len = 1; len < size; len++) {
		struct weir_schemas schemas = { 0 };
		u8 *copy = malloc((size_t)len);

		memcpy(copy, log, (size_t)len);
		assert_int_equal(weir_schemas_parse(&schemas, copy, (size_t)len), -EINVAL);
		assert_int_equal(schemas.count, 0);
		weir_schemas_destroy(&schemas);
		free(copy);
	}
}

static void test_as_many_as_ids(void **state)
{
	struct weir_schemas schemas = { 0 };
	size_t bytes = 16 * ((size_t)WEIR_EVENTS_MAX + 1);
	u8 *log = malloc(bytes);
	u32 i;

	(void)state;
	for (i = 0; i <= WEIR_EVENTS_MAX; i++)
		assert_int_equal(make_desc(log + 16 * i, 16, "e", MAKE_NO_FIELDS), 16);
	assert_int_equal(weir_schemas_parse(&schemas, log, bytes), -ENOSPC);
	assert_int_equal(schemas.count, WEIR_EVENTS_MAX);
	assert_int_equal(weir_schemas_class(&schemas, WEIR_EVENTS_MAX - 1)->id,
			 WEIR_EVENTS_MAX - 1);
	assert_null(weir_schemas_class(&schemas, WEIR_EVENTS_MAX));
	assert_null(weir_schemas_class(&schemas, ~0u));
	weir_schemas_destroy(&schemas);
	free(log);
}

/* ---- labels -----------------------------------------------------------------------------------*/

static void test_labels(void **state)
{
	static const struct make_field fields[] = {
		{ "id", WEIR_TYPE_U8 },
		{ "id", WEIR_TYPE_U8 },
		{ "req->id", WEIR_TYPE_U8 },
		{ "req--id", WEIR_TYPE_U8 },
		{ "Bool", WEIR_TYPE_U8 },
		{ "Bool", WEIR_TYPE_U8 },
		{ "Bool_2", WEIR_TYPE_U8 },
		{ "raw", WEIR_TYPE_BYTES },
		{ "_raw_length", WEIR_TYPE_U8 },
		{ "_x_length", WEIR_TYPE_U8 },
		{ "x", WEIR_TYPE_TEXT },
		{ "Imaginary", WEIR_TYPE_TEXT },
		{ "1st", WEIR_TYPE_U8 },
		{ "a\xc3\xa4", WEIR_TYPE_U8 },
		{ "_", WEIR_TYPE_U8 },
		{ "\"", WEIR_TYPE_U8 },
		{ NULL, 0 },
	};
	static const char *const labels[] = {
		"_id",	   "_id_2",	"_req_id", "_req_id_2",     "Bool",
		"_Bool_2", "_Bool_2_2", "_raw",	    "__raw_length_2", "__x_length",
		"_x_2",	   "Imaginary", "_1st",	    "_a",	      "__",
		"_field",
	};
	struct weir_schemas schemas = { 0 };
	const struct weir_class *class = make_class(&schemas, "x:y", fields);
	unsigned int i;

	(void)state;
	for (i = 0; i < ARRAY_SIZE(labels); i++) {
		assert_string_equal(class->field[i].label, labels[i]);
		assert_string_equal(class->field[i].name, fields[i].name);
		assert_int_equal(class->field[i].shown_len, strlen(class->field[i].shown));
	}
	assert_string_equal(class->field[0].shown, "id");
	assert_string_equal(class->field[4].shown, "Bool");
	assert_string_equal(class->field[8].shown, "_raw_length_2");
	weir_schemas_destroy(&schemas);
}

/* Labels of names that hold none are longer than the names; keywords hide in expressions. */
static void test_labels_made(void **state)
{
	struct weir_schemas schemas = { 0 };
	struct make_field fields[WEIR_FIELDS_MAX + 1] = { { NULL, 0 } };
	const struct weir_class *class;
	int i;

	(void)state;
	for (i = 0; i < WEIR_FIELDS_MAX; i++)
		fields[i] = (struct make_field){ "-", WEIR_TYPE_TEXT };
	class = make_class(&schemas, "x:y", fields);
	assert_string_equal(class->field[0].label, "_field");
	assert_string_equal(class->field[15].label, "_field_16");
	class = make_class(&schemas, "x:y",
			   MAKE_FIELDS({ "&Bool", WEIR_TYPE_U8 }, { "(Complex)", WEIR_TYPE_U8 },
				       { "&Bool", WEIR_TYPE_U8 }, { "_Imaginary", WEIR_TYPE_U8 }));
	assert_string_equal(class->field[0].label, "Bool");
	assert_string_equal(class->field[0].shown, "Bool");
	assert_int_equal(class->field[0].shown_len, 4);
	assert_string_equal(class->field[1].label, "Complex");
	assert_string_equal(class->field[2].label, "_Bool_2");
	assert_string_equal(class->field[3].label, "__Imaginary");
	weir_schemas_destroy(&schemas);
}

/* Whatever a log holds, labels are what TSDL can take, and no two of a class are equal. */
static void check_labels(const struct weir_class *class)
{
	static const char allowed[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
	char labels[2 * WEIR_FIELDS_MAX][300];
	unsigned int i, j, n = 0;

	for (i = 0; i < class->nr_fields; i++) {
		const struct weir_field *field = &class->field[i];

		snprintf(labels[n++], sizeof(labels[0]), "%s", field->label);
		if (field->type == WEIR_TYPE_BYTES || field->type == WEIR_TYPE_TEXT)
			snprintf(labels[n++], sizeof(labels[0]), "_%s_length", field->label);
	}
	for (i = 0; i < n; i++) {
		assert_int_equal(strspn(labels[i], allowed), strlen(labels[i]));
		assert_true(labels[i][0] == '_' || !strcmp(labels[i], "Bool") ||
			    !strcmp(labels[i], "Complex") || !strcmp(labels[i], "Imaginary"));
		for (j = 0; j < i; j++) {
			const char *shown = labels[j] + (labels[j][0] == '_');

			/* The second: babeltrace2 compares labels with what it shows of those before. */
			assert_string_not_equal(labels[i], labels[j]);
			assert_string_not_equal(labels[i], shown);
			assert_string_not_equal(labels[i] + (labels[i][0] == '_'), shown);
		}
	}
}

/* Rendering into the exact size, and into none, gives the same length. */
static void check_rendering(size_t render(char *, size_t, const struct weir_class *), size_t most,
			    const struct weir_class *class)
{
	size_t len = render(NULL, 0, class);
	char *buf = malloc(len + 1);

	assert_true(len < most);
	assert_int_equal(render(buf, len + 1, class), len);
	assert_int_equal(strlen(buf), len);
	free(buf);
}

static void check_schemas(const struct weir_schemas *schemas)
{
	u32 id;

	for (id = 0; id < schemas->count; id++) {
		const struct weir_class *class = weir_schemas_class(schemas, id);

		assert_int_equal(class->id, id);
		assert_int_equal(class->shown_len, strlen(class->shown));
		check_labels(class);
		check_rendering(weir_tsdl_class, WEIR_TSDL_CLASS_MAX, class);
		check_rendering(weir_text_class, WEIR_TSDL_CLASS_MAX, class);
	}
}

/* Names that look for trouble with each other. */
static size_t random_log(u64 *seed, u8 *log, size_t size)
{
	static const char *const names[] = {
		"x",	       "_x",   "_x_length", "x_2",	    "_x_2_length",
		"_x_length_2", "Bool", "Bool_2",    "_Bool_length", "__Bool_2_length",
		"x-2",	       "-",    "&Bool",	    "a b",	    "\x80"
	};
	size_t len = 0;

	while (size - len >= 1024) {
		struct make_field fields[WEIR_FIELDS_MAX + 1] = { { NULL, 0 } };
		u64 n = make_below(seed, WEIR_FIELDS_MAX + 1);

		while (n--)
			fields[n] = (struct make_field){ names[make_below(seed, ARRAY_SIZE(names))],
							 (u8)(1 + make_below(seed, WEIR_TYPE_COUNT -
											   1)) };
		len += (size_t)make_desc(log + len, size - len, "fuzz:event", fields);
	}
	return len;
}

static void test_fuzz(void **state)
{
	u64 seed = 20080123, taken = 0, refused = 0;
	unsigned int i;

	(void)state;
	for (i = 0; i < 20000; i++) {
		struct weir_schemas schemas = { 0 };
		u8 buf[2048], *log;
		size_t len = random_log(&seed, buf, sizeof(buf));

		log = malloc(len);
		memcpy(log, buf, len);
		if (i % 4)
			make_damage(&seed, log, len, 6);
		if (weir_schemas_parse(&schemas, log, len))
			refused++;
		else
			assert_int_equal(schemas.bytes, len);
		taken += schemas.count;
		check_schemas(&schemas);
		weir_schemas_destroy(&schemas);
		free(log);
	}
	/* The mischief must be neither harmless nor hopeless. */
	assert_in_range(refused, 2000, 18000);
	assert_true(taken > 10000);
}

static void test_fuzz_noise(void **state)
{
	u64 seed = 20081002;
	unsigned int i, j;

	(void)state;
	for (i = 0; i < 20000; i++) {
		struct weir_schemas schemas = { 0 };
		size_t len = make_below(&seed, 256);
		u8 *log = malloc(len + 1);

		for (j = 0; j < len; j++)
			log[j] = (u8)(make_below(&seed, 3) ? make_below(&seed, 32)
							   : make_random(&seed));
		weir_schemas_parse(&schemas, log, len);
		check_schemas(&schemas);
		weir_schemas_destroy(&schemas);
		free(log);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_type),     cmocka_unit_test(test_no_fields),
		cmocka_unit_test(test_write_refuses),  cmocka_unit_test(test_padding_is_zero),
		cmocka_unit_test(test_parse_refuses),  cmocka_unit_test(test_long_name_refused),
		cmocka_unit_test(test_field_too_many), cmocka_unit_test(test_cut_log),
		cmocka_unit_test(test_as_many_as_ids), cmocka_unit_test(test_labels),
		cmocka_unit_test(test_labels_made),    cmocka_unit_test(test_fuzz),
		cmocka_unit_test(test_fuzz_noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
