// SPDX-License-Identifier: GPL-2.0-only
/* live_batch: packets that were made ahead, and how they go into requests. Under the stream's lock.
 */
#include "live.h"

#define WEIR_BATCH_MIN (256u << 10)
#define WEIR_BATCH_ROOM (3 * WEIR_PACKET_FIRST) /* beside a sub-buffer: empty packets, padding */

/* Nobody reads: its memory is free for others. */
void weir_live_drop_batch(struct weir_live *live)
{
	struct weir_live_batch *batch = live->batch;

	if (!batch)
		return;
	weir_quota_give(live->reader, WEIR_QUOTA_COPIES, batch->charged);
	weir_spare_give(batch, sizeof(*batch) + batch->size);
	live->batch = NULL;
}

int weir_live_make_batch(struct weir_live *live, u64 epoch)
{
	size_t size = max(weir_epoch_subbuf_size(epoch), (u64)WEIR_BATCH_MIN) + WEIR_BATCH_ROOM;
	struct weir_live_batch *batch = live->batch;
	u64 charged = 0;
	int err;

	if (batch && batch->size == size) {
		batch->start = batch->end = batch->nr = batch->at = 0;
		return 0;
	}
	weir_live_drop_batch(live);
	err = weir_quota_hold(live->reader, WEIR_QUOTA_COPIES, &charged, sizeof(*batch) + size);
	if (err)
		return err;
	batch = weir_spare_take(sizeof(*batch) + size);
	if (!batch) {
		weir_quota_give(live->reader, WEIR_QUOTA_COPIES, charged);
		return -ENOMEM;
	}
	batch->size = size;
	batch->start = batch->end = batch->nr = batch->at = 0;
	batch->charged = charged;
	live->batch = batch;
	return 0;
}

/* No room for one more packet, and the empty ones beside it. */
bool weir_live_batch_full(const struct weir_live_batch *batch, u64 epoch)
{
	return batch->size - batch->end < weir_epoch_subbuf_size(epoch) + WEIR_BATCH_ROOM ||
	       batch->nr > WEIR_LIVE_PACKETS - 3;
}

/*
 * How much a request of `len` bytes gets: whole packets, or a piece of one that is larger.
 *
 * The kernel splits what is larger than WEIR_READ_MAX, and goes on asking as long as it gets all
 * that it asked for. Such a request must not be filled by the last of what is there: the next one
 * would wait, and with it what the reader has already. A page less may be such a request, too,
 * where the reader's buffer is not aligned. (So may any be that comes from a readv(2) of hundreds
 * of pieces: that one may wait with a packet in its hands until the next is there.)
 */
size_t weir_live_portion(const struct weir_live_batch *batch, size_t len)
{
	size_t there = batch->end - batch->start, n = 0, before = 0;
	unsigned int i;

	for (i = batch->at; i < batch->nr && batch->packet[i].end - batch->start <= len; i++) {
		before = n;
		n = batch->packet[i].end - batch->start;
	}
	if (!n)
		n = min(there, len);
	if (n < len || n < there || len <= WEIR_READ_MAX - 4096)
		return n;
	return before ? before : n - 1;
}
