// SPDX-License-Identifier: GPL-2.0-only
/*
 * weir_bench: calls an event site many times and says what that cost.
 *
 *	echo NAME > /sys/module/weir_bench/parameters/run; cat /sys/module/weir_bench/parameters/run
 *
 * prints the median, least and most of ROUNDS rounds of CALLS calls, in hundredths of cycles and of
 * nanoseconds a call. Under QEMU's -icount shift=0 the cycle counter counts instructions.
 *
 *	empty		the loop alone
 *	small, switch	tracepoints of weir_bench_trace.h, for ftrace, lttng or nobody
 *	weir_small ...	the same fields as events of weir
 *
 * Rounds are with interrupts on: what the machine does meanwhile is in the most, not in the median.
 */
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/sort.h>
#include <asm/msr.h>
#include <weir/kernel.h>

#define CREATE_TRACE_POINTS
#include "weir_bench_trace.h"

#define ROUNDS 15
#define CALLS 2000

#define BENCH_SMALL(F) F(u64, number) F(u32, value)
/* clang-format off */
#define BENCH_SWITCH(F)                                                          \
	F(comm, prev_comm) F(i32, prev_tid) F(i32, prev_prio) F(i64, prev_state) \
	F(comm, next_comm) F(i32, next_tid) F(i32, next_prio)
/* clang-format on */
WEIR_KERNEL_EVENT(bench_small, "bench:small", BENCH_SMALL);
WEIR_KERNEL_EVENT(bench_switch, "bench:switch", BENCH_SWITCH);

static noinline void bench_empty(u64 i)
{
	barrier();
}

static noinline void bench_small(u64 i)
{
	trace_weir_bench_small(i, i >> 3);
}

static noinline void bench_switch(u64 i)
{
	trace_weir_bench_switch(current, current->group_leader, i);
}

static noinline void bench_weir_small(u64 i)
{
	weir_kernel_trace(bench_small, i, i >> 3);
}

static noinline void bench_weir_switch(u64 i)
{
	const struct task_struct *prev = current, *next = current->group_leader;

	weir_kernel_trace(bench_switch, prev->comm, prev->pid, prev->prio, i, next->comm, next->pid,
			  next->prio);
}

static const struct bench {
	const char *name;
	void (*call)(u64 i);
} benches[] = {
	{ "empty", bench_empty },
	{ "small", bench_small },
	{ "switch", bench_switch },
	{ "weir_small", bench_weir_small },
	{ "weir_switch", bench_weir_switch },
};

static u64 cycles[ROUNDS], ns[ROUNDS];
static DEFINE_MUTEX(bench_lock);

static int bench_compare(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x < y ? -1 : x > y;
}

/* The loop once for each: an indirect call would cost more than what is measured. */
#define BENCH_ROUND(function)               \
	do {                                \
		for (i = 0; i < CALLS; i++) \
			function(i);        \
	} while (0)

static void bench_round(const struct bench *bench, unsigned int round)
{
	u64 t = ktime_get_ns(), c = rdtsc_ordered(), i;

	if (bench->call == bench_empty)
		BENCH_ROUND(bench_empty);
	else if (bench->call == bench_small)
		BENCH_ROUND(bench_small);
	else if (bench->call == bench_switch)
		BENCH_ROUND(bench_switch);
	else if (bench->call == bench_weir_small)
		BENCH_ROUND(bench_weir_small);
	else
		BENCH_ROUND(bench_weir_switch);
	cycles[round] = (rdtsc_ordered() - c) * 100 / CALLS;
	ns[round] = (ktime_get_ns() - t) * 100 / CALLS;
}

static int bench_set(const char *value, const struct kernel_param *param)
{
	unsigned int i, round;
	int err = -EINVAL;

	mutex_lock(&bench_lock);
	for (i = 0; i < ARRAY_SIZE(benches) && err; i++) {
		if (!sysfs_streq(value, benches[i].name))
			continue;
		for (round = 0; round < ROUNDS; round++)
			bench_round(&benches[i], round);
		sort(cycles, ROUNDS, sizeof(u64), bench_compare, NULL);
		sort(ns, ROUNDS, sizeof(u64), bench_compare, NULL);
		err = 0;
	}
	mutex_unlock(&bench_lock);
	return err;
}

static int bench_get(char *text, const struct kernel_param *param)
{
	return scnprintf(text, PAGE_SIZE, "%llu %llu %llu %llu %llu %llu %d\n", cycles[ROUNDS / 2],
			 cycles[0], cycles[ROUNDS - 1], ns[ROUNDS / 2], ns[0], ns[ROUNDS - 1],
			 ROUNDS);
}

static const struct kernel_param_ops bench_ops = { .set = bench_set, .get = bench_get };
module_param_cb(run, &bench_ops, NULL, 0600);

static int __init bench_init(void)
{
	int err = weir_kernel_register(&weir_event_bench_small);

	if (err)
		return err;
	err = weir_kernel_register(&weir_event_bench_switch);
	if (err)
		weir_kernel_unregister(&weir_event_bench_small);
	return err;
}

static void __exit bench_exit(void)
{
	weir_kernel_unregister(&weir_event_bench_switch);
	weir_kernel_unregister(&weir_event_bench_small);
}

module_init(bench_init);
module_exit(bench_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("weir: what an event costs");
