/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * writer: the core, to write into a ring that is mapped, as a libweir without rseq does.
 */
#ifndef WRITER_H
#define WRITER_H

#include <time.h>

#include "device.h"
#include "../../lib/core/relay.c"
#include "../../lib/core/relay_pages.c"
#include "../../lib/core/ring_append.c"

static void *at(void *priv, size_t offset)
{
	return (char *)priv + (offset & ~(PAGE - 1));
}

static void let_go(void *priv, void *page)
{
	(void)priv, (void)page;
}

static int put_bytes(void *priv, void *page, size_t offset, const void *src, size_t len)
{
	(void)priv;
	memcpy((char *)page + (offset & (PAGE - 1)), src, len);
	return 0;
}

static void *same(void *priv, void *page)
{
	(void)priv;
	return page;
}

static const struct weir_relay_ops mapped = {
	.populate = at, .lookup = at, .release = let_go, .write = put_bytes, .address = same
};

static inline uint64_t clock_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* Of one ring: a record of 32 bytes counts. */
struct writer {
	struct weir_relay relay;
	struct weir_ring *ring;
	uint64_t epoch, number;
};

static inline void writer_begin(struct writer *w, const struct attach *a, unsigned int slot, unsigned int cpu, uint64_t epoch)
{
	memset(w, 0, sizeof(*w));
	w->ring = ring_of(a->process, slot, cpu);
	w->epoch = epoch;
	if (weir_relay_init(&w->relay, weir_epoch_ring_size(epoch), 12, weir_epoch_subbuf_shift(epoch), &mapped,
			    (void *)bytes_of(a, slot, cpu)))
		bail("writer");
}

/* 0 or -errno. */
static inline int append(struct writer *w)
{
	uint64_t now = clock_now();
	uint64_t record[4] = { now << WEIR_TIME_SHIFT, w->number, ~w->number, w->number * 3 };
	int err = weir_ring_append_locked(w->ring, &w->relay, w->epoch, 0, now, record, sizeof(record));

	w->number += !err;
	return err;
}

/* The records of a packet count on from *number: how many. */
static inline unsigned int records(const char *packet, size_t size, uint64_t *number)
{
	uint64_t record[4];
	unsigned int n = 0;
	size_t offset;

	for (offset = WEIR_PACKET_FIRST; offset + sizeof(record) <= size; offset += sizeof(record), n++) {
		memcpy(record, packet + offset, sizeof(record));
		if (record[1] != *number || record[2] != ~*number)
			return 0;
		++*number;
	}
	return n;
}

#endif /* WRITER_H */
