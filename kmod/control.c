// SPDX-License-Identifier: GPL-2.0-only
/*
 * control: the tracing control that all processes map, and what the server writes into it; published through the latch
 * (weir_latch.h).
 *
 *   change:A / made:A   a slot is said to change before it has its new epoch: who makes a buffer of
 *                       that finds it so
 *
 * Slots that change their epoch are recycled before the new one is published: whoever writes under
 * it finds rings of its geometry. Who still writes under the old one does so into pages that are
 * reset before they count, or into the sink.
 */
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/timekeeping.h>
#include <linux/vmalloc.h>

#include "weir_kmod.h"
#include "weir_latch.h"

struct weir_control *weir_control;
static DEFINE_MUTEX(weir_control_lock);
static struct weir_config *weir_config; /* what was published last */
static u64 weir_server_number;		/* the last one that was not 0 */
static u64 weir_epochs[WEIR_SLOTS];
static u32 weir_changing; /* slots; no process gets buffers of them */

/* A slot's epoch; with source->lock held no recycling comes in between. */
u64 weir_slot_epoch(unsigned int slot)
{
	return smp_load_acquire(&weir_epochs[slot]); /* made:A */
}

/* Between its new epoch and the publishing of it. */
bool weir_slot_changes(unsigned int slot)
{
	return READ_ONCE(weir_changing) & BIT(slot);
}

void weir_control_clock(struct weir_clock *clock)
{
	mutex_lock(&weir_control_lock);
	*clock = weir_config->clock;
	mutex_unlock(&weir_control_lock);
}

/* What a server is told when it begins. */
void weir_control_state(struct weir_dev_serve *serve)
{
	mutex_lock(&weir_control_lock);
	serve->nr_cpus = weir_nr_cpus();
	serve->counter = weir_config->counter;
	serve->server = weir_server_number;
	mutex_unlock(&weir_control_lock);
}

/* ---- publishing -------------------------------------------------------------------------------*/

/* Returns the slots whose epoch has changed. */
static u32 weir_control_epochs(const struct weir_config *config)
{
	unsigned int n;
	u32 slots = 0;

	for (n = 0; n < WEIR_SLOTS; n++)
		if (weir_epochs[n] != config->slot[n].epoch)
			slots |= BIT(n);
	WRITE_ONCE(weir_changing, slots);
	for (n = 0; n < WEIR_SLOTS; n++)
		smp_store_release(&weir_epochs[n], config->slot[n].epoch); /* change:A */
	return slots;
}

/*
 * Who still writes under the old epoch must not decide what the new one has: until its buffers have
 * gone, with what they were charged for, it gets the sink; and what it got leaves it at the end.
 */
static int weir_control_apply(const struct weir_config *config)
{
	u32 slots = weir_control_epochs(config);
	int err;

	memcpy(weir_config, config, sizeof(*weir_config));
	if (slots)
		weir_source_recycle(slots);
	err = weir_kernel_update(weir_config);
	weir_wake_slots(slots);
	if (slots)
		flush_workqueue(weir_wq);
	WRITE_ONCE(weir_changing, 0);
	weir_latch_publish(weir_control, weir_config);
	weir_anchor_renew();
	if (slots)
		weir_source_recycle(slots);
	return err;
}

/* ---- what the server may write ----------------------------------------------------------------*/

/*
 * An epoch comes once, to one slot: its number is newer than all that were published before. So who
 * finds an epoch in a ring, or a buffer of it, knows whose it is.
 */
static bool weir_epoch_valid(u64 epoch, u64 was, u64 counter)
{
	const u64 reserved = 0xf000;
	u64 number = epoch >> WEIR_EPOCH_COUNTER_SHIFT;

	if (!epoch || epoch == was)
		return true;
	return !(epoch & reserved) && number > weir_config->counter && number <= counter &&
	       weir_epoch_subbuf_shift(epoch) >= WEIR_SUBBUF_SHIFT_MIN &&
	       weir_epoch_ring_shift(epoch) >=
		       weir_epoch_subbuf_shift(epoch) + WEIR_COUNT_SHIFT_MIN &&
	       weir_epoch_ring_shift(epoch) <= WEIR_RING_SHIFT_MAX;
}

