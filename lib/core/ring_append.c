/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * ring, writing: what the next append has to do, and the locked commit.
 *
 * weir_ring_plan() decides; who commits depends on the writer: one rseq section in user space
 * (client/rseq_x86_64.h), a lock for threads without rseq and for the marker (below), reserve and publish in
 * the kernel. All three leave the same bytes for the same reader. Labels: weir_ring.h.
 */
#include "weir_ring.h"

/* In discard mode, how far the reader has come in this epoch. Of another epoch: nowhere yet. */
static u64 weir_ring_consumed(const struct weir_ring *ring, u64 epoch)
{
	return smp_load_acquire(&ring->consumed_epoch) == epoch ? READ_ONCE(ring->consumed) : 0; /* plan:D */
}

static void weir_ring_header(struct weir_packet *header, unsigned int cpu, u64 seq, u64 time, u64 lost)
{
	memset(header, 0, sizeof(*header));
	header->magic = WEIR_CTF_MAGIC;
	header->stream_instance_id = cpu;
	header->timestamp_begin = time;
	header->packet_seq_num = seq;
	header->events_discarded = lost;
	header->cpu_id = cpu;
}

/**
 * weir_ring_plan_packet() - decide how the next packet is opened
 * @ring: only lost and consumed are read here
 * @position: what the writer loaded before it read the clock; 0: nothing was written yet
 * @epoch: of the ring
 * @cpu: the ring's number
 * @time: of the packet's begin, ns
 * @step: filled in for SWITCH; next is the new packet's content without a record
 *
 * Return: WEIR_PLAN_SWITCH or WEIR_PLAN_FULL.
 */
enum weir_ring_plan_result weir_ring_plan_packet(const struct weir_ring *ring, u64 position, u64 epoch,
						 unsigned int cpu, u64 time, struct weir_ring_step *step)
{
	u64 size = weir_epoch_subbuf_size(epoch);
	u64 packet = (position + size - 1) & ~(size - 1);

	if ((epoch & WEIR_EPOCH_DISCARD) &&
	    packet + size - weir_ring_consumed(ring, epoch) > weir_epoch_ring_size(epoch))
		return WEIR_PLAN_FULL;
	step->start = packet;
	step->next = packet + WEIR_PACKET_HEADER;
	step->claim = packet + size;
	step->seal = position != 0;
	step->old = (position - 1) & ~(size - 1);
	step->content = (position - step->old) * 8;
	weir_ring_header(&step->header, cpu, (packet >> weir_epoch_subbuf_shift(epoch)) + 1, time,
			 weir_lost_count(READ_ONCE(ring->lost), epoch));
	return WEIR_PLAN_SWITCH;
}

/**
 * weir_ring_plan() - decide how a record is appended
 * @ring: only lost and consumed are read here
 * @state: what the writer loaded before it read the clock; the commit compares it again
 * @epoch: of the record's trace
 * @cpu: the ring's number
 * @time: of the record, ns
 * @len: of the record, bytes, exact
 * @step: filled in for APPEND and SWITCH
 *
 * Pure but for the loads named above; any context. A packet is switched when the record does not fit, at
 * offset 0 of a sub-buffer, and when the record's time is 2^47 past the packet's begin (readers extend the
 * record's 48 bits from there).
 */
enum weir_ring_plan_result weir_ring_plan(const struct weir_ring *ring, const struct weir_ring_state *state,
					  u64 epoch, unsigned int cpu, u64 time, size_t len,
					  struct weir_ring_step *step)
{
	u64 size = weir_epoch_subbuf_size(epoch), position = state->position;
	enum weir_ring_plan_result result;

	if (state->epoch != epoch)
		return state->epoch < epoch ? WEIR_PLAN_RESET : WEIR_PLAN_STALE;
	if (position & WEIR_RING_NOTHING) {
		if (position != weir_ring_empty(epoch))
			return WEIR_PLAN_STALE; /* somebody was on the way to a newer trace */
		position = 0;
	}
	if (len > size - WEIR_PACKET_FIRST)
		return WEIR_PLAN_TOO_LARGE;
	if (weir_ring_fits(size - 1, position, state->begin, time, len)) {
		step->start = weir_align8(position);
		step->next = step->start + len;
		return WEIR_PLAN_APPEND;
	}

