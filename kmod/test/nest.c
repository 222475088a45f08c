// SPDX-License-Identifier: GPL-2.0-only
/*
 * nest: the kernel's writer (writer.c, as it is), interrupted wherever an interrupt can make a difference: where it
 * orders memory, reads the clock, and finds the frame that it copies to. At each of these points another writer comes
 * in between, which is interrupted at each of its own; and a reader looks whether all that is published is complete.
 */
#include <linux/bitmap.h>
#include <linux/export.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>

#include "cases.h"
#include "weir_kmod.h"

static void nest_point(void);
static u64 nest_clock(void);

static void *nest_address(struct page *page)
{
	void *address = page_address(page);

	nest_point();
	return address;
}

#undef EXPORT_SYMBOL_GPL
#define EXPORT_SYMBOL_GPL(symbol)
#undef barrier
#define barrier() nest_point()
#undef page_address
#define page_address(page) nest_address(page)
#define ktime_get_mono_fast_ns() nest_clock()
#include "../writer.c"
#undef page_address
#define page_address(page) lowmem_page_address(page)

struct weir_tracing __rcu *weir_tracing;

#define NEST_DEPTH 3
#define NEST_POINTS 40 /* more than a writer has */
#define NEST_RECORDS 8192
#define NEST_LEN_MIN 16
#define NEST_LEN_MAX 160
#define NEST_SUBBUF_SHIFT 12

static struct nest {
	struct weir_buffer buffer;
	struct weir_ring ring;
	unsigned int depth;		/* writers that are under way */
	unsigned int point[NEST_DEPTH]; /* that each of them has come to */
	unsigned int at[NEST_DEPTH];	/* where it is interrupted */
	unsigned int points;		/* the most that one had */
	u64 time, number;
	const char *wrong;
	DECLARE_BITMAP(seen, NEST_RECORDS);
} *nest;

static const struct weir_clock nest_clock_is = { .type = WEIR_CLOCK_MONOTONIC };

/* ---- the ring's memory ---------------------------------------------------------------------------------*/

static void *nest_populate(void *priv, size_t offset)
{
	return alloc_page(GFP_KERNEL | __GFP_ZERO);
}

static void nest_release(void *priv, void *page)
{
	__free_page(page);
}

static int nest_copy_in(void *priv, void *page, size_t offset, const void *src, size_t len)
{
	memcpy(nest_address(page) + offset_in_page(offset), src, len);
	return 0;
}

static int nest_copy_out(void *priv, void *page, size_t offset, void *dst, size_t len)
{
	memcpy(dst, page_address(page) + offset_in_page(offset), len);
	return 0;
}

static void *nest_frame(void *priv, void *page)
{
	return nest_address(page);
}

static const struct weir_relay_ops nest_ops = {
	.populate = nest_populate,
	.release = nest_release,
	.write = nest_copy_in,
	.read = nest_copy_out,
	.address = nest_frame,
};

static int nest_begin(unsigned int count_shift, u32 flags)
{
	u64 epoch = weir_epoch_make(1, NEST_SUBBUF_SHIFT, count_shift, flags);
	size_t size = weir_epoch_ring_size(epoch), offset;
	struct weir_relay_cursor cursor = {};

	nest = kvzalloc(sizeof(*nest), GFP_KERNEL);
	if (!nest || weir_relay_init(&nest->buffer.relay, size, PAGE_SHIFT, NEST_SUBBUF_SHIFT,
				     &nest_ops, NULL))
		return -ENOMEM;
	for (offset = 0; offset < size; offset += PAGE_SIZE)
		if (!weir_relay_touch(&nest->buffer.relay, &cursor, offset))
			return -ENOMEM;
	nest->buffer.epoch = epoch;
	nest->ring.epoch = epoch;
	nest->buffer.ring = &nest->ring;
	nest->ring.position = weir_ring_empty(epoch);
	return 0;
}

static void nest_end(void)
{
	weir_relay_destroy(&nest->buffer.relay);
	kvfree(nest);
	nest = NULL;
}

/* ---- a reader ------------------------------------------------------------------------------------------*/

static void nest_wrong(const char *what)
{
	if (!nest->wrong)
		nest->wrong = what;
}

