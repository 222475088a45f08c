/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * ring, reading: sample, copy (the caller's), validate. That writes nothing, so any number of readers, at
 * any time, leave the writer alone; the one who consumes publishes how far it has come, for the discard check.
 * Every word here may have been written by a hostile process: it is read once and bounded. Labels: weir_ring.h.
 */
#include "weir_ring.h"

static bool weir_ring_sane(u64 epoch, u64 position, u64 claim)
{
	u64 mask = weir_epoch_subbuf_size(epoch) - 1;

	/* A switch under way has raised claim to one sub-buffer past the packet after position's. Kernel writers that
	 * nest in an append may have switched more often, but leave position's packet alone. */
	return !(claim & mask) && position <= claim && claim - position <= weir_epoch_ring_size(epoch);
}

static u64 weir_ring_oldest(u64 epoch, u64 claim)
{
	u64 size = weir_epoch_ring_size(epoch);

	return claim > size ? claim - size : 0;
}

/* position, and the claim that stood when it was loaded: claim only grows until a reset takes it back to 0, so
 * the same value before and after, other than 0, is that. A switch between the loads is rare, a few in a row
 * are not the work of an honest writer. */
static int weir_ring_pair(const struct weir_ring *ring, u64 *position, u64 *claim)
{
	int tries;

	for (tries = 0; tries < 16; tries++) {
		*claim = smp_load_acquire(&ring->claim); /* pair:A */
		*position = smp_load_acquire(&ring->position); /* sample:B */
		if (READ_ONCE(ring->claim) == *claim) /* pair:A */
			return 0;
	}
	return -EIO;
}

/**
 * weir_ring_sample() - one moment of a ring
 * @ring: its control words, perhaps in memory that a process writes
 * @epoch: of the trace that the reader reads
 * @view: filled in; empty (begin == end) when there are only losses
 *
 * Return: 0; -ENODATA if the ring holds nothing of this trace; -EIO if the words contradict each other, which
 * only a process that damages its own control memory can cause.
 */
int weir_ring_sample(const struct weir_ring *ring, u64 epoch, struct weir_ring_view *view)
{
	u64 position = 0, claim = 0;
	int err = 0;

	view->epoch = epoch;
	view->begin = 0;
	view->end = 0;
	view->lost = weir_lost_count(READ_ONCE(ring->lost), epoch);
	if (smp_load_acquire(&ring->epoch) == epoch) /* sample:C */
		err = weir_ring_pair(ring, &position, &claim);
	/* no position, or the claim of a reset whose epoch is still to come: nothing is there */
	if (err || READ_ONCE(ring->epoch) != epoch || position & WEIR_RING_NOTHING || !claim)
		position = 0;
	if (position) {
		if (!weir_ring_sane(epoch, position, claim))
			return -EIO;
		view->begin = min(weir_ring_oldest(epoch, claim), position);
		view->end = position;
	}
	return err ? err : position || view->lost ? 0 : -ENODATA;
}

/**
 * weir_ring_valid_from() - after copying, what of the copy is whole
 * @ring: the same ring
 * @view: from weir_ring_sample()
 *
 * Return: the lowest offset whose bytes the writer cannot have touched since, a multiple of the sub-buffer
 * size; ~0 if the ring has gone to another trace.
 */
u64 weir_ring_valid_from(const struct weir_ring *ring, const struct weir_ring_view *view)
{
	u64 claim;

	smp_rmb(); /* valid:A: the copy's loads come before these */
	claim = READ_ONCE(ring->claim);
	smp_rmb(); /* valid:G */
	if (READ_ONCE(ring->epoch) != view->epoch || claim < view->end)
		return ~0ull;
	return weir_ring_oldest(view->epoch, claim);
}

/**
 * weir_ring_consume() - publish what the consuming reader has taken
 * @ring: the ring; the reader is the only one who publishes here
 * @epoch: of the trace that it reads
 * @position: all below it is copied, and will not be asked for again
 *
 * The reader keeps its own count: these words are the writer's to ruin, for its own discard check alone.
 */
void weir_ring_consume(struct weir_ring *ring, u64 epoch, u64 position)
{
	smp_store_release(&ring->consumed, position); /* consume:D */
	smp_store_release(&ring->consumed_epoch, epoch); /* consume:D */
}
