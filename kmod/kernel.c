// SPDX-License-Identifier: GPL-2.0-only
/*
 * kernel: the kernel's own source, and what its writers look at.
 *
 * A ring of it is reset, and has all its pages, before a writer can see it; so a writer allocates
 * nothing and waits for nobody. A ring whose slot goes to another epoch is hidden from the writers
 * first:
 *
 *   hide     tracing without the slots that change; wait for the writers
 *   show     tracing with the new ones
 */
#include <linux/slab.h>

#include "weir_kmod.h"

struct weir_source *weir_kernel;
struct weir_tracing __rcu *weir_tracing;

/* ---- tracing --------------------------------------------------------------------------------- */

static void weir_tracing_free(struct weir_tracing *tracing)
{
	unsigned int n, cpu;

	for (n = 0; tracing && n < WEIR_SLOTS; n++) {
		struct weir_tracing_slot *slot = &tracing->slot[n];

		for (cpu = 0; slot->buffer && cpu < nr_cpu_ids; cpu++)
			weir_buffer_put(slot->buffer[cpu]);
		kfree(slot->buffer);
		kfree(slot->ring);
	}
	kfree(tracing);
}

static int weir_tracing_slot_alloc(struct weir_tracing_slot *slot)
{
	slot->buffer = kcalloc(nr_cpu_ids, sizeof(*slot->buffer), GFP_KERNEL);
	slot->ring = kcalloc(nr_cpu_ids, sizeof(*slot->ring), GFP_KERNEL);
	return slot->buffer && slot->ring ? 0 : -ENOMEM;
}

static struct weir_tracing *weir_tracing_now(void)
{
	return rcu_dereference_protected(weir_tracing, true); /* weir_control_lock */
}

/* Writers see `tracing` from now on; when this returns, none sees what was before. */
static void weir_tracing_set(struct weir_tracing *tracing)
{
	struct weir_tracing *old = weir_tracing_now();

	weir_tracing_index(tracing);
	rcu_assign_pointer(weir_tracing, tracing);
	synchronize_rcu();
	weir_tracing_free(old);
}

/* ---- rings ----------------------------------------------------------------------------------- */

static void weir_kernel_reset(struct weir_ring *ring, u64 epoch)
{
	WRITE_ONCE(ring->position, weir_ring_empty(epoch));
	smp_wmb(); /* reset:C */
	WRITE_ONCE(ring->claim, 0);
	WRITE_ONCE(ring->begin, 0);
	smp_store_release(&ring->epoch, epoch); /* reset:C; reset:G is weir_tracing_set()'s */
}

/* The buffer with all its pages, or NULL. Context: source->lock. */
static struct weir_buffer *weir_kernel_fill(unsigned int slot, unsigned int cpu)
{
	struct weir_buffer *buffer = weir_buffer_make(weir_kernel, slot, cpu);
	size_t offset;

	for (offset = 0; buffer && offset < buffer->relay.size; offset += PAGE_SIZE)
		if (!weir_buffer_populate(buffer, offset))
			return NULL;
	return buffer;
}

static void weir_kernel_slot(struct weir_tracing_slot *slot, unsigned int n)
{
	unsigned int cpu;

	mutex_lock(&weir_kernel->lock);
	for_each_possible_cpu(cpu) {
		struct weir_buffer *buffer = weir_kernel_fill(n, cpu);

		slot->ring[cpu] = weir_source_ring(weir_kernel, n, cpu);
		if (slot->ring[cpu]->epoch != slot->epoch)
			weir_kernel_reset(slot->ring[cpu], slot->epoch);
		if (!buffer)
			continue;
		kref_get(&buffer->ref);
		slot->buffer[cpu] = buffer;
	}
	mutex_unlock(&weir_kernel->lock);
}

static void weir_tracing_copy_slot(struct weir_tracing_slot *to,
				   const struct weir_tracing_slot *from)
{
	unsigned int cpu;

	to->epoch = from->epoch;
	to->kernel = from->kernel;
	for (cpu = 0; cpu < nr_cpu_ids; cpu++) {
		to->ring[cpu] = from->ring[cpu];
		to->buffer[cpu] = from->buffer[cpu];
		if (to->buffer[cpu])
			kref_get(&to->buffer[cpu]->ref);
	}
}

/* ---- changes --------------------------------------------------------------------------------- */

static u64 weir_kernel_wants(const struct weir_config *config, unsigned int n)
{
	const struct weir_slot *slot = &config->slot[n];

	return config->server && slot->epoch && slot->flags & WEIR_SLOT_ENABLED ? slot->kernel : 0;
}

static struct weir_tracing *weir_tracing_alloc(const struct weir_clock *clock)
{
	struct weir_tracing *tracing = kzalloc(sizeof(*tracing), GFP_KERNEL);

	if (tracing)
		tracing->clock = *clock;
	return tracing;
}

static bool weir_kernel_changes(const struct weir_tracing *old, const struct weir_config *config)
{
	unsigned int n;

	for (n = 0; n < WEIR_SLOTS; n++)
		if (old->slot[n].epoch && old->slot[n].epoch != config->slot[n].epoch)
			return true;
	return false;
}

static int weir_kernel_hide(const struct weir_config *config)
{
	struct weir_tracing *old = weir_tracing_now(), *hide;
	unsigned int n;
	int err = 0;

	if (!weir_kernel_changes(old, config))
		return 0;
	hide = weir_tracing_alloc(&config->clock);
	if (!hide)
		return -ENOMEM;
	for (n = 0; n < WEIR_SLOTS && !err; n++) {
		if (!old->slot[n].epoch || old->slot[n].epoch != config->slot[n].epoch)
			continue;
		err = weir_tracing_slot_alloc(&hide->slot[n]);
		if (!err)
			weir_tracing_copy_slot(&hide->slot[n], &old->slot[n]);
	}
	if (err)
		weir_tracing_free(hide);
	else
		weir_tracing_set(hide);
	return err;
}

