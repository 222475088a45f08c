/* SPDX-License-Identifier: GPL-2.0-only */
/* The tracepoints of bench/kmod.sh, as lttng-modules records them. */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM weir_bench

#if !defined(LTTNG_WEIR_BENCH_H) || defined(TRACE_HEADER_MULTI_READ)
#define LTTNG_WEIR_BENCH_H

#include <lttng/tracepoint-event.h>
#include <linux/sched.h>

LTTNG_TRACEPOINT_EVENT(weir_bench_small,
	TP_PROTO(u64 number, u32 value),
	TP_ARGS(number, value),
	TP_FIELDS(
		ctf_integer(u64, number, number)
		ctf_integer(u32, value, value)
	)
)

LTTNG_TRACEPOINT_EVENT(weir_bench_switch,
	TP_PROTO(struct task_struct *prev, struct task_struct *next, long state),
	TP_ARGS(prev, next, state),
	TP_FIELDS(
		ctf_array_text(char, prev_comm, prev->comm, TASK_COMM_LEN)
		ctf_integer(pid_t, prev_tid, prev->pid)
		ctf_integer(int, prev_prio, prev->prio)
		ctf_integer(long, prev_state, state)
		ctf_array_text(char, next_comm, next->comm, TASK_COMM_LEN)
		ctf_integer(pid_t, next_tid, next->pid)
		ctf_integer(int, next_prio, next->prio)
	)
)

#endif

#include <lttng/define_trace.h>
