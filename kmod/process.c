// SPDX-License-Identifier: GPL-2.0-only
/*
 * process: sources. One attach of a process is one source; the kernel is one, too (kernel.c).
 *
 * The list is walked under RCU, or under weir_source_lock by who changes it. A reference keeps the
 * object; what keeps it on the list, and its buffers, is weir_source_check()'s to say.
 *
 *   end:A / over:A   what the process wrote, before the state that says that it writes no more; a
 *                    stream loads the state before it looks for the last bytes (stream.c)
 */
#include <linux/bitmap.h>
#include <linux/pagemap.h>
#include <linux/pid.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "weir_kmod.h"

DEFINE_MUTEX(weir_source_lock); /* what it excludes: weir_kmod.h */
LIST_HEAD(weir_sources);
static u64 weir_source_next = WEIR_DEV_KERNEL_ID; /* weir_source_lock */
static atomic_long_t weir_sources_count;
weir_counter(sources, weir_sources_count,
	     "sources: attached processes, those that have ended but are not read yet, the kernel");

/* ---- the end --------------------------------------------------------------------------------- */

static void weir_source_free(struct weir_source *source)
{
	weir_anchor_remove(source);
	weir_pages_destroy(&source->process, true);
	weir_pages_destroy(&source->rings, true);
	if (source->sink[0])
		weir_page_free(source->user, source->sink[0]);
	if (source->sink[1])
		weir_page_free(source->user, source->sink[1]);
	kvfree(source->buffer);
	bitmap_free(source->streams);
	iput(source->inode);
	iput(source->view);
	put_pid(source->pid);
	if (source->user)
		weir_user_detach(source->user);
	atomic_long_dec(&weir_sources_count);
	kfree_rcu(source, rcu);
}

static void weir_source_release(struct kref *ref)
{
	weir_source_free(container_of(ref, struct weir_source, ref));
}

/* Context: may sleep; not under weir_source_lock. */
void weir_source_put(struct weir_source *source)
{
	if (source)
		kref_put(&source->ref, weir_source_release);
}

/* What is left of a source that has retired: nothing maps it, nobody finds it. */
static void weir_source_reap(struct work_struct *work)
{
	struct weir_source *source = container_of(work, struct weir_source, reap);
	LIST_HEAD(gone);

	weir_anchor_remove(source);
	mutex_lock(&source->lock);
	weir_buffers_take(source, &gone, true);
	mutex_unlock(&source->lock);
	weir_buffers_put(&gone);
	weir_source_put(source);
}

/**
 * weir_source_check() - take a source off the list if nothing needs it any more
 * @source: one that something has let go of
 *
 * Context: weir_source_lock.
 */
void weir_source_check(struct weir_source *source)
{
	if (source->state != WEIR_SOURCE_ENDED || source->consumers || !list_empty(&source->notice))
		return;
	source->state = WEIR_SOURCE_RETIRED;
	list_del_rcu(&source->list);
	queue_work(weir_wq, &source->reap);
}

/* ---- mappings come and go -------------------------------------------------------------------- */

/* One more mapping of a region. 0; -EBADFD the source has ended. */
int weir_source_map(struct weir_source *source)
{
	int err = 0;

	mutex_lock(&weir_source_lock);
	if (source->state < WEIR_SOURCE_ENDED)
		atomic_inc(&source->mappings);
	else
		err = -EBADFD;
	mutex_unlock(&weir_source_lock);
	return err;
}

/**
 * weir_source_attach() - the buffers were mapped
 * @source: with a mapping counted
 * @stride: bytes of a ring in them
 *
 * Return: 0; -EINVAL they are mapped with another stride.
 */
int weir_source_attach(struct weir_source *source, u64 stride)
{
	int err = 0;

	mutex_lock(&weir_source_lock);
	if (source->stride && source->stride != stride)
		err = -EINVAL;
	WRITE_ONCE(source->stride, source->stride ?: stride);
	if (!err && source->state == WEIR_SOURCE_NEW) {
		source->state = WEIR_SOURCE_ATTACHED;
		weir_anchor_attached(source);
		weir_server_notify(source);
	}
	mutex_unlock(&weir_source_lock);
	return err;
}

