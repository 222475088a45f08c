// SPDX-License-Identifier: GPL-2.0-only
/* The walk over records: takes what is whole, stops before what is not, and never looks beyond its bytes. */
#include "make.h"

#define BEGIN 0x123456789abcdefull

struct fixture {
	struct weir_schemas schemas;
	struct make make;
	struct weir_walk walk;
	struct weir_record record;
	u8 data[1 << 18];
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	make_class(&f->schemas, "t:none", MAKE_NO_FIELDS);
	make_class(&f->schemas, "t:fixed",
		   MAKE_FIELDS({ "a", WEIR_TYPE_U32 }, { "b", WEIR_TYPE_I64 }));
	make_class(
		&f->schemas, "t:str",
		MAKE_FIELDS({ "a", WEIR_TYPE_U8 }, { "s", WEIR_TYPE_STR }, { "b", WEIR_TYPE_U16 }));
	make_class(&f->schemas, "t:bytes",
		   MAKE_FIELDS({ "y", WEIR_TYPE_BYTES }, { "t", WEIR_TYPE_TEXT }));
	f->make.tid = true;
	make_open(&f->make, f->data, sizeof(f->data), BEGIN, 0);
	f->walk = (struct weir_walk){ .data = f->data,
				      .offset = WEIR_PACKET_HEADER,
				      .time = BEGIN,
				      .latest = BEGIN + (1ull << 50),
				      .schemas = &f->schemas,
				      .count = 4,
				      .tid = true };
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

static int next(struct fixture *f)
{
	f->walk.end = f->make.len;
	return weir_walk_next(&f->walk, &f->record);
}

static void test_empty(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(next(f), 0);
	assert_int_equal(f->walk.offset, WEIR_PACKET_HEADER);
}

static void test_each_kind(void **state)
{
	struct fixture *f = *state;

	make_record(&f->make, 0, BEGIN, 7);
	make_record(&f->make, 1, BEGIN + 1, 8);
	make_u32(&f->make, 5);
	make_u64(&f->make, 6);
	make_record(&f->make, 2, BEGIN + 1, ~0u);
	make_u8(&f->make, 1);
	make_str(&f->make, "abc");
	make_u16(&f->make, 2);
	make_record(&f->make, 3, BEGIN + 2, 0);
	make_counted(&f->make, "xy", 2);
	make_counted(&f->make, "", 0);

	assert_int_equal(next(f), 1);
	assert_string_equal(f->record.class->name, "t:none");
	assert_int_equal(f->record.tid, 7);
	assert_int_equal(f->record.size, 0);
	assert_int_equal(f->record.time, BEGIN);
	assert_int_equal(f->walk.offset, 88 + 12);
	assert_int_equal(next(f), 1);
	assert_string_equal(f->record.class->name, "t:fixed");
	assert_ptr_equal(f->record.fields, f->data + 104 + 12);
	assert_int_equal(f->record.size, 12);
	assert_int_equal(f->record.time, BEGIN + 1);
	assert_int_equal(next(f), 1);
	assert_int_equal(f->record.tid, ~0u);
	assert_int_equal(f->record.size, 1 + 4 + 2);
	assert_int_equal(next(f), 1);
	assert_int_equal(f->record.size, 2 + 2 + 2);
	assert_int_equal(f->walk.offset, f->make.len);
	assert_int_equal(next(f), 0);
	assert_int_equal(next(f), 0);
}

static void test_without_tid(void **state)
{
	struct fixture *f = *state;

	f->make.tid = f->walk.tid = false;
	make_record(&f->make, 0, BEGIN, 0);
	make_record(&f->make, 0, BEGIN, 0);
	assert_int_equal(next(f), 1);
	assert_int_equal(f->walk.offset, 96);
	assert_int_equal(f->record.tid, 0);
	assert_int_equal(next(f), 1);
	assert_int_equal(f->walk.offset, 104);
	assert_int_equal(next(f), 0);
}

/* Every record is refused when any number of its last bytes is missing, from memory of just that size. */
static void test_cut_anywhere(void **state)
{
	struct fixture *f = *state;
	size_t whole, cut;
	u16 id;

	for (id = 0; id < 4; id++) {
		make_open(&f->make, f->data, sizeof(f->data), BEGIN, 0);
		make_record(&f->make, id, BEGIN, 1);
		if (id == 1)
			make_bytes(&f->make, "0123456789ab", 12);
		if (id == 2)
			make_bytes(&f->make, "0123\0ab", 7);
		if (id == 3)
			make_bytes(&f->make, "\3\0abc\2\0de", 9);
		whole = f->make.len;
		for (cut = WEIR_PACKET_HEADER + 1; cut <= whole; cut++) {
			u8 *copy = malloc(cut);

			memcpy(copy, f->data, cut);
			f->walk.data = copy;
			f->walk.offset = WEIR_PACKET_HEADER;
			f->walk.end = cut;
			assert_int_equal(weir_walk_next(&f->walk, &f->record),
					 cut == whole ? 1 : -EBADMSG);
			assert_int_equal(f->walk.offset, cut == whole ? whole : WEIR_PACKET_HEADER);
			free(copy);
		}
	}
}

static void test_unknown_id(void **state)
{
	struct fixture *f = *state;

	make_record(&f->make, 4, BEGIN, 1);
	assert_int_equal(next(f), -EBADMSG);
	f->walk.count = 5; /* more than there are */
	assert_int_equal(next(f), -EBADMSG);
	make_open(&f->make, f->data, sizeof(f->data), BEGIN, 0);
	make_record(&f->make, 0xffff, BEGIN, 1);
	f->walk.count = 1 << 20;
	assert_int_equal(next(f), -EBADMSG);
	make_open(&f->make, f->data, sizeof(f->data), BEGIN, 0);
	make_record(&f->make, 3, BEGIN, 1);
	make_u32(&f->make, 0);
	f->walk.count = 3; /* fewer than there are */
	assert_int_equal(next(f), -EBADMSG);
	f->walk.count = 4;
	assert_int_equal(next(f), 1);
}

/* {begin, the record's 48 bits, latest, expected 64 bits or 0} */
static const u64 times[][4] = {
	{ 5, 5, 5, 5 },
	{ 5, 6, 6, 6 },
	{ 5, 6, 5, 0 },	    /* later than now */
	{ 5, 4, ~0ull, 0 }, /* back by one */
	{ 5, 5 + (1ull << 47) - 1, ~0ull, 5 + (1ull << 47) - 1 },
	{ 5, 5 + (1ull << 47), ~0ull, 0 },	     /* half the range: the past */
	{ 0xffffffffffffull, 0, ~0ull, 1ull << 48 }, /* 48 bits run over */
	{ 0x5ffffffffffffull, 3, 0x6000000000003ull, 0x6000000000003ull },
	{ 0x5ffffffffffffull, 3, 0x6000000000002ull, 0 },
	{ ~0ull, 0, ~0ull, 0 }, /* 64 bits run over */
	{ ~0ull - 1, ~0ull, ~0ull, ~0ull },
};

static void test_times(void **state)
{
	struct fixture *f = *state;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(times); i++) {
		make_open(&f->make, f->data, sizeof(f->data), 0, 0);
		make_record(&f->make, 0, times[i][1], 1);
		f->walk.offset = WEIR_PACKET_HEADER;
		f->walk.time = times[i][0];
		f->walk.latest = times[i][2];
		if (next(f) != (times[i][3] ? 1 : -EBADMSG))
			fail_msg("time %u", i);
		assert_int_equal(f->walk.time, times[i][3] ? times[i][3] : times[i][0]);
	}
}

