// SPDX-License-Identifier: GPL-2.0-only
/*
 * live_packet: from positions of a ring to packets of a stream, each record once.
 *
 * Packets end where their records end. They are numbered by the stream; a number that is missing is
 * one of a sub-buffer of which the writer has overwritten what the reader had not taken. What was
 * lost before the stream's first packet shows by an empty packet, number 0, in front of it.
 */
#include "../lib/core/weir_packet.h"
#include "live.h"

struct weir_live_fill {
	struct weir_live *live;
	struct weir_live_state *made;
	struct weir_ring_view view;
	struct weir_packet_stream stream;
	bool cut; /* the open sub-buffer, too */
};

/* What is to become a packet: bytes of one sub-buffer. */
struct weir_live_piece {
	u64 start; /* of the sub-buffer */
	u64 from, to;
	bool sealed;
	struct weir_packet header;
};

/* Where the next packet goes. */
static u8 *weir_live_next(const struct weir_live_fill *fill)
{
	return fill->live->batch->data + fill->live->batch->end;
}

/* A packet of this size is complete; the stream is as far as `made` is. */
static void weir_live_add(struct weir_live_fill *fill, size_t size)
{
	struct weir_live_batch *batch = fill->live->batch;

	fill->made->begun = true;
	fill->made->time = fill->stream.time;
	fill->made->discarded = fill->stream.discarded;
	batch->end += size;
	batch->packet[batch->nr].end = batch->end;
	batch->packet[batch->nr++].state = *fill->made;
}

/* ---- what is there ----------------------------------------------------------------------------*/

/* The trace has gone to another epoch. Its packets have another uuid, numbers and counts of their
 * own. */
static void weir_live_epoch(struct weir_live *live, u64 epoch)
{
	struct weir_live_state state = {
		.epoch = epoch,
		.asked = live->made.asked,
		.switched = live->made.switched,
	};

	live->made = live->done = state;
	live->published = 0;
	weir_live_wake_drop(live);
	weir_source_uuid(live->source, live->trace, epoch, live->uuid);
}

/* Where the next packet starts; what is below is gone. */
static u64 weir_live_position(const struct weir_live_fill *fill)
{
	return max(fill->made->position, fill->view.begin);
}

static bool weir_live_is_sealed(const struct weir_live_fill *fill, u64 position)
{
	return (position | (weir_epoch_subbuf_size(fill->view.epoch) - 1)) + 1 < fill->view.end;
}

/* Nothing that a switch would show. */
static bool weir_live_is_drained(const struct weir_live_fill *fill)
{
	return weir_live_position(fill) >= fill->view.end &&
	       fill->view.lost <= fill->made->discarded;
}

static bool weir_live_is_there(const struct weir_live_fill *fill)
{
	u64 position = weir_live_position(fill);

	if (fill->cut)
		return !weir_live_is_drained(fill);
	return position < fill->view.end && weir_live_is_sealed(fill, position);
}

/* ---- one packet -------------------------------------------------------------------------------*/

/* What the reader has not taken of the sub-buffers up to the oldest one is overwritten: a number
 * for each. */
static void weir_live_miss(struct weir_live_fill *fill)
{
	unsigned int shift = weir_epoch_subbuf_shift(fill->view.epoch);

	if (fill->made->position >= fill->view.begin)
		return;
	fill->made->seq += (fill->view.begin >> shift) - (fill->made->position >> shift);
	fill->made->position = fill->view.begin;
}

/* Multiples of what one request asks for are made larger: see weir_live_portion(). */
static size_t weir_live_packet_size(size_t content)
{
	size_t size = weir_align8(content);

	return size % WEIR_READ_MAX ? size : size + 8;
}

static int weir_live_copy(const struct weir_live_fill *fill, u64 position, void *dst, size_t len)
{
	const struct weir_live *live = fill->live;

	return live->source->backend->read(live->source, live->trace->slot, live->cpu,
					   fill->view.epoch, position, dst, len);
}

/* The bytes of a piece go where a packet's would be; a sealed one's header says where its records
 * end. */
static int weir_live_copy_piece(struct weir_live_fill *fill, struct weir_live_piece *piece,
				u8 *data)
{
	u64 size = weir_epoch_subbuf_size(fill->view.epoch), content;
	int err;

	err = weir_live_copy(fill, piece->start, &piece->header, sizeof(piece->header));
	if (err)
		return err;
	content = piece->header.content_size / 8;
	if (piece->sealed)
		piece->to = piece->start + (content <= size ? content : size);
	if (piece->from < piece->to)
		err = weir_live_copy(fill, piece->from, data + WEIR_PACKET_FIRST,
				     piece->to - piece->from);
	return err;
}