	result = weir_ring_plan_packet(ring, position, epoch, cpu, time, step);
	if (result == WEIR_PLAN_SWITCH)
		step->next = step->start + WEIR_PACKET_FIRST + len;
	return result;
}

/**
 * weir_ring_lose() - count an event that was not recorded
 * @ring: any ring of the trace
 * @epoch: of the event's trace
 *
 * Lock-free, signal-safe. The count belongs to the epoch: an older one is replaced, a newer one is left alone
 * (the event's trace is gone). The tag has 20 bits, compared as a circle.
 */
void weir_ring_lose(struct weir_ring *ring, u64 epoch)
{
	u64 old, new, tag = weir_lost_tag(epoch);

	do {
		old = READ_ONCE(ring->lost);
		if ((old & ~WEIR_LOST_COUNT_MASK) == tag)
			new = old + 1;
		else if (old && (s64)(tag - (old & ~WEIR_LOST_COUNT_MASK)) < 0)
			return;
		else
			new = tag | 1;
	} while (!weir_cmpxchg(&ring->lost, old, new));
}

static void weir_ring_reset_locked(struct weir_ring *ring, u64 epoch)
{
	WRITE_ONCE(ring->position, weir_ring_empty(epoch));
	smp_wmb(); /* reset:C: left half-way it must not look like an empty ring of the old epoch */
	WRITE_ONCE(ring->claim, 0);
	WRITE_ONCE(ring->begin, 0);
	smp_store_release(&ring->epoch, epoch); /* reset:C */
	smp_wmb(); /* reset:G */
}

/* The record itself, and zeros up to the next multiple of 8, so that no old byte lies between records. */
static int weir_ring_write_record(struct weir_relay *relay, u64 epoch, u64 start, const void *record, size_t len)
{
	static const u8 zero[8];
	u64 mask = weir_epoch_ring_size(epoch) - 1, end = start + len;
	int err;

	err = weir_relay_write(relay, start & mask, record, len);
	if (!err && (end & 7))
		err = weir_relay_write(relay, end & mask, zero, 8 - (end & 7));
	return err;
}

static void weir_ring_seal(struct weir_packet *old, u64 epoch, u64 time, u64 content)
{
	WRITE_ONCE(old->timestamp_end, time);
	WRITE_ONCE(old->content_size, content);
	WRITE_ONCE(old->packet_size, weir_epoch_subbuf_size(epoch) * 8);
}

static int weir_ring_switch_locked(struct weir_ring *ring, struct weir_relay *relay, u64 epoch, u64 time,
				   const struct weir_ring_step *step)
{
	u64 mask = weir_epoch_ring_size(epoch) - 1;
	struct weir_packet *old;
	int err;

	WRITE_ONCE(ring->claim, step->claim);
	smp_wmb(); /* switch:A */
	if (step->seal) {
		old = weir_relay_header(relay, &relay->own, step->old & mask);
		if (!old)
			return -EFAULT;
		weir_ring_seal(old, epoch, time, step->content);
	}
	err = weir_relay_write(relay, step->start & mask, &step->header, sizeof(step->header));
	if (!err)
		WRITE_ONCE(ring->begin, time);
	return err;
}

/**
 * weir_ring_append_locked() - append under the caller's lock
 * @ring: its control words
 * @relay: its bytes
 * @epoch: of the record's trace
 * @cpu: the ring's number
 * @time: the clock, read under the same lock; in the record's first word already
 * @record: header word, context, fields
 * @len: exact
 *
 * A writer that dies inside leaves no hole: position is stored last. Frames are populated, so it may sleep
 * where the relay's memory does.
 *
 * Return: 0; -ESTALE the trace is gone, nothing counted; -ENOSPC, -EMSGSIZE or the relay's error: counted as
 * lost.
 */
