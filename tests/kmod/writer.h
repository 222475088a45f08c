/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * writer: the core, to write into a ring that is mapped, as a libweir without rseq does.
 */
#ifndef WRITER_H
#define WRITER_H

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

/* The ring of a slot and CPU 0, whose geometry is `epoch`'s. */
static inline void writer_map(struct weir_relay *relay, const struct attach *a, unsigned int slot, uint64_t epoch)
{
	memset(relay, 0, sizeof(*relay));
	if (weir_relay_init(relay, weir_epoch_ring_size(epoch), 12, weir_epoch_subbuf_shift(epoch), &mapped,
			    (void *)bytes_of(a, slot, 0)))
		bail("writer");
}

#endif /* WRITER_H */
