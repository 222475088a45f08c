// SPDX-License-Identifier: GPL-2.0-only
/*
 * A kernel module that writes an event of its own: sample:tick, once a tick of its timer.
 *
 *	insmod weir_sample.ko period_ms=100
 *	mkdir /mnt/traces/t && echo 'sample:*' > /mnt/traces/t/control/events && echo 1 > /mnt/traces/t/control/enabled
 *	babeltrace2 /mnt/traces/t/kernel
 */
#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/timer.h>
#include <weir/kernel.h>

#define SAMPLE_TICK(F) F(u32, count) F(i32, cpu) F(str, text)
WEIR_KERNEL_EVENT(sample_tick, "sample:tick", SAMPLE_TICK);

static unsigned int period_ms = 100;
module_param(period_ms, uint, 0644);
MODULE_PARM_DESC(period_ms, "milliseconds between two events");

static void sample_timer(struct timer_list *timer);
static DEFINE_TIMER(sample, sample_timer);
static u32 sample_count;

static void sample_timer(struct timer_list *timer)
{
	weir_kernel_trace(sample_tick, ++sample_count, raw_smp_processor_id(), "a tick of the sample");
	mod_timer(timer, jiffies + msecs_to_jiffies(max(period_ms, 1u)));
}

static int __init sample_init(void)
{
	int err = weir_kernel_register(&weir_event_sample_tick);

	if (!err)
		mod_timer(&sample, jiffies);
	return err;
}

static void __exit sample_exit(void)
{
	timer_shutdown_sync(&sample);
	weir_kernel_unregister(&weir_event_sample_tick);
}

module_init(sample_init);
module_exit(sample_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("an event of weir, as an example");
