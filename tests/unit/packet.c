// SPDX-License-Identifier: GPL-2.0-only
/* Packets: made of good bytes they say what was written; made of any other bytes they still decode. */
#include "make.h"

#define SIZE 4096
#define BEGIN (5ull << 48)

struct fixture {
	struct weir_schemas schemas;
	struct make make;
	struct weir_packet_stream stream;
	u8 data[SIZE];
};

static const u8 uuid[16] = "0123456789abcdef";

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	make_class(&f->schemas, "t:u32", MAKE_FIELDS({ "n", WEIR_TYPE_U32 }));
	make_class(&f->schemas, "t:str",
		   MAKE_FIELDS({ "s", WEIR_TYPE_STR }, { "n", WEIR_TYPE_U8 }));
	make_class(&f->schemas, "t:bytes",
		   MAKE_FIELDS({ "y", WEIR_TYPE_BYTES }, { "t", WEIR_TYPE_TEXT }));
	make_class(&f->schemas, "t:none", MAKE_NO_FIELDS);
	f->make.tid = true;
	f->stream = (struct weir_packet_stream){ .uuid = uuid,
						 .cpu = 3,
						 .schemas = &f->schemas,
						 .count = 4,
						 .tid = true,
						 .latest = BEGIN + (1ull << 49),
						 .lost = 1000 };
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

static struct weir_packet header_of(const struct fixture *f)
{
	struct weir_packet header;

	memcpy(&header, f->data, sizeof(header));
	return header;
}

static void set_header(struct fixture *f, size_t offset, u64 value)
{
	memcpy(f->data + offset, &value, sizeof(value));
}

#define SET(f, field, value) set_header(f, offsetof(struct weir_packet, field), value)

/* Three records at begin, begin + 5 and begin + 9. */
static void write_packet(struct fixture *f, u64 begin, u64 discarded)
{
	make_open(&f->make, f->data, SIZE, begin, discarded);
	make_record(&f->make, 0, begin, 7);
	make_u32(&f->make, 42);
	make_record(&f->make, 1, begin + 5, 7);
	make_str(&f->make, "hello");
	make_u8(&f->make, 9);
	make_record(&f->make, 3, begin + 9, 7);
	make_seal(&f->make, begin + 100);
}

/* ---- a decoder that shares nothing with the walk: what every packet must satisfy --------------*/

static size_t decode_fields(const u8 *p, size_t at, u16 id)
{
	u16 len;
	int i;

	if (id == 0)
		return at + 4;
	if (id == 1)
		return at + strlen((const char *)p + at) + 2;
	if (id == 2)
		for (i = 0; i < 2; i++) {
			memcpy(&len, p + at, 2);
			at += 2u + len;
		}
	return at;
}

/* Decodes a packet that must follow `before`; returns the number of its records. */
static u64 decode(const struct fixture *f, const struct weir_packet_stream *before, size_t size,
		  u64 seq)
{
	struct weir_packet h = header_of(f);
	size_t at = WEIR_PACKET_HEADER, end = h.content_size / 8;
	u64 time = h.timestamp_begin, n = 0, word;

	assert_int_equal(h.magic, 0xc1fc1fc1);
	assert_memory_equal(h.uuid, uuid, 16);
	assert_int_equal(h.stream_id, 0);
	assert_int_equal(h.stream_instance_id, 3);
	assert_int_equal(h.cpu_id, 3);
	assert_int_equal(h.padding, 0);
	assert_int_equal(h.packet_seq_num, seq);
	assert_int_equal(h.packet_size, size * 8);
	assert_int_equal(h.content_size % 8, 0);
	assert_in_range(end, WEIR_PACKET_HEADER, size);
	assert_in_range(h.timestamp_begin, before->time, f->stream.latest);
	assert_in_range(h.timestamp_end, h.timestamp_begin, f->stream.latest);
	assert_in_range(h.events_discarded, before->discarded, f->stream.lost);
	while (at < end) {
		at = (at + 7) / 8 * 8;
		assert_true(at + 8 <= end);
		memcpy(&word, f->data + at, 8);
		assert_true((word & 0xffff) < 4);
		time += ((word >> 16) - time) & 0xffffffffffff;
		at = decode_fields(f->data, at + 8 + 4 * f->stream.tid, (u16)word);
		if (!n++)
			assert_int_equal(time, h.timestamp_begin);
	}
	assert_int_equal(at, end);
	assert_int_equal(time, h.timestamp_end);
	for (; at < size; at++)
		assert_int_equal(f->data[at], 0);
	assert_int_equal(f->stream.time, h.timestamp_end);
	assert_int_equal(f->stream.discarded, h.events_discarded);
	assert_int_equal(f->stream.records, before->records + n);
	return n;
}

