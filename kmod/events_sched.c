// SPDX-License-Identifier: GPL-2.0-only
/*
 * events_sched: the scheduler. Fields as those of lttng-modules.
 */
#include <linux/binfmts.h>
#include <linux/mm_types.h>
#include <linux/sched.h>
#include <linux/sched/prio.h>
#include <trace/events/sched.h>
#include "events_i.h"

/* clang-format off */
#define SCHED_SWITCH(F)                                                                                 \
	F(comm, prev_comm) F(i32, prev_tid) F(i32, prev_prio) F(i64, prev_state)                        \
	F(comm, next_comm) F(i32, next_tid) F(i32, next_prio)
#define SCHED_WAKEUP(F) F(comm, comm) F(i32, tid) F(i32, prio) F(i32, target_cpu)
#define SCHED_PROCESS_FORK(F)                                                                           \
	F(comm, parent_comm) F(i32, parent_tid) F(i32, parent_pid)                                      \
	F(comm, child_comm) F(i32, child_tid) F(i32, child_pid)
#define SCHED_PROCESS_EXEC(F) F(str, filename) F(i32, tid) F(i32, old_tid)
#define SCHED_PROCESS_EXIT(F) F(comm, comm) F(i32, tid) F(i32, prio)
/* clang-format on */

WEIR_KERNEL_EVENT(sched_switch, "kernel:sched_switch", SCHED_SWITCH);
WEIR_KERNEL_EVENT(sched_wakeup, "kernel:sched_wakeup", SCHED_WAKEUP);
WEIR_KERNEL_EVENT(sched_process_fork, "kernel:sched_process_fork", SCHED_PROCESS_FORK);
WEIR_KERNEL_EVENT(sched_process_exec, "kernel:sched_process_exec", SCHED_PROCESS_EXEC);
WEIR_KERNEL_EVENT(sched_process_exit, "kernel:sched_process_exit", SCHED_PROCESS_EXIT);

static int weir_task_prio(const struct task_struct *task)
{
	return task->prio - MAX_RT_PRIO;
}

/* TASK_REPORT_MAX: it did not want to go. */
static long weir_task_state(bool preempt, unsigned int prev_state, const struct task_struct *prev)
{
	unsigned int index;

	if (preempt)
		return TASK_REPORT_MAX;
	index = __task_state_index(prev_state, prev->exit_state);
	return index ? 1l << (index - 1) : 0;
}

static void weir_probe_sched_switch(void *data, bool preempt, struct task_struct *prev,
				    struct task_struct *next, unsigned int prev_state)
{
	weir_put_sched_switch(0, prev->comm, prev->pid, weir_task_prio(prev),
			      weir_task_state(preempt, prev_state, prev), next->comm, next->pid,
			      weir_task_prio(next));
}

static void weir_probe_sched_wakeup(void *data, struct task_struct *task)
{
	weir_put_sched_wakeup(0, task->comm, task->pid, weir_task_prio(task), task_cpu(task));
}

static void weir_probe_sched_process_fork(void *data, struct task_struct *parent,
					  struct task_struct *child)
{
	weir_put_sched_process_fork(0, parent->comm, parent->pid, parent->tgid, child->comm,
				    child->pid, child->tgid);
}

static void weir_probe_sched_process_exec(void *data, struct task_struct *task, pid_t old,
					  struct linux_binprm *bprm)
{
	weir_put_sched_process_exec(0, bprm->filename, task->pid, old);
}

static void weir_probe_sched_process_exit(void *data, struct task_struct *task)
{
	weir_put_sched_process_exit(0, task->comm, task->pid, weir_task_prio(task));
}

/* clang-format off */
static struct weir_probe weir_sched_table[] = {
	WEIR_PROBE(sched_switch),
	WEIR_PROBE(sched_wakeup),
	WEIR_PROBE(sched_process_fork),
	WEIR_PROBE(sched_process_exec),
	WEIR_PROBE(sched_process_exit),
};
/* clang-format on */

WEIR_PROBES(sched);
WEIR_PROBE_CHECK(sched_switch)
WEIR_PROBE_CHECK(sched_wakeup)
WEIR_PROBE_CHECK(sched_process_fork)
WEIR_PROBE_CHECK(sched_process_exec)
WEIR_PROBE_CHECK(sched_process_exit)
