// SPDX-License-Identifier: GPL-2.0-only
/*
 * anchor: what a crash dump is searched for (abi.h, "crash anchor").
 *
 * Kept up to date while everything runs, since nothing runs when it is needed. Whatever a frame
 * number leads to is there before the number is stored (table:A, pages.c), and the number goes
 * before what it leads to.
 *
 * Who reads it is no CPU: it is memory as it was when all of them stood still, in any order of
 * stores that the machine allows. So there is no other half of
 *
 *   dump:A   all that an entry says, before the word that makes it one: a magic, a ring's epoch
 */
#include <linux/idr.h>
#include <linux/mm.h>
#include <linux/pid.h>
#include <linux/timekeeping.h>
#include <linux/utsname.h>
#include <linux/vmalloc.h>

#include "weir_kmod.h"

static struct page *weir_anchor_page;
static struct weir_pages weir_anchor_control;
static struct weir_pages weir_anchor_sources;
static DEFINE_IDA(weir_anchor_indices);

/* Inverted, so that the magic itself stands in the anchor only. */
static const u64 weir_anchor_magic[2] = { WEIR_ANCHOR_MAGIC0, WEIR_ANCHOR_MAGIC1 };

static struct weir_anchor *weir_anchor(void)
{
	return page_address(weir_anchor_page);
}

/* ---- sources --------------------------------------------------------------------------------- */

static void weir_anchor_fill(const struct weir_source *source)
{
	struct weir_anchor_source *anchor = page_address(source->anchor);

	anchor->self = page_to_pfn(source->anchor);
	anchor->id = source->id;
	anchor->pid = pid_nr(source->pid);
	anchor->uid = from_kuid(&init_user_ns, source->uid);
	anchor->gid = from_kgid(&init_user_ns, source->gid);
	anchor->nr_cpus = weir_nr_cpus();
	memcpy(anchor->comm, source->comm, sizeof(anchor->comm));
	anchor->process = source->process.table;
	anchor->rings = source->rings.table;
	smp_store_release(&anchor->magic, WEIR_ANCHOR_SOURCE_MAGIC); /* dump:A */
}

/* A source is made. Context: weir_source_lock. 0 or -errno. */
int weir_anchor_add(struct weir_source *source)
{
	int index;

	source->anchor = weir_page_alloc(source->user, NUMA_NO_NODE);
	if (!source->anchor)
		return -ENOMEM;
	weir_anchor_fill(source);
	index = ida_alloc_max(&weir_anchor_indices, WEIR_ANCHOR_SOURCES - 1, GFP_KERNEL);
	if (index < 0)
		return index;
	if (weir_pages_room(&weir_anchor_sources, index)) {
		ida_free(&weir_anchor_indices, index);
		return -ENOMEM;
	}
	weir_pages_set(&weir_anchor_sources, index, source->anchor);
	source->anchor_index = index;
	return 0;
}

/* Its buffers are mapped. Context: weir_source_lock. */
void weir_anchor_attached(struct weir_source *source)
{
	struct weir_anchor_source *anchor = page_address(source->anchor);

	WRITE_ONCE(anchor->ring_stride, source->stride);
}

/* It is going; also one that was not added, or has gone. Context: nobody else does this. */
void weir_anchor_remove(struct weir_source *source)
{
	struct weir_anchor_source *anchor;

	if (!source->anchor)
		return;
	anchor = page_address(source->anchor);
	WRITE_ONCE(anchor->magic, 0);
	if (source->anchor_index >= 0) {
		weir_pages_set(&weir_anchor_sources, source->anchor_index, NULL);
		ida_free(&weir_anchor_indices, source->anchor_index);
	}
	weir_page_free(source->user, source->anchor);
	source->anchor = NULL;
	source->anchor_index = -1;
}

/* ---- rings ----------------------------------------------------------------------------------- */

