// SPDX-License-Identifier: GPL-2.0-only
/*
 * events_fault: page faults. Their tracepoints are the architecture's.
 */
#include <linux/ptrace.h>
#include "events_i.h"
#ifdef CONFIG_X86
#include <asm/trace/exceptions.h>
#endif

#define PAGE_FAULT(F) F(ptr, address) F(ptr, ip) F(u64, error_code)

WEIR_KERNEL_EVENT(page_fault_user, "kernel:page_fault_user", PAGE_FAULT);
WEIR_KERNEL_EVENT(page_fault_kernel, "kernel:page_fault_kernel", PAGE_FAULT);

static void weir_probe_page_fault_user(void *data, unsigned long address, struct pt_regs *regs,
				       unsigned long code)
{
	weir_put_page_fault_user(0, (void *)address, (void *)instruction_pointer(regs), code);
}

static void weir_probe_page_fault_kernel(void *data, unsigned long address, struct pt_regs *regs,
					 unsigned long code)
{
	weir_put_page_fault_kernel(0, (void *)address, (void *)instruction_pointer(regs), code);
}

static struct weir_probe weir_fault_table[] = {
	WEIR_PROBE(page_fault_user),
	WEIR_PROBE(page_fault_kernel),
};

WEIR_PROBES(fault);
#ifdef CONFIG_X86
WEIR_PROBE_CHECK(page_fault_user)
WEIR_PROBE_CHECK(page_fault_kernel)
#endif