static void test_largest_record(void **state)
{
	static u8 bytes[WEIR_RECORD_MAX];
	struct fixture *f = *state;

	/* header word, tid, two lengths */
	make_record(&f->make, 3, BEGIN, 1);
	make_counted(&f->make, bytes, 0xfff0 - 16);
	make_counted(&f->make, bytes, 16);
	assert_int_equal(next(f), 1);
	assert_int_equal(f->record.size, WEIR_RECORD_MAX - 12);
	make_record(&f->make, 3, BEGIN, 1);
	make_counted(&f->make, bytes, 0xfff0 - 16);
	make_counted(&f->make, bytes, 17);
	assert_int_equal(next(f), -EBADMSG);
}

static void test_end_in_padding(void **state)
{
	struct fixture *f = *state;

	make_record(&f->make, 0, BEGIN, 1);
	make_bytes(&f->make, "\0\0", 2);
	assert_int_equal(next(f), 1);
	assert_int_equal(next(f), -EBADMSG);
	assert_int_equal(f->walk.offset, 100);
}

/* Whatever the bytes: the walk ends, inside them, with times that never decrease. */
static void test_fuzz(void **state)
{
	struct fixture *f = *state;
	u64 seed = 1, good = 0, bad = 0, time;
	unsigned int i, j;
	int more;

	for (i = 0; i < 40000; i++) {
		u8 *copy;

		f->walk.tid = f->make.tid = make_below(&seed, 2);
		make_open(&f->make, f->data, 4096, BEGIN, 0);
		for (j = 0; j < 6; j++)
			make_random_record(&f->make, &seed,
					   weir_schemas_class(&f->schemas, make_below(&seed, 4)),
					   BEGIN + j);
		copy = malloc(f->make.len);
		memcpy(copy, f->data, f->make.len);
		make_damage(&seed, copy + WEIR_PACKET_FIRST, f->make.len - WEIR_PACKET_FIRST, 4);
		f->walk.data = copy;
		f->walk.offset = WEIR_PACKET_HEADER;
		f->walk.end = f->make.len;
		f->walk.time = BEGIN;
		for (;;) {
			char *text;

			time = f->walk.time;
			more = weir_walk_next(&f->walk, &f->record);
			if (more <= 0)
				break;
			good++;
			assert_in_range(f->walk.time, time, f->walk.latest);
			assert_ptr_equal(f->record.fields + f->record.size, copy + f->walk.offset);
			text = malloc(weir_text_record_max(&f->record));
			assert_true(weir_text_record(text, &f->record) <= weir_text_record_max(&f->record));
			free(text);
		}
		bad += more < 0;
		assert_true(f->walk.offset <= f->walk.end);
		free(copy);
	}
	assert_true(good > 40000);
	assert_in_range(bad, 4000, 36000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_empty, setup, teardown),
		cmocka_unit_test_setup_teardown(test_each_kind, setup, teardown),
		cmocka_unit_test_setup_teardown(test_without_tid, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cut_anywhere, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unknown_id, setup, teardown),
		cmocka_unit_test_setup_teardown(test_times, setup, teardown),
		cmocka_unit_test_setup_teardown(test_largest_record, setup, teardown),
		cmocka_unit_test_setup_teardown(test_end_in_padding, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fuzz, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