/* Who is woken, and not again, is to find the packet before the newest one whole. */
void weir_wake(const struct weir_buffer *buffer, bool nested)
{
	const struct weir_ring *ring = buffer->ring;

	if (!nested && ring->position <= ring->claim - weir_epoch_subbuf_size(buffer->epoch))
		nest_wrong("who waits is woken before the packet is published");
}

static u8 *nest_byte(u64 offset)
{
	struct weir_relay_cursor cursor = {};
	struct page *page = weir_relay_touch(&nest->buffer.relay, &cursor,
					     offset & (nest->buffer.relay.size - 1));

	return (u8 *)page_address(page) + offset_in_page(offset);
}

/* A record's length is its id, and the rest follows from its number. Its bytes, 0: there is none. */
static size_t nest_record(const u8 *p, size_t room, u64 *time)
{
	u64 word = *(u64 *)p, number = *(u64 *)(p + 8);
	size_t len = word & WEIR_ID_MASK, i;

	if (len < NEST_LEN_MIN || len > room || number >= NEST_RECORDS)
		return 0;
	for (i = NEST_LEN_MIN; i < len; i++)
		if (p[i] != (u8)(number + i))
			return 0;
	if (word >> WEIR_TIME_SHIFT < *time)
		nest_wrong("time does not go back");
	*time = word >> WEIR_TIME_SHIFT;
	__set_bit(number, nest->seen);
	return len;
}

static void nest_packet(u64 begin, size_t len, bool open, u64 *time)
{
	const u8 *p = nest_byte(begin);
	const struct weir_packet *header = (const struct weir_packet *)p;
	size_t at = WEIR_PACKET_HEADER, end = open ? len : header->content_size / 8, size;

	if (header->magic != WEIR_CTF_MAGIC ||
	    header->packet_seq_num != (begin >> NEST_SUBBUF_SHIFT) + 1 || end > len ||
	    header->timestamp_begin < *time) {
		nest_wrong("headers are whole");
		return;
	}
	*time = header->timestamp_begin;
	for (; weir_align8(at) < end; at += size) {
		at = weir_align8(at);
		size = nest_record(p + at, end - at, time);
		if (!size) {
			nest_wrong("records are whole");
			return;
		}
	}
	if (!open && header->timestamp_end < *time)
		nest_wrong("packets end behind their records");
}

/* All that is published. */
static void nest_read(void)
{
	u64 size = 1ull << NEST_SUBBUF_SHIFT, at, time = 0;
	struct weir_ring_view view;
	int err = weir_ring_sample(&nest->ring, nest->buffer.epoch, &view);

	if (err == -EIO)
		nest_wrong("position and claim agree");
	if (err)
		return;
	for (at = view.begin; at < view.end; at += size)
		nest_packet(at, min(view.end - at, size), view.end - at <= size, &time);
}

/* All whole packets are consumed. */
static void nest_consume(void)
{
	u64 position = READ_ONCE(nest->ring.position), size = 1ull << NEST_SUBBUF_SHIFT;

	if (!(position & WEIR_RING_NOTHING))
		weir_ring_consume(&nest->ring, nest->buffer.epoch, (position - 1) & ~(size - 1));
}

/* ---- writers -------------------------------------------------------------------------------------------*/

/* Behind the outermost writer, all is published. */
static void nest_left(unsigned int depth)
{
	nest->points = max(nest->points, nest->point[depth]);
	nest->depth = depth;
	if (!depth && nest->ring.position != nest->buffer.writer.reserve)
		nest_wrong("all is published");
}

static void nest_write(void)
{
	u64 stage[NEST_LEN_MAX / 8 + 1] = {}, number = nest->number++;
	size_t len = NEST_LEN_MIN + number * 37 % (NEST_LEN_MAX - NEST_LEN_MIN + 1), i;
	unsigned int depth = nest->depth++;

	stage[1] = number;
	for (i = NEST_LEN_MIN; i < len; i++)
		((u8 *)stage)[i] = number + i;
	nest->point[depth] = 0;
	weir_writer_append(&nest->buffer, &nest_clock_is, len, stage, len);
	nest_left(depth);
}

static void nest_switch(void)
{
	unsigned int depth = nest->depth++;

	nest->point[depth] = 0;
	weir_writer_switch(&nest->buffer, &nest_clock_is);
	nest_left(depth);
}