static u64 make_and_decode(struct fixture *f, size_t len, size_t size, u64 seq, bool open)
{
	struct weir_packet_stream before = f->stream;

	weir_packet_make(&f->stream, f->data, len, size, seq, open);
	return decode(f, &before, size, seq);
}

/* ---- good bytes -------------------------------------------------------------------------------*/

static void test_sealed(void **state)
{
	struct fixture *f = *state;
	u8 records[256];
	struct weir_packet h;

	write_packet(f, BEGIN, 17);
	memcpy(records, f->data + 88, f->make.len - 88);
	assert_int_equal(make_and_decode(f, SIZE, SIZE, 12, false), 3);
	h = header_of(f);
	assert_int_equal(h.timestamp_begin, BEGIN);
	assert_int_equal(h.timestamp_end, BEGIN + 9);
	assert_int_equal(h.content_size, f->make.len * 8);
	assert_int_equal(h.events_discarded, 17);
	assert_memory_equal(f->data + 88, records, f->make.len - 88);
	assert_int_equal(f->stream.damaged, 0);
}

/* The open packet: content ends where the copy ends, though its header may say more, and the packet is trimmed. */
static void test_open(void **state)
{
	struct fixture *f = *state;

	write_packet(f, BEGIN, 0);
	SET(f, content_size, 0);
	assert_int_equal(make_and_decode(f, f->make.len, (f->make.len + 7) / 8 * 8, 0, true), 3);
	write_packet(f, BEGIN + 10, 0);
	SET(f, content_size, ~0ull);
	assert_int_equal(make_and_decode(f, f->make.len, SIZE, 1, true), 3);
	assert_int_equal(f->stream.damaged, 0);
}

/* A switch without a record leaves room at the end of a packet that still looks open. What was there before is no record. */
static void test_open_sealed(void **state)
{
	struct fixture *f = *state;

	write_packet(f, BEGIN, 0);
	memset(f->data + f->make.len, 0xee, SIZE - f->make.len);
	SET(f, content_size, f->make.len * 8);
	assert_int_equal(make_and_decode(f, SIZE, SIZE, 0, true), 3);
	assert_int_equal(f->stream.damaged, 0);
}

static void test_several(void **state)
{
	struct fixture *f = *state;
	u64 i;

	for (i = 0; i < 50; i++) {
		write_packet(f, BEGIN + i * 9, i * 3);
		assert_int_equal(make_and_decode(f, SIZE, SIZE, i, false), 3);
	}
	assert_int_equal(f->stream.time, BEGIN + 50 * 9);
	assert_int_equal(f->stream.discarded, 49 * 3);
	assert_int_equal(f->stream.records, 150);
	assert_int_equal(f->stream.damaged, 0);
}

/* Only the high bits of timestamp_begin count: the first record tells the begin. */
static void test_begin_is_first_record(void **state)
{
	struct fixture *f = *state;

	write_packet(f, BEGIN + 50, 0);
	SET(f, timestamp_begin, BEGIN - 20);
	assert_int_equal(make_and_decode(f, SIZE, SIZE, 0, false), 3);
	assert_int_equal(header_of(f).timestamp_begin, BEGIN + 50);
	assert_int_equal(f->stream.damaged, 0);
}

static void test_no_records(void **state)
{
	struct fixture *f = *state;

	make_open(&f->make, f->data, SIZE, BEGIN, 4);
	make_seal(&f->make, BEGIN);
	assert_int_equal(make_and_decode(f, SIZE, SIZE, 0, false), 0);
	assert_int_equal(f->stream.time, BEGIN);
	assert_int_equal(f->stream.discarded, 4);
	assert_int_equal(f->stream.damaged, 0);
}

static void test_full(void **state)
{
	struct fixture *f = *state;

	f->make.tid = f->stream.tid = false;
	make_open(&f->make, f->data, SIZE, BEGIN, 0);
	while (SIZE - f->make.len >= 20) {
		make_record(&f->make, 0, BEGIN, 0);
		make_u32(&f->make, 1);
	}
	make_record(&f->make, 3, BEGIN, 0);
	make_seal(&f->make, BEGIN);
	assert_int_equal(f->make.len, SIZE);
	assert_int_equal(make_and_decode(f, SIZE, SIZE, 0, false), 251);
	f->stream.time = 0;
	/* No more is believed to be there than fits. */
	assert_int_equal(make_and_decode(f, SIZE + 8, SIZE, 0, true), 251);
	assert_int_equal(f->stream.damaged, 0);
}

