// SPDX-License-Identifier: LGPL-2.1-only
/*
 * relay: a buffer as a linked list of pages, after the RFC "LTTng relay buffer allocation, read, write v2"
 * (M. Desnoyers, 2008-10-01).
 *
 * The pages' life is in relay_pages.c; here is what they are for, the wrappers.
 *
 * An access finds its page from a cached one, whose offset tells at once whether it is a hit; a neighbour is
 * one step along the list, anything else the shorter way round. The self-test looks at the same distance:
 *
 *   write    sequential, the same or a neighbouring page, the start of the next sub-buffer, offset 0, the
 *            page of the open sub-buffer's header;
 *            ahead in the same sub-buffer, once, as a nested writer does over bytes that another one has
 *            reserved; back to where such a jump, or a switch, began, as the other one does afterwards
 *   read     sequential, the same or a neighbouring page, the start of any sub-buffer
 *   header   the first page of any sub-buffer
 *
 * Whatever else is asked for is random access: counted, warned of once, done.
 */
#include "relay_i.h"

/* Bytes of an access that lie in the page at its offset. */
static size_t weir_relay_chunk(const struct weir_relay *relay, size_t offset, size_t len)
{
	size_t room = weir_relay_page_size(relay) - (offset - weir_relay_page_start(relay, offset));

	return min(room, len);
}

static bool weir_relay_inside(const struct weir_relay *relay, size_t offset, size_t len)
{
	return offset <= relay->size && len <= relay->size - offset;
}

/* ---- self-test --------------------------------------------------------------------------------*/

static bool weir_relay_near(const struct weir_relay *relay, const struct weir_relay_page *page,
			    size_t offset)
{
	size_t ahead =
		weir_relay_distance(relay, page->offset, weir_relay_page_start(relay, offset));

	return min(ahead, relay->size - ahead) <= weir_relay_page_size(relay);
}

/* Records are exact in length and aligned to 8 bytes: an access goes on at `next` or right behind it. */
static bool weir_relay_continues(const struct weir_relay *relay, size_t next, size_t offset)
{
	return weir_relay_distance(relay, next, offset) <= (-next & 7);
}

static size_t weir_relay_in_subbuf(const struct weir_relay *relay, size_t offset)
{
	return offset & (((size_t)1 << relay->subbuf_shift) - 1);
}

/* Behind `next`, in the page of the header of the sub-buffer that was written last. */
static bool weir_relay_is_header(const struct weir_relay *relay, size_t next, size_t offset)
{
	size_t last = (next ? next : relay->size) - 1;
	size_t start = last - weir_relay_in_subbuf(relay, last);

	return offset <= last && offset >= start && offset - start < weir_relay_page_size(relay);
}

/* Readers count beside the writer and beside each other; the first that may warns. */
static void weir_relay_count_random(struct weir_relay *relay, const char *what, size_t offset)
{
	u64 count;

	do
		count = READ_ONCE(relay->random);
	while (!weir_cmpxchg(&relay->random, count, count + 1));
	if (READ_ONCE(relay->warned) || !weir_may_warn() || !weir_cmpxchg(&relay->warned, false, true))
		return;
	weir_warn("relay: random access: %s at offset %zu of %zu", what, offset, relay->size);
}

static void weir_relay_jumped(struct weir_relay *relay, size_t back, size_t gap)
{
	WRITE_ONCE(relay->back, back);
	WRITE_ONCE(relay->gap, gap);
}

/* A writer that was jumped over goes on; once it reaches the one that jumped, nothing is outstanding. */
static void weir_relay_caught_up(struct weir_relay *relay, size_t end)
{
	if (relay->gap != relay->size && weir_relay_continues(relay, end, relay->gap))
		weir_relay_jumped(relay, relay->size, relay->size);
	else
		WRITE_ONCE(relay->back, end);
}

/* A write that does not go on at `next`. True if `next` moves behind it. A nested writer may run in between
 * any two steps here: at worst one access is judged wrongly. */
