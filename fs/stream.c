// SPDX-License-Identifier: GPL-2.0-only
/*
 * stream: the bytes of cpuN. Where every packet begins follows from the ring's positions alone, so
 * that the size is known before anything is copied:
 *
 *   whole sub-buffers | the open one, up to its last record, rounded up to 8
 *
 * If events were lost, an empty packet follows that has counted all of them, and where the stream's
 * first packet is still there an empty one that has counted none leads: readers know a loss by the
 * difference of two packets. So packets number from 1; the one that leads is 0.
 *
 * Sub-buffers that the writer has taken in the meantime become one empty packet of their size. It
 * stands at the beginning: when one is found to be gone, those before it, though copied in time, go
 * too, since readers warn of a hole in a stream but not of where it starts.
 *
 * A writer at full speed may have taken all of them between look-up and open. Then the file shows,
 * in the size that was promised, the sub-buffers that are whole by now: a flight recorder that has
 * nothing to show just when most is going on would be none.
 */
#include <fcntl.h>

#include "../lib/core/weir_packet.h"
#include "tree_i.h"

#define WEIR_DAMAGES 256u
#define WEIR_LATER_TRIES 4u

/* The last packet that was found damaged, a stream. Few streams ever have one. */
static struct weir_damage {
	u64 source, epoch, seq, count;
	unsigned int cpu;
} weir_damages[WEIR_DAMAGES];
static pthread_mutex_t weir_damages_lock = PTHREAD_MUTEX_INITIALIZER;

static bool weir_stream_leads(const struct weir_ring_view *ring)
{
	return ring->lost && !ring->begin;
}

/* Bounds a sampled ring and computes the file's size. -ENODATA: there is no file; -EIO:
 * nonsense. */
int weir_state_fix(struct weir_state *state)
{
	struct weir_ring_view *ring = &state->ring;
	u64 size = weir_epoch_subbuf_size(ring->epoch), open;

	if (ring->end < ring->begin ||
	    ring->end - ring->begin > weir_epoch_ring_size(ring->epoch) || ring->begin & (size - 1))
		return -EIO;
	open = ring->end > ring->begin ? ((ring->end - 1) & (size - 1)) + 1 : 0;
	if (open < WEIR_PACKET_FIRST) { /* not even a header */
		ring->end -= open;
		open = ring->end > ring->begin ? size : 0;
	}
	state->size = ring->end - ring->begin - open + weir_align8(open);
	if (ring->lost)
		state->size += weir_stream_leads(ring) ? 2 * WEIR_PACKET_FIRST : WEIR_PACKET_FIRST;
	return state->size ? 0 : -ENODATA;
}

static struct weir_damage *weir_damage(u64 source, u64 epoch, unsigned int cpu)
{
	u64 hash = (source * 31 + cpu) * 0x9e3779b97f4a7c15ull ^ epoch;
	struct weir_damage *damage = &weir_damages[hash % WEIR_DAMAGES];

	if (damage->source != source || damage->epoch != epoch || damage->cpu != cpu)
		*damage = (struct weir_damage){ .source = source, .epoch = epoch, .cpu = cpu };
	return damage;
}

/* Packet `seq` was cut. Counted once, however many readers find it. */
void weir_stream_damage(const struct weir_place *place, u64 seq)
{
	struct weir_damage *damage;

	pthread_mutex_lock(&weir_damages_lock);
	damage = weir_damage(place->source->serial, place->state.ring.epoch, place->state.cpu);
	if (seq + 1 > damage->seq) {
		damage->seq = seq + 1;
		damage->count++;
	}
	pthread_mutex_unlock(&weir_damages_lock);
}