/* Was it overwritten meanwhile? 0; -EAGAIN: yes, the view begins later now; -ESTALE: all of it is
 * gone. */
static int weir_live_validate(struct weir_live_fill *fill, u64 start)
{
	struct weir_live *live = fill->live;
	u64 from = live->source->backend->valid_from(live->source, live->trace->slot, live->cpu,
						     &fill->view);

	if (from == ~0ull)
		return -ESTALE;
	if (from <= start)
		return 0;
	fill->view.begin = from;
	return fill->view.begin > fill->view.end ? -ESTALE : -EAGAIN;
}

/* Readers know a loss by the difference of two packets. */
static void weir_live_lead(struct weir_live_fill *fill, u64 time)
{
	struct weir_packet_stream stream = fill->stream;

	if (fill->made->begun || (!fill->view.lost && !fill->made->seq))
		return;
	weir_packet_make_empty(&stream, weir_live_next(fill), WEIR_PACKET_FIRST, 0, time, 0);
	fill->stream.time = stream.time;
	weir_live_add(fill, WEIR_PACKET_FIRST);
}

/* A packet's header as the core wants it: the times of its records lie behind the last packet's
 * end, if that was part of the same sub-buffer. A cut knows all losses so far. */
static void weir_live_header(const struct weir_live_fill *fill, const struct weir_live_piece *piece,
			     u8 *data)
{
	struct weir_packet header = piece->header;
	size_t content = WEIR_PACKET_FIRST + (piece->to - piece->from);

	if (piece->from > piece->start + WEIR_PACKET_FIRST)
		header.timestamp_begin = fill->made->time;
	if (!piece->sealed)
		header.events_discarded = fill->view.lost;
	header.content_size = (u64)content * 8;
	memcpy(data, &header, sizeof(header));
}

static void weir_live_damaged(const struct weir_live_fill *fill, u64 start)
{
	const struct weir_place place = { .trace = fill->live->trace,
					  .source = fill->live->source,
					  .state = { .ring = fill->view, .cpu = fill->live->cpu } };

	weir_stream_damage(&place, weir_stream_seq(&fill->view, start));
}

static void weir_live_packet(struct weir_live_fill *fill, const struct weir_live_piece *piece,
			     u8 *data, u64 next)
{
	size_t content = WEIR_PACKET_FIRST + (piece->to - piece->from),
	       size = weir_live_packet_size(content);
	struct weir_live_state *made = fill->made;
	u64 damaged = fill->stream.damaged;

	weir_live_header(fill, piece, data);
	weir_live_lead(fill, piece->header.timestamp_begin);
	if (data != weir_live_next(fill))
		memmove(weir_live_next(fill), data, content);
	weir_packet_make(&fill->stream, weir_live_next(fill), content, size, ++made->seq, true);
	if (fill->stream.damaged != damaged)
		weir_live_damaged(fill, piece->start);
	made->bytes += next - made->position;
	made->position = next;
	weir_live_add(fill, size);
}

/* No record is left in the sub-buffer: a cut has taken the last one. Or its header is wrong. */
static void weir_live_skip(struct weir_live_fill *fill, const struct weir_live_piece *piece,
			   u64 next)
{
	if (piece->to < max(fill->made->position, piece->start + WEIR_PACKET_FIRST))
		weir_live_damaged(fill, piece->start);
	fill->made->bytes += next - fill->made->position;
	fill->made->position = next;
}

/* The next piece of the ring. 1: a step further, perhaps by a packet; 0: there is no more; -EAGAIN,
 * -ESTALE. */
static int weir_live_step(struct weir_live_fill *fill)
{
	u64 size = weir_epoch_subbuf_size(fill->view.epoch), position, next;
	/* behind the packet that leads, if one does */
	u8 *data = weir_live_next(fill) + (fill->made->begun ? 0 : WEIR_PACKET_FIRST);
	struct weir_live_piece piece;
	int err;

	weir_live_miss(fill);
	position = fill->made->position;
	piece.sealed = weir_live_is_sealed(fill, position);
	if (position >= fill->view.end || !(piece.sealed || fill->cut))
		return 0;
	piece.start = position & ~(size - 1);
	piece.from = max(weir_align8(position), piece.start + WEIR_PACKET_FIRST);
	piece.to = fill->view.end;
	err = weir_live_copy_piece(fill, &piece, data);
	if (!err)
		err = weir_live_validate(fill, piece.start);
	if (err)
		return err == -EAGAIN ? err : -ESTALE;
	next = piece.sealed ? piece.start + size : fill->view.end;
	if (piece.from < piece.to)
		weir_live_packet(fill, &piece, data, next);
	else
		weir_live_skip(fill, &piece, next);
	return 1;
}

