// SPDX-License-Identifier: GPL-2.0-only
/*
 * text_stream: the records of one stream. From a copy, as who opens cpuN gets it; or in constant
 * memory: a window of records is kept, and when it is used up, the sub-buffer is read again, made
 * into a packet again, and the next records are taken.
 */
#include "text_i.h"

#define WEIR_WINDOW_MIN 16384u

/* The packet at `position`, made, in scratch: its content's end; 0: it is gone. */
static size_t weir_text_packet(struct weir_text_scratch *scratch, struct weir_text_stream *stream,
			       struct weir_packet_stream *packet)
{
	const struct weir_ring_view *ring = &stream->place.state.ring;
	struct weir_source *source = stream->place.source;
	unsigned int slot = stream->place.trace->slot, cpu = stream->place.state.cpu;
	u64 size = weir_epoch_subbuf_size(ring->epoch);
	size_t len = min(size, ring->end - stream->position);
	struct weir_packet header;

	if (source->backend->read(source, slot, cpu, ring->epoch, stream->position, scratch->data,
				  len) ||
	    source->backend->valid_from(source, slot, cpu, ring) > stream->position)
		return 0;
	*packet = stream->packet;
	weir_packet_make(packet, scratch->data, len, weir_align8(len),
			 weir_stream_seq(ring, stream->position),
			 stream->position + len == ring->end);
	if (packet->damaged != stream->packet.damaged)
		weir_stream_damage(&stream->place, weir_stream_seq(ring, stream->position));
	memcpy(&header, scratch->data, sizeof(header));
	if (!stream->resume)
		stream->resume_time = header.timestamp_begin;
	return header.content_size / 8;
}

/* Copies records from scratch[resume] on into the window, as many as fit; false: there are none
 * left. */
static bool weir_text_window(struct weir_text_scratch *scratch, struct weir_text_stream *stream,
			     size_t end)
{
	struct weir_walk walk = stream->walk;
	struct weir_record record;
	size_t start, stop;

	walk.data = scratch->data;
	walk.offset = stream->resume ? stream->resume : WEIR_PACKET_HEADER;
	walk.end = end;
	walk.time = stream->resume_time;
	start = stop = weir_align8(walk.offset);
	stream->walk.time = walk.time;
	while (walk.offset < end && weir_walk_next(&walk, &record) > 0 &&
	       (walk.offset - start <= stream->window_size || stop == start)) {
		if (walk.offset - start >
		    stream->window_size) { /* one record, larger than the window */
			u8 *window = realloc(stream->window, walk.offset - start);

			if (!window)
				return false;
			stream->window = window;
			stream->window_size = walk.offset - start;
		}
		stop = walk.offset;
		stream->resume_time = record.time;
	}
	if (stop == start)
		return false;
	memcpy(stream->window, scratch->data + start, stop - start);
	stream->resume = stop;
	stream->walk.data = stream->window;
	stream->walk.offset = 0;
	stream->walk.end = stop - start;
	return true;
}

/* Fills the window with the next records of the stream; false at its end. */
static bool weir_text_load(struct weir_text_scratch *scratch, struct weir_text_stream *stream)
{
	const struct weir_ring_view *ring = &stream->place.state.ring;
	u64 size = weir_epoch_subbuf_size(ring->epoch);
	struct weir_packet_stream packet;
	size_t end;

	for (; stream->position < ring->end; stream->position += size) {
		end = weir_text_packet(scratch, stream, &packet);
		if (end && weir_text_window(scratch, stream, end))
			return true;
		if (end)
			stream->packet = packet;
		else
			stream->skipped += min(size, ring->end - stream->position) - stream->resume;
		stream->resume = 0;
	}
	return false;
}

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
bool weir_text_stream_next(struct weir_text_scratch *scratch, struct weir_text_stream *stream)
{
	for (;;) {
		if (stream->walk.offset < stream->walk.end &&
		    weir_walk_next(&stream->walk, &stream->record) > 0)
			return true;
		stream->walk.offset = stream->walk.end = 0;
		if (!(stream->copy ? weir_text_unpack(stream) : weir_text_load(scratch, stream)))
			return false;
	}
}

static int weir_text_window_init(struct weir_text_stream *stream)
{
	const struct weir_state *state = &stream->place.state;

	stream->window_size = weir_epoch_subbuf_size(state->ring.epoch) / 16;
	stream->window_size = max(stream->window_size, (size_t)WEIR_WINDOW_MIN);
	stream->window_size = min(stream->window_size, (size_t)state->size);
	stream->window = malloc(stream->window_size);
	return stream->window ? 0 : -ENOMEM;
}

/* `place` is set. Takes a copy, if it may be had, or makes a window. */
int weir_text_stream_init(struct weir_text_stream *stream, uid_t uid, bool copy)
{
	const struct weir_state *state = &stream->place.state;
	bool shared;
	int err;

	if (!copy || weir_copy_open(&stream->place, uid, &stream->copy, &shared)) {
		err = weir_text_window_init(stream);
		if (err)
			return err;
	}
	weir_source_uuid(stream->place.source, stream->place.trace, state->ring.epoch,
			 stream->uuid);
	stream->packet = (struct weir_packet_stream){
		.uuid = stream->uuid,
		.cpu = state->cpu,
		.schemas = &stream->place.source->schemas,
		.count = state->count,
		.tid = state->ring.epoch & WEIR_EPOCH_TID,
		.latest = state->latest,
		.lost = state->ring.lost,
	};
	stream->walk = (struct weir_walk){
		.latest = state->latest,
		.schemas = stream->packet.schemas,
		.count = state->count,
		.tid = stream->packet.tid,
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
	stream->resume = 0;
	stream->skipped = 0;
	stream->walk.offset = stream->walk.end = 0;
	stream->packet.time = stream->packet.discarded = 0;
}
