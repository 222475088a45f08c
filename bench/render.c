// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench/render: the renderer alone: a packet of records of one class, walked and rendered again and again.
 */
#include "../lib/core/weir_schema.h"
#include "bench.h"

#define RECORDS 4096u

struct kind {
	const char *name;
	unsigned int nr;
	const char *field[6];
	u8 type[6];
	u8 bytes[64]; /* of the fields */
	size_t len;
};

static const struct kind kinds[] = {
	{ "no field", 0, { 0 }, { 0 }, { 0 }, 0 },
	{ "two u64",
	  2,
	  { "i", "n" },
	  { WEIR_TYPE_U64, WEIR_TYPE_U64 },
	  { 0x15, 0xcd, 0x5b, 7, 0, 0, 0, 0, 0xff, 0xc9, 0x9a, 0x3b, 0, 0, 0, 0 },
	  16 },
	{ "u32, string of 25, u16",
	  3,
	  { "id", "path", "status" },
	  { WEIR_TYPE_U32, WEIR_TYPE_STR, WEIR_TYPE_U16 },
	  "\x15\xcd\x5b\x07/articles/2024/index.html\0\xc8",
	  32 },
	{ "ptr, two i32, bool",
	  4,
	  { "p", "x", "y", "ok" },
	  { WEIR_TYPE_PTR, WEIR_TYPE_I32, WEIR_TYPE_I32, WEIR_TYPE_BOOL },
	  "\x78\x56\x34\x12\xfd\x7f\0\0\xfe\xff\xff\xff\x15\xcd\x5b\x07\x01",
	  17 },
	{ "f64", 1, { "ratio" }, { WEIR_TYPE_F64 }, { 0x9a, 0x99, 0x99, 0x99, 0x99, 0x99, 0xb9, 0x3f }, 8 },
};

static double render(const struct kind *kind)
{
	static u8 data[RECORDS * 96], log[1024];
	static char text[65536 + 1024];
	struct weir_schemas schemas = { 0 };
	int len = weir_desc_write(log, sizeof(log), "bench:event", kind->nr, kind->field, kind->type);
	size_t end = 0, at = 0, i;
	struct weir_record record;
	struct weir_walk walk;
	uint64_t t;

	if (len < 0 || weir_schemas_parse(&schemas, log, (size_t)len))
		abort();
	for (i = 0; i < RECORDS; i++) {
		u64 word = (u64)(i * 100) << WEIR_TIME_SHIFT;

		memcpy(data + end, &word, sizeof(word));
		memcpy(data + end + sizeof(word), kind->bytes, kind->len);
		end = (end + sizeof(word) + kind->len + 7) & ~(size_t)7;
	}
	t = bench_clock(CLOCK_THREAD_CPUTIME_ID);
	for (int round = 0; round < 100; round++) {
		walk = (struct weir_walk){ .data = data, .end = end, .latest = ~0ull, .schemas = &schemas, .count = 1 };
		for (i = 0; i < RECORDS && weir_walk_next(&walk, &record) > 0; i++) {
			at = at > sizeof(text) - 1024 ? 0 : at;
			at += weir_text_record(text + at, &record);
		}
		if (i < RECORDS)
			abort();
	}
	t = bench_clock(CLOCK_THREAD_CPUTIME_ID) - t;
	weir_schemas_destroy(&schemas);
	return (double)t / 100 / RECORDS;
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 15;
	char name[64];
	double ns[64];

	if (rounds < 1 || rounds > 64)
		return 2;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		for (int r = 0; r < rounds; r++)
			ns[r] = render(&kinds[i]);
		snprintf(name, sizeof(name), "walk and render, %s", kinds[i].name);
		bench_line("text", name, "ns", ns, rounds);
	}
	return 0;
}
