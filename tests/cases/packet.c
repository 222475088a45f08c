// SPDX-License-Identifier: GPL-2.0-only
/*
 * Cases of schema, walk and packet: good bytes come out as they went in, any other bytes come out as a packet
 * that decodes. What user space alone can check in more detail is in tests/unit/.
 */
#include "cases.h"
#include "weir_packet.h"

#define SIZE 4096u
#define BEGIN (5ull << 48)

struct packet_world {
	struct weir_schemas schemas;
	struct weir_packet_stream stream;
	size_t len; /* of what was written to data */
	u8 uuid[16];
	u8 data[SIZE];
};

static u64 packet_random(u64 *state)
{
	*state = *state * 6364136223846793005ull + 1442695040888963407ull;
	return *state >> 33;
}

static bool packet_add_class(struct packet_world *world, const char *name, unsigned int nr,
			     const u8 *types)
{
	static const char *const names[] = { "a", "b", "a", "req->id" };
	u8 log[128];
	int size = weir_desc_write(log, sizeof(log), name, nr, names, types);

	return size > 0 && !weir_schemas_parse(&world->schemas, log, (size_t)size);
}

static void packet_free(struct packet_world *world)
{
	weir_schemas_destroy(&world->schemas);
	weir_free(world);
}

static struct packet_world *packet_alloc(void)
{
	static const u8 fixed[] = { WEIR_TYPE_U32, WEIR_TYPE_I8, WEIR_TYPE_F64 };
	static const u8 mixed[] = { WEIR_TYPE_U8, WEIR_TYPE_STR, WEIR_TYPE_BYTES, WEIR_TYPE_U16 };
	struct packet_world *world = weir_alloc(sizeof(*world));

	if (!world)
		return NULL;
	if (!packet_add_class(world, "t:fixed", 3, fixed) ||
	    !packet_add_class(world, "t:mixed", 4, mixed)) {
		packet_free(world);
		return NULL;
	}
	world->stream = (struct weir_packet_stream){
		.uuid = world->uuid,
		.schemas = &world->schemas,
		.count = world->schemas.count,
		.tid = true,
		.latest = BEGIN + (1ull << 40),
		.lost = 100,
	};
	return world;
}

static void packet_put(struct packet_world *world, const void *src, size_t len)
{
	memcpy(world->data + world->len, src, len);
	world->len += len;
}

static void packet_open(struct packet_world *world, u64 begin)
{
	struct weir_packet header = { .magic = WEIR_CTF_MAGIC, .timestamp_begin = begin, .events_discarded = 7 };

	memset(world->data, 0xee, SIZE);
	memcpy(world->data, &header, sizeof(header));
	world->len = sizeof(header);
}

static void packet_record(struct packet_world *world, u16 id, u64 time)
{
	static const u8 fixed[13], mixed[] = { 9, 'x', 'y', 0, 3, 0, 1, 2, 3, 5, 5 };
	u64 word = time << WEIR_TIME_SHIFT | id;
	u32 tid = 4001;

	world->len = (world->len + 7) & ~(size_t)7;
	packet_put(world, &word, sizeof(word));
	packet_put(world, &tid, sizeof(tid));
	packet_put(world, id ? mixed : fixed, id ? sizeof(mixed) : sizeof(fixed));
}

static void packet_seal(struct packet_world *world)
{
	u64 bits = (u64)world->len * 8;

	memcpy(world->data + offsetof(struct weir_packet, content_size), &bits, sizeof(bits));
}

/* The made packet says what it may say, and walks to its end. */
static bool packet_decodes(const struct packet_world *world, u64 after)
{
	struct weir_walk walk = {
		.data = world->data,
		.offset = WEIR_PACKET_HEADER,
		.latest = world->stream.latest,
		.schemas = &world->schemas,
		.count = world->schemas.count,
		.tid = true,
	};
	struct weir_packet header;
	struct weir_record record;
	size_t i;
	int more;

	memcpy(&header, world->data, sizeof(header));
	walk.time = header.timestamp_begin;
	walk.end = (size_t)(header.content_size / 8);
	if (header.magic != WEIR_CTF_MAGIC || header.packet_size != SIZE * 8 || walk.end > SIZE ||
	    header.timestamp_begin < after || header.timestamp_end < header.timestamp_begin ||
	    header.timestamp_end > walk.latest || header.events_discarded > 100)
		return false;
	do {
		more = weir_walk_next(&walk, &record);
	} while (more > 0);
	for (i = walk.end; i < SIZE; i++) {
		if (world->data[i])
			return false;
	}
	return !more && walk.time == header.timestamp_end;
}

