// SPDX-License-Identifier: GPL-2.0-only
/*
 * switch: closes a ring's open packet, on the CPU whose threads write the ring.
 *
 * A user's append is an rseq section. Work queued on the CPU comes upon none that goes on
 * afterwards: it has preempted whoever was in one. Where a real-time thread lets no work come, an
 * interrupt does it, and starts the section that it may have come upon again. An interrupt that did
 * not would tear records. A CPU that is offline has no writer.
 *
 * The ring behind the last CPU's has its lock in the process: it cannot be switched from here.
 */
#include <linux/cpu.h>
#include <linux/smp.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#ifdef CONFIG_X86
#include <asm/msr.h>
#endif

#include "weir_kmod.h"

#define WEIR_SWITCH_TRIES 16

static unsigned int weir_switch_ms = 100;
module_param_named(switch_ms, weir_switch_ms, uint, 0644);
MODULE_PARM_DESC(switch_ms, "after how long a switch interrupts a CPU that is busy, ms (100)");

static struct workqueue_struct *weir_switch_wq;
static atomic_long_t weir_switch_interrupts;
weir_counter(switch_interrupts, weir_switch_interrupts, "switches that interrupted a CPU");

/* One switch. The work may come late, after the interrupt has done it: it holds a reference. */
struct weir_switching {
	struct kref ref;
	struct work_struct work;
	struct completion done;
	atomic_t begun;
	struct weir_buffer *buffer;
	struct weir_clock clock;
	int err;
};

static void weir_switching_release(struct kref *ref)
{
	struct weir_switching *s = container_of(ref, struct weir_switching, ref);

	weir_buffer_put(s->buffer);
	kfree(s);
}

static u64 weir_switch_time(const struct weir_clock *clock)
{
#ifdef CONFIG_X86
	if (clock->type == WEIR_CLOCK_TSC)
		return mul_u64_u64_shr(rdtsc_ordered() - clock->base, clock->mult, 64);
#endif
	return ktime_get_ns();
}

static int weir_switch_user(struct weir_buffer *buffer, const struct weir_clock *clock)
{
	int err = weir_ring_switch(buffer->ring, &buffer->relay, buffer->epoch, buffer->cpu,
				   weir_switch_time(clock));

	if (!err)
		weir_buffer_switched(buffer, READ_ONCE(buffer->ring->position));
	return err;
}

/* On the ring's CPU, preemption off: whoever comes first. */
static void weir_switch_here(struct weir_switching *s)
{
	struct weir_buffer *buffer = s->buffer;

	if (atomic_xchg(&s->begun, 1))
		return;
	if (buffer->source == weir_kernel)
		s->err = weir_writer_switch(buffer, &s->clock);
	else
		s->err = weir_switch_user(buffer, &s->clock);
	complete(&s->done);
}

static void weir_switch_work(struct work_struct *work)
{
	struct weir_switching *s = container_of(work, struct weir_switching, work);

	preempt_disable();
	if (smp_processor_id() == s->buffer->cpu)
		weir_switch_here(s);
	preempt_enable();
	kref_put(&s->ref, weir_switching_release);
}

static void weir_switch_interrupt(void *info)
{
	weir_abort_section();
	weir_switch_here(info);
}

static void weir_switch_online(struct weir_switching *s, unsigned int cpu)
{
	kref_get(&s->ref);
	queue_work_on(cpu, weir_switch_wq, &s->work);
	if (wait_for_completion_timeout(&s->done, msecs_to_jiffies(READ_ONCE(weir_switch_ms)) + 1))
		return;
	atomic_long_inc(&weir_switch_interrupts);
	smp_call_function_single(cpu, weir_switch_interrupt, s, 1);
	wait_for_completion(&s->done);
}

