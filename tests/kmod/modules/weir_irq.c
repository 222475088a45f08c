// SPDX-License-Identifier: GPL-2.0-only
/*
 * weir_irq: what must not be done. A timer's interrupt appends to the ring of the user process that it interrupts. A
 * restartable sequence is not restarted by an interrupt alone, so this tears records; with `restart` the interrupt asks
 * for the restart first, and it does not. It shows why the kernel's events have rings of their own.
 *
 *   insmod weir_irq.ko pid= ring= bytes= size= [ns=] [restart=1]    addresses and size in that process; on its CPU 0
 *   cat /sys/module/weir_irq/parameters/appended
 *
 * For tests/kmod/raw_irq.c only, which has the same record.
 */
#include <linux/hrtimer.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/smp.h>
#include <linux/version.h>
#include <linux/vmalloc.h>
#include <weir/abi.h>

#include "compat.h"
#include "raw_irq.h"

static int pid;
static unsigned long ring, bytes, size, ns = 50000, appended;
static bool restart;
module_param(pid, int, 0444);
module_param(ring, ulong, 0444);
module_param(bytes, ulong, 0444);
module_param(size, ulong, 0444);
module_param(ns, ulong, 0444);
module_param(restart, bool, 0444);
module_param(appended, ulong, 0444);

struct pinned {
	struct page **pages;
	long count;
	char *at; /* of the first page, in the kernel */
};

static struct pinned ring_pages, byte_pages;
static struct weir_ring *the_ring;
static struct hrtimer timer;

static enum hrtimer_restart fire(struct hrtimer *t)
{
	struct raw_record record;
	u64 position;

	if (current->tgid == pid) {
		position = READ_ONCE(the_ring->position);
		if (position + sizeof(record) <= size) {
			if (restart)
				weir_abort_section();
			raw_record_fill(&record, RAW_KERNEL, appended++);
			memcpy(byte_pages.at + position, &record, sizeof(record));
			WRITE_ONCE(the_ring->position, position + sizeof(record));
		}
	}
	hrtimer_forward_now(t, ns_to_ktime(ns));
	return HRTIMER_RESTART;
}

static void start(void *unused)
{
	hrtimer_start(&timer, ns_to_ktime(ns), HRTIMER_MODE_REL_PINNED_HARD);
}

static void unpin(struct pinned *p)
{
	if (p->at)
		vunmap(p->at);
	if (p->count > 0)
		unpin_user_pages_dirty_lock(p->pages, p->count, true);
	kvfree(p->pages);
	memset(p, 0, sizeof(*p));
}

static int pin(struct mm_struct *mm, unsigned long from, unsigned long length, struct pinned *p)
{
	unsigned long first = from & PAGE_MASK, count = (PAGE_ALIGN(from + length) - first) >> PAGE_SHIFT;

	p->pages = kvcalloc(count, sizeof(*p->pages), GFP_KERNEL);
	if (!p->pages)
		return -ENOMEM;
	mmap_read_lock(mm);
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 5, 0)
	p->count = pin_user_pages_remote(mm, first, count, FOLL_WRITE, p->pages, NULL, NULL);
#else
	p->count = pin_user_pages_remote(mm, first, count, FOLL_WRITE, p->pages, NULL);
#endif
	mmap_read_unlock(mm);
	if (p->count == count)
		p->at = vmap(p->pages, count, VM_MAP, PAGE_KERNEL);
	return p->at ? 0 : -EFAULT;
}

static struct mm_struct *mm_of(int number)
{
	struct task_struct *task = get_pid_task(find_vpid(number), PIDTYPE_PID);
	struct mm_struct *mm = task ? get_task_mm(task) : NULL;

	if (task)
		put_task_struct(task);
	return mm;
}

static int __init weir_irq_init(void)
{
	struct mm_struct *mm = mm_of(pid);
	int err;

	if (!mm)
		return -ESRCH;
	err = pin(mm, ring, sizeof(struct weir_ring), &ring_pages) ?: pin(mm, bytes, size, &byte_pages);
	mmput(mm);
	if (err) {
		unpin(&ring_pages);
		unpin(&byte_pages);
		return err;
	}
	the_ring = (struct weir_ring *)(ring_pages.at + offset_in_page(ring));
	hrtimer_init(&timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_PINNED_HARD);
	timer.function = fire;
	return smp_call_function_single(0, start, NULL, 1);
}

static void __exit weir_irq_exit(void)
{
	hrtimer_cancel(&timer);
	unpin(&ring_pages);
	unpin(&byte_pages);
}

module_init(weir_irq_init);
module_exit(weir_irq_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("A test: appends to a user's ring from an interrupt");
