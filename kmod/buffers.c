// SPDX-License-Identifier: GPL-2.0-only
/*
 * buffers: the pages of one ring, a struct weir_relay of the core with frames that are pages.
 *
 * The relay's list is what everybody reads and the kernel writes through; a table of frame numbers
 * (pages.c) stands beside it, for faults and for crash dumps. Both are changed under source->lock
 * alone, and readers look without.
 *
 * Pages are made by weir_buffer_populate(), in process context. A writer that comes upon a page
 * that was not made gets none: it may be an interrupt.
 */
#include <linux/bitmap.h>
#include <linux/slab.h>
#include <linux/topology.h>

#include "weir_kmod.h"

/* ---- the relay's memory ---------------------------------------------------------------------- */

static u32 weir_buffer_index(size_t offset)
{
	return offset >> PAGE_SHIFT;
}

static void *weir_buffer_op_populate(void *priv, size_t offset)
{
	struct weir_buffer *buffer = priv;

	if (READ_ONCE(buffer->maker) != current || !in_task())
		return NULL;
	return weir_pages_make(&buffer->pages, weir_buffer_index(offset));
}

static void weir_buffer_op_release(void *priv, void *page)
{
	struct weir_buffer *buffer = priv;

	weir_page_free(buffer->source->user, page);
}

static int weir_buffer_op_write(void *priv, void *page, size_t offset, const void *src, size_t len)
{
	memcpy(page_address(page) + offset_in_page(offset), src, len);
	return 0;
}

static int weir_buffer_op_read(void *priv, void *page, size_t offset, void *dst, size_t len)
{
	memcpy(dst, page_address(page) + offset_in_page(offset), len);
	return 0;
}

static void *weir_buffer_op_address(void *priv, void *page)
{
	return page_address(page);
}

static const struct weir_relay_ops weir_buffer_ops = {
	.populate = weir_buffer_op_populate,
	.release = weir_buffer_op_release,
	.write = weir_buffer_op_write,
	.read = weir_buffer_op_read,
	.address = weir_buffer_op_address,
};

/* ---- pages ----------------------------------------------------------------------------------- */

/* The page that holds an offset; NULL: outside, or not made. Context: any, with a reference. */
struct page *weir_buffer_page(const struct weir_buffer *buffer, size_t offset)
{
	return weir_pages_get(&buffer->pages, weir_buffer_index(offset));
}

/* Where the process has its ring. */
u64 weir_buffer_place(const struct weir_buffer *buffer)
{
	return weir_buffers_offset(buffer->source, buffer->slot, buffer->cpu);
}

/**
 * weir_buffer_populate() - make the page that holds an offset
 * @buffer: the buffer
 * @offset: any
 *
 * Context: source->lock.
 * Return: the page, or NULL: outside, in a sub-buffer that was refused one, or none can be had.
 */
struct page *weir_buffer_populate(struct weir_buffer *buffer, size_t offset)
{
	struct page *page = weir_buffer_page(buffer, offset);
	struct weir_source *source = buffer->source;

	lockdep_assert_held(&source->lock);
	if (offset >= buffer->relay.size || weir_buffer_refused(buffer, offset))
		return NULL;
	if (page)
		return page;
	WRITE_ONCE(buffer->maker, current);
	page = weir_relay_touch(&buffer->relay, &buffer->touched, offset);
	WRITE_ONCE(buffer->maker, NULL);
	if (page)
		weir_zap_view(source, weir_buffer_place(buffer) + (offset & PAGE_MASK), PAGE_SIZE);
	return page;
}

/**
 * weir_buffer_move() - take a page out of the ring, another one takes its place
 * @buffer: of the kernel
 * @cursor: the caller's own
 * @offset: of a page that was made
 * @page: the new page; then the old one, which the caller owns, and has paid for with the new one
 *
 * Readers may still use the old page: the caller waits for them (synchronize_rcu(), source->lock).
 *
 * Context: any; the caller excludes writers of the page, and other moves.
 */
void weir_buffer_move(struct weir_buffer *buffer, struct weir_relay_cursor *cursor, size_t offset,
		      struct page **page)
{
	struct page *old = weir_relay_exchange(&buffer->relay, cursor, offset, *page);

	if (!old)
		return;
	weir_pages_set(&buffer->pages, weir_buffer_index(offset), *page);
	*page = old;
}

/* Copies bytes out. A page that is moved meanwhile stays until then. Context: a reference. */
void weir_buffer_read(struct weir_buffer *buffer, struct weir_relay_cursor *cursor, size_t offset,
		      void *dst, size_t len)
{
	rcu_read_lock();
	weir_relay_read(&buffer->relay, cursor, offset, dst, len);
	rcu_read_unlock();
}

/* ---- life ------------------------------------------------------------------------------------ */

static void weir_buffer_free(struct work_struct *work)
{
	struct weir_buffer *buffer = container_of(work, struct weir_buffer, work);

	weir_relay_destroy(&buffer->relay);
	bitmap_free(buffer->refused);
	weir_pages_uncharge(buffer->source->user, buffer->charged);
	weir_pages_destroy(&buffer->pages, false);
	weir_source_put(buffer->source);
	kfree_rcu(buffer, rcu);
}

static void weir_buffer_release(struct kref *ref)
{
	struct weir_buffer *buffer = container_of(ref, struct weir_buffer, ref);

	queue_work(weir_wq, &buffer->work);
}

void weir_buffer_put(struct weir_buffer *buffer)
{
	if (buffer)
		kref_put(&buffer->ref, weir_buffer_release);
}