static bool weir_relay_judge_jump(struct weir_relay *relay, const struct weir_relay_page *page,
				  size_t offset, size_t end)
{
	size_t next = READ_ONCE(relay->next);
	size_t ahead = weir_relay_distance(relay, next, offset);
	size_t rest = ((size_t)1 << relay->subbuf_shift) - weir_relay_in_subbuf(relay, next);
	bool outstanding = relay->gap != relay->size, near = weir_relay_near(relay, page, offset);

	if (relay->back != relay->size && weir_relay_continues(relay, relay->back, offset)) {
		weir_relay_caught_up(relay, end);
		return false;
	}
	if (weir_relay_is_header(relay, next, offset)) /* the open packet's, completed */
		return false;
	if (ahead == rest || !offset) { /* a switch */
		if (!outstanding)
			weir_relay_jumped(relay, next, relay->size);
		return true;
	}
	if (near && ahead >= relay->size - ahead) /* a little back */
		return false;
	if (ahead < rest && (near || !outstanding)) { /* over what another one reserved */
		if (!outstanding)
			weir_relay_jumped(relay, next, offset);
		return true;
	}
	if (!near)
		weir_relay_count_random(relay, "write", offset);
	weir_relay_jumped(relay, relay->size, relay->size);
	return true;
}

static void weir_relay_judge_write(struct weir_relay *relay, const struct weir_relay_page *page,
				   size_t offset, size_t len)
{
	size_t end = offset + len == relay->size ? 0 : offset + len;

	if (!page || weir_relay_continues(relay, READ_ONCE(relay->next), offset) ||
	    weir_relay_judge_jump(relay, page, offset, end))
		WRITE_ONCE(relay->next, end);
}

static void weir_relay_judge_read(struct weir_relay *relay, struct weir_relay_cursor *cursor,
				  size_t offset, size_t len)
{
	if (cursor->read && weir_relay_in_subbuf(relay, offset) &&
	    !weir_relay_continues(relay, cursor->next, offset) &&
	    !weir_relay_near(relay, cursor->read, offset))
		weir_relay_count_random(relay, "read", offset);
	cursor->next = offset + len == relay->size ? 0 : offset + len;
}

/* ---- frames -----------------------------------------------------------------------------------*/

/* The page's frame for reading; NULL: there is none, its bytes are zeros. A frame that was looked up is
 * borrowed: it is neither kept nor released here. */
static void *weir_relay_frame(struct weir_relay *relay, struct weir_relay_page *page)
{
	void *frame = smp_load_acquire(&page->page); /* frame:A */

	if (!frame && relay->ops->lookup)
		frame = relay->ops->lookup(relay->priv, page->offset);
	return frame;
}

static int weir_relay_populate_all(struct weir_relay *relay, struct weir_relay_page *page,
				   size_t offset, size_t len)
{
	size_t end = offset + len;

	for (;; page = weir_relay_after(relay, page)) {
		if (!weir_relay_populate(relay, page))
			return -ENOMEM;
		if (end - page->offset <= weir_relay_page_size(relay))
			return 0;
	}
}

/* ---- the wrappers -----------------------------------------------------------------------------*/

/* From the page that was written last. */
static int weir_relay_write_from(struct weir_relay *relay, struct weir_relay_page *page, size_t offset,
				 const void *src, size_t len)
{
	int ret;

	page = weir_relay_find(relay, page, offset);
	WRITE_ONCE(relay->write, page);
	ret = weir_relay_populate_all(relay, page, offset, len);
	while (!ret && len) {
		size_t chunk = weir_relay_chunk(relay, offset, len);

		if (offset - page->offset >= weir_relay_page_size(relay)) {
			page = weir_relay_after(relay, page);
			WRITE_ONCE(relay->write, page);
		}
		ret = relay->ops->write(relay->priv, READ_ONCE(page->page), offset, src, chunk);
		src = (const char *)src + chunk;
		offset += chunk;
		len -= chunk;
	}
	return ret;
}

/**
 * weir_relay_write() - copy bytes into the buffer
 * @relay: the buffer
 * @offset: bytes from the buffer's start
 * @src: what to copy
 * @len: bytes; any number of pages, but not past the buffer's end
 *
 * Pages on the way are populated first, so that nothing is written when one cannot be had.
 *
 * Context: the caller excludes other writers, but for one that nests (an interrupt on the same CPU). Sleeps
 * and faults as ops->populate and ops->write do.
 * Return: 0, -EINVAL outside the buffer, -ENOMEM no page, or what ops->write returned.
 */