/* ---- the batch's packets ----------------------------------------------------------------------*/

/* Losses that no packet has told. */
static void weir_live_losses(struct weir_live_fill *fill)
{
	u64 time = fill->made->time ? fill->made->time : fill->stream.latest;

	if (!fill->cut || fill->view.lost <= fill->stream.discarded)
		return;
	weir_live_lead(fill, time);
	fill->made->seq++;
	weir_packet_make_empty(&fill->stream, weir_live_next(fill), WEIR_PACKET_FIRST,
			       fill->made->seq, time, fill->view.lost);
	weir_live_add(fill, WEIR_PACKET_FIRST);
}

/* Event classes are looked up after the positions: a class is known before a record of it is
 * published. The clock comes last: no record is later. */
static void weir_live_prepare(struct weir_live_fill *fill)
{
	struct weir_live *live = fill->live;

	live->count = live->source->backend->schemas(live->source);
	fill->stream = (struct weir_packet_stream){
		.uuid = live->uuid,
		.cpu = live->cpu,
		.schemas = &live->source->schemas,
		.count = live->count,
		.tid = fill->view.epoch & WEIR_EPOCH_TID,
		.latest = weir_clock_now(),
		.lost = max(fill->view.lost, fill->made->discarded),
		.time = fill->made->time,
		.discarded = fill->made->discarded,
	};
}

/* True: all is taken that the view has. */
static bool weir_live_make(struct weir_live_fill *fill)
{
	int more = 1;

	weir_live_prepare(fill);
	while (more > 0 || more == -EAGAIN) {
		if (weir_live_batch_full(fill->live->batch, fill->view.epoch))
			return false;
		more = weir_live_step(fill);
	}
	if (more < 0 || weir_live_position(fill) < fill->view.end)
		return false;
	weir_live_losses(fill);
	return true;
}

/* Was a switch asked for that this stream has not answered? All are counted before the positions
 * are looked at. */
static bool weir_live_asked(struct weir_live *live, u64 *asked, u32 *switched, u64 now)
{
	const struct weir_backend *backend = live->source->backend;
	u32 interval = READ_ONCE(live->trace->switch_interval);

	*asked = backend->switches ? backend->switches(live->source) : 0;
	*switched = smp_load_acquire(&live->trace->switches[live->cpu]); /* asked:F */
	return *asked != live->made.asked || *switched != live->made.switched ||
	       (interval && now - live->empty >= interval);
}

static int weir_live_fill_empty(struct weir_live *live)
{
	bool final = READ_ONCE(live->trace->gone) || READ_ONCE(live->source->ended);
	struct weir_live_fill fill = { .live = live, .made = &live->made };
	u64 epoch = READ_ONCE(live->trace->epoch), now = weir_now_ms(), asked;
	u32 switched;
	int err;

	if (epoch != live->made.epoch)
		weir_live_epoch(live, epoch);
	weir_live_wake(live);
	fill.cut = weir_live_asked(live, &asked, &switched, now) || final;
	err = live->source->backend->sample(live->source, live->trace->slot, live->cpu, epoch,
					    &fill.view);
	if (!err && weir_live_is_there(&fill)) {
		err = weir_live_make_batch(live, epoch);
		if (err)
			return err;
		if (weir_live_make(&fill) && fill.cut)
			live->empty = now;
		else
			fill.cut = false;
	} else if (err || weir_live_is_drained(&fill)) {
		live->empty = now;
	}
	if (fill.cut) {
		live->made.asked = asked;
		live->made.switched = switched;
	}
	return final && !(live->batch && live->batch->end) ? -ENODATA : 0;
}

/**
 * weir_live_fill() - make packets, unless there are some
 * @live: the stream
 *
 * Return: 1 there are packets; 0 not yet; -ENODATA there never will be; -ENOMEM, -EDQUOT.
 */
int weir_live_fill(struct weir_live *live)
{
	struct weir_live_batch *batch = live->batch;
	int err;

	if (batch && batch->start < batch->end)
		return 1;
	if (batch)
		batch->start = batch->end = 0;
	err = weir_live_fill_empty(live);
	batch = live->batch;
	if (batch && batch->end)
		return 1;
	live->done = live->made; /* nothing of it is to be read */
	weir_live_drop_batch(live);
	return err;
}
