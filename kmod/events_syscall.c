// SPDX-License-Identifier: GPL-2.0-only
/*
 * events_syscall: every system call, by number; its arguments as they are in the registers.
 */
#include <asm/syscall.h>
#include <trace/events/syscalls.h>
#include "events_i.h"

#define SYS_ENTER(F) \
	F(i64, id) F(ptr, arg0) F(ptr, arg1) F(ptr, arg2) F(ptr, arg3) F(ptr, arg4) F(ptr, arg5)
#define SYS_EXIT(F) F(i64, id) F(i64, ret)

WEIR_KERNEL_EVENT(sys_enter, "kernel:sys_enter", SYS_ENTER);
WEIR_KERNEL_EVENT(sys_exit, "kernel:sys_exit", SYS_EXIT);

static void weir_probe_sys_enter(void *data, struct pt_regs *regs, long id)
{
	unsigned long arg[6];

	syscall_get_arguments(current, regs, arg);
	weir_put_sys_enter(0, id, (void *)arg[0], (void *)arg[1], (void *)arg[2], (void *)arg[3],
			   (void *)arg[4], (void *)arg[5]);
}

static void weir_probe_sys_exit(void *data, struct pt_regs *regs, long ret)
{
	weir_put_sys_exit(0, syscall_get_nr(current, regs), ret);
}

static struct weir_probe weir_syscall_table[] = {
	WEIR_PROBE(sys_enter),
	WEIR_PROBE(sys_exit),
};

WEIR_PROBES(syscall);
WEIR_PROBE_CHECK(sys_enter)
WEIR_PROBE_CHECK(sys_exit)