/* ---- damaged ones -----------------------------------------------------------------------------*/

/* Makes the packet as it stands and expects it cut to `records`, once counted, and the next packet whole. */
static void expect_cut(struct fixture *f, size_t len, bool open, u64 records)
{
	u64 damaged = f->stream.damaged;

	assert_int_equal(make_and_decode(f, len, SIZE, 7, open), records);
	assert_int_equal(f->stream.damaged, damaged + 1);
	write_packet(f, max(BEGIN, f->stream.time), f->stream.discarded);
	assert_int_equal(make_and_decode(f, SIZE, SIZE, 8, false), 3);
	assert_int_equal(f->stream.damaged, damaged + 1);
}

static void test_bad_content_size(void **state)
{
	struct fixture *f = *state;
	const u64 sizes[] = { 0,	  8,	 83 * 8, 85 * 8, 84 * 8 + 1, SIZE * 8 + 8,
			      1ull << 63, ~0ull, ~7ull };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		u64 time = f->stream.time;

		write_packet(f, max(BEGIN, time) + 50, 5);
		SET(f, content_size, sizes[i]);
		weir_packet_make(&f->stream, f->data, SIZE, SIZE, 7, false);
		/* Nothing of such a header is believed. */
		if (sizes[i] != 85 * 8) {
			assert_int_equal(f->stream.time, time);
			assert_int_equal(f->stream.discarded, 0);
		}
		f->stream.discarded = 0;
		f->stream.damaged--;
		write_packet(f, max(BEGIN, f->stream.time), 0);
		SET(f, content_size, sizes[i]);
		expect_cut(f, SIZE, false, 0);
	}
	/* Inside the packet, but beyond what was copied. */
	write_packet(f, f->stream.time, 0);
	expect_cut(f, f->make.len - 1, false, 0);
}

/* Nobody has written it, or it lacks pages. */
static void test_no_magic(void **state)
{
	struct fixture *f = *state;

	write_packet(f, BEGIN, 0);
	SET(f, magic, 0);
	expect_cut(f, SIZE, false, 0);
	write_packet(f, f->stream.time, 0);
	SET(f, magic, 0);
	expect_cut(f, f->make.len, true, 0);
}

static void test_bad_begin(void **state)
{
	struct fixture *f = *state;
	u64 end;

	write_packet(f, f->stream.latest + 1, 0);
	expect_cut(f, SIZE, false, 0);
	end = f->stream.time;
	write_packet(f, end - 1, 5);
	expect_cut(f, SIZE, false, 0);
	assert_int_equal(end + 9, f->stream.time);
	assert_int_equal(f->stream.discarded, 0);
	write_packet(f, ~0ull, 0);
	expect_cut(f, SIZE, true, 0);
	write_packet(f, 0, 0);
	expect_cut(f, f->make.len, true, 0);
}

static void test_bad_record(void **state)
{
	struct fixture *f = *state;

	write_packet(f, BEGIN, 0);
	f->data[f->make.len - 12] = 99; /* id */
	expect_cut(f, SIZE, false, 2);
	write_packet(f, f->stream.time, 0);
	f->data[88] = 99;
	expect_cut(f, SIZE, false, 0);
	/* The time of the second record is back by one. */
	write_packet(f, f->stream.time, 0);
	f->data[88 + 16 + 2] = (u8)(f->stream.time - 1);
	expect_cut(f, SIZE, false, 1);
	/* The last one is not whole. */
	write_packet(f, f->stream.time, 0);
	expect_cut(f, f->make.len - 1, true, 2);
}

static void test_shorter_than_a_header(void **state)
{
	struct fixture *f = *state;
	size_t len;

	for (len = 0; len < WEIR_PACKET_HEADER; len++) {
		write_packet(f, max(BEGIN, f->stream.time), 0);
		expect_cut(f, len, len & 1, 0);
	}
}

