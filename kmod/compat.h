/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * compat: the one place that asks for the kernel's version. 6.1, 6.1 with PREEMPT_RT, 6.12.
 */
#ifndef WEIR_COMPAT_H
#define WEIR_COMPAT_H

#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
static inline void vm_flags_set(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags |= flags;
}

static inline void vm_flags_clear(struct vm_area_struct *vma, vm_flags_t flags)
{
	vma->vm_flags &= ~flags;
}
#endif

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0)
#include <linux/rseq.h>
#endif

/* The task that an interrupt came upon, were it inside an rseq section, starts that again. */
static inline void weir_abort_section(void)
{
	rseq_preempt(current);
}

#endif /* WEIR_COMPAT_H */
