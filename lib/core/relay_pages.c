// SPDX-License-Identifier: LGPL-2.1-only
/*
 * relay_pages: the life of a buffer's pages.
 *
 * The list is complete from init to destroy and never changes in between, so a reader may walk it beside
 * the writer. Only frames come later:
 *
 *   populate:A / frame:A   the frame's first contents, before the pointer to it; readers: relay.c
 */
#include "relay_i.h"

/**
 * weir_relay_destroy() - release the frames and free the descriptors
 * @relay: the buffer; also one whose weir_relay_init() has failed
 *
 * Context: the caller excludes everything else; cursors are void afterwards. Sleeps as ops->release does.
 */
void weir_relay_destroy(struct weir_relay *relay)
{
	struct weir_relay_page *page, *n;

	list_for_each_entry_safe (page, n, &relay->pages, list) {
		list_del(&page->list);
		if (page->page)
			relay->ops->release(relay->priv, page->page);
		weir_free(page);
	}
	relay->size = 0;
	relay->write = NULL;
}

/**
 * weir_relay_init() - make a buffer of pages that are not populated
 * @relay: what to initialise
 * @size: bytes, a multiple of the page size and of the sub-buffer size
 * @page_shift: log2 of the page size
 * @subbuf_shift: log2 of the sub-buffer size
 * @ops: the memory's operations; kept
 * @priv: handed to them
 *
 * Context: may sleep.
 * Return: 0, -EINVAL geometry, -ENOMEM.
 */
int weir_relay_init(struct weir_relay *relay, size_t size, unsigned int page_shift,
		    unsigned int subbuf_shift, const struct weir_relay_ops *ops, void *priv)
{
	const unsigned int bits = sizeof(size_t) * 8;
	size_t offset, mask;

	memset(relay, 0, sizeof(*relay));
	INIT_LIST_HEAD(&relay->pages);
	if (!size || page_shift >= bits || subbuf_shift >= bits)
		return -EINVAL;
	mask = max((size_t)1 << page_shift, (size_t)1 << subbuf_shift) - 1;
	if (size & mask)
		return -EINVAL;
	relay->size = relay->back = relay->gap = size;
	relay->page_shift = page_shift;
	relay->subbuf_shift = subbuf_shift;
	relay->ops = ops;
	relay->priv = priv;
	for (offset = 0; offset < size; offset += (size_t)1 << page_shift) {
		struct weir_relay_page *page = weir_alloc(sizeof(*page));

		if (!page) {
			weir_relay_destroy(relay);
			return -ENOMEM;
		}
		page->offset = offset;
		list_add_tail(&page->list, &relay->pages);
	}
	return 0;
}

/* ---- frames -----------------------------------------------------------------------------------*/

/* Of two writers that nest here, the later one gives its own frame back. */
void *weir_relay_populate_page(struct weir_relay *relay, struct weir_relay_page *page)
{
	void *frame = relay->ops->populate(relay->priv, page->offset);

	if (!frame)
		return NULL;
	smp_wmb(); /* populate:A */
	if (!weir_cmpxchg(&page->page, NULL, frame)) {
		relay->ops->release(relay->priv, frame);
		frame = READ_ONCE(page->page);
	}
	return frame;
}

/**
 * weir_relay_touch() - give a page its frame before anything is written
 * @relay: the buffer
 * @cursor: the caller's own, zeroed before its first use
 * @offset: bytes from the buffer's start
 *
 * For a page that is written through a mapping, and for a writer that may not allocate. Says nothing to the
 * self-test: it is no access.
 *
 * Context: beside writers and readers. Sleeps as ops->populate does.
 * Return: the frame that holds @offset, or NULL: outside the buffer, or none can be had.
 */
void *weir_relay_touch(struct weir_relay *relay, struct weir_relay_cursor *cursor, size_t offset)
{
	if (offset >= relay->size)
		return NULL;
	cursor->read = weir_relay_find(relay, cursor->read, offset);
	return weir_relay_populate(relay, cursor->read);
}

/**
 * weir_relay_exchange() - take a page's frame away, whole, and put another one in its place
 * @relay: the buffer
 * @cursor: the caller's own, zeroed before its first use
 * @offset: bytes from the buffer's start
 * @frame: the new frame
 *
 * Context: beside writers and readers. They may use the old frame until the caller has waited for them.
 * Return: the old frame, the caller's now; or NULL: outside the buffer, or there was none (nothing is changed).
 */
void *weir_relay_exchange(struct weir_relay *relay, struct weir_relay_cursor *cursor, size_t offset,
			  void *frame)
{
	struct weir_relay_page *page;
	void *old;

	if (offset >= relay->size)
		return NULL;
	page = cursor->read = weir_relay_find(relay, cursor->read, offset);
	smp_wmb(); /* populate:A */
	do
		old = READ_ONCE(page->page);
	while (old && !weir_cmpxchg(&page->page, old, frame));
	return old;
}
