// SPDX-License-Identifier: GPL-2.0-only
/*
 * Cases of a switch without a record: what it leaves for readers and for the next writer. And of the one by time.
 *
 * The ring: 4 sub-buffers of one page of 4096 bytes.
 */
#include "cases.h"
#include "weir_ring.h"

#define SUBBUF_SHIFT 12
#define SUBBUF (1u << SUBBUF_SHIFT)
#define RING (4 * SUBBUF)
#define CPU 3

struct ring_fixture {
	struct weir_ring ring;
	struct weir_relay relay;
	struct weir_relay_cursor cursor;
	u64 epoch;
	u8 record[SUBBUF];
};

static struct ring_fixture *ring_new(u32 flags)
{
	struct ring_fixture *f = weir_alloc(sizeof(*f));

	if (!f)
		return NULL;
	f->epoch = weir_epoch_make(7, SUBBUF_SHIFT, 2, flags);
	memset(f->record, 0x55, sizeof(f->record));
	if (weir_relay_init(&f->relay, RING, SUBBUF_SHIFT, SUBBUF_SHIFT, &weir_relay_heap, (void *)(unsigned long)SUBBUF)) {
		weir_free(f);
		return NULL;
	}
	return f;
}

static void ring_free(struct ring_fixture *f)
{
	weir_relay_destroy(&f->relay);
	weir_free(f);
}

static int ring_append(struct ring_fixture *f, u64 time, size_t len)
{
	return weir_ring_append_locked(&f->ring, &f->relay, f->epoch, CPU, time, f->record, len);
}

/* The page is there, as the kernel sees to before it switches. */
static int ring_switch(struct ring_fixture *f, u64 time)
{
	struct weir_relay_cursor cursor = { 0 };
	u64 next = ((f->ring.position - 1) | (SUBBUF - 1)) + 1;

	weir_relay_touch(&f->relay, &cursor, next & (RING - 1));
	return weir_ring_switch(&f->ring, &f->relay, f->epoch, CPU, time);
}

static const struct weir_packet *ring_packet(struct ring_fixture *f, u64 position)
{
	return weir_relay_header(&f->relay, &f->cursor, position & (RING - 1));
}

static bool ring_sealed(const struct weir_packet *packet, u64 end, u64 bytes, u64 seq)
{
	return packet && packet->timestamp_end == end && packet->content_size == bytes * 8 &&
	       packet->packet_size == SUBBUF * 8 && packet->packet_seq_num == seq && packet->cpu_id == CPU;
}

/* The packet ends with its last record; the next one is open, and empty. */
WEIR_CASE(ring_switch_seals)
{
	struct ring_fixture *f = ring_new(0);
	struct weir_ring_view view;
	const struct weir_packet *packet;

	WEIR_EXPECT(f);
	WEIR_EXPECT(!ring_append(f, 100, 21) && f->ring.position == WEIR_PACKET_FIRST + 21);
	WEIR_EXPECT(!ring_switch(f, 150));
	WEIR_EXPECT(ring_sealed(ring_packet(f, 0), 150, WEIR_PACKET_FIRST + 21, 1));
	WEIR_EXPECT(f->ring.position == SUBBUF + WEIR_PACKET_HEADER && f->ring.claim == 2 * SUBBUF);
	packet = ring_packet(f, SUBBUF);
	WEIR_EXPECT(packet && packet->timestamp_begin == 150 && packet->packet_seq_num == 2);
	WEIR_EXPECT(!weir_ring_sample(&f->ring, f->epoch, &view));
	WEIR_EXPECT(view.begin == 0 && view.end == SUBBUF + WEIR_PACKET_HEADER);
	/* the next record is the new packet's first */
	WEIR_EXPECT(!ring_append(f, 200, 8) && f->ring.position == SUBBUF + WEIR_PACKET_FIRST + 8);
	WEIR_EXPECT(!ring_switch(f, 250));
	WEIR_EXPECT(ring_sealed(ring_packet(f, SUBBUF), 250, WEIR_PACKET_FIRST + 8, 2));
	ring_free(f);
}

/* A packet without records is left as it is. So is a ring of another trace, and one of none. */
WEIR_CASE(ring_switch_nothing)
{
	struct ring_fixture *f = ring_new(0);

	WEIR_EXPECT(f);
	WEIR_EXPECT(ring_switch(f, 1) == -ENODATA && f->ring.position == 0);
	WEIR_EXPECT(!ring_append(f, 100, 8) && !ring_switch(f, 101));
	WEIR_EXPECT(ring_switch(f, 102) == -ENODATA);
	WEIR_EXPECT(f->ring.position == SUBBUF + WEIR_PACKET_HEADER);
	WEIR_EXPECT(weir_ring_switch(&f->ring, &f->relay, f->epoch + (1ull << WEIR_EPOCH_COUNTER_SHIFT), CPU, 103) ==
		    -ENODATA);
	ring_free(f);
}