int weir_ring_append_locked(struct weir_ring *ring, struct weir_relay *relay, u64 epoch, unsigned int cpu,
			    u64 time, const void *record, size_t len)
{
	struct weir_ring_state state;
	struct weir_ring_step step;
	u64 start;
	int err = 0;

	if (READ_ONCE(ring->epoch) < epoch)
		weir_ring_reset_locked(ring, epoch);
	state.epoch = smp_load_acquire(&ring->epoch); /* load:C */
	state.position = READ_ONCE(ring->position);
	state.begin = READ_ONCE(ring->begin);
	switch (weir_ring_plan(ring, &state, epoch, cpu, time, len, &step)) {
	case WEIR_PLAN_APPEND:
		start = step.start;
		break;
	case WEIR_PLAN_SWITCH:
		start = step.start + WEIR_PACKET_FIRST;
		err = weir_ring_switch_locked(ring, relay, epoch, time, &step);
		break;
	case WEIR_PLAN_FULL:
		err = -ENOSPC;
		break;
	case WEIR_PLAN_TOO_LARGE:
		err = -EMSGSIZE;
		break;
	default:
		return -ESTALE;
	}
	if (!err)
		err = weir_ring_write_record(relay, epoch, start, record, len);
	if (err) {
		weir_ring_lose(ring, epoch);
		return err;
	}
	smp_store_release(&ring->position, step.next); /* append:B */
	return 0;
}

/* Whether words that a process may have written can be those of a ring with an open packet. */
static bool weir_ring_has_packet(u64 epoch, u64 position, u64 claim)
{
	u64 mask = weir_epoch_subbuf_size(epoch) - 1;

	return !(claim & mask) && position <= claim && claim - position <= weir_epoch_ring_size(epoch);
}

/**
 * weir_ring_switch() - close the open packet and open an empty one, without a record
 * @ring: its control words, perhaps in memory that a process writes
 * @relay: its bytes
 * @epoch: of the trace that is meant
 * @cpu: the ring's number
 * @time: the clock, read where no writer of the ring can run in between
 *
 * What was written before is then a whole sub-buffer. The empty packet ends with its header: content_size is
 * WEIR_PACKET_HEADER, as readers want it of a packet without records.
 *
 * Context: the caller excludes the ring's writers: on their CPU, with preemption off, their section not under way. Does
 * not sleep.
 * Return: 0; -ENODATA the open packet holds no record, or the ring nothing of this trace; -ENOSPC discard mode, no
 * room; -ENOMEM the next header's page is not populated: nothing was changed; -EIO the words contradict each other.
 */
int weir_ring_switch(struct weir_ring *ring, struct weir_relay *relay, u64 epoch, unsigned int cpu, u64 time)
{
	u64 mask = weir_epoch_ring_size(epoch) - 1, size = weir_epoch_subbuf_size(epoch);
	u64 position = READ_ONCE(ring->position), end;
	struct weir_packet *packet, *old;
	struct weir_ring_step step;

	if (READ_ONCE(ring->epoch) != epoch || position & WEIR_RING_NOTHING || !position)
		return -ENODATA;
	if (!weir_ring_has_packet(epoch, position, READ_ONCE(ring->claim)))
		return -EIO;
	end = ((position - 1) & (size - 1)) + 1;
	if (end <= WEIR_PACKET_FIRST)
		return -ENODATA;
	if (weir_ring_plan_packet(ring, position, epoch, cpu, time, &step) != WEIR_PLAN_SWITCH)
		return -ENOSPC;
	packet = weir_relay_header(relay, &relay->own, step.start & mask);
	old = weir_relay_header(relay, &relay->own, step.old & mask);
	if (!packet)
		return -ENOMEM;
	if (!old)
		return -EIO;
	WRITE_ONCE(ring->claim, step.claim);
	smp_wmb(); /* switch:A */
	weir_ring_seal(old, epoch, time, step.content);
	memcpy(packet, &step.header, sizeof(step.header));
	WRITE_ONCE(ring->begin, time);
	smp_store_release(&ring->position, step.next); /* append:B */
	return 0;
}