/**
 * weir_buffer_get() - the buffer of a ring
 * @source: whose
 * @slot: of the ring, in bounds
 * @cpu: of the ring, in bounds
 *
 * Context: any but an NMI.
 * Return: a reference, or NULL: none was made since the slot's epoch began.
 */
struct weir_buffer *weir_buffer_get(struct weir_source *source, unsigned int slot, unsigned int cpu)
{
	struct weir_buffer *buffer;

	rcu_read_lock();
	buffer = rcu_dereference(source->buffer[weir_ring_index(weir_nr_cpus(), slot, cpu)]);
	if (buffer && !kref_get_unless_zero(&buffer->ref))
		buffer = NULL;
	rcu_read_unlock();
	return buffer;
}

/* The same without a reference. Context: source->lock. */
struct weir_buffer *weir_buffer_at(const struct weir_source *source, u32 index)
{
	return rcu_dereference_protected(source->buffer[index], lockdep_is_held(&source->lock));
}

/* Near the CPU that writes; the ring behind the last CPU's has none. */
static int weir_buffer_node(unsigned int cpu)
{
	return cpu < nr_cpu_ids && cpu_possible(cpu) ? cpu_to_node(cpu) : NUMA_NO_NODE;
}

/* What the list of a ring's pages takes, in pages: of a large one it is more than a few bytes. */
static unsigned int weir_buffer_list_pages(const struct weir_buffer *buffer)
{
	return (weir_epoch_ring_size(buffer->epoch) >> PAGE_SHIFT) * sizeof(struct weir_relay_page) >>
	       PAGE_SHIFT;
}

static int weir_buffer_init(struct weir_buffer *buffer)
{
	struct weir_source *source = buffer->source;
	size_t size = weir_epoch_ring_size(buffer->epoch);
	int err;

	if (!weir_pages_charge(source->user, weir_buffer_list_pages(buffer)))
		return -ENOMEM;
	buffer->charged = weir_buffer_list_pages(buffer);
	buffer->refused = bitmap_zalloc(weir_buffer_subbuf(buffer, size), WEIR_GFP);
	buffer->ring = weir_source_ring_make(source, buffer->slot, buffer->cpu);
	if (!buffer->refused || !buffer->ring)
		return -ENOMEM;
	err = weir_relay_init(&buffer->relay, size, PAGE_SHIFT,
			      weir_epoch_subbuf_shift(buffer->epoch), &weir_buffer_ops, buffer);
	if (!err)
		err = weir_pages_init(&buffer->pages, size >> PAGE_SHIFT, source->user,
				      weir_buffer_node(buffer->cpu));
	if (!err)
		err = weir_anchor_ring(buffer);
	return err;
}

static struct weir_buffer *weir_buffer_alloc(struct weir_source *source, unsigned int slot,
					     unsigned int cpu, u64 epoch)
{
	struct weir_buffer *buffer = kzalloc(sizeof(*buffer), WEIR_GFP);
	static atomic64_t id;

	if (!buffer)
		return NULL;
	buffer->id = atomic64_inc_return(&id);
	kref_init(&buffer->ref);
	INIT_WORK(&buffer->work, weir_buffer_free);
	INIT_LIST_HEAD(&buffer->relay.pages);
	kref_get(&source->ref);
	buffer->source = source;
	buffer->slot = slot;
	buffer->cpu = cpu;
	buffer->epoch = epoch;
	if (weir_buffer_init(buffer)) {
		weir_buffer_put(buffer);
		return NULL;
	}
	return buffer;
}

/**
 * weir_buffer_make() - the buffer of a ring, made for the slot's epoch if there is none
 * @source: whose
 * @slot: of the ring, in bounds
 * @cpu: of the ring, in bounds
 *
 * Context: source->lock.
 * Return: the buffer, without a reference; NULL: the slot is free or changing, its rings are larger
 * than the mapping's, or there is no memory.
 */
struct weir_buffer *weir_buffer_make(struct weir_source *source, unsigned int slot,
				     unsigned int cpu)
{
	u32 index = weir_ring_index(weir_nr_cpus(), slot, cpu);
	struct weir_buffer *buffer = weir_buffer_at(source, index);
	u64 epoch = weir_slot_epoch(slot);

	if (buffer)
		return buffer;
	if (!epoch || weir_epoch_ring_size(epoch) > source->stride)
		return NULL;
	if (source != weir_kernel && weir_slot_changes(slot))
		return NULL;
	buffer = weir_buffer_alloc(source, slot, cpu, epoch);
	if (buffer)
		rcu_assign_pointer(source->buffer[index], buffer);
	return buffer;
}

/**
 * weir_buffers_take() - take buffers away from a source
 * @source: whose
 * @gone: list for them; they may still be mapped
 * @all: all of them; else those of another epoch than their slot has
 *
 * Context: source->lock.
 */
void weir_buffers_take(struct weir_source *source, struct list_head *gone, bool all)
{
	struct weir_buffer *buffer;
	u32 i;

	for (i = 0; i < weir_nr_rings(); i++) {
		buffer = weir_buffer_at(source, i);
		if (!buffer || (!all && buffer->epoch == weir_slot_epoch(buffer->slot)))
			continue;
		RCU_INIT_POINTER(source->buffer[i], NULL);
		weir_anchor_ring_gone(buffer);
		list_add_tail(&buffer->gone, gone);
	}
}

/* Lets go of what was taken. Context: nothing maps it any more. */
void weir_buffers_put(struct list_head *gone)
{
	struct weir_buffer *buffer, *next;

	list_for_each_entry_safe(buffer, next, gone, gone) {
		list_del(&buffer->gone);
		weir_buffer_put(buffer);
	}
}
