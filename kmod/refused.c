// SPDX-License-Identifier: GPL-2.0-only
/*
 * refused: what a process at its user's limit has written in part.
 *
 * Where a page cannot be had, the process goes on in the sink (mappings.c), and a sub-buffer that
 * lacks a page is none: for its epoch, for every reader, and for the process, whose header of it
 * goes to the sink, too.
 */
#include <linux/pagemap.h>

#include "weir_kmod.h"

/* Whether a sub-buffer of a process has lacked a page, for good. Context: any, with a reference. */
bool weir_buffer_refused(const struct weir_buffer *buffer, size_t offset)
{
	return test_bit(weir_buffer_subbuf(buffer, offset), buffer->refused);
}

/* The header of the sub-buffer that holds an offset; NULL: its page was not made. */
static struct weir_packet *weir_buffer_header(const struct weir_buffer *buffer, size_t offset)
{
	size_t start = offset & ~(weir_epoch_subbuf_size(buffer->epoch) - 1);
	struct page *page = weir_buffer_page(buffer, start);

	return page ? page_address(page) : NULL;
}

static void weir_buffer_unmark(const struct weir_buffer *buffer, size_t offset)
{
	struct weir_packet *header = weir_buffer_header(buffer, offset);

	if (header)
		WRITE_ONCE(header->magic, 0);
}

/*
 * A process touches a ring that it has no buffer of yet. What it was given before, when none could
 * be made, was the sink: without this it would keep that in the middle of sub-buffers that have their
 * header. Context: source->lock, in the fault.
 */
void weir_buffer_begin(struct weir_buffer *buffer)
{
	wait_on_page_locked(buffer->source->sink[1]);
	weir_zap_process(buffer->source, weir_buffer_place(buffer), buffer->relay.size);
}

/**
 * weir_buffer_refuse() - a sub-buffer lacks a page: it holds no packet any more, in no lap
 * @buffer: of a process
 * @offset: of the page, inside the ring
 *
 * A record that goes on in the sink would be read as half of it and zeros. So the process's headers
 * go there, too, from now on, and what was written of this one says that it is none. Whoever has
 * sampled the ring before finds all bytes that were complete then: they precede the page.
 *
 *   refuse:H / switched:H   the bit, before the magic is taken away; a switch looks at the bit when it
 *                           has written a header: whoever comes last takes the magic
 *
 * Context: source->lock, in the fault of who writes there.
 */
void weir_buffer_refuse(struct weir_buffer *buffer, size_t offset)
{
	unsigned long subbuf = weir_buffer_subbuf(buffer, offset);
	size_t start = subbuf << weir_epoch_subbuf_shift(buffer->epoch);
	struct page *page = weir_buffer_page(buffer, start);

	if (test_and_set_bit(subbuf, buffer->refused) || !page) /* refuse:H */
		return;
	wait_on_page_locked(page); /* who found it is putting it into a page table */
	weir_zap_process(buffer->source, weir_buffer_place(buffer) + start, PAGE_SIZE);
	weir_buffer_unmark(buffer, start);
}

/* The module has written the header of the packet that ends at @position. Context: any. */
void weir_buffer_switched(const struct weir_buffer *buffer, u64 position)
{
	size_t offset = (position - 1) & (buffer->relay.size - 1);

	smp_mb(); /* switched:H */
	if (weir_buffer_refused(buffer, offset))
		weir_buffer_unmark(buffer, offset);
}

/* Whether a sub-buffer's header was written, and says so. Context: any, with a reference. */
bool weir_buffer_marked(const struct weir_buffer *buffer, size_t offset)
{
	const struct weir_packet *header = weir_buffer_header(buffer, offset);

	return header && !weir_buffer_refused(buffer, offset) &&
	       READ_ONCE(header->magic) == WEIR_CTF_MAGIC;
}
