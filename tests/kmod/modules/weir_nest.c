// SPDX-License-Identifier: GPL-2.0-only
/*
 * weir_nest: writes nest:record from every context that there is, one inside the other, on
 * every CPU. In /sys/module/weir_nest/parameters:
 *
 *	echo MILLISECONDS > run		returns when that time is over and all is written
 *	cat written			`CPU CONTEXT COUNT`, since it was loaded
 *	echo N > many			N events many:0 and so on, each once
 *
 * A record: its context and number there, a filler of a length and of bytes that follow from these,
 * and their sum: a reader can tell one that was torn, and one that is missing.
 */
#include <linux/cpu.h>
#include <linux/delay.h>
#include <linux/hrtimer.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/slab.h>
#include <linux/version.h>
#include <asm/apic.h>
#include <asm/nmi.h>
#include <weir/kernel.h>

enum nest_context { NEST_TASK, NEST_SOFTIRQ, NEST_IRQ, NEST_NMI, NEST_CONTEXTS };

#define NEST_RECORD(F) F(u8, context) F(u64, number) F(bytes, filler) F(u64, sum)
WEIR_KERNEL_EVENT(nest_record, "nest:record", NEST_RECORD);

#define NEST_FILLER 128

struct nest_cpu {
	struct task_struct *task;
	struct hrtimer hard, soft;
	u64 written[NEST_CONTEXTS];
	unsigned long nmi; /* asked for */
};

static DEFINE_PER_CPU(struct nest_cpu, nest);
static u8 nest_pattern[256 + NEST_FILLER];
static bool nest_on;
static DEFINE_MUTEX(nest_lock);

static u64 nest_mix(u64 number, u64 context)
{
	u64 x = (number + 1) * 0x9e3779b97f4a7c15ull + context;

	return x ^ x >> 29;
}

/* One context of a CPU is in here once at a time, so its number needs no more than that. */
static void nest_write(enum nest_context context)
{
	struct nest_cpu *cpu = this_cpu_ptr(&nest);
	u64 number, mix;

	if (!weir_kernel_wanted(nest_record))
		return;
	number = cpu->written[context]++;
	mix = nest_mix(number, context);
	weir_write_nest_record(0, context, number,
			       (struct weir_kernel_bytes){ nest_pattern + (mix & 255),
							   mix >> 32 & (NEST_FILLER - 1) },
			       mix);
}

static enum hrtimer_restart nest_hard(struct hrtimer *timer)
{
	nest_write(NEST_IRQ);
	hrtimer_forward_now(timer, ns_to_ktime(20000 + (nest_mix(ktime_get_ns(), 0) & 8191)));
	return READ_ONCE(nest_on) ? HRTIMER_RESTART : HRTIMER_NORESTART;
}

static enum hrtimer_restart nest_soft(struct hrtimer *timer)
{
	preempt_disable();
	nest_write(NEST_SOFTIRQ);
	preempt_enable();
	hrtimer_forward_now(timer, ns_to_ktime(30000 + (nest_mix(ktime_get_ns(), 1) & 8191)));
	return READ_ONCE(nest_on) ? HRTIMER_RESTART : HRTIMER_NORESTART;
}

static int nest_nmi(unsigned int type, struct pt_regs *regs)
{
	if (!xchg(this_cpu_ptr(&nest.nmi), 0))
		return NMI_DONE;
	nest_write(NEST_NMI);
	return NMI_HANDLED;
}

static void nest_send_nmi(int cpu)
{
	if (xchg(per_cpu_ptr(&nest.nmi, cpu), 1))
		return; /* the last one is still on its way */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 5, 0)
	apic->send_IPI(cpu, NMI_VECTOR);
#else
	{
		unsigned long flags;

		local_irq_save(flags);
		native_apic_mem_write(APIC_ICR2, (u32)per_cpu(x86_cpu_to_apicid, cpu) << 24);
		native_apic_mem_write(APIC_ICR, APIC_DM_NMI | APIC_DEST_PHYSICAL);
		local_irq_restore(flags);
	}
#endif
}

static int nest_task(void *data)
{
	int cpu = (long)data, other = cpumask_next(cpu, cpu_online_mask);
	unsigned int turn, i;

	if (other >= nr_cpu_ids)
		other = cpumask_first(cpu_online_mask);
	hrtimer_start(this_cpu_ptr(&nest.hard), ns_to_ktime(20000), HRTIMER_MODE_REL_PINNED_HARD);
	hrtimer_start(this_cpu_ptr(&nest.soft), ns_to_ktime(30000), HRTIMER_MODE_REL_PINNED_SOFT);
	for (turn = 0; !kthread_should_stop(); turn++) {
		preempt_disable();
		for (i = 0; i < 8; i++)
			nest_write(NEST_TASK);
		if (turn % 8 == 0 && other != cpu)
			nest_send_nmi(other);
		preempt_enable();
		cond_resched();
	}
	return 0;
}

