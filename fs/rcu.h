/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * rcu: the few things that the registry does with liburcu, in terms of C11 atomics.
 *
 * liburcu 0.13 orders by inline assembly, which ThreadSanitizer cannot see. Here pointers are published and
 * references counted by atomics that it can, and the grace period itself is annotated.
 *
 *   publish:A / follow:A      what a pointer points to, before the pointer
 *   reader:B / reclaim:B      a reader's last access, before the memory is freed: liburcu's grace period
 *   put:C / put:C             everybody's accesses, before the release by who puts last
 *   init:D / get:D            the object, before its first reference is counted
 */
#ifndef WEIR_RCU_H
#define WEIR_RCU_H

#include "../lib/core/env.h"

#include <urcu/ref.h>
#include <urcu/urcu-memb.h>
#include <urcu/list.h>

#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
#define weir_tsan_acquire(p) __tsan_acquire((void *)(p))
#define weir_tsan_release(p) __tsan_release((void *)(p))
#else
#define weir_tsan_acquire(p) ((void)(p))
#define weir_tsan_release(p) ((void)(p))
#endif

extern char weir_rcu_period; /* stands for all grace periods */

static inline void weir_rcu_lock(void)
{
	urcu_memb_read_lock();
}

static inline void weir_rcu_unlock(void)
{
	weir_tsan_release(&weir_rcu_period); /* reader:B */
	urcu_memb_read_unlock();
}

/* First and last thing in every call_rcu callback. */
static inline void weir_rcu_reclaim(void)
{
	weir_tsan_acquire(&weir_rcu_period); /* reclaim:B */
}

static inline void weir_rcu_reclaimed(void)
{
	weir_tsan_release(&weir_rcu_period);
}

/* Until all callbacks so far have run. */
static inline void weir_rcu_barrier(void)
{
	urcu_memb_barrier();
	weir_tsan_acquire(&weir_rcu_period);
}

static inline void weir_rcu_call(struct rcu_head *head, void (*fn)(struct rcu_head *head))
{
	weir_tsan_release(&weir_rcu_period);
	urcu_memb_call_rcu(head, fn);
}

#define weir_rcu_store(p, v) __atomic_store_n(&(p), v, __ATOMIC_RELEASE) /* publish:A */
#define weir_rcu_load(p) __atomic_load_n(&(p), __ATOMIC_CONSUME)	 /* follow:A */

static inline void weir_ref_init(struct urcu_ref *ref)
{
	__atomic_store_n(&ref->refcount, 1, __ATOMIC_RELEASE); /* init:D */
}

static inline bool weir_ref_get(struct urcu_ref *ref)
{
	long old = __atomic_load_n(&ref->refcount, __ATOMIC_RELAXED);

	while (old)
		if (__atomic_compare_exchange_n(&ref->refcount, &old, old + 1, true, __ATOMIC_ACQUIRE, /* get:D */
						__ATOMIC_RELAXED))
			return true;
	return false;
}

/* True for the last one. */
static inline bool weir_ref_put(struct urcu_ref *ref)
{
	return __atomic_sub_fetch(&ref->refcount, 1, __ATOMIC_ACQ_REL) == 0; /* put:C */
}

/* Lists that readers walk forwards while one writer changes them. */
static inline void weir_rcu_list_add_tail(struct cds_list_head *entry, struct cds_list_head *head)
{
	entry->next = head;
	entry->prev = head->prev;
	weir_rcu_store(head->prev->next, entry);
	head->prev = entry;
}

static inline void weir_rcu_list_del(struct cds_list_head *entry)
{
	entry->next->prev = entry->prev;
	weir_rcu_store(entry->prev->next, entry->next);
}

#endif /* WEIR_RCU_H */