static noinline void nest_point(void)
{
	unsigned int depth = nest->depth;

	if (!depth)
		return;
	nest_read();
	if (nest->point[depth - 1]++ != nest->at[depth - 1] || depth == NEST_DEPTH)
		return;
	if (nest->number % 5)
		nest_write();
	else
		nest_switch();
}

/* Goes back at every third reading, by more than a record takes. */
static noinline u64 nest_clock(void)
{
	u64 time;

	nest_point();
	nest->time += 10;
	time = nest->time - (nest->time / 10 % 3 ? 0 : min(nest->time, 100ull));
	nest_point();
	return time;
}

/* ---- cases ---------------------------------------------------------------------------------------------*/

/* Every point of the outer writer with every point of the one that interrupts it. Of what was
 * written, each was seen, or counted as lost.
 */
static void nest_all(void)
{
	unsigned int i, seen;

	for (i = 0; i < NEST_POINTS * NEST_POINTS; i++) {
		nest->at[0] = i % NEST_POINTS;
		nest->at[1] = i / NEST_POINTS;
		nest_write();
		if (i % 3 == 0)
			nest_consume();
	}
	nest->depth = NEST_DEPTH; /* no more of them */
	nest_read();
	seen = bitmap_weight(nest->seen, NEST_RECORDS);
	if (nest->number > NEST_RECORDS ||
	    seen + weir_lost_count(nest->ring.lost, nest->buffer.epoch) != nest->number)
		nest_wrong("seen + lost = written");
	if (nest->points >= NEST_POINTS)
		nest_wrong("each point was tried");
	if (!seen)
		nest_wrong("events are seen");
}

/* What was wrong, or NULL. */
static const char *nest_ring(unsigned int count_shift, u32 flags)
{
	const char *wrong = "memory";

	if (nest_begin(count_shift, flags))
		return wrong;
	nest_all();
	wrong = nest->wrong;
	nest_end();
	return wrong;
}

WEIR_CASE(nest_overwrite_smallest)
{
	const char *wrong = nest_ring(1, 0);

	if (wrong)
		weir_case_failed(wrong, __FILE__, __LINE__);
}

WEIR_CASE(nest_overwrite)
{
	const char *wrong = nest_ring(2, 0);

	if (wrong)
		weir_case_failed(wrong, __FILE__, __LINE__);
}

WEIR_CASE(nest_discard)
{
	const char *wrong = nest_ring(2, WEIR_EPOCH_DISCARD);

	if (wrong)
		weir_case_failed(wrong, __FILE__, __LINE__);
}

/* Who would come into the packet that is held: here, a ring's worth of events, as of NMIs. */
static void nest_storm(void *arg)
{
	unsigned int i;

	for (i = 0; i < 500; i++)
		nest_write();
	*(bool *)arg = true;
}

static bool nest_held_is_kept(void *before, bool *called)
{
	u64 lost = nest->ring.lost;

	memcpy(before, nest_byte(0), PAGE_SIZE);
	return !weir_writer_hold(&nest->buffer, 0, nest_storm, called) && nest->ring.lost > lost &&
	       !memcmp(before, nest_byte(0), PAGE_SIZE);
}

/* A packet that is held is not written, whoever comes; afterwards it is, and cannot be held any more. */
WEIR_CASE(nest_hold)
{
	bool called = false, kept;
	u64 lost;
	u8 *before = kmalloc(PAGE_SIZE, GFP_KERNEL);
	int err;

	WEIR_EXPECT(before && !nest_begin(2, 0));
	memset(nest->at, 0xff, sizeof(nest->at));
	while (nest->ring.claim < nest->buffer.relay.size)
		nest_write();
	kept = nest_held_is_kept(before, &called);
	WEIR_EXPECT(kept && called);
	lost = nest->ring.lost;
	while (nest->ring.claim == nest->buffer.relay.size)
		nest_write();
	WEIR_EXPECT(nest->ring.lost == lost);
	called = false;
	err = weir_writer_hold(&nest->buffer, 0, nest_storm, &called);
	WEIR_EXPECT(err == -ESTALE && !called);
	WEIR_EXPECT(!nest->wrong);
	nest_end();
	kfree(before);
}

const struct weir_case weir_nest_cases[] = {
	WEIR_CASE_ROW(nest_overwrite_smallest),
	WEIR_CASE_ROW(nest_overwrite),
	WEIR_CASE_ROW(nest_discard),
	WEIR_CASE_ROW(nest_hold),
	{},
};
