/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * ring: one writer per CPU, committed by one store of `position`.
 *
 * A ring is {struct weir_ring, bytes of the ring's size}. Its epoch tells the trace and the geometry. Byte
 * offsets are free-running 64-bit numbers; the place in the buffer is the offset modulo the ring's size.
 *
 *   position  all below are complete records. Byte-exact: a record starts at ALIGN8(position) and position
 *             ends at the record's last byte
 *   claim     a multiple of the sub-buffer size; the writer may be overwriting bytes below claim - size
 *
 * A ring that was reset has no position yet but weir_ring_empty(): on its way to that epoch, or empty in it. So a
 * reset that was left half-way cannot be taken for an empty ring of the old epoch, in which somebody opens a
 * packet over what a reader copies.
 *
 * Memory orders, writer (ring_append.c, client/rseq_x86_64.h) and reader (ring_read.c), listed once:
 *
 *   switch:A / valid:A   claim raised before any byte of the new sub-buffer is stored; the reader loads claim
 *                        after it has copied: bytes that the copy saw overwritten are above the old claim
 *   switch:A / pair:A    claim raised before position goes beyond it; the reader loads claim, position, claim: the
 *                        same claim twice is the one that stood with that position
 *   append:B / sample:B  record bytes stored before position; position loaded before the bytes are copied
 *   reset:C  / sample:C  position and claim reset before the epoch is stored; the epoch is loaded first, and
 *                        again after the copy
 *   reset:C  / load:C    the same for a writer: epoch, position, clock are loaded in this order. A position of
 *                        another epoch might come round to the same value, with a clock from before
 *   reset:G  / valid:G   the epoch stored before claim is raised in it; the reader loads claim, then the epoch, so
 *                        a claim of the next epoch is not taken for this one's
 *   consume:D / plan:D   the reader's copy before consumed is stored; the writer loads consumed before it stores
 *                        where that makes room. consumed is stored before its epoch and loaded after it, so one
 *                        epoch's is never taken for a later one's
 *   switch:E / asked:E   what the program wrote before the count of its switches; the reader loads the count
 *                        before it samples (weir_switch() in client/site.c, fs/backend_shm.c)
 *
 * Concurrency:
 *                     append (same CPU)   append (other CPU)   sample, valid
 *   append (rseq)     aborts the other    other ring           always allowed
 *   append (locked)   excluded by caller  other ring           always allowed
 *   switch            excluded by caller  other ring           always allowed
 */
#ifndef WEIR_RING_H
#define WEIR_RING_H

#include "env.h"
#include "weir_relay.h"

static inline u64 weir_align8(u64 x)
{
	return (x + 7) & ~7ull;
}

#define WEIR_RING_NOTHING (1ull << 63)

/* The position of a ring that has none. Its offset in any sub-buffer is 0, so nothing ever fits there. */
static inline u64 weir_ring_empty(u64 epoch)
{
	return WEIR_RING_NOTHING | epoch >> WEIR_EPOCH_COUNTER_SHIFT << WEIR_RING_SHIFT_MAX;
}

/* ---- writing ----------------------------------------------------------------------------------*/

enum weir_ring_plan_result {
	WEIR_PLAN_APPEND,    /* the record goes at step.start, inside the open packet */
	WEIR_PLAN_SWITCH,    /* a packet is opened at step.start, the record follows its header */
	WEIR_PLAN_RESET,     /* the ring carries an older epoch: reset it first */
	WEIR_PLAN_STALE,     /* the ring carries a newer epoch: the record's trace is gone */
	WEIR_PLAN_FULL,	     /* discard mode, no room: lost */
	WEIR_PLAN_TOO_LARGE, /* larger than a sub-buffer less its header: lost */
};

struct weir_ring_step {
	u64 start;     /* offset of the record, or of the new packet's header */
	u64 next;      /* the new position */
	u64 claim;     /* SWITCH: the new claim */
	u64 old;       /* SWITCH: offset of the old packet's header; meaningless if !seal */
	u64 content;   /* SWITCH: the old packet's content_size, bits */
	bool seal;     /* SWITCH: there is an old packet */
	struct weir_packet header; /* SWITCH: of the new packet */
};

/* What a writer has loaded of its ring, position before the clock was read. */
struct weir_ring_state {
	u64 epoch;
	u64 position;
	u64 begin;
};

/*
 * The record stays in the open packet: its last byte is in the sub-buffer of the last byte before it. At
 * offset 0 that is the sub-buffer before, and position 0 has none, so both take the switch. `mask` is the
 * sub-buffer's size - 1, `len` is exact. True for nearly every record, so it is inline.
 */
static inline bool weir_ring_fits(u64 mask, u64 position, u64 begin, u64 time, size_t len)
{
	u64 end = weir_align8(position) + len;

	return time - begin < 1ull << 47 && ((position - 1) ^ (end - 1)) <= mask;
}

enum weir_ring_plan_result weir_ring_plan(const struct weir_ring *ring, const struct weir_ring_state *state,
					  u64 epoch, unsigned int cpu, u64 time, size_t len,
					  struct weir_ring_step *step);
enum weir_ring_plan_result weir_ring_plan_packet(const struct weir_ring *ring, u64 position, u64 epoch,
						 unsigned int cpu, u64 time, struct weir_ring_step *step);
int weir_ring_append_locked(struct weir_ring *ring, struct weir_relay *relay, u64 epoch, unsigned int cpu,
			    u64 time, const void *record, size_t len);
int weir_ring_switch(struct weir_ring *ring, struct weir_relay *relay, u64 epoch, unsigned int cpu, u64 time);
void weir_ring_lose(struct weir_ring *ring, u64 epoch);

/* ---- reading ----------------------------------------------------------------------------------*/

/* One moment of a ring. The bytes of [begin, end) are whole packets but for the last, which is open: its
 * header is incomplete, its bytes end at `end`. begin is a multiple of the sub-buffer size. */
struct weir_ring_view {
	u64 epoch;
	u64 begin;
	u64 end;
	u64 lost;
};

int weir_ring_sample(const struct weir_ring *ring, u64 epoch, struct weir_ring_view *view);
u64 weir_ring_valid_from(const struct weir_ring *ring, const struct weir_ring_view *view);
void weir_ring_consume(struct weir_ring *ring, u64 epoch, u64 position);

#endif /* WEIR_RING_H */
