// SPDX-License-Identifier: GPL-2.0-only
/*
 * events_irq: interrupts and softirqs.
 */
#include <linux/interrupt.h>
#include <trace/events/irq.h>
#include "events_i.h"

#define IRQ_HANDLER_ENTRY(F) F(i32, irq) F(str, name)
#define IRQ_HANDLER_EXIT(F) F(i32, irq) F(i32, ret)
#define SOFTIRQ(F) F(u32, vec)

WEIR_KERNEL_EVENT(irq_handler_entry, "kernel:irq_handler_entry", IRQ_HANDLER_ENTRY);
WEIR_KERNEL_EVENT(irq_handler_exit, "kernel:irq_handler_exit", IRQ_HANDLER_EXIT);
WEIR_KERNEL_EVENT(softirq_entry, "kernel:softirq_entry", SOFTIRQ);
WEIR_KERNEL_EVENT(softirq_exit, "kernel:softirq_exit", SOFTIRQ);

static void weir_probe_irq_handler_entry(void *data, int irq, struct irqaction *action)
{
	weir_put_irq_handler_entry(0, irq, action->name ? action->name : "");
}

static void weir_probe_irq_handler_exit(void *data, int irq, struct irqaction *action, int ret)
{
	weir_put_irq_handler_exit(0, irq, ret);
}

static void weir_probe_softirq_entry(void *data, unsigned int vec)
{
	weir_put_softirq_entry(0, vec);
}

static void weir_probe_softirq_exit(void *data, unsigned int vec)
{
	weir_put_softirq_exit(0, vec);
}

static struct weir_probe weir_irq_table[] = {
	WEIR_PROBE(irq_handler_entry),
	WEIR_PROBE(irq_handler_exit),
	WEIR_PROBE(softirq_entry),
	WEIR_PROBE(softirq_exit),
};

WEIR_PROBES(irq);
WEIR_PROBE_CHECK(irq_handler_entry)
WEIR_PROBE_CHECK(irq_handler_exit)
WEIR_PROBE_CHECK(softirq_entry)
WEIR_PROBE_CHECK(softirq_exit)