static void nest_stop(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		struct nest_cpu *n = per_cpu_ptr(&nest, cpu);

		if (!IS_ERR_OR_NULL(n->task))
			kthread_stop(n->task);
		n->task = NULL;
	}
	WRITE_ONCE(nest_on, false);
	for_each_possible_cpu(cpu) {
		hrtimer_cancel(per_cpu_ptr(&nest.hard, cpu));
		hrtimer_cancel(per_cpu_ptr(&nest.soft, cpu));
		while (cpu_online(cpu) && READ_ONCE(*per_cpu_ptr(&nest.nmi, cpu)))
			msleep(20);
	}
}

static int nest_start(void)
{
	int cpu;

	WRITE_ONCE(nest_on, true);
	for_each_online_cpu(cpu) {
		struct task_struct *task =
			kthread_create_on_cpu(nest_task, (void *)(long)cpu, cpu, "nest/%u");

		if (IS_ERR(task))
			return PTR_ERR(task);
		per_cpu_ptr(&nest, cpu)->task = task;
		wake_up_process(task);
	}
	return 0;
}

static int nest_run_set(const char *value, const struct kernel_param *param)
{
	unsigned int ms;
	int err = kstrtouint(value, 0, &ms);

	if (err)
		return err;
	mutex_lock(&nest_lock);
	cpus_read_lock();
	err = nest_start();
	if (!err)
		msleep(ms);
	nest_stop();
	cpus_read_unlock();
	mutex_unlock(&nest_lock);
	return err;
}

static int nest_written_get(char *text, const struct kernel_param *param)
{
	int cpu, context, len = 0;

	for_each_online_cpu(cpu) {
		struct nest_cpu *n = per_cpu_ptr(&nest, cpu);

		for (context = 0; context < NEST_CONTEXTS; context++)
			len += scnprintf(text + len, PAGE_SIZE - len, "%d %d %llu\n", cpu, context,
					 n->written[context]);
	}
	return len;
}

/* Registers so many events, writes each once, and takes them away again. */
static int nest_many(unsigned int count)
{
	static const char *const names[] = { "number" };
	static const u8 types[] = { WEIR_TYPE_U32 };
	struct {
		u8 head[WEIR_KERNEL_HEAD];
		u32 number;
		u8 tail[WEIR_KERNEL_TAIL];
	} stage __aligned(8);
	struct nest_event {
		struct weir_kernel_event event;
		char name[16];
	} *events = kcalloc(count, sizeof(*events), GFP_KERNEL);
	unsigned int i;
	int err = events ? 0 : -ENOMEM;

	for (i = 0; i < count && !err; i++) {
		snprintf(events[i].name, sizeof(events[i].name), "many:%u", i);
		events[i].event.name = events[i].name;
		events[i].event.nr_fields = 1;
		events[i].event.names = names;
		events[i].event.types = types;
		err = weir_kernel_register(&events[i].event);
		stage.number = i;
		if (!err)
			weir_kernel_write(&events[i].event, &stage.number, sizeof(stage.number));
	}
	while (i--)
		weir_kernel_unregister(&events[i].event);
	kfree(events);
	return err;
}

static int nest_many_set(const char *value, const struct kernel_param *param)
{
	unsigned int count;
	int err = kstrtouint(value, 0, &count);

	return err ? err : nest_many(min(count, 1000u));
}

static const struct kernel_param_ops nest_many_ops = { .set = nest_many_set };
static const struct kernel_param_ops nest_run_ops = { .set = nest_run_set };
static const struct kernel_param_ops nest_written_ops = { .get = nest_written_get };
module_param_cb(many, &nest_many_ops, NULL, 0200);
module_param_cb(run, &nest_run_ops, NULL, 0200);
module_param_cb(written, &nest_written_ops, NULL, 0444);

static int __init nest_init(void)
{
	int cpu, err;

	for (cpu = 0; cpu < ARRAY_SIZE(nest_pattern); cpu++)
		nest_pattern[cpu] = cpu;
	for_each_possible_cpu(cpu) {
		struct nest_cpu *n = per_cpu_ptr(&nest, cpu);

		hrtimer_init(&n->hard, CLOCK_MONOTONIC, HRTIMER_MODE_REL_PINNED_HARD);
		hrtimer_init(&n->soft, CLOCK_MONOTONIC, HRTIMER_MODE_REL_PINNED_SOFT);
		n->hard.function = nest_hard;
		n->soft.function = nest_soft;
	}
	err = register_nmi_handler(NMI_LOCAL, nest_nmi, 0, "weir_nest");
	if (err)
		return err;
	err = weir_kernel_register(&weir_event_nest_record);
	if (err)
		unregister_nmi_handler(NMI_LOCAL, "weir_nest");
	return err;
}

static void __exit nest_exit(void)
{
	weir_kernel_unregister(&weir_event_nest_record);
	unregister_nmi_handler(NMI_LOCAL, "weir_nest");
}

module_init(nest_init);
module_exit(nest_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("weir: writers that nest, for a test");
