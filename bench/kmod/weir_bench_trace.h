/* SPDX-License-Identifier: GPL-2.0-only */
/* The tracepoints of bench/kmod.sh, as ftrace records them: the fields of weir_bench.c's events. */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM weir_bench

#if !defined(WEIR_BENCH_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define WEIR_BENCH_TRACE_H

#include <linux/sched.h>
#include <linux/tracepoint.h>

TRACE_EVENT(weir_bench_small,
	TP_PROTO(u64 number, u32 value),
	TP_ARGS(number, value),
	TP_STRUCT__entry(
		__field(u64, number)
		__field(u32, value)
	),
	TP_fast_assign(
		__entry->number = number;
		__entry->value = value;
	),
	TP_printk("number=%llu value=%u", __entry->number, __entry->value)
);

TRACE_EVENT(weir_bench_switch,
	TP_PROTO(struct task_struct *prev, struct task_struct *next, long state),
	TP_ARGS(prev, next, state),
	TP_STRUCT__entry(
		__array(char, prev_comm, TASK_COMM_LEN)
		__field(pid_t, prev_tid)
		__field(int, prev_prio)
		__field(long, prev_state)
		__array(char, next_comm, TASK_COMM_LEN)
		__field(pid_t, next_tid)
		__field(int, next_prio)
	),
	TP_fast_assign(
		memcpy(__entry->prev_comm, prev->comm, TASK_COMM_LEN);
		__entry->prev_tid = prev->pid;
		__entry->prev_prio = prev->prio;
		__entry->prev_state = state;
		memcpy(__entry->next_comm, next->comm, TASK_COMM_LEN);
		__entry->next_tid = next->pid;
		__entry->next_prio = next->prio;
	),
	TP_printk("%s:%d [%d] %ld ==> %s:%d [%d]", __entry->prev_comm, __entry->prev_tid, __entry->prev_prio,
		  __entry->prev_state, __entry->next_comm, __entry->next_tid, __entry->next_prio)
);

#endif

#undef TRACE_INCLUDE_PATH
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_PATH .
#define TRACE_INCLUDE_FILE weir_bench_trace
#include <trace/define_trace.h>