/* A packet that is full to its last byte is switched like any other. */
WEIR_CASE(ring_switch_full_packet)
{
	struct ring_fixture *f = ring_new(0);

	WEIR_EXPECT(f);
	WEIR_EXPECT(!ring_append(f, 100, SUBBUF - WEIR_PACKET_FIRST) && f->ring.position == SUBBUF);
	WEIR_EXPECT(!ring_switch(f, 110));
	WEIR_EXPECT(ring_sealed(ring_packet(f, 0), 110, SUBBUF, 1));
	WEIR_EXPECT(f->ring.position == SUBBUF + WEIR_PACKET_HEADER);
	ring_free(f);
}

/* Round the ring, and in discard mode not over what was not consumed. */
WEIR_CASE(ring_switch_wraps)
{
	struct ring_fixture *f = ring_new(0);
	unsigned int i;

	WEIR_EXPECT(f);
	for (i = 0; i < 9; i++)
		WEIR_EXPECT(!ring_append(f, 100 + i * 2, 8) && !ring_switch(f, 101 + i * 2));
	WEIR_EXPECT(f->ring.position == 9 * SUBBUF + WEIR_PACKET_HEADER);
	WEIR_EXPECT(ring_sealed(ring_packet(f, 8 * SUBBUF), 117, WEIR_PACKET_FIRST + 8, 9));
	ring_free(f);

	f = ring_new(WEIR_EPOCH_DISCARD);
	WEIR_EXPECT(f);
	for (i = 0; i < 3; i++)
		WEIR_EXPECT(!ring_append(f, 100 + i * 2, 8) && !ring_switch(f, 101 + i * 2));
	WEIR_EXPECT(!ring_append(f, 106, 8));
	WEIR_EXPECT(ring_switch(f, 107) == -ENOSPC && f->ring.position == 3 * SUBBUF + WEIR_PACKET_FIRST + 8);
	f->ring.consumed_epoch = f->epoch;
	f->ring.consumed = SUBBUF;
	WEIR_EXPECT(!ring_switch(f, 108) && f->ring.position == 4 * SUBBUF + WEIR_PACKET_HEADER);
	ring_free(f);
}

/* Without a page for the new header nothing is changed; words that contradict each other are refused. */
WEIR_CASE(ring_switch_refuses)
{
	struct ring_fixture *f = ring_new(0);

	WEIR_EXPECT(f);
	WEIR_EXPECT(!ring_append(f, 100, 8));
	WEIR_EXPECT(weir_ring_switch(&f->ring, &f->relay, f->epoch, CPU, 101) == -ENOMEM);
	WEIR_EXPECT(f->ring.claim == SUBBUF && f->ring.position == WEIR_PACKET_FIRST + 8);
	WEIR_EXPECT(ring_packet(f, 0)->content_size == 0);
	f->ring.claim = SUBBUF + 8;
	WEIR_EXPECT(ring_switch(f, 102) == -EIO);
	f->ring.claim = 0;
	WEIR_EXPECT(ring_switch(f, 103) == -EIO);
	f->ring.position = ~0ull >> 1;
	WEIR_EXPECT(ring_switch(f, 104) == -EIO);
	/* a position far on, with a claim that fits, has a packet there: its bytes are zeros, or not there at all */
	f->ring.claim = (~0ull >> 1) + 1;
	WEIR_EXPECT(ring_switch(f, 105) != 0);
	ring_free(f);
}

/* A record's 48 bits of time are extended from its packet's begin: what is 2^47 past that has a packet of its own. */
WEIR_CASE(ring_append_long_after)
{
	const u64 begin = 100, span = 1ull << 47;
	struct ring_fixture *f = ring_new(0);
	const struct weir_packet *packet;

	WEIR_EXPECT(f);
	WEIR_EXPECT(!ring_append(f, begin, 8));
	WEIR_EXPECT(!ring_append(f, begin + span - 1, 8) && f->ring.position == WEIR_PACKET_FIRST + 16);
	WEIR_EXPECT(ring_packet(f, 0)->content_size == 0);
	WEIR_EXPECT(!ring_append(f, begin + span, 8) && f->ring.position == SUBBUF + WEIR_PACKET_FIRST + 8);
	WEIR_EXPECT(ring_sealed(ring_packet(f, 0), begin + span, WEIR_PACKET_FIRST + 16, 1));
	packet = ring_packet(f, SUBBUF);
	WEIR_EXPECT(packet && packet->timestamp_begin == begin + span && packet->packet_seq_num == 2);
	/* counted from the new packet's begin */
	WEIR_EXPECT(!ring_append(f, begin + 2 * span - 1, 8) && f->ring.position == SUBBUF + WEIR_PACKET_FIRST + 16);
	WEIR_EXPECT(!ring_append(f, begin + 2 * span, 8) && f->ring.position == 2 * SUBBUF + WEIR_PACKET_FIRST + 8);
	ring_free(f);
}

const struct weir_case weir_ring_cases[] = {
	WEIR_CASE_ROW(ring_switch_seals),
	WEIR_CASE_ROW(ring_switch_nothing),
	WEIR_CASE_ROW(ring_switch_full_packet),
	WEIR_CASE_ROW(ring_switch_wraps),
	WEIR_CASE_ROW(ring_switch_refuses),
	WEIR_CASE_ROW(ring_append_long_after),
	{},
};