static bool weir_slot_valid(const struct weir_slot *slot, u64 was, u64 counter)
{
	return weir_epoch_valid(slot->epoch, was, counter) &&
	       !(slot->flags & ~(WEIR_SLOT_ENABLED | WEIR_SLOT_ALL)) &&
	       !memchr_inv(slot->reserved, 0, sizeof(slot->reserved)) &&
	       memchr(slot->rules, 0, sizeof(slot->rules)) &&
	       memchr(slot->processes, 0, sizeof(slot->processes));
}

static bool weir_epochs_differ(const struct weir_config *config)
{
	unsigned int i, n;

	for (n = 1; n < WEIR_SLOTS; n++)
		for (i = 0; i < n; i++)
			if (config->slot[n].epoch && config->slot[n].epoch == config->slot[i].epoch)
				return false;
	return true;
}

/* Context: weir_control_lock. */
static bool weir_config_valid(const struct weir_config *config)
{
	unsigned int n;

	if (!config->server || config->server < weir_server_number ||
	    config->nr_cpus != weir_nr_cpus() || config->nr_slots != WEIR_SLOTS ||
	    config->counter < weir_config->counter ||
	    config->counter >> (64 - WEIR_EPOCH_COUNTER_SHIFT) ||
	    config->clock.type > WEIR_CLOCK_TSC || config->flags & ~WEIR_CONFIG_DEVICE ||
	    config->clock.reserved || config->reserved0 ||
	    memchr_inv(config->reserved, 0, sizeof(config->reserved)))
		return false;
	for (n = 0; n < WEIR_SLOTS; n++)
		if (!weir_slot_valid(&config->slot[n], weir_epochs[n], config->counter))
			return false;
	return weir_epochs_differ(config);
}

/**
 * weir_control_write() - make a configuration everybody's
 * @config: the server's
 *
 * Context: the server. Sleeps for grace periods.
 * Return: 0; -EINVAL something in it cannot be, nothing was changed; -ENOMEM everything is
 * published, but the kernel's events are not traced.
 */
int weir_control_write(const struct weir_config *config)
{
	int err = -EINVAL;

	mutex_lock(&weir_control_lock);
	if (weir_config_valid(config)) {
		weir_server_number = config->server;
		err = weir_control_apply(config);
	}
	mutex_unlock(&weir_control_lock);
	return err;
}

/* The server has gone: processes go on with what they have, the kernel's events end. */
void weir_control_unserved(void)
{
	mutex_lock(&weir_control_lock);
	weir_config->server = 0;
	weir_kernel_update(weir_config);
	weir_latch_publish(weir_control, weir_config);
	mutex_unlock(&weir_control_lock);
}

/* ---- load, unload -----------------------------------------------------------------------------*/

void weir_control_exit(void)
{
	vfree(weir_config);
	vfree(weir_control);
}

/* Epochs start at the time of day, so that they are newer than those of a module that was unloaded.
 */
int weir_control_init(void)
{
	weir_control = vzalloc(PAGE_ALIGN(sizeof(*weir_control)));
	weir_config = vzalloc(sizeof(*weir_config));
	if (!weir_control || !weir_config) {
		weir_control_exit();
		return -ENOMEM;
	}
	weir_config->nr_cpus = weir_nr_cpus();
	weir_config->nr_slots = WEIR_SLOTS;
	weir_config->counter = (u64)ktime_get_real_seconds() << 8;
	weir_control->magic = WEIR_CONTROL_MAGIC;
	weir_control->version = WEIR_ABI_VERSION;
	weir_control->size = sizeof(*weir_control);
	weir_latch_publish(weir_control, weir_config);
	return 0;
}