/* A mapping has gone. */
void weir_source_unmap(struct weir_source *source)
{
	if (!atomic_dec_and_mutex_lock(&source->mappings, &weir_source_lock))
		return;
	smp_store_release(&source->state, WEIR_SOURCE_ENDED); /* end:A */
	wake_up_all(&source->wait);
	weir_source_check(source);
	mutex_unlock(&weir_source_lock);
}

/* The descriptor was closed. One that was never mapped after all has ended, too. */
void weir_source_closed(struct weir_source *source)
{
	mutex_lock(&weir_source_lock);
	if (!atomic_read(&source->mappings) && source->state < WEIR_SOURCE_ENDED) {
		smp_store_release(&source->state, WEIR_SOURCE_ENDED); /* end:A */
		weir_source_check(source);
	}
	mutex_unlock(&weir_source_lock);
}

/* ---- life ------------------------------------------------------------------------------------ */

static int weir_source_pages(struct weir_source *source)
{
	u32 rings = DIV_ROUND_UP(weir_nr_rings(), WEIR_ANCHOR_RINGS);
	int err;

	source->sink[0] = weir_page_alloc(source->user, NUMA_NO_NODE);
	source->sink[1] = weir_page_alloc(source->user, NUMA_NO_NODE);
	source->buffer = kvcalloc(weir_nr_rings(), sizeof(*source->buffer), WEIR_GFP);
	source->streams = bitmap_zalloc(weir_nr_rings(), WEIR_GFP);
	if (!source->sink[0] || !source->sink[1] || !source->buffer || !source->streams)
		return -ENOMEM;
	err = weir_pages_init(&source->process, weir_process_size() >> PAGE_SHIFT, source->user,
			      NUMA_NO_NODE);
	if (!err)
		err = weir_pages_init(&source->rings, rings, source->user, NUMA_NO_NODE);
	return err;
}

static int weir_source_init(struct weir_source *source, struct inode *inode, bool kernel)
{
	int err = 0;

	kref_init(&source->ref);
	mutex_init(&source->lock);
	mutex_init(&source->switching);
	init_waitqueue_head(&source->wait);
	INIT_LIST_HEAD(&source->notice);
	INIT_WORK(&source->reap, weir_source_reap);
	source->anchor_index = -1;
	atomic_long_inc(&weir_sources_count);
	if (inode) {
		ihold(inode);
		source->inode = inode;
	}
	if (!kernel) {
		source->uid = current_euid();
		source->gid = current_egid();
		source->pid = get_task_pid(current, PIDTYPE_TGID);
		get_task_comm(source->comm, current->group_leader);
		err = weir_user_attach(source->uid, &source->user);
	} else {
		strscpy(source->comm, "kernel", sizeof(source->comm));
	}
	source->view = err ? NULL : weir_inode();
	if (IS_ERR_OR_NULL(source->view)) {
		source->view = NULL;
		return err ?: -ENOMEM;
	}
	return weir_source_pages(source);
}

/**
 * weir_source_create() - a source of the current process, or of the kernel
 * @inode: whose i_mapping will have its mappings
 * @kernel: the kernel's
 *
 * Context: may sleep.
 * Return: it, with a reference of the caller's and one of the list's; or an error: -ENOMEM,
 * -EDQUOT.
 */
struct weir_source *weir_source_create(struct inode *inode, bool kernel)
{
	struct weir_source *source = kzalloc(sizeof(*source), WEIR_GFP);
	int err;

	if (!source)
		return ERR_PTR(-ENOMEM);
	err = weir_source_init(source, inode, kernel);
	mutex_lock(&weir_source_lock);
	source->id = weir_source_next;
	if (!err)
		err = weir_anchor_add(source);
	if (!err) {
		weir_source_next++;
		kref_get(&source->ref);
		list_add_tail_rcu(&source->list, &weir_sources);
	}
	mutex_unlock(&weir_source_lock);
	if (!err)
		return source;
	weir_source_put(source);
	return ERR_PTR(err);
}

/* A reference to the source of a number, or NULL. */
struct weir_source *weir_source_find(u64 id)
{
	struct weir_source *source, *found = NULL;