static struct weir_anchor_ring *weir_anchor_ring_of(struct weir_buffer *buffer, bool make)
{
	u32 index = weir_ring_index(weir_nr_cpus(), buffer->slot, buffer->cpu);
	struct weir_pages *rings = &buffer->source->rings;
	struct page *page;

	if (make)
		page = weir_pages_make(rings, index / WEIR_ANCHOR_RINGS);
	else
		page = weir_pages_get(rings, index / WEIR_ANCHOR_RINGS);
	return page ? (struct weir_anchor_ring *)page_address(page) + index % WEIR_ANCHOR_RINGS
		    : NULL;
}

/* A buffer is made. Context: source->lock. 0 or -ENOMEM. */
int weir_anchor_ring(struct weir_buffer *buffer)
{
	struct weir_anchor_ring *ring = weir_anchor_ring_of(buffer, true);

	if (!ring)
		return -ENOMEM;
	ring->pages = buffer->pages.table;
	smp_store_release(&ring->epoch, buffer->epoch); /* dump:A */
	return 0;
}

/* It was taken away from its source. Context: source->lock. */
void weir_anchor_ring_gone(struct weir_buffer *buffer)
{
	struct weir_anchor_ring *ring = weir_anchor_ring_of(buffer, false);

	WRITE_ONCE(ring->epoch, 0);
	WRITE_ONCE(ring->pages.pfn, 0);
}

/* ---- the anchor ------------------------------------------------------------------------------ */

/* The clock of the day is set now and then. */
void weir_anchor_renew(void)
{
	WRITE_ONCE(weir_anchor()->realtime, ktime_get_real_ns() - ktime_get_ns());
}

static int weir_anchor_list_control(void)
{
	u32 i, pages = PAGE_ALIGN(sizeof(*weir_control)) >> PAGE_SHIFT;
	int err = weir_pages_init(&weir_anchor_control, pages, NULL, NUMA_NO_NODE);

	for (i = 0; i < pages && !err; i++) {
		err = weir_pages_room(&weir_anchor_control, i);
		if (!err)
			weir_pages_set(&weir_anchor_control, i,
				       vmalloc_to_page((char *)weir_control + i * PAGE_SIZE));
	}
	return err;
}

void weir_anchor_exit(void)
{
	if (weir_anchor_page) {
		memset(weir_anchor(), 0, sizeof(struct weir_anchor));
		weir_page_free(NULL, weir_anchor_page);
	}
	weir_pages_destroy(&weir_anchor_control, false);
	weir_pages_destroy(&weir_anchor_sources, false);
	ida_destroy(&weir_anchor_indices);
}

/* Context: after weir_control_init(). */
int weir_anchor_init(void)
{
	struct weir_anchor *anchor;
	int err = weir_anchor_list_control();

	if (!err)
		err = weir_pages_init(&weir_anchor_sources, WEIR_ANCHOR_SOURCES, NULL,
				      NUMA_NO_NODE);
	weir_anchor_page = err ? NULL : weir_page_alloc(NULL, NUMA_NO_NODE);
	if (!weir_anchor_page) {
		weir_anchor_exit();
		return err ?: -ENOMEM;
	}
	anchor = weir_anchor();
	anchor->self = page_to_pfn(weir_anchor_page);
	anchor->version = WEIR_ANCHOR_VERSION;
	anchor->abi_version = WEIR_ABI_VERSION;
	anchor->page_shift = PAGE_SHIFT;
	anchor->nr_cpus = weir_nr_cpus();
	anchor->control = weir_anchor_control.table;
	anchor->sources = weir_anchor_sources.table;
	strscpy(anchor->release, init_utsname()->release, sizeof(anchor->release));
	strscpy(anchor->nodename, init_utsname()->nodename, sizeof(anchor->nodename));
	weir_anchor_renew();
	WRITE_ONCE(anchor->magic[1], ~READ_ONCE(weir_anchor_magic[1]));
	smp_store_release(&anchor->magic[0], /* dump:A */
			  ~READ_ONCE(weir_anchor_magic[0]));
	return 0;
}
