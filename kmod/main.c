// SPDX-License-Identifier: GPL-2.0-only
/*
 * main: load and unload, as a table.
 */
#include <linux/module.h>

#include "weir_kmod.h"

struct workqueue_struct *weir_wq;

static int weir_counter_get(char *text, const struct kernel_param *param)
{
	return sysfs_emit(text, "%ld\n", atomic_long_read(param->arg));
}

const struct kernel_param_ops weir_counter_ops = {
	.get = weir_counter_get,
};

static int weir_wq_init(void)
{
	BUILD_BUG_ON(PAGE_SIZE != 4096); /* abi.h counts in them */
	weir_wq = alloc_workqueue("weir", WQ_UNBOUND, 0);
	return weir_wq ? 0 : -ENOMEM;
}

/* Sources that have retired are still being freed; what is queued queues more. */
static void weir_wq_drain(void)
{
	drain_workqueue(weir_wq);
}

static void weir_wq_exit(void)
{
	destroy_workqueue(weir_wq);
}

/* In the order of loading. Each is undone if a later one fails, and in reverse order at the end. */
static const struct weir_part {
	int (*init)(void);
	void (*exit)(void);
} weir_parts[] = {
	{ weir_wq_init, weir_wq_exit },
	{ weir_mappings_init, weir_mappings_exit },
	{ weir_control_init, weir_control_exit },
	{ weir_anchor_init, weir_anchor_exit },
	{ NULL, weir_wq_drain },
	{ weir_wakes_init, weir_wakes_exit },
	{ weir_kernel_init, weir_kernel_exit },
	{ weir_events_init, weir_events_exit },
	{ weir_switch_init, weir_switch_exit },
	{ NULL, weir_streams_exit },
	{ weir_device_init, weir_device_exit },
};

static void weir_exit_parts(unsigned int n)
{
	while (n--)
		if (weir_parts[n].exit)
			weir_parts[n].exit();
}

static int __init weir_init(void)
{
	unsigned int n;
	int err;

	for (n = 0; n < ARRAY_SIZE(weir_parts); n++) {
		err = weir_parts[n].init ? weir_parts[n].init() : 0;
		if (err) {
			weir_exit_parts(n);
			return err;
		}
	}
	return 0;
}

static void __exit weir_exit(void)
{
	weir_exit_parts(ARRAY_SIZE(weir_parts));
}

module_init(weir_init);
module_exit(weir_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("weir: trace buffers that user space writes, and files that show them");
MODULE_VERSION("0.1.0");