WEIR_CASE(packet_whole)
{
	struct packet_world *world = packet_alloc();
	unsigned int i;

	WEIR_EXPECT(world);
	packet_open(world, BEGIN);
	for (i = 0; i < 20; i++)
		packet_record(world, i & 1, BEGIN + i);
	packet_seal(world);
	weir_packet_make(&world->stream, world->data, SIZE, SIZE, 0, false);
	WEIR_EXPECT(packet_decodes(world, BEGIN));
	WEIR_EXPECT(world->stream.records == 20);
	WEIR_EXPECT(world->stream.time == BEGIN + 19);
	WEIR_EXPECT(world->stream.discarded == 7);
	WEIR_EXPECT(world->stream.damaged == 0);
	packet_free(world);
}

/* Cut after any number of bytes, the open packet keeps the records that are whole. */
WEIR_CASE(packet_cut_anywhere)
{
	struct packet_world *world = packet_alloc();
	size_t first, len, end;
	u64 records;

	WEIR_EXPECT(world);
	packet_open(world, BEGIN);
	packet_record(world, 0, BEGIN);
	first = world->len;
	packet_record(world, 1, BEGIN);
	end = world->len;
	for (len = 0; len <= end; len++) {
		packet_open(world, BEGIN);
		packet_record(world, 0, BEGIN);
		packet_record(world, 1, BEGIN);
		world->stream.time = world->stream.records = world->stream.damaged = 0;
		weir_packet_make(&world->stream, world->data, len, SIZE, 0, true);
		records = world->stream.records;
		WEIR_EXPECT(packet_decodes(world, 0));
		WEIR_EXPECT(records == (u64)(len >= first) + (len == end));
		WEIR_EXPECT(world->stream.damaged ==
			    (len != first && len != end && len != WEIR_PACKET_HEADER));
	}
	packet_free(world);
}

WEIR_CASE(packet_of_any_bytes)
{
	struct packet_world *world = packet_alloc();
	u64 seed = 42, before, n;
	unsigned int i;

	WEIR_EXPECT(world);
	for (i = 0; i < 5000; i++) {
		before = world->stream.time;
		packet_open(world, max(before, BEGIN));
		while (world->len < 512)
			packet_record(world, packet_random(&seed) & 1,
				      max(before, BEGIN) + world->len);
		packet_seal(world);
		for (n = packet_random(&seed) % 8; n; n--)
			world->data[packet_random(&seed) % world->len] = (u8)packet_random(&seed);
		weir_packet_make(&world->stream, world->data, SIZE, SIZE, i, false);
		WEIR_EXPECT(packet_decodes(world, before));
	}
	WEIR_EXPECT(world->stream.damaged > 500 && world->stream.damaged < 4500);
	packet_free(world);
}

WEIR_CASE(packet_empty)
{
	struct packet_world *world = packet_alloc();

	WEIR_EXPECT(world);
	weir_packet_make_empty(&world->stream, world->data, SIZE, 3, BEGIN, 50);
	WEIR_EXPECT(packet_decodes(world, BEGIN));
	weir_packet_make_empty(&world->stream, world->data, SIZE, 4, 0, 0);
	WEIR_EXPECT(packet_decodes(world, BEGIN));
	WEIR_EXPECT(world->stream.discarded == 50);
	WEIR_EXPECT(world->stream.records == 0);
	packet_free(world);
}

WEIR_CASE(packet_schema_of_any_bytes)
{
	struct packet_world *world = packet_alloc();
	u64 seed = 7, refused = 0;
	unsigned int i, n;
	u8 log[128];

	WEIR_EXPECT(world);
	for (i = 0; i < 5000; i++) {
		struct weir_schemas *schemas = &world->schemas;

		weir_schemas_destroy(schemas);
		WEIR_EXPECT(weir_desc_write(log, sizeof(log), "t:event", 2,
					    (const char *const[]){ "x", "y" },
					    (const u8[]){ WEIR_TYPE_STR, WEIR_TYPE_U8 }) == 24);
		for (n = 0; n < 3; n++)
			log[packet_random(&seed) % 24] = (u8)(packet_random(&seed) % 32);
		refused += !!weir_schemas_parse(schemas, log, 24);
		WEIR_EXPECT(schemas->count <= 3 && schemas->bytes <= 24);
		WEIR_EXPECT(!weir_schemas_class(schemas, schemas->count));
	}
	WEIR_EXPECT(refused > 500 && refused < 4500);
	packet_free(world);
}

const struct weir_case weir_packet_cases[] = {
	WEIR_CASE_ROW(packet_whole),
	WEIR_CASE_ROW(packet_cut_anywhere),
	WEIR_CASE_ROW(packet_of_any_bytes),
	WEIR_CASE_ROW(packet_empty),
	WEIR_CASE_ROW(packet_schema_of_any_bytes),
	{},
};