u64 weir_stream_damaged(const struct weir_source *source, const struct weir_trace *trace,
			unsigned int cpu)
{
	u64 epoch = READ_ONCE(trace->epoch), count = 0;
	unsigned int i;

	pthread_mutex_lock(&weir_damages_lock);
	for (i = 0; i < WEIR_DAMAGES; i++) {
		if (weir_damages[i].source == source->serial && weir_damages[i].epoch == epoch &&
		    weir_damages[i].cpu == cpu)
			count = weir_damages[i].count;
	}
	pthread_mutex_unlock(&weir_damages_lock);
	return count;
}

/* What is being put together. */
struct weir_fill {
	const struct weir_place *place;
	struct weir_ring_view ring; /* what is copied: the state's, or a later one */
	u64 open;		    /* where the packet that is not sealed ends */
	struct weir_packet_stream stream;
	int fd;	    /* that is filled */
	int error;  /* in doing so */
	u8 *packet; /* room for one */
	u64 next;   /* where it goes */
	u64 first;  /* when the first one that is there begins; 0: none is */
	bool gap;   /* the packets before it are gone, */
	bool gone;  /* or were */
	bool later;
	u64 packets; /* that were copied in time */
};

static void weir_fill_write(struct weir_fill *fill, const void *data, size_t len, u64 offset)
{
	int err = weir_pwrite(fill->fd, data, len, offset);

	if (err && !fill->error)
		fill->error = err;
}

/* A packet without records of `size` bytes. Of what may have been there before nothing stays: a
 * hole reads as zeros. */
static void weir_fill_empty(struct weir_fill *fill, struct weir_packet_stream *stream, u64 offset,
			    u64 size, u64 seq, u64 time, u64 discarded)
{
	struct weir_packet packet[2]; /* at least WEIR_PACKET_FIRST */

	weir_packet_make_empty(stream, packet, WEIR_PACKET_FIRST, seq, time, discarded);
	packet->packet_size = size * 8;
	if (size > WEIR_PACKET_FIRST &&
	    fallocate(fill->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset,
		      (off_t)size))
		fill->error = -errno;
	weir_fill_write(fill, packet, WEIR_PACKET_FIRST, offset);
}

/* One empty packet for all that is gone. */
static void weir_fill_gap(struct weir_fill *fill, u64 seq, u64 time, u64 discarded)
{
	if (!fill->gap)
		return;
	fill->gap = false;
	fill->gone = true;
	fill->stream.time = 0;
	fill->stream.discarded = 0;
	weir_fill_empty(fill, &fill->stream, 0, fill->next, seq, time, discarded);
}

/* What looks bad in a later ring may be of a class that this state does not know. */
static void weir_fill_packet(struct weir_fill *fill, u64 position, size_t len, size_t size)
{
	const struct weir_place *place = fill->place;
	struct weir_source *source = place->source;
	const struct weir_ring_view *ring = &fill->ring;
	u64 seq = weir_stream_seq(ring, position), damaged = fill->stream.damaged;
	struct weir_packet header;
	int err;

	err = source->backend->read(source, place->trace->slot, place->state.cpu, ring->epoch,
				    position, fill->packet, len);
	if (err || source->backend->valid_from(source, place->trace->slot, place->state.cpu, ring) >
			   position) {
		fill->gap = true;
		fill->packets = 0;
		fill->next += size;
		return;
	}
	memcpy(&header, fill->packet, sizeof(header));
	weir_fill_gap(fill, seq - 1, header.timestamp_begin, header.events_discarded);
	weir_packet_make(&fill->stream, fill->packet, len, size, seq, position + len == fill->open);
	weir_fill_write(fill, fill->packet, size, fill->next);
	if (!fill->packets++)
		fill->first = ((struct weir_packet *)fill->packet)->timestamp_begin;
	if (fill->stream.damaged != damaged && !fill->later)
		weir_stream_damage(place, seq);
	fill->next += size;
}

static void weir_fill_packets(struct weir_fill *fill)
{
	u64 size = weir_epoch_subbuf_size(fill->ring.epoch), position, len;

	for (position = fill->ring.begin; position < fill->ring.end; position += size) {
		len = min(size, fill->ring.end - position);
		weir_fill_packet(fill, position, len, weir_align8(len));
	}
}