	rcu_read_lock();
	list_for_each_entry_rcu(source, &weir_sources, list) {
		if (source->id != id)
			continue;
		if (kref_get_unless_zero(&source->ref))
			found = source;
		break;
	}
	rcu_read_unlock();
	return found;
}

/* ---- control words --------------------------------------------------------------------------- */

static size_t weir_source_ring_offset(unsigned int slot, unsigned int cpu)
{
	return WEIR_RINGS_OFFSET +
	       weir_ring_index(weir_nr_cpus(), slot, cpu) * sizeof(struct weir_ring);
}

static struct weir_ring *weir_source_ring_in(struct page *page, size_t offset)
{
	return page ? page_address(page) + offset_in_page(offset) : NULL;
}

/**
 * weir_source_ring() - a ring's control words, which the process may be writing
 * @source: whose
 * @slot: of the ring, in bounds
 * @cpu: of the ring, in bounds
 *
 * Return: their address, good as long as the source; NULL: never touched.
 */
struct weir_ring *weir_source_ring(const struct weir_source *source, unsigned int slot,
				   unsigned int cpu)
{
	size_t offset = weir_source_ring_offset(slot, cpu);

	return weir_source_ring_in(weir_pages_get(&source->process, offset >> PAGE_SHIFT), offset);
}

/* A page of the region WEIR_DEV_PROCESS, made if need be. Context: source->lock. NULL: none. */
struct page *weir_source_page(struct weir_source *source, u32 index)
{
	struct page *page = weir_pages_get(&source->process, index);

	lockdep_assert_held(&source->lock);
	if (page)
		return page;
	page = weir_pages_make(&source->process, index);
	if (page)
		weir_zap_view(source, WEIR_DEV_PROCESS + ((u64)index << PAGE_SHIFT), PAGE_SIZE);
	return page;
}

/* As weir_source_ring(), but made if need be. Context: source->lock. NULL: no memory. */
struct weir_ring *weir_source_ring_make(struct weir_source *source, unsigned int slot,
					unsigned int cpu)
{
	size_t offset = weir_source_ring_offset(slot, cpu);

	return weir_source_ring_in(weir_source_page(source, offset >> PAGE_SHIFT), offset);
}

/* ---- slots change ---------------------------------------------------------------------------- */

/* Who was given a page to map it, with source->lock held, has it locked until it is mapped. */
static void weir_source_settle(struct weir_source *source, struct list_head *gone)
{
	struct weir_buffer *buffer;
	struct page *page;
	u32 i;

	list_for_each_entry(buffer, gone, gone)
		for (i = 0; i < buffer->pages.table.pages; i++) {
			page = weir_pages_get(&buffer->pages, i);
			if (page)
				wait_on_page_locked(page);
		}
	wait_on_page_locked(source->sink[0]);
	wait_on_page_locked(source->sink[1]);
}

/*
 * From the unlinking on, whoever faults finds another buffer, or the sink; who found the old one is
 * waited for; then it is unmapped, and let go.
 */
static void weir_source_recycle_one(struct weir_source *source, u32 slots)
{
	LIST_HEAD(gone);
	unsigned int n;
	bool sunk;

	mutex_lock(&source->lock);
	weir_buffers_take(source, &gone, false);
	sunk = source->sunk;
	source->sunk = false;
	mutex_unlock(&source->lock);
	weir_source_settle(source, &gone);
	if (sunk)
		weir_zap_words(source);
	for (n = 0; n < WEIR_SLOTS; n++)
		if (slots & BIT(n))
			weir_zap_slot(source, n);
	weir_buffers_put(&gone);
}

/**
 * weir_source_recycle() - let all sources forget what slots held
 * @slots: bits of the slots whose epoch has changed; weir_slot_epoch() is the new one
 *
 * Also the sink leaves them, so that a process that goes on there gets pages of the new epoch, and
 * words of rings if it was refused those.
 *
 * Context: weir_control_lock.
 */
void weir_source_recycle(u32 slots)
{
	struct weir_source *source;

	mutex_lock(&weir_source_lock);
	list_for_each_entry(source, &weir_sources, list)
		weir_source_recycle_one(source, slots);
	mutex_unlock(&weir_source_lock);
}
