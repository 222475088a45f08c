// SPDX-License-Identifier: LGPL-2.1-only
/*
 * packet: a sub-buffer's bytes in, one CTF packet out, whatever the bytes are.
 *
 * Three words of the writer's header are looked at, each bounded first: timestamp_begin for the high bits of
 * the first record's time, content_size, events_discarded. Readers demand of a stream that no packet begins
 * before the last one ended and that events_discarded never decreases: the stream's state keeps both.
 */
#include "weir_packet.h"

/* What the remade header is to say. */
struct weir_packet_facts {
	u64 begin;
	u64 end;
	u64 discarded;
	size_t content; /* bytes */
};

static void weir_packet_finish(struct weir_packet_stream *stream, u8 *data, size_t packet_size,
			       u64 seq, const struct weir_packet_facts *facts)
{
	struct weir_packet header = {
		.magic = WEIR_CTF_MAGIC,
		.stream_instance_id = stream->cpu,
		.timestamp_begin = facts->begin,
		.timestamp_end = facts->end,
		.content_size = (u64)facts->content * 8,
		.packet_size = (u64)packet_size * 8,
		.packet_seq_num = seq,
		.events_discarded = facts->discarded,
		.cpu_id = stream->cpu,
	};

	memcpy(header.uuid, stream->uuid, sizeof(header.uuid));
	memset(data + facts->content, 0, packet_size - facts->content);
	memcpy(data, &header, sizeof(header));
	stream->time = facts->end;
	stream->discarded = facts->discarded;
}

/* Inside [low, high]; what readers demand of a stream, `low`, wins if nothing is. */
static u64 weir_packet_bound(u64 value, u64 low, u64 high)
{
	value = min(value, high);
	return max(value, low);
}

/* Walks the records and keeps the good ones; false if a bad one follows them. */
static bool weir_packet_walk(struct weir_packet_stream *stream, const u8 *data, size_t end,
			     struct weir_packet_facts *facts)
{
	struct weir_walk walk = {
		.data = data,
		.offset = WEIR_PACKET_HEADER,
		.end = end,
		.time = facts->begin,
		.latest = stream->latest,
		.schemas = stream->schemas,
		.count = stream->count,
		.tid = stream->tid,
	};
	struct weir_record record;
	u64 records = 0;
	int more;

	while ((more = weir_walk_next(&walk, &record)) > 0) {
		if (!records++)
			facts->begin = record.time;
	}
	stream->records += records;
	facts->end = walk.time;
	facts->content = walk.offset;
	return !more;
}

/**
 * weir_packet_content() - where the records of a packet end, as its writer claims.
 * @stream: the stream as it was before the packet
 * @header: its header, copied
 * @len: bytes of the packet that are there
 * @open: the writer may still append: the content is all that is there
 *
 * A switch without a record seals a packet that is open to who finds the ring's end at its end: then, too, the
 * header says where the records end. It may also have been sealed after it was sampled. Without its magic it is
 * none: nobody wrote it, or the module took that away, since pages lack behind it (kmod/buffers.c).
 *
 * Return: bytes from the packet's begin; 0 if the header cannot be right.
 */
size_t weir_packet_content(const struct weir_packet_stream *stream,
			   const struct weir_packet *header, size_t len, bool open)
{
	u64 bits = header->content_size;

	if (header->magic != WEIR_CTF_MAGIC)
		return 0;
	if (open && (!bits || bits > (u64)len * 8))
		bits = (u64)len * 8;
	if (header->timestamp_begin < stream->time || header->timestamp_begin > stream->latest)
		return 0;
	return bits % 8 || bits / 8 < WEIR_PACKET_HEADER || bits / 8 > len ? 0 : (size_t)(bits / 8);
}

/**
 * weir_packet_make() - make the next packet of a stream, in place.
 * @stream: the stream; its state is brought forward
 * @data: @packet_size bytes of private memory
 * @len: how many of them were copied from the ring; the others count for nothing
 * @packet_size: bytes of the packet, a multiple of 8, at least WEIR_PACKET_FIRST
 * @seq: packet_seq_num
 * @open: the writer may still append: its header is incomplete, its content ends at @len
 */
void weir_packet_make(struct weir_packet_stream *stream, void *data, size_t len, size_t packet_size,
		      u64 seq, bool open)
{
	struct weir_packet_facts facts = {
		.begin = stream->time,
		.end = stream->time,
		.discarded = stream->discarded,
		.content = WEIR_PACKET_HEADER,
	};
	struct weir_packet header = { 0 };
	size_t end;
	bool good;

	len = min(len, packet_size);
	memcpy(&header, data, min(len, sizeof(header)));
	end = weir_packet_content(stream, &header, len, open);
	good = end;
	if (good) {
		facts.begin = header.timestamp_begin;
		facts.discarded =
			weir_packet_bound(header.events_discarded, stream->discarded, stream->lost);
		good = weir_packet_walk(stream, data, end, &facts);
	}
	if (!good)
		stream->damaged++;
	weir_packet_finish(stream, data, packet_size, seq, &facts);
}

/**
 * weir_packet_make_empty() - make a packet without records.
 * @stream: the stream; its state is brought forward
 * @data: @packet_size bytes of private memory
 * @packet_size: bytes of the packet, a multiple of 8, at least WEIR_PACKET_FIRST
 * @seq: packet_seq_num
 * @time: its begin and end; moved behind the last packet if it is not, and not beyond stream->latest
 * @discarded: events_discarded; at most stream->lost, never less than before
 */
void weir_packet_make_empty(struct weir_packet_stream *stream, void *data, size_t packet_size,
			    u64 seq, u64 time, u64 discarded)
{
	struct weir_packet_facts facts = { .content = WEIR_PACKET_HEADER };

	facts.begin = facts.end = weir_packet_bound(time, stream->time, stream->latest);
	facts.discarded = weir_packet_bound(discarded, stream->discarded, stream->lost);
	weir_packet_finish(stream, data, packet_size, seq, &facts);
}
