/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * make: what a program would write, made by hand for tests: descriptor logs, records, packets; and a
 * deterministic source of mischief.
 */
#ifndef WEIR_TEST_MAKE_H
#define WEIR_TEST_MAKE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "weir_packet.h"

/* ---- xorshift64*, seeded per test -------------------------------------------------------------*/

static inline u64 make_random(u64 *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 2685821657736338717ull >> 8;
}

static inline u64 make_below(u64 *state, u64 limit)
{
	return make_random(state) % limit;
}

/* Damages up to `most` places: bits, bytes, words of extreme values, stretches copied elsewhere. */
static inline void make_damage(u64 *state, u8 *data, size_t len, unsigned int most)
{
	static const u8 extreme[] = { 0, 1, 0x7f, 0x80, 0xff };
	unsigned int n = (unsigned int)make_below(state, most + 1);

	while (n-- && len) {
		size_t at = make_below(state, len),
		       span = min(make_below(state, 9), (u64)(len - at));

		switch (make_below(state, 4)) {
		case 0:
			data[at] ^= (u8)(1u << make_below(state, 8));
			break;
		case 1:
			data[at] = (u8)make_random(state);
			break;
		case 2:
			memset(data + at, extreme[make_below(state, sizeof(extreme))], span);
			break;
		default:
			memmove(data + at, data + make_below(state, len - span + 1), span);
		}
	}
}

/* ---- descriptor logs --------------------------------------------------------------------------*/

struct make_field {
	const char *name;
	u8 type;
};

#define MAKE_FIELDS(...) ((const struct make_field[]){ __VA_ARGS__, { NULL, 0 } })
#define MAKE_NO_FIELDS ((const struct make_field[]){ { NULL, 0 } })

static inline int make_desc(void *buf, size_t size, const char *name,
			    const struct make_field *fields)
{
	const char *names[WEIR_FIELDS_MAX + 2] = { NULL };
	u8 types[WEIR_FIELDS_MAX + 2] = { 0 };
	unsigned int n;

	for (n = 0; fields[n].name; n++) {
		names[n] = fields[n].name;
		types[n] = fields[n].type;
	}
	return weir_desc_write(buf, size, name, n, names, types);
}

/* Adds a class; its id is the number of those before. */
static inline const struct weir_class *make_class(struct weir_schemas *schemas, const char *name,
						  const struct make_field *fields)
{
	u8 buf[8192];
	int size = make_desc(buf, sizeof(buf), name, fields);

	assert_true(size > 0);
	assert_int_equal(weir_schemas_parse(schemas, buf, (size_t)size), 0);
	return weir_schemas_class(schemas, schemas->count - 1);
}

/* ---- packets as a writer leaves them ----------------------------------------------------------*/

struct make {
	u8 *data;
	size_t size;
	size_t len; /* exact end of the last record */
	bool tid;
};

static inline void make_open(struct make *make, u8 *data, size_t size, u64 begin, u64 discarded)
{
	struct weir_packet header = { .magic = WEIR_CTF_MAGIC, .timestamp_begin = begin, .events_discarded = discarded };

	memset(data, 0xa5, size);
	memcpy(data, &header, sizeof(header));
	*make = (struct make){ data, size, WEIR_PACKET_HEADER, make->tid };
}

static inline void make_bytes(struct make *make, const void *src, size_t len)
{
	assert_true(len <= make->size - make->len);
	memcpy(make->data + make->len, src, len);
	make->len += len;
}

static inline void make_record(struct make *make, u16 id, u64 time, u32 tid)
{
	u64 word = time << WEIR_TIME_SHIFT | id;

	while (make->len % 8)
		make_bytes(make, "", 1);
	make_bytes(make, &word, sizeof(word));
	if (make->tid)
		make_bytes(make, &tid, sizeof(tid));
}

#define MAKE_NUMBER(name, type)                                \
	static inline void name(struct make *make, type value) \
	{                                                      \
		make_bytes(make, &value, sizeof(value));       \
	}

MAKE_NUMBER(make_u8, u8)
MAKE_NUMBER(make_u16, u16)
MAKE_NUMBER(make_u32, u32)
MAKE_NUMBER(make_u64, u64)
MAKE_NUMBER(make_f32, float)
MAKE_NUMBER(make_f64, double)

static inline void make_str(struct make *make, const char *s)
{
	make_bytes(make, s, strlen(s) + 1);
}

static inline void make_counted(struct make *make, const void *src, u16 len)
{
	make_u16(make, len);
	make_bytes(make, src, len);
}

/* Completes the header as the writer does in a switch. */
static inline void make_seal(struct make *make, u64 end)
{
	struct weir_packet header;

	memcpy(&header, make->data, sizeof(header));
	header.timestamp_end = end;
	header.content_size = (u64)make->len * 8;
	memcpy(make->data, &header, sizeof(header));
}

/* A field's worth of random bytes that are good for its type. */
static inline void make_random_field(struct make *make, u64 *state, u8 type)
{
	static const u8 size[WEIR_TYPE_COUNT] = { 0, 1, 2, 4, 8, 1, 2, 4, 8, 4, 8, 1, 8 };
	u8 bytes[64];
	size_t i, len = size[type] ? size[type] : make_below(state, sizeof(bytes));

	for (i = 0; i < len; i++)
		bytes[i] = (u8)(make_random(state) | 1);
	if (type == WEIR_TYPE_BYTES || type == WEIR_TYPE_TEXT)
		make_u16(make, (u16)len);
	make_bytes(make, bytes, len);
	if (type == WEIR_TYPE_STR)
		make_u8(make, 0);
}

static inline void make_random_record(struct make *make, u64 *state, const struct weir_class *class,
				      u64 time)
{
	unsigned int i;

	make_record(make, class->id, time, (u32)make_random(state));
	for (i = 0; i < class->nr_fields; i++)
		make_random_field(make, state, class->field[i].type);
}

#endif /* WEIR_TEST_MAKE_H */
