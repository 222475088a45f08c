/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * relay: a buffer as a linked list of pages, after the RFC "LTTng relay buffer allocation, read, write v2"
 * (M. Desnoyers, 2008-10-01).
 *
 * Descriptors live outside the frames, so frames can go to disk, to the network or into a user mapping as
 * they are. Four cached pointers: write page, read page, two contiguous sub-buffer header pages. A record may
 * be larger than a page. Pages are populated by the first write; reading an unpopulated page yields zeros and
 * allocates nothing. Offsets are inside the buffer: [0, size).
 *
 * Concurrency (no locking inside; the caller serialises):
 *
 *                    write        read         header       touch        exchange     init, destroy
 *   write            excluded     allowed (1)  excluded     allowed      allowed (3)  excluded
 *   read             allowed (1)  allowed (2)  allowed (2)  allowed (2)  allowed (3)  excluded
 *   header           excluded     allowed (2)  allowed (2)  allowed (2)  allowed (3)  excluded
 *   touch, exchange  as above                               allowed (2)  allowed (2)  excluded
 *
 *   (1) if the write populates no page, and the reader judges by the ring whether its bytes were overwritten
 *   (2) with a cursor each
 *   (3) who took the old frame waits until nobody can be using it, by means of its own
 */
#ifndef WEIR_RELAY_H
#define WEIR_RELAY_H

#include "env.h"

struct weir_relay_page {
	struct list_head list;
	size_t offset; /* of the page's first byte in the buffer */
	void *page;    /* the frame, as the memory's operations know it */
};

/* Where frames come from and how bytes get in and out of them. `priv` is weir_relay.priv; `offset` + `len`
 * never cross a frame's end. */
struct weir_relay_ops {
	/* The frame that holds buffer offset `offset`, made on a first write; NULL: none can be had. */
	void *(*populate)(void *priv, size_t offset);
	/* The frame if it exists without having been written through this relay, else NULL. May be NULL. */
	void *(*lookup)(void *priv, size_t offset);
	void (*release)(void *priv, void *page);
	int (*write)(void *priv, void *page, size_t offset, const void *src, size_t len);
	int (*read)(void *priv, void *page, size_t offset, void *dst, size_t len);
	/* Address of the frame's first byte; NULL where frames have none. May be NULL. */
	void *(*address)(void *priv, void *page);
};

/* What one reader remembers of its last place. Zero it to start. */
struct weir_relay_cursor {
	struct weir_relay_page *read;
	struct weir_relay_page *header[2];
	size_t next; /* where sequential reading goes on: for the self-test */
};

struct weir_relay {
	struct list_head pages; /* ascending offsets */
	size_t size;
	unsigned int page_shift;
	unsigned int subbuf_shift;
	const struct weir_relay_ops *ops;
	void *priv;
	struct weir_relay_page *write; /* cache */
	size_t next;		       /* where sequential writing goes on */
	size_t back;		       /* where a writer that was jumped over goes on; `size`: nowhere */
	size_t gap;		       /* where what was jumped over ends; `size`: nothing is outstanding */
	u64 random;		       /* accesses that were neither sequential nor a legal jump */
	bool warned;
	struct weir_relay_cursor own; /* the writer's, for headers */
};

/* All return 0 or -errno: -EINVAL outside the buffer, -ENOMEM no page. See relay.c for each. */
int weir_relay_init(struct weir_relay *relay, size_t size, unsigned int page_shift, unsigned int subbuf_shift,
		    const struct weir_relay_ops *ops, void *priv);
void weir_relay_destroy(struct weir_relay *relay);
int weir_relay_write(struct weir_relay *relay, size_t offset, const void *src, size_t len);
int weir_relay_write_reserved(struct weir_relay *relay, size_t offset, const void *src, size_t len);
int weir_relay_read(struct weir_relay *relay, struct weir_relay_cursor *cursor, size_t offset, void *dst,
		    size_t len);
void *weir_relay_header(struct weir_relay *relay, struct weir_relay_cursor *cursor, size_t offset);
void *weir_relay_touch(struct weir_relay *relay, struct weir_relay_cursor *cursor, size_t offset);
void *weir_relay_exchange(struct weir_relay *relay, struct weir_relay_cursor *cursor, size_t offset,
			  void *frame);

/* The page written last, if `offset` is in it: where nearly every record goes. A write that stays in that
 * page needs neither the list nor the self-test. NULL: weir_relay_write_reserved(). `page_shift` is the
 * relay's, a constant of the caller. */
static inline struct weir_relay_page *weir_relay_hit(struct weir_relay *relay, unsigned int page_shift,
						     size_t offset)
{
	struct weir_relay_page *page = READ_ONCE(relay->write);

	return likely(page && offset >> page_shift == page->offset >> page_shift) ? page : NULL;
}

/* Frames on the heap, one allocation a page: for writers inside the daemon and for tests. priv is unused but
 * for the frame size: pass (void *)(1ul << page_shift). */
extern const struct weir_relay_ops weir_relay_heap;

#endif /* WEIR_RELAY_H */