int weir_relay_write(struct weir_relay *relay, size_t offset, const void *src, size_t len)
{
	struct weir_relay_page *page = READ_ONCE(relay->write);

	if (!weir_relay_inside(relay, offset, len))
		return -EINVAL;
	if (!len)
		return 0;
	weir_relay_judge_write(relay, page, offset, len);
	return weir_relay_write_from(relay, page, offset, src, len);
}

/**
 * weir_relay_write_reserved() - copy bytes to a place that the caller has reserved
 * @relay: the buffer
 * @offset: bytes from the buffer's start
 * @src: what to copy
 * @len: bytes; any number of pages, but not past the buffer's end
 *
 * As weir_relay_write(), for writers that nest in each other to any depth, as those of the kernel do: in which order
 * they come is known to what they reserve by, and the self-test, which would have to guess, is not asked.
 */
int weir_relay_write_reserved(struct weir_relay *relay, size_t offset, const void *src, size_t len)
{
	if (!weir_relay_inside(relay, offset, len))
		return -EINVAL;
	return len ? weir_relay_write_from(relay, READ_ONCE(relay->write), offset, src, len) : 0;
}

/**
 * weir_relay_read() - copy bytes out of the buffer
 * @relay: the buffer
 * @cursor: the caller's own, zeroed before its first use
 * @offset: bytes from the buffer's start
 * @dst: where to
 * @len: bytes; any number of pages, but not past the buffer's end
 *
 * Bytes of pages that nobody has written are zeros; no page is made for them. Beside a writer the bytes may
 * be old, new or a mixture: the ring's claim tells which of them count.
 *
 * Context: beside one writer and any number of readers. Sleeps and faults as ops->read does.
 * Return: 0, -EINVAL outside the buffer, or what ops->read returned.
 */
int weir_relay_read(struct weir_relay *relay, struct weir_relay_cursor *cursor, size_t offset,
		    void *dst, size_t len)
{
	struct weir_relay_page *page;
	int ret = 0;

	if (!weir_relay_inside(relay, offset, len))
		return -EINVAL;
	if (!len)
		return 0;
	weir_relay_judge_read(relay, cursor, offset, len);
	page = weir_relay_find(relay, cursor->read, offset);
	while (!ret && len) {
		size_t chunk = weir_relay_chunk(relay, offset, len);
		void *frame;

		if (offset - page->offset >= weir_relay_page_size(relay))
			page = weir_relay_after(relay, page);
		frame = weir_relay_frame(relay, page);
		if (frame)
			ret = relay->ops->read(relay->priv, frame, offset, dst, chunk);
		else
			memset(dst, 0, chunk);
		dst = (char *)dst + chunk;
		offset += chunk;
		len -= chunk;
	}
	cursor->read = page;
	return ret;
}

/**
 * weir_relay_header() - address of a sub-buffer's header
 * @relay: the buffer
 * @cursor: the caller's own, zeroed before its first use
 * @offset: bytes from the buffer's start, in the first page of a sub-buffer
 *
 * The address is good up to the end of that page. An even and an odd sub-buffer are cached, so that two
 * contiguous ones (the one left and the one entered) are found at once.
 *
 * Context: beside readers; the caller excludes the writer. Does not sleep.
 * Return: the address of the byte at @offset, or NULL outside the buffer, where the page is not populated,
 * and where frames have no address.
 */
void *weir_relay_header(struct weir_relay *relay, struct weir_relay_cursor *cursor, size_t offset)
{
	unsigned int odd = (offset >> relay->subbuf_shift) & 1;
	struct weir_relay_page *page = cursor->header[odd];
	void *frame, *address;

	if (offset >= relay->size || !relay->ops->address)
		return NULL;
	if (weir_relay_in_subbuf(relay, offset) >= weir_relay_page_size(relay))
		weir_relay_count_random(relay, "header", offset);
	page = weir_relay_find(relay, page ? page : cursor->header[!odd], offset);
	cursor->header[odd] = page;
	frame = weir_relay_frame(relay, page);
	if (!frame)
		return NULL;
	address = relay->ops->address(relay->priv, frame);
	return address ? (char *)address + (offset - page->offset) : NULL;
}