/* 0 or -errno of the switch; of the CPU there is none. */
static int weir_switch_buffer(struct weir_buffer *buffer, const struct weir_clock *clock)
{
	struct weir_switching *s = kzalloc(sizeof(*s), GFP_KERNEL);
	int err;

	if (!s)
		return -ENOMEM;
	kref_init(&s->ref);
	INIT_WORK(&s->work, weir_switch_work);
	init_completion(&s->done);
	kref_get(&buffer->ref);
	s->buffer = buffer;
	s->clock = *clock;
	cpus_read_lock();
	if (cpu_online(buffer->cpu)) {
		weir_switch_online(s, buffer->cpu);
	} else {
		preempt_disable();
		weir_switch_here(s);
		preempt_enable();
	}
	cpus_read_unlock();
	err = s->err;
	kref_put(&s->ref, weir_switching_release);
	return err;
}

static u64 weir_switch_position(const struct weir_buffer *buffer)
{
	u64 position = READ_ONCE(buffer->ring->position);

	if (READ_ONCE(buffer->ring->epoch) != buffer->epoch || position & WEIR_RING_NOTHING)
		return 0;
	return position;
}

/* Whether the open packet is one that a process lacks pages of: then there is nothing to be had of it. */
static bool weir_switch_lacks(const struct weir_buffer *buffer, u64 position)
{
	return buffer->source != weir_kernel &&
	       !weir_buffer_marked(buffer, (position - 1) & (buffer->relay.size - 1));
}

/* Makes the page that the next packet's header goes to, where no memory can be had. */
static int weir_switch_prepare(struct weir_buffer *buffer)
{
	u64 size = weir_epoch_subbuf_size(buffer->epoch);
	u64 position = weir_switch_position(buffer), next = (position + size - 1) & ~(size - 1);
	size_t offset = next & (weir_epoch_ring_size(buffer->epoch) - 1);
	struct page *page;

	if (!position || weir_switch_lacks(buffer, position))
		return -ENODATA;
	mutex_lock(&buffer->source->lock);
	page = weir_buffer_populate(buffer, offset);
	mutex_unlock(&buffer->source->lock);
	if (page)
		return 0;
	return weir_buffer_refused(buffer, offset) ? -EDQUOT : -ENOMEM;
}

/* A writer may go on to another sub-buffer between the two steps. */
static int weir_switch_tries(struct weir_buffer *buffer)
{
	struct weir_clock clock;
	int err, tries = 0;

	weir_control_clock(&clock);
	do {
		err = weir_switch_prepare(buffer);
		if (!err)
			err = weir_switch_buffer(buffer, &clock);
	} while (err == -ENOMEM && ++tries < WEIR_SWITCH_TRIES);
	return err == -ENODATA ? 0 : err;
}

/**
 * weir_switch() - make a whole sub-buffer of what a ring's open packet holds
 * @source: whose
 * @ring: slot, cpu, epoch; its position is set to where the ring stands then
 *
 * Context: process.
 * Return: 0, also if there was nothing to do; -EINVAL no such ring; -EOPNOTSUPP the ring behind the
 * last CPU's; -ESTALE the slot has another epoch; -ENOSPC discard mode, no room; -EIO the process
 * has damaged the ring; -EDQUOT its user's limit leaves no room for the next packet; -ENOMEM; -EINTR.
 */
int weir_switch(struct weir_source *source, struct weir_dev_ring *ring)
{
	struct weir_buffer *buffer;
	int err;

	if (ring->slot >= WEIR_SLOTS || ring->cpu > weir_nr_cpus() || !ring->epoch)
		return -EINVAL;
	if (ring->cpu == weir_nr_cpus())
		return -EOPNOTSUPP;
	if (ring->epoch != weir_slot_epoch(ring->slot))
		return -ESTALE;
	ring->position = 0;
	buffer = weir_buffer_get(source, ring->slot, ring->cpu);
	if (!buffer)
		return 0;
	err = mutex_lock_interruptible(&source->switching);
	if (!err) {
		err = buffer->epoch == ring->epoch ? weir_switch_tries(buffer) : -ESTALE;
		mutex_unlock(&source->switching);
	}
	ring->position = weir_switch_position(buffer);
	weir_buffer_put(buffer);
	return err;
}

void weir_switch_exit(void)
{
	destroy_workqueue(weir_switch_wq);
}

int weir_switch_init(void)
{
	weir_switch_wq = alloc_workqueue("weir_switch", WQ_HIGHPRI, 0);
	return weir_switch_wq ? 0 : -ENOMEM;
}
