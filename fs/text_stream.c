// SPDX-License-Identifier: GPL-2.0-only
/*
 * text_stream: the records of one stream. From a copy, as who opens cpuN gets it; or in constant
 * memory: a window is read from the ring, its records are taken, and the next window starts where a
 * record was cut. Each record is checked as it is taken, so nothing depends on what an earlier read
 * of the same bytes had found. A stream may be followed: its packet that is open gets more records.
 */
#include "text_i.h"

#define WEIR_WINDOW_MIN 16384u

static void weir_text_next_packet(struct weir_text_stream *stream)
{
	stream->packet.time = stream->walk.time;
	stream->position =
		(stream->position | (weir_epoch_subbuf_size(stream->place.state.ring.epoch) - 1)) +
		1;
	stream->base = stream->content = 0;
	stream->open = stream->drained = false;
	stream->walk.offset = stream->walk.end = 0;
}

static void weir_text_damaged(struct weir_text_stream *stream)
{
	weir_stream_damage(&stream->place,
			   weir_stream_seq(&stream->place.state.ring, stream->position));
	weir_text_next_packet(stream);
}

/* The window has been read from the packet's begin. */
static bool weir_text_begin(struct weir_text_stream *stream, size_t len)
{
	struct weir_packet header = { 0 };

	memcpy(&header, stream->window, min(len, sizeof(header)));
	stream->open = stream->position + len == stream->place.state.ring.end;
	stream->content = weir_packet_content(&stream->packet, &header, len, stream->open);
	stream->walk.offset = WEIR_PACKET_HEADER;
	stream->walk.time = header.timestamp_begin;
	if (stream->content)
		return true;
	stream->walk.time = stream->packet.time;
	return false;
}

/* Reads the window at `base`; false if there is no record in it: the packet is over then. */
static bool weir_text_window(struct weir_text_stream *stream)
{
	const struct weir_ring_view *ring = &stream->place.state.ring;
	struct weir_source *source = stream->place.source;
	unsigned int slot = stream->place.trace->slot, cpu = stream->place.state.cpu;
	size_t there = min(weir_epoch_subbuf_size(ring->epoch), ring->end - stream->position);
	size_t len = min((stream->content ? stream->content : there) - stream->base,
			 stream->window_size);

	if (source->backend->read(source, slot, cpu, ring->epoch, stream->position + stream->base,
				  stream->window, len) ||
	    source->backend->valid_from(source, slot, cpu, ring) > stream->position) {
		stream->skipped += there - stream->base;
		weir_text_next_packet(stream);
		return false;
	}
	stream->walk.data = stream->window;
	stream->walk.offset = 0;
	if (!stream->content && !weir_text_begin(stream, there)) {
		weir_text_damaged(stream);
		return false;
	}
	stream->walk.end = min(len, stream->content - stream->base);
	return true;
}

/* The window is to hold a record that it cut, however long that is. */
static bool weir_text_grow(struct weir_text_stream *stream)
{
	size_t size = WEIR_RECORD_MAX;
	u8 *window = stream->window_size < size ? realloc(stream->window, size) : NULL;

	if (!window)
		return false;
	stream->window = window;
	stream->window_size = size;
	return true;
}

/* All records are taken: the next one will be at `base`. */
static void weir_text_rest(struct weir_text_stream *stream, size_t base)
{
	stream->base = base;
	stream->walk.offset = stream->walk.end = 0;
}

/* No record could be taken from the window: it is used up, or cut inside one, or that one is bad.
 */
static void weir_text_used(struct weir_text_stream *stream)
{
	size_t done = weir_align8(stream->base + stream->walk.offset);
	bool last = stream->base + stream->walk.end == stream->content;

	if (last && stream->walk.offset == stream->walk.end) {
		stream->drained = stream->follow && stream->open;
		if (stream->drained)
			weir_text_rest(stream, done);
		else
			weir_text_next_packet(stream);
	} else if (last || (done == stream->base && !weir_text_grow(stream))) {
		weir_text_damaged(stream);
	} else {
		stream->base = done;
	}
}

/* The ring has got to another moment: records after the last one of a packet that was open. */
static void weir_text_reopen(struct weir_text_stream *stream)
{
	const struct weir_ring_view *ring = &stream->place.state.ring;
	struct weir_source *source = stream->place.source;
	unsigned int slot = stream->place.trace->slot, cpu = stream->place.state.cpu;
	size_t there = min(weir_epoch_subbuf_size(ring->epoch), ring->end - stream->position);
	struct weir_packet header = { 0 };

	if (source->backend->read(source, slot, cpu, ring->epoch, stream->position, &header,
				  WEIR_PACKET_HEADER) ||
	    source->backend->valid_from(source, slot, cpu, ring) > stream->position) {
		stream->skipped += there - min(there, stream->base);
		weir_text_next_packet(stream);
		return;
	}
	stream->open = stream->position + there == ring->end;
	stream->content = weir_packet_content(&stream->packet, &header, there, stream->open);
	if (!stream->content)
		weir_text_damaged(stream);
	else if (stream->content > stream->base)
		stream->drained = false;
	else if (!stream->open)
		weir_text_next_packet(stream);
}

