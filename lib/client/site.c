// SPDX-License-Identifier: LGPL-2.1-only
/*
 * site: the event path, from staged fields to the ring.
 *
 * No system call, no lock, no wait, nothing but this thread's stack, the site, the slot and the ring. What
 * cannot be recorded is counted as lost in its ring.
 *
 * A record belongs to the trace whose rules its site matched:
 *
 *   reload:D / emit:D   a slot's bit is cleared in every site before the slot's epoch changes, and set after;
 *                       the event path loads match, then epoch, then match again: unchanged means that the
 *                       epoch is that of the match. (match never takes an earlier value again: it carries the
 *                       generation.)
 */
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "client_i.h"
#include "rseq.h"

#define WEIR_TRIES 64

struct weir_client_state weir_client_state;
__thread struct weir_client_thread weir_client_thread;

/* Nanoseconds, as control/clock says: TSC scaled by one multiplication, or CLOCK_MONOTONIC from the vDSO. */
static inline u64 weir_clock(void)
{
#ifdef __x86_64__
	u64 mult = weir_client_state.clock_mult;

	if (likely(mult))
		return (u64)((unsigned __int128)(__builtin_ia32_rdtsc() - weir_client_state.clock_base) * mult >> 64);
#endif
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (u64)now.tv_sec * 1000000000u + (u64)now.tv_nsec;
}

u64 weir_client_clock(void)
{
	return weir_clock();
}

/* Once a thread; a vfork child is another thread on its parent's TLS. */
u32 weir_client_tid(void)
{
	if (weir_client_thread.vforked)
		return (u32)syscall(SYS_gettid);
	if (unlikely(!weir_client_thread.tid))
		weir_client_thread.tid = (u32)syscall(SYS_gettid);
	return weir_client_thread.tid;
}

#ifdef WEIR_HAVE_RSEQ

static int weir_switch(struct rseq *self, u32 cpu, struct weir_ring *ring, char *data, u64 epoch,
		       const struct weir_ring_state *state, const struct weir_ring_step *step, u64 time, u64 word,
		       const char *body, size_t len8)
{
	u64 mask = weir_epoch_ring_size(epoch) - 1, scratch;
	struct weir_packet *old = (struct weir_packet *)(data + (step->old & mask));
	struct weir_rseq_switch sw = {
		.claim = step->claim,
		.old_end = step->seal ? (u64 *)&old->timestamp_end : &scratch,
		.old_end_value = time,
		.old_content = step->seal ? (u64 *)&old->content_size : &scratch,
		.old_content_value = step->content,
		.old_size = step->seal ? (u64 *)&old->packet_size : &scratch,
		.old_size_value = weir_epoch_subbuf_size(epoch) * 8,
		.dst = data + (step->start & mask),
		.header = (const u64 *)&step->header,
		.word = word,
		.body = body,
		.len = len8,
		.begin = time,
		.next = step->next,
	};

	return weir_rseq_do_switch(self, cpu, ring, epoch, state->position, &sw);
}

/* Anything but the record that fits. 0: try again; 1: done, recorded or counted; -1: take the locked ring. */
static __attribute__((noinline)) int weir_append_slow(struct weir_client_slot *slot, struct rseq *self, u32 cpu,
						      u64 epoch, u32 id, const char *body, size_t len)
{
	struct weir_ring *ring = slot->ring + cpu;
	struct weir_ring_state state;
	struct weir_ring_step step;
	u64 time;

	if ((s32)READ_ONCE(self->cpu_id) < 0)
		return -1; /* not registered: an old kernel, valgrind, a thread that is just starting */
	state.epoch = READ_ONCE(ring->epoch);
	state.position = READ_ONCE(ring->position);
	state.begin = READ_ONCE(ring->begin);
	time = weir_clock();
	switch (weir_ring_plan(ring, &state, epoch, cpu, time, len, &step)) {
	case WEIR_PLAN_APPEND:
		return 0;
	case WEIR_PLAN_SWITCH:
		return !weir_switch(self, cpu, ring, slot->data + ((size_t)cpu << weir_client_state.stride_shift),
				    epoch, &state, &step, time, id | time << WEIR_TIME_SHIFT, body,
				    weir_align8(len - 8));
	case WEIR_PLAN_RESET:
		weir_rseq_reset(self, cpu, ring, state.epoch, epoch);
		return 0;
	case WEIR_PLAN_STALE:
		return 1;
	default:
		weir_ring_lose(ring, epoch);
		return 1;
	}
}