/* As many of the whole sub-buffers of now as there is room for, at its end; what is left before
 * them is a gap. False if there are none. */
static bool weir_fill_later(struct weir_fill *fill)
{
	const struct weir_place *place = fill->place;
	const struct weir_state *state = &place->state;
	u64 size = weir_epoch_subbuf_size(state->ring.epoch), nr;
	u64 room = state->size - (state->ring.lost ? WEIR_PACKET_FIRST : 0);
	struct weir_ring_view ring;

	if (place->source->backend->sample(place->source, place->trace->slot, state->cpu,
					   state->ring.epoch, &ring))
		return false;
	fill->open = ring.end;
	ring.end &= ~(size - 1);
	nr = ring.end > ring.begin ? min((ring.end - ring.begin) / size, room / size) : 0;
	if (nr && room - nr * size && room - nr * size < WEIR_PACKET_FIRST)
		nr--; /* what is left must hold the gap's packet */
	if (!nr)
		return false;
	ring.begin = ring.end - nr * size;
	ring.lost = state->ring.lost;
	fill->ring = ring;
	fill->next = room - nr * size;
	fill->gap = fill->next;
	fill->later = true;
	fill->stream.latest = weir_clock_now();
	fill->stream.time = fill->stream.discarded = 0;
	weir_fill_packets(fill);
	return true;
}

/* The packet that leads: at the time of the one after it. A gap has swallowed it. */
static void weir_fill_lead(struct weir_fill *fill)
{
	struct weir_packet_stream stream = fill->stream;

	stream.time = 0;
	stream.discarded = 0;
	weir_fill_empty(fill, &stream, 0, WEIR_PACKET_FIRST, 0,
			fill->packets ? fill->first : stream.latest, 0);
}

/* Packet by packet through a buffer that stays in the CPU's cache: walking a packet there and
 * writing it costs half of what faults on fresh pages of a mapping do. */
int weir_stream_fill(const struct weir_place *place, int fd)
{
	const struct weir_state *state = &place->state;
	const struct weir_ring_view *ring = &state->ring;
	struct weir_fill fill = { .place = place, .fd = fd };
	size_t room = weir_epoch_subbuf_size(ring->epoch);
	unsigned int tries;
	u8 uuid[16];
	u64 seq, time;
	bool leads;

	fill.packet = weir_spare_take(room);
	if (!fill.packet)
		return -ENOMEM;
	fill.ring = *ring;
	fill.open = ring->end;
	weir_source_uuid(place->source, place->trace, ring->epoch, uuid);
	fill.stream = (struct weir_packet_stream){
		.uuid = uuid,
		.cpu = state->cpu,
		.schemas = &place->source->schemas,
		.count = state->count,
		.tid = ring->epoch & WEIR_EPOCH_TID,
		.latest = state->latest,
		.lost = ring->lost,
	};
	if (weir_stream_leads(ring))
		fill.next += WEIR_PACKET_FIRST;
	weir_fill_packets(&fill);
	for (tries = 0; tries < WEIR_LATER_TRIES && ring->end > ring->begin && !fill.packets;
	     tries++) {
		if (!weir_fill_later(&fill))
			break;
	}
	seq = weir_stream_seq(&fill.ring, fill.ring.end + weir_epoch_subbuf_size(ring->epoch) - 1);
	leads = weir_stream_leads(ring) && !fill.gap && !fill.gone && !fill.later;
	weir_fill_gap(&fill, seq - 1, fill.stream.latest, ring->lost);
	if (leads)
		weir_fill_lead(&fill);
	time = fill.stream.time ? fill.stream.time : fill.stream.latest;
	if (ring->lost)
		weir_fill_empty(&fill, &fill.stream, fill.next, WEIR_PACKET_FIRST, seq, time,
				ring->lost);
	weir_spare_give(fill.packet, room);
	return fill.error;
}
