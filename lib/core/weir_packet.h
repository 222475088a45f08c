/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * packet: what a reader has copied out of a ring, made into CTF 1.8 packets that decode.
 *
 * Works in place on private memory. Nothing that the writer stored is served unchecked: the header is made
 * anew, records are walked against their classes, and a packet is cut at the first bad record. Bytes beyond
 * content_size are zero.
 *
 * Concurrency: a context belongs to one caller.
 */
#ifndef WEIR_PACKET_H
#define WEIR_PACKET_H

#include "env.h"
#include "weir_schema.h"

/* One stream while its packets are made, in order. */
struct weir_packet_stream {
	/* given */
	const u8 *uuid;
	u32 cpu;
	const struct weir_schemas *schemas;
	u32 count; /* classes that may appear */
	bool tid;
	u64 latest; /* now: no record may be later */
	u64 lost;   /* of the ring when it was sampled */
	/* kept; start with 0 */
	u64 time;      /* end of the last packet */
	u64 discarded; /* events_discarded of the last packet */
	u64 damaged;   /* packets that were cut */
	u64 records;
};

/*
 * Makes a packet in place. `data` has room for `packet_size` bytes, a multiple of 8 and at least
 * WEIR_PACKET_FIRST; its first `len` bytes were copied from a ring: [struct weir_packet | records]. A sealed
 * packet's content_size is taken from its header, an open one's, which says nothing yet, is `len` bytes. Always leaves a packet
 * that decodes; of a damaged one what precedes the damage. May not sleep, allocates nothing.
 */
void weir_packet_make(struct weir_packet_stream *stream, void *data, size_t len, size_t packet_size,
		      u64 seq, bool open);
/* A packet without records at `time`, in place of what is gone, or to show the losses after the last record. */
void weir_packet_make_empty(struct weir_packet_stream *stream, void *data, size_t packet_size,
			    u64 seq, u64 time, u64 discarded);

/* Where its records end, by its header alone: for who walks them piece by piece. 0: a header that cannot be. */
size_t weir_packet_content(const struct weir_packet_stream *stream,
			   const struct weir_packet *header, size_t len, bool open);

#endif /* WEIR_PACKET_H */