/* body: what follows the record's first word; len: exact, the first word included. */
static inline void weir_append(struct weir_client_slot *slot, u64 epoch, u32 id, const char *body, size_t len)
{
	struct rseq *self = weir_rseq_self();
	u64 mask = weir_epoch_ring_size(epoch) - 1, position, begin, start, time;
	struct weir_ring *ring;
	int tries, done;
	u32 cpu = 0;

	for (tries = 0; tries < WEIR_TRIES; tries++) {
		cpu = READ_ONCE(self->cpu_id_start);
		if (unlikely(cpu >= weir_client_state.nr_cpus))
			break;
		ring = slot->ring + cpu;
		position = READ_ONCE(ring->position);
		begin = READ_ONCE(ring->begin);
		__asm__ __volatile__("" ::: "memory"); /* the clock is read between load and commit */
		time = weir_clock();
		if (likely(weir_ring_fits(epoch, position, begin, time, len))) {
			start = weir_align8(position);
			if (likely(!weir_rseq_append(self, cpu, ring, epoch, position, start + len,
						     slot->data + ((size_t)cpu << weir_client_state.stride_shift) +
							     (start & mask),
						     id | time << WEIR_TIME_SHIFT, body, weir_align8(len - 8))))
				return;
		}
		done = weir_append_slow(slot, self, cpu, epoch, id, body, len);
		if (done > 0)
			return;
		if (done < 0) {
			weir_fallback_append(slot, epoch, id, body, len);
			return;
		}
	}
	weir_ring_lose(slot->ring + (cpu < weir_client_state.nr_cpus ? cpu : weir_client_state.nr_cpus), epoch);
}

#else

static inline void weir_append(struct weir_client_slot *slot, u64 epoch, u32 id, const char *body, size_t len)
{
	weir_fallback_append(slot, epoch, id, body, len);
}

#endif

/* The record for one slot. The stage leaves room for tid before the fields; without it the record's body is
 * the fields alone. */
static inline void weir_emit_slot(struct weir_client_slot *slot, u64 epoch, u32 id, struct weir_cursor *cursor)
{
	char *body = cursor->stage + 8;
	size_t len = (size_t)(cursor->p - cursor->stage);

	if (epoch & WEIR_EPOCH_TID) {
		u32 tid = weir_client_tid();

		memcpy(body, &tid, sizeof(tid));
	} else {
		body += 4;
		len -= 4;
	}
	if (unlikely(cursor->lost || len > WEIR_RECORD_MAX))
		weir_ring_lose(slot->ring + weir_client_state.nr_cpus, epoch);
	else if (unlikely(weir_client_thread.vforked))
		weir_fallback_append(slot, epoch, id, body, len);
	else
		weir_append(slot, epoch, id, body, len);
}

/**
 * weir_client_emit() - record what a site has staged, in every trace that it matches
 * @site: matched when weir_site_on() looked
 * @cursor: the fields; a larger stage is given back
 *
 * Any context; see the head of this file.
 */
void weir_client_emit(struct weir_site *site, struct weir_cursor *cursor)
{
	u64 match = __atomic_load_n(&site->match, __ATOMIC_ACQUIRE), again, epoch; /* emit:D */
	u32 left, done = 0, bit, n;

	if (unlikely(!READ_ONCE(*weir_client_state.alive))) {
		weir_client_forked();
		match = __atomic_load_n(&site->match, __ATOMIC_ACQUIRE);
	}
	memset(cursor->p, 0, 8); /* up to the next multiple of 8 */
	left = match & 0xffffu;
	while (left) {
		n = (u32)__builtin_ctz(left);
		bit = 1u << n;
		epoch = __atomic_load_n(&weir_client_state.slot[n].epoch, __ATOMIC_ACQUIRE);
		again = __atomic_load_n(&site->match, __ATOMIC_RELAXED); /* emit:D */
		if (unlikely(again != match)) {
			match = again;
			left = match & 0xffffu & ~done;
			continue;
		}
		weir_emit_slot(&weir_client_state.slot[n], epoch, site->id, cursor);
		done |= bit;
		left &= ~bit;
	}
	if (unlikely(cursor->limit == NULL))
		weir_stage_release(cursor);
}
