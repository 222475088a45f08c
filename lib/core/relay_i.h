/* SPDX-License-Identifier: LGPL-2.1-only */
/* relay, inside: where a page is. The pages themselves: relay_pages.c; what is written and read there: relay.c. */
#ifndef WEIR_RELAY_I_H
#define WEIR_RELAY_I_H

#include "weir_relay.h"

/* Bytes from offset `a` on to offset `b`, round the buffer's end if need be. */
static inline size_t weir_relay_distance(const struct weir_relay *relay, size_t a, size_t b)
{
	return b >= a ? b - a : relay->size - a + b;
}

static inline size_t weir_relay_page_size(const struct weir_relay *relay)
{
	return (size_t)1 << relay->page_shift;
}

static inline size_t weir_relay_page_start(const struct weir_relay *relay, size_t offset)
{
	return offset >> relay->page_shift << relay->page_shift;
}

static inline struct weir_relay_page *weir_relay_after(struct weir_relay *relay,
						       struct weir_relay_page *page)
{
	if (page->list.next == &relay->pages)
		return list_first_entry(&relay->pages, struct weir_relay_page, list);
	return list_next_entry(page, list);
}

static inline struct weir_relay_page *weir_relay_before(struct weir_relay *relay,
							struct weir_relay_page *page)
{
	if (page->list.prev == &relay->pages)
		return list_last_entry(&relay->pages, struct weir_relay_page, list);
	return list_prev_entry(page, list);
}

/* The page that holds `offset`, found from `page` (NULL: from the first) the shorter way. */
static inline struct weir_relay_page *weir_relay_find(struct weir_relay *relay, struct weir_relay_page *page,
						      size_t offset)
{
	size_t start = weir_relay_page_start(relay, offset), ahead;

	if (!page)
		page = list_first_entry(&relay->pages, struct weir_relay_page, list);
	ahead = weir_relay_distance(relay, page->offset, start);
	if (ahead <= relay->size - ahead) {
		while (page->offset != start)
			page = weir_relay_after(relay, page);
	} else {
		while (page->offset != start)
			page = weir_relay_before(relay, page);
	}
	return page;
}

/* relay_pages.c: a page that has no frame gets one, NULL if there is none to be had. */
void *weir_relay_populate_page(struct weir_relay *relay, struct weir_relay_page *page);

/* The page's frame for writing. */
static inline void *weir_relay_populate(struct weir_relay *relay, struct weir_relay_page *page)
{
	void *frame = READ_ONCE(page->page);

	return likely(frame) ? frame : weir_relay_populate_page(relay, page);
}

#endif /* WEIR_RELAY_I_H */