/* Finds the next window; false at the stream's end. */
static bool weir_text_load(struct weir_text_stream *stream)
{
	if (stream->walk.end)
		weir_text_used(stream);
	/* the moment may be a later one than that at which the packet was found to be open */
	if (stream->drained &&
	    stream->place.state.ring.end > stream->position + stream->base)
		weir_text_reopen(stream);
	while (!stream->drained && stream->position < stream->place.state.ring.end) {
		if (weir_text_window(stream))
			return true;
	}
	return false;
}

/* ---- a ring that goes on ----------------------------------------------------------------------*/

static void weir_text_go_to(struct weir_text_stream *stream, u64 position)
{
	weir_text_next_packet(stream);
	stream->position = position;
}

/**
 * weir_text_stream_more() - a later moment of a stream that is followed
 * @stream: has given all of its records, or has one that was not taken yet
 * @state: from weir_state_fix(), later than the last one
 */
void weir_text_stream_more(struct weir_text_stream *stream, const struct weir_state *state)
{
	bool other = state->ring.epoch != stream->place.state.ring.epoch;

	stream->place.state = *state;
	stream->packet.latest = stream->walk.latest = state->latest;
	stream->walk.count = state->count;
	if (other) { /* what was there is cleared */
		stream->walk.tid = state->ring.epoch & WEIR_EPOCH_TID;
		stream->walk.time = 0;
		weir_text_go_to(stream, state->ring.begin);
	} else if (stream->position < state->ring.begin) {
		stream->skipped += state->ring.begin - stream->position -
				   weir_align8(stream->base + stream->walk.offset);
		weir_text_go_to(stream, state->ring.begin);
	}
}

/* ---- records ----------------------------------------------------------------------------------*/

/* The next packet of the copy; false at its end. */
static bool weir_text_unpack(struct weir_text_stream *stream)
{
	u64 at = stream->position - stream->place.state.ring.begin;
	const u8 *data = weir_copy_data(stream->copy);
	struct weir_packet header;

	if (at >= stream->place.state.size)
		return false;
	memcpy(&header, data + at, sizeof(header));
	stream->walk.data = data + at;
	stream->walk.offset = WEIR_PACKET_HEADER;
	stream->walk.end = header.content_size / 8;
	stream->walk.time = header.timestamp_begin;
	stream->position += header.packet_size / 8;
	return true;
}

/* Finds the next record: it is in stream->record, and points into the window. False at the end. */
bool weir_text_stream_next(struct weir_text_stream *stream)
{
	while (stream->walk.offset >= stream->walk.end ||
	       weir_walk_next(&stream->walk, &stream->record) <= 0) {
		if (!(stream->copy ? weir_text_unpack(stream) : weir_text_load(stream)))
			return false;
	}
	return true;
}

/* `place` is set. Takes a copy, if it may be had, or makes a window of at most `window` bytes. */
int weir_text_stream_init(struct weir_text_stream *stream, uid_t uid, bool copy, size_t window)
{
	const struct weir_state *state = &stream->place.state;
	bool shared;

	if (!copy || weir_copy_open(&stream->place, uid, &stream->copy, &shared)) {
		stream->window_size = max(window, (size_t)WEIR_WINDOW_MIN);
		stream->window = malloc(stream->window_size);
		if (!stream->window)
			return -ENOMEM;
	}
	weir_text_label(stream);
	stream->packet = (struct weir_packet_stream){ .latest = state->latest };
	stream->walk = (struct weir_walk){
		.latest = state->latest,
		.schemas = &stream->place.source->schemas,
		.count = state->count,
		.tid = state->ring.epoch & WEIR_EPOCH_TID,
	};
	return 0;
}

void weir_text_stream_end(struct weir_text_stream *stream)
{
	if (stream->copy)
		weir_copy_close(stream->copy);
	free(stream->window);
	weir_place_put(&stream->place);
}

/* Back to the first record. */
void weir_text_stream_rewind(struct weir_text_stream *stream)
{
	stream->position = stream->place.state.ring.begin;
	stream->base = stream->content = 0;
	stream->open = stream->drained = false;
	stream->skipped = 0;
	stream->walk.offset = stream->walk.end = 0;
	stream->walk.time = stream->packet.time = 0;
}
