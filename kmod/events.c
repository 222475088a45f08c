// SPDX-License-Identifier: GPL-2.0-only
/*
 * events: which events the kernel has, and which of them run.
 *
 * An event's descriptor is in the kernel's schema log (abi.h), at the place that is its id: first the probes
 * below, in the order of their tables, then those of other modules, as they come. Descriptors stay: a module that
 * comes back finds its own again. A probe is in its tracepoint, a module's event is switched on, while the
 * configuration wants its bit.
 *
 * weir_event_lock: the list, the wanted bits, the tracepoints. Taken under weir_control_lock or alone.
 */
#include <linux/export.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include "events_i.h"
#include "weir_kmod.h"
#include "weir_schema.h"

static const struct weir_probes *const weir_probes[] = {
	&weir_probes_sched,
	&weir_probes_irq,
	&weir_probes_syscall,
	&weir_probes_fault,
};

static DEFINE_MUTEX(weir_event_lock);
static LIST_HEAD(weir_events); /* of other modules */
static LIST_HEAD(weir_event_ids);
static u64 weir_events_wanted;

/* What the log holds. */
struct weir_event_id {
	struct list_head list;
	u16 id;
	u8 desc[];
};

/* ---- descriptors ------------------------------------------------------------------------------------------*/

#define WEIR_DESC_MAX 8192 /* bytes of one at most: 17 names of 256, and 16 types */

static int weir_event_remember(const struct weir_desc *desc)
{
	struct weir_event_id *known;
	int id;

	list_for_each_entry (known, &weir_event_ids, list)
		if (!memcmp(known->desc, desc, desc->size))
			return known->id;
	known = kmalloc(sizeof(*known) + desc->size, GFP_KERNEL);
	if (!known)
		return -ENOMEM;
	id = weir_kernel_describe(desc);
	if (id < 0) {
		kfree(known);
		return id;
	}
	known->id = (u16)id;
	memcpy(known->desc, desc, desc->size);
	list_add_tail(&known->list, &weir_event_ids);
	return id;
}

static int weir_event_describe(struct weir_kernel_event *event)
{
	void *desc = kmalloc(WEIR_DESC_MAX, GFP_KERNEL);
	int id;

	if (!desc)
		return -ENOMEM;
	id = weir_desc_write(desc, WEIR_DESC_MAX, event->name, event->nr_fields, event->names,
			     event->types);
	if (id > 0)
		id = weir_event_remember(desc);
	kfree(desc);
	if (id < 0)
		return id;
	event->id = (u16)id;
	event->bit = min_t(u16, event->id, WEIR_KERNEL_REST);
	return 0;
}

/* ---- events of other modules --------------------------------------------------------------------------------*/

static void weir_event_switch(struct weir_kernel_event *event, bool on)
{
	if (on)
		static_key_enable(&event->wanted.key);
	else
		static_key_disable(&event->wanted.key);
}

int weir_kernel_register(struct weir_kernel_event *event)
{
	int err = -EBUSY;

	mutex_lock(&weir_event_lock);
	if (!event->registered)
		err = weir_event_describe(event);
	if (!err) {
		event->registered = true;
		list_add_tail(&event->list, &weir_events);
		weir_event_switch(event, weir_events_wanted >> event->bit & 1);
	}
	mutex_unlock(&weir_event_lock);
	return err;
}
EXPORT_SYMBOL_GPL(weir_kernel_register);

void weir_kernel_unregister(struct weir_kernel_event *event)
{
	mutex_lock(&weir_event_lock);
	if (event->registered) {
		weir_event_switch(event, false);
		list_del(&event->list);
		event->registered = false;
	}
	mutex_unlock(&weir_event_lock);
	synchronize_rcu(); /* writers run with preemption off */
}
EXPORT_SYMBOL_GPL(weir_kernel_unregister);

/* ---- probes -----------------------------------------------------------------------------------------------*/

static void weir_probe_switch(struct weir_probe *probe, bool on)
{
	int err;

	if (!probe->tracepoint || probe->on == on)
		return;
	if (on)
		err = tracepoint_probe_register(probe->tracepoint, probe->probe, NULL);
	else
		err = tracepoint_probe_unregister(probe->tracepoint, probe->probe, NULL);
	if (err)
		pr_warn("weir: %s: %d\n", probe->event->name, err);
	else
		probe->on = on;
}

static void weir_probes_each(void (*fn)(struct weir_probe *probe, u64 kernel), u64 kernel)
{
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(weir_probes); i++)
		for (j = 0; j < weir_probes[i]->count; j++)
			fn(&weir_probes[i]->probe[j], kernel);
}

static void weir_probe_update(struct weir_probe *probe, u64 kernel)
{
	weir_probe_switch(probe, kernel >> probe->event->bit & 1);
}

void weir_events_update(u64 kernel)
{
	struct weir_kernel_event *event;
	u64 gone;

	mutex_lock(&weir_event_lock);
	gone = weir_events_wanted & ~kernel;
	weir_events_wanted = kernel;
	weir_probes_each(weir_probe_update, kernel);
	list_for_each_entry (event, &weir_events, list)
		weir_event_switch(event, kernel >> event->bit & 1);
	mutex_unlock(&weir_event_lock);
	if (gone)
		tracepoint_synchronize_unregister();
}

/* ---- the beginning and the end ------------------------------------------------------------------------------*/

static void weir_probe_found(struct tracepoint *tracepoint, void *priv)
{
	struct weir_probe *probe = priv;

	if (!strcmp(tracepoint->name, probe->name))
		probe->tracepoint = tracepoint;
}

/* A tracepoint that is not there keeps its bit, so that bits mean the same everywhere. */
static void weir_probe_init(struct weir_probe *probe, u64 kernel)
{
	int err = weir_event_describe(probe->event);

	for_each_kernel_tracepoint(weir_probe_found, probe);
	if (err || !probe->tracepoint)
		pr_warn("weir: %s is not there (%d)\n", probe->event->name, err);
}

int weir_events_init(void)
{
	mutex_lock(&weir_event_lock);
	weir_probes_each(weir_probe_init, 0);
	mutex_unlock(&weir_event_lock);
	return 0;
}

void weir_events_exit(void)
{
	struct weir_event_id *id, *next;

	weir_events_update(0);
	list_for_each_entry_safe (id, next, &weir_event_ids, list)
		kfree(id);
	tracepoint_synchronize_unregister();
}