static int weir_kernel_show(const struct weir_config *config)
{
	struct weir_tracing *show = weir_tracing_alloc(&config->clock);
	unsigned int n;
	int err = show ? 0 : -ENOMEM;

	for (n = 0; n < WEIR_SLOTS && !err; n++) {
		struct weir_tracing_slot *slot = &show->slot[n];

		if (!weir_kernel_wants(config, n))
			continue;
		slot->epoch = config->slot[n].epoch;
		slot->kernel = weir_kernel_wants(config, n);
		err = weir_tracing_slot_alloc(slot);
		if (!err)
			weir_kernel_slot(slot, n);
	}
	if (err)
		weir_tracing_free(show);
	else
		weir_tracing_set(show);
	return err;
}

/**
 * weir_kernel_update() - bring the kernel's writers to a configuration
 * @config: the new one; weir_slot_epoch() has its epochs already
 *
 * Where memory lacks for a ring, its events are lost, and counted. Where it lacks for the little
 * that tells the writers, they are told to write nothing.
 *
 * Context: weir_control_lock; sleeps for grace periods.
 * Return: 0 or -ENOMEM.
 */
int weir_kernel_update(const struct weir_config *config)
{
	int err = weir_kernel_hide(config);

	if (!err)
		err = weir_kernel_show(config);
	weir_events_update(err ? 0 : weir_tracing_now()->kernel);
	return err;
}

/* ---- the schema log -------------------------------------------------------------------------- */

static struct weir_process *weir_kernel_head(void)
{
	return page_address(weir_pages_get(&weir_kernel->process, 0));
}

static int weir_kernel_log(size_t offset, const void *src, size_t size)
{
	while (size) {
		size_t chunk = min_t(size_t, size, PAGE_SIZE - offset_in_page(offset));
		struct page *page = weir_source_page(weir_kernel, offset >> PAGE_SHIFT);

		if (!page)
			return -ENOMEM;
		memcpy(page_address(page) + offset_in_page(offset), src, chunk);
		offset += chunk;
		src += chunk;
		size -= chunk;
	}
	return 0;
}

/**
 * weir_kernel_describe() - append a class of events to the kernel's schema log
 * @desc: descriptor, name, fields (abi.h), desc->size bytes
 *
 * Context: process.
 * Return: its id; -EINVAL its size; -ENOSPC the log is full; -ENOMEM.
 */
int weir_kernel_describe(const struct weir_desc *desc)
{
	static int next; /* weir_kernel->lock */
	struct weir_process *head = weir_kernel_head();
	int err;

	if (desc->size < sizeof(*desc) || desc->size & 7)
		return -EINVAL;
	mutex_lock(&weir_kernel->lock);
	if (desc->size > WEIR_SCHEMA_SIZE - head->schema_bytes)
		err = -ENOSPC;
	else
		err = weir_kernel_log(head->schema_offset + head->schema_bytes, desc, desc->size);
	if (!err) {
		smp_store_release(&head->schema_bytes, /* log:A */
				  head->schema_bytes + desc->size);
		err = next++;
	}
	mutex_unlock(&weir_kernel->lock);
	return err;
}

/* ---- load, unload ---------------------------------------------------------------------------- */

static int weir_kernel_fill_process(void)
{
	u32 i, pages = WEIR_RINGS_OFFSET / PAGE_SIZE +
		       DIV_ROUND_UP(weir_nr_rings() * sizeof(struct weir_ring), PAGE_SIZE);
	struct weir_process *head;
	int err = 0;

	mutex_lock(&weir_kernel->lock);
	for (i = 0; i < pages && !err; i++)
		err = weir_source_page(weir_kernel, i) ? 0 : -ENOMEM;
	mutex_unlock(&weir_kernel->lock);
	if (err)
		return err;
	head = weir_kernel_head();
	head->magic = WEIR_PROCESS_MAGIC;
	head->version = WEIR_ABI_VERSION;
	head->nr_cpus = weir_nr_cpus();
	head->ring_stride = 1ull << WEIR_RING_SHIFT_MAX;
	head->schema_offset = weir_schema_offset(weir_nr_cpus());
	head->schema_size = WEIR_SCHEMA_SIZE;
	strscpy(head->comm, weir_kernel->comm, sizeof(head->comm));
	return 0;
}

void weir_kernel_exit(void)
{
	if (weir_kernel) {
		mutex_lock(&weir_source_lock);
		list_del_init(&weir_kernel->notice);
		weir_kernel->state = WEIR_SOURCE_ENDED;
		weir_source_check(weir_kernel);
		mutex_unlock(&weir_source_lock);
		weir_source_put(weir_kernel);
		weir_kernel = NULL;
	}
	weir_tracing_free(weir_tracing_now());
	RCU_INIT_POINTER(weir_tracing, NULL);
}

int weir_kernel_init(void)
{
	static const struct weir_clock clock = { .type = WEIR_CLOCK_MONOTONIC };
	struct weir_source *source;
	int err;

	RCU_INIT_POINTER(weir_tracing, weir_tracing_alloc(&clock));
	source = weir_source_create(NULL, true);
	if (!weir_tracing_now() || IS_ERR(source)) {
		err = IS_ERR(source) ? PTR_ERR(source) : -ENOMEM;
		weir_kernel = IS_ERR(source) ? NULL : source;
	} else {
		weir_kernel = source;
		err = weir_kernel_fill_process();
	}
	if (err) {
		weir_kernel_exit();
		return err;
	}
	return weir_source_attach(source, 1ull << WEIR_RING_SHIFT_MAX);
}
