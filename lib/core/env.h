/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * env.h: the one file of the core that knows whether it is compiled for the kernel or for user space.
 *
 * It gives the core: fixed-width types, errno values, memcpy and friends, a doubly linked list, the memory
 * orders below, and a way to warn. Clock, CPU and memory come in as arguments instead.
 *
 *   smp_load_acquire(p)        later accesses stay behind this load
 *   smp_store_release(p, v)    earlier accesses stay before this store
 *   smp_rmb(), smp_wmb()       loads, stores stay in order
 *   READ_ONCE, WRITE_ONCE      one access, not torn, not repeated
 */
#ifndef WEIR_ENV_H
#define WEIR_ENV_H

#ifdef __KERNEL__

#include <linux/bug.h>
#include <linux/compiler.h>
#include <linux/ctype.h>
#include <linux/errno.h>
#include <linux/irqflags.h>
#include <linux/kernel.h>
#include <linux/list.h>
#include <linux/minmax.h>
#include <linux/preempt.h>
#include <linux/printk.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <asm/barrier.h>
#include <asm/cmpxchg.h>

/* Charged to who asks; fails where its cgroup or the machine would have to kill somebody for it. */
#define weir_alloc(size) kzalloc(size, GFP_KERNEL_ACCOUNT | __GFP_NORETRY | __GFP_NOWARN)
#define weir_free(p) kfree(p)
#define weir_warn(fmt, ...) pr_warn("weir: " fmt "\n", ##__VA_ARGS__)
#define weir_may_warn() (!irqs_disabled() && !in_nmi()) /* a console may wake who holds the scheduler's locks */
#define weir_cmpxchg(p, old, new) (cmpxchg(p, old, new) == (old))

/* The kernel does not calculate with floats: it shows their bits. */
#define WEIR_FLOAT_TEXT 32
static inline size_t weir_double_text(char text[WEIR_FLOAT_TEXT], u64 bits)
{
	return (size_t)scnprintf(text, WEIR_FLOAT_TEXT, "0x%llx", bits);
}
static inline size_t weir_float_text(char text[WEIR_FLOAT_TEXT], u32 bits)
{
	return weir_double_text(text, bits);
}

#else

#include <ctype.h>
#include <errno.h>
#include <linux/types.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s8 s8;
typedef __s16 s16;
typedef __s32 s32;
typedef __s64 s64;

/* Atomics instead of the kernel's volatile, so that ThreadSanitizer knows them; the code is the same. */
#define READ_ONCE(x) __atomic_load_n(&(x), __ATOMIC_RELAXED)
#define WRITE_ONCE(x, v) __atomic_store_n(&(x), v, __ATOMIC_RELAXED)
#define smp_load_acquire(p) __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define smp_store_release(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)
#define smp_rmb() __atomic_thread_fence(__ATOMIC_ACQUIRE)
#define smp_wmb() __atomic_thread_fence(__ATOMIC_RELEASE)
#define weir_cmpxchg(p, old, new)                                                                        \
	({                                                                                               \
		__typeof__(*(p)) weir_old = (old);                                                       \
		__atomic_compare_exchange_n(p, &weir_old, new, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED);   \
	})

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define min(a, b)                                                                                        \
	({                                                                                               \
		__typeof__(a) weir_a = (a);                                                              \
		__typeof__(b) weir_b = (b);                                                              \
		weir_a < weir_b ? weir_a : weir_b;                                                       \
	})
#define max(a, b)                                                                                        \
	({                                                                                               \
		__typeof__(a) weir_a = (a);                                                              \
		__typeof__(b) weir_b = (b);                                                              \
		weir_a > weir_b ? weir_a : weir_b;                                                       \
	})
#define container_of(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))
#ifndef ARRAY_SIZE
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#endif

/* The kernel's list, as far as the core uses it. liburcu's has the same names and layout; a file that
 * includes both takes liburcu's. */
#ifndef _CDS_LIST_H
struct list_head {
	struct list_head *next, *prev;
};
#define INIT_LIST_HEAD(head) ((head)->next = (head)->prev = (head))
static inline void list_add_tail(struct list_head *entry, struct list_head *head)
{
	entry->prev = head->prev;
	entry->next = head;
	head->prev->next = entry;
	head->prev = entry;
}
static inline void list_add(struct list_head *entry, struct list_head *head)
{
	list_add_tail(entry, head->next);
}
static inline void list_del(struct list_head *entry)
{
	entry->prev->next = entry->next;
	entry->next->prev = entry->prev;
}
static inline int list_empty(const struct list_head *head)
{
	return head->next == head;
}
#define list_entry(ptr, type, member) container_of(ptr, type, member)
#define list_first_entry(head, type, member) list_entry((head)->next, type, member)
#define list_last_entry(head, type, member) list_entry((head)->prev, type, member)
#define list_next_entry(pos, member) list_entry((pos)->member.next, __typeof__(*(pos)), member)
#define list_prev_entry(pos, member) list_entry((pos)->member.prev, __typeof__(*(pos)), member)
#define list_for_each_entry(pos, head, member)                                                           \
	for (pos = list_first_entry(head, __typeof__(*(pos)), member); &(pos)->member != (head);         \
	     pos = list_next_entry(pos, member))
#define list_for_each_entry_safe(pos, n, head, member)                                                   \
	for (pos = list_first_entry(head, __typeof__(*(pos)), member), n = list_next_entry(pos, member); \
	     &(pos)->member != (head); pos = n, n = list_next_entry(n, member))
#endif

#define weir_alloc(size) calloc(1, size)
#define weir_free(p) free(p)
#define weir_warn(fmt, ...) fprintf(stderr, "weir: " fmt "\n", ##__VA_ARGS__)
#define weir_may_warn() true

/* The fewest digits that give the same number again, of those that usually do and those that always do. */
#define WEIR_FLOAT_TEXT 32
static inline size_t weir_double_text(char text[WEIR_FLOAT_TEXT], u64 bits)
{
	double value;
	int len;

	memcpy(&value, &bits, sizeof(value));
	len = snprintf(text, WEIR_FLOAT_TEXT, "%.15g", value);
	if (value == value && strtod(text, NULL) != value)
		len = snprintf(text, WEIR_FLOAT_TEXT, "%.17g", value);
	return (size_t)len;
}
static inline size_t weir_float_text(char text[WEIR_FLOAT_TEXT], u32 bits)
{
	float value;
	int len;

	memcpy(&value, &bits, sizeof(value));
	len = snprintf(text, WEIR_FLOAT_TEXT, "%.6g", (double)value);
	if (value == value && strtof(text, NULL) != value)
		len = snprintf(text, WEIR_FLOAT_TEXT, "%.9g", (double)value);
	return (size_t)len;
}

#endif /* __KERNEL__ */

#include <weir/abi.h>

#endif /* WEIR_ENV_H */
