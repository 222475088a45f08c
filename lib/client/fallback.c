// SPDX-License-Identifier: LGPL-2.1-only
/*
 * fallback: the extra ring, number nr_cpus, of threads without rseq (an old kernel, valgrind, another
 * architecture, a thread that is just starting) and of vfork children, who run unregistered on their parent's
 * TLS. Always under one lock of the process.
 *
 * Nobody waits for the lock: it is tried a bounded number of times, then the event is lost, and whoever comes while
 * the same holder has it (preempted, or gone by a siglongjmp out of its event) tries once. A signal handler
 * that interrupted the holder is lost at once. The lock is in private memory, so a process that dies takes it
 * along; a fork child starts with it free. A vfork child may die holding it and leave its parent alive: the
 * lock's word names its holder, TLS address and vfork depth, so that the parent, back at a smaller depth on
 * the same TLS, sees that the holder is gone and frees it: when vfork returns, or when it wants the lock itself.
 *
 *   unlock:A / lock:A   what the last holder did to the ring, before the lock is free; a child that died did it before
 *                       vfork returned to its parent, who frees the lock
 */
#include <stdint.h>
#include <string.h>
#include "client_i.h"

#define WEIR_FALLBACK_TRIES 4096
#define WEIR_DEPTH_MASK (sizeof(union weir_client_thread) - 1)

static uintptr_t weir_fallback_holder;
static uintptr_t weir_fallback_late; /* a holder for whom somebody has tried in vain */

static inline void weir_relax(void)
{
#ifdef __x86_64__
	__builtin_ia32_pause();
#else
	__asm__ __volatile__("" ::: "memory");
#endif
}

/* The holder is this thread itself: a signal handler on top of it, unless it was a vfork child that died. */
static bool weir_fallback_is_mine(uintptr_t holder, uintptr_t me)
{
	return (holder & ~WEIR_DEPTH_MASK) == (me & ~WEIR_DEPTH_MASK);
}

static bool weir_fallback_lock(void)
{
	uintptr_t me = (uintptr_t)&weir_client_thread + (weir_client_thread.vforked & WEIR_DEPTH_MASK), holder;
	int tries;

	for (tries = 0; tries < WEIR_FALLBACK_TRIES; tries++) {
		holder = __atomic_load_n(&weir_fallback_holder, __ATOMIC_RELAXED);
		if (holder && tries && holder == READ_ONCE(weir_fallback_late))
			return false;
		if (holder && weir_fallback_is_mine(holder, me) && holder <= me)
			return false;
		if ((!holder || weir_fallback_is_mine(holder, me)) &&
		    __atomic_compare_exchange_n(&weir_fallback_holder, &holder, me, 0, __ATOMIC_ACQUIRE, /* lock:A */
						__ATOMIC_RELAXED)) {
			WRITE_ONCE(weir_fallback_late, 0);
			return true;
		}
		weir_relax();
	}
	WRITE_ONCE(weir_fallback_late, holder);
	return false;
}

static void weir_fallback_unlock(void)
{
	__atomic_store_n(&weir_fallback_holder, 0, __ATOMIC_RELEASE); /* unlock:A */
}

/* The parent after a vfork: its children are gone. */
void weir_fallback_vforked(void)
{
	uintptr_t me = (uintptr_t)&weir_client_thread + (weir_client_thread.vforked & WEIR_DEPTH_MASK);
	uintptr_t holder = __atomic_load_n(&weir_fallback_holder, __ATOMIC_RELAXED);

	if (weir_fallback_is_mine(holder, me) && holder > me)
		__atomic_compare_exchange_n(&weir_fallback_holder, &holder, 0, 0, __ATOMIC_RELEASE, /* unlock:A */
					    __ATOMIC_RELAXED);
}

/* In a fork child: another holder is not here; this thread may be one, below the handler that forked. */
void weir_fallback_forked(void)
{
	if (!weir_fallback_is_mine(weir_fallback_holder, (uintptr_t)&weir_client_thread))
		weir_fallback_holder = 0;
}

/* ---- its bytes: one frame, the whole ring -----------------------------------------------------*/

static void *weir_extra_populate(void *priv, size_t offset)
{
	const struct weir_client_slot *slot = priv;

	(void)offset; /* one frame: the whole ring */
	return slot->data + ((size_t)weir_client_state.nr_cpus << weir_client_state.stride_shift);
}

static void weir_extra_release(void *priv, void *page)
{
	(void)priv;
	(void)page;
}

static int weir_extra_write(void *priv, void *page, size_t offset, const void *src, size_t len)
{
	(void)priv;
	memcpy((char *)page + offset, src, len);
	return 0;
}

static void *weir_extra_address(void *priv, void *page)
{
	(void)priv;
	return page;
}

static const struct weir_relay_ops weir_extra_ops = {
	.populate = weir_extra_populate,
	.release = weir_extra_release,
	.write = weir_extra_write,
	.address = weir_extra_address,
};

int weir_fallback_init(void)
{
	struct weir_client_state *c = &weir_client_state;
	unsigned int n;
	int err = 0;

	for (n = 0; n < WEIR_SLOTS && !err; n++)
		err = weir_relay_init(&c->relay[n], (size_t)1 << WEIR_RING_SHIFT_MAX, WEIR_RING_SHIFT_MAX,
				      WEIR_SUBBUF_SHIFT_MIN, &weir_extra_ops, &c->slot[n]);
	return err;
}

/* body: what follows the record's first word, zero-padded to 8; len: exact, the first word included. */
void weir_fallback_append(unsigned int slot, u64 epoch, u32 id, const char *body, size_t len)
{
	struct weir_ring *ring = weir_client_state.slot[slot].ring + weir_client_state.nr_cpus;
	struct weir_relay *relay = &weir_client_state.relay[slot];
	char *record = (char *)body - 8; /* the stage has room for the first word */
	u64 time, word;

	if (!weir_fallback_lock()) {
		weir_ring_lose(ring, epoch);
		return;
	}
	time = weir_client_clock();
	word = id | time << WEIR_TIME_SHIFT;
	memcpy(record, &word, sizeof(word));
	relay->subbuf_shift = weir_epoch_subbuf_shift(epoch);
	weir_ring_append_locked(ring, relay, epoch, weir_client_state.nr_cpus, time, record, len);
	weir_fallback_unlock();
}
