// SPDX-License-Identifier: GPL-2.0-only
/*
 * stream_wake: who waits for the kernel's own packets is woken by who writes them.
 *
 * A writer may be anywhere, in an NMI or under the scheduler's locks. So it raises an irq_work of
 * its CPU, which wakes as soon as interrupts may come. That may be too early: a writer that nests
 * in another one has opened the next packet, but the outermost one publishes. Such a wake is
 * followed by work of the CPU, which comes when the outermost one has left: it has preemption off.
 *
 *   wake:G   position is published before the queue is looked at; who waits is in the queue before
 *            it looks at position
 *
 * There is one queue a ring, for all epochs: nothing of it goes away while the module is there.
 */
#include <linux/irq_work.h>
#include <linux/percpu.h>

#include "weir_kmod.h"

struct weir_wake {
	struct irq_work irq;
	struct work_struct work;
	wait_queue_head_t wait;
	unsigned int nested;
};

static struct weir_wake __percpu *weir_wakes; /* of a CPU: one a slot */

static struct weir_wake *weir_wake_of(unsigned int slot, unsigned int cpu)
{
	return per_cpu_ptr(weir_wakes, cpu) + slot;
}

/* Where who waits for a ring waits to be woken by its writer; NULL: no writer of it wakes. */
wait_queue_head_t *weir_wake_queue(const struct weir_source *source, unsigned int slot,
				   unsigned int cpu)
{
	if (source != weir_kernel || cpu >= nr_cpu_ids || !cpu_possible(cpu))
		return NULL;
	return &weir_wake_of(slot, cpu)->wait;
}

/**
 * weir_wake() - a packet of a kernel ring is whole
 * @buffer: the ring
 * @nested: by a writer that came upon another one: it is whole when that has left
 *
 * Context: on the ring's CPU, preemption off; any.
 */
void weir_wake(const struct weir_buffer *buffer, bool nested)
{
	struct weir_wake *wake = weir_wake_of(buffer->slot, buffer->cpu);

	smp_mb(); /* wake:G */
	if (likely(!waitqueue_active(&wake->wait)))
		return;
	if (nested)
		WRITE_ONCE(wake->nested, 1);
	irq_work_queue(&wake->irq);
}

static void weir_wake_irq(struct irq_work *irq)
{
	struct weir_wake *wake = container_of(irq, struct weir_wake, irq);

	if (xchg(&wake->nested, 0))
		queue_work_on(raw_smp_processor_id(), system_wq, &wake->work);
	wake_up_interruptible(&wake->wait);
}

static void weir_wake_work(struct work_struct *work)
{
	wake_up_interruptible(&container_of(work, struct weir_wake, work)->wait);
}

/* These slots have another epoch: who waits for a packet of the last one waits for nothing. */
void weir_wake_slots(u32 slots)
{
	unsigned int cpu, n;

	for_each_possible_cpu(cpu)
		for (n = 0; n < WEIR_SLOTS; n++)
			if (slots & BIT(n))
				wake_up_interruptible(&weir_wake_of(n, cpu)->wait);
}

/* Context: the kernel's writers have gone. */
void weir_wakes_exit(void)
{
	unsigned int cpu, n;

	for_each_possible_cpu(cpu) {
		for (n = 0; n < WEIR_SLOTS; n++) {
			irq_work_sync(&weir_wake_of(n, cpu)->irq);
			cancel_work_sync(&weir_wake_of(n, cpu)->work);
		}
	}
	free_percpu(weir_wakes);
}

int weir_wakes_init(void)
{
	unsigned int cpu, n;

	weir_wakes = __alloc_percpu(WEIR_SLOTS * sizeof(*weir_wakes), __alignof__(*weir_wakes));
	if (!weir_wakes)
		return -ENOMEM;
	for_each_possible_cpu(cpu) {
		for (n = 0; n < WEIR_SLOTS; n++) {
			init_irq_work(&weir_wake_of(n, cpu)->irq, weir_wake_irq);
			INIT_WORK(&weir_wake_of(n, cpu)->work, weir_wake_work);
			init_waitqueue_head(&weir_wake_of(n, cpu)->wait);
		}
	}
	return 0;
}