static void test_discarded_bounds(void **state)
{
	struct fixture *f = *state;

	write_packet(f, BEGIN, 2000); /* more than were lost */
	make_and_decode(f, SIZE, SIZE, 0, false);
	assert_int_equal(f->stream.discarded, 1000);
	f->stream.lost = 3000;
	write_packet(f, BEGIN + 10, 999); /* fewer than before */
	make_and_decode(f, SIZE, SIZE, 1, false);
	assert_int_equal(f->stream.discarded, 1000);
	write_packet(f, BEGIN + 20, 2999);
	make_and_decode(f, SIZE, SIZE, 2, false);
	assert_int_equal(f->stream.discarded, 2999);
	f->stream.lost = 5; /* what was said stays said */
	write_packet(f, BEGIN + 30, 7);
	weir_packet_make(&f->stream, f->data, SIZE, SIZE, 3, false);
	assert_int_equal(header_of(f).events_discarded, 2999);
	assert_int_equal(f->stream.damaged, 0);
}

/* ---- empty ones -------------------------------------------------------------------------------*/

static void expect_empty(struct fixture *f, size_t size, u64 time, u64 discarded, u64 time_is,
			 u64 discarded_is)
{
	struct weir_packet_stream before = f->stream;

	memset(f->data, 0x5a, SIZE);
	weir_packet_make_empty(&f->stream, f->data, size, 9, time, discarded);
	assert_int_equal(decode(f, &before, size, 9), 0);
	assert_int_equal(header_of(f).timestamp_begin, time_is);
	assert_int_equal(header_of(f).events_discarded, discarded_is);
	if (size < SIZE)
		assert_int_equal(f->data[size], 0x5a);
}

static void test_empty(void **state)
{
	struct fixture *f = *state;

	expect_empty(f, 88, BEGIN, 3, BEGIN, 3);
	expect_empty(f, SIZE, BEGIN + 5, 4, BEGIN + 5, 4);
	expect_empty(f, 88, BEGIN + 4, 3, BEGIN + 5, 4);
	expect_empty(f, 96, 0, 0, BEGIN + 5, 4);
	expect_empty(f, 88, ~0ull, ~0ull, f->stream.latest, 1000);
	assert_int_equal(f->stream.damaged, 0);
}

/* ---- any bytes --------------------------------------------------------------------------------*/

static void fuzz_write(struct fixture *f, u64 *seed)
{
	u64 begin = max(BEGIN, f->stream.time), n = make_below(seed, 60);

	make_open(&f->make, f->data, SIZE, begin, f->stream.discarded + make_below(seed, 3));
	while (n--)
		make_random_record(&f->make, seed,
				   weir_schemas_class(&f->schemas, (u32)make_below(seed, 4)),
				   begin += make_below(seed, 100));
	make_seal(&f->make, begin);
}

static void test_fuzz(void **state)
{
	struct fixture *f = *state;
	u64 seed = 3141592653, i, whole = 0;

	for (i = 0; i < 30000; i++) {
		u64 damaged = f->stream.damaged;
		bool open = !make_below(&seed, 3);
		size_t len, size = SIZE;

		if (!(i % 100)) {
			f->stream.time = f->stream.discarded = 0;
			f->stream.tid = f->make.tid = make_below(&seed, 2);
		}
		fuzz_write(f, &seed);
		len = open ? f->make.len : SIZE;
		if (i % 8)
			make_damage(&seed, f->data + 24, f->make.len - 24, 5);
		if (!(i % 16))
			len = make_below(&seed, SIZE + 9);
		if (open && len < SIZE)
			size = max(len + 7, (size_t)WEIR_PACKET_FIRST) / 8 * 8;
		make_and_decode(f, len, size, i, open);
		assert_in_range(f->stream.damaged, damaged, damaged + 1);
		whole += f->stream.damaged == damaged;
	}
	assert_in_range(whole, 5000, 25000);
}

static void test_fuzz_noise(void **state)
{
	struct fixture *f = *state;
	u64 seed = 2718281828, i, j;

	for (i = 0; i < 3000; i++) {
		for (j = 0; j < SIZE; j++)
			f->data[j] = (u8)(make_below(&seed, 2) ? 0 : make_random(&seed));
		SET(f, magic, WEIR_CTF_MAGIC);
		SET(f, timestamp_begin, f->stream.time);
		make_and_decode(f, make_below(&seed, SIZE + 1), SIZE, i, i & 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_sealed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_open, setup, teardown),
		cmocka_unit_test_setup_teardown(test_open_sealed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_several, setup, teardown),
		cmocka_unit_test_setup_teardown(test_begin_is_first_record, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_records, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_content_size, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_magic, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_begin, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_record, setup, teardown),
		cmocka_unit_test_setup_teardown(test_shorter_than_a_header, setup, teardown),
		cmocka_unit_test_setup_teardown(test_discarded_bounds, setup, teardown),
		cmocka_unit_test_setup_teardown(test_empty, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fuzz, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fuzz_noise, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
