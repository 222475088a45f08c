// SPDX-License-Identifier: LGPL-2.1-only
/*
 * site: the event path, from staged fields to the ring.
 *
 * No system call, no lock, no wait, nothing but this thread's stack, the site, the slot and the ring; but for a thread's
 * first event, which asks for its tid, and for threads that share the locked ring (fallback.c). What cannot be
 * recorded is counted as lost in its ring.
 *
 * A record belongs to the trace whose rules its site matched:
 *
 *   reload:D / emit:D   a site's id, a slot's epoch and its masks are stored before the site's pointer to the slot,
 *                       and that before the match that stands for them; match, then the pointer are loaded before
 *                       them: none is older
 *   reload:F / emit:F   a site's pointer to a slot is taken away, then the slot's bit in its match, before the slot's
 *                       epoch and masks change; these are loaded before match is loaded again: unchanged means that
 *                       none is newer. (match never takes an earlier value again: it carries the generation. If it
 *                       was loaded when the bit was gone already, the pointer was gone, or is a later one. In a
 *                       fork child it may, for the same configuration.)
 *
 * What is not told apart: a signal handler that forks between an event's clock and its section, in a child that then
 * traces one event of the same size, so that both are their rings' first. The interrupted one follows it, with an
 * earlier time and the parent's tid.
 */
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "client_i.h"
#include "rseq.h"

#define WEIR_TRIES 64

struct weir_client_state weir_client_state;
__thread union weir_client_thread weir_client_thread;

/* Nanoseconds: the TSC scaled by one multiplication. */
static inline u64 weir_clock_tsc(void)
{
#ifdef __x86_64__
	u64 tsc = __builtin_ia32_rdtsc() - READ_ONCE(weir_client_state.clock_base);

	return (u64)((unsigned __int128)tsc * READ_ONCE(weir_client_state.clock_mult) >> 64);
#else
	return 0;
#endif
}

/* As control/clock says: by the TSC, or CLOCK_MONOTONIC from the vDSO. */
static inline u64 weir_clock(void)
{
	struct timespec now;

	if (likely(READ_ONCE(weir_client_state.clock_mult)))
		return weir_clock_tsc();
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (u64)now.tv_sec * 1000000000u + (u64)now.tv_nsec;
}

/* Under the extra ring's lock, whose holders are on different CPUs: the TSC must not be read before the lock is
 * held, which its acquisition alone does not prevent (Intel SDM, RDTSC). */
u64 weir_client_clock(void)
{
#ifdef __x86_64__
	__builtin_ia32_lfence();
#endif
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

/* The record that fits, of a site whose match is still the one given. `body`: what follows the record's first
 * word, zero-padded to 8; `len`: exact, the first word included. Nonzero: nothing was recorded. */
static inline __attribute__((always_inline)) int weir_append_fast(const struct weir_site *site, u64 match,
								   const struct weir_client_slot *slot, u64 epoch,
								   const char *body, size_t len, u64 (*clock)(void))
{
	ptrdiff_t rseq = weir_rseq_offset();
	u32 cpu = weir_rseq_cpu(rseq);
	struct weir_ring *ring = slot->ring + cpu;
	u64 position, start, time;
	char *dst;

	if (unlikely(cpu >= READ_ONCE(weir_client_alive.nr_cpus) || smp_load_acquire(&ring->epoch) != epoch)) /* load:C */
		return -1;
	position = READ_ONCE(ring->position);
	/* The clock is read between load and commit. RDTSC may run ahead of the loads, but not ahead of an
	 * interrupt, and without one nobody else runs on this CPU. */
	__asm__ __volatile__("" ::: "memory");
	time = clock();
	/* begin may be younger than position: then position has moved, and the section aborts */
	if (unlikely(!weir_ring_fits(READ_ONCE(slot->subbuf_mask), position, READ_ONCE(ring->begin), time, len)))
		return -1;
	start = weir_align8(position);
	dst = slot->data + ((size_t)cpu << weir_client_state.stride_shift) + (start & READ_ONCE(slot->ring_mask));
	smp_rmb(); /* emit:F */
	if (unlikely(READ_ONCE(site->match) != match))
		return -1;
	return weir_rseq_append(rseq, cpu, ring, epoch, position, start + len, dst, site->id | time << WEIR_TIME_SHIFT,
				body, weir_align8(len - 8));
}

static int weir_do_switch(ptrdiff_t rseq, u32 cpu, struct weir_ring *ring, char *data, u64 epoch,
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

	return weir_rseq_do_switch(rseq, cpu, ring, epoch, state->position, &sw);
}

enum weir_outcome { WEIR_AGAIN, WEIR_DONE, WEIR_FALLBACK };

/* Whatever it takes, once. WEIR_DONE: recorded, or counted, or its trace is gone. */
static enum weir_outcome weir_append_slow(const struct weir_client_slot *slot, u64 epoch, u32 id, const char *body,
					  size_t len)
{
	ptrdiff_t rseq = weir_rseq_offset();
	u32 cpu = weir_rseq_cpu(rseq);
	struct weir_ring_state state;
	struct weir_ring_step step;
	struct weir_ring *ring = slot->ring + cpu;
	char *data = slot->data + ((size_t)cpu << weir_client_state.stride_shift);
	u64 time, word;
	int err;

	/* not registered: an old kernel, valgrind, a thread that is just starting */
	if (!weir_rseq_registered(rseq) || cpu >= weir_client_state.nr_cpus)
		return WEIR_FALLBACK;
	state.epoch = smp_load_acquire(&ring->epoch); /* load:C */
	state.position = READ_ONCE(ring->position);
	state.begin = READ_ONCE(ring->begin);
	__asm__ __volatile__("" ::: "memory");
	time = weir_clock();
	word = id | time << WEIR_TIME_SHIFT;
	switch (weir_ring_plan(ring, &state, epoch, cpu, time, len, &step)) {
	case WEIR_PLAN_APPEND:
		err = weir_rseq_append(rseq, cpu, ring, epoch, state.position, step.next,
				       data + (step.start & (weir_epoch_ring_size(epoch) - 1)), word, body,
				       weir_align8(len - 8));
		return err ? WEIR_AGAIN : WEIR_DONE;
	case WEIR_PLAN_SWITCH:
		err = weir_do_switch(rseq, cpu, ring, data, epoch, &state, &step, time, word, body,
				     weir_align8(len - 8));
		return err ? WEIR_AGAIN : WEIR_DONE;
	case WEIR_PLAN_RESET:
		weir_rseq_reset(rseq, cpu, ring, state.epoch, epoch);
		return WEIR_AGAIN;
	case WEIR_PLAN_STALE:
		return WEIR_DONE;
	default:
		weir_ring_lose(ring, epoch);
		return WEIR_DONE;
	}
}

static u32 weir_lost_ring(void)
{
	ptrdiff_t rseq = weir_rseq_offset();
	u32 cpu = weir_rseq_cpu(rseq), extra = weir_client_state.nr_cpus;

	return cpu < extra && weir_rseq_registered(rseq) && !weir_client_thread.vforked ? cpu : extra;
}

#else

static u32 weir_lost_ring(void)
{
	return weir_client_state.nr_cpus;
}

static inline int weir_append_fast(const struct weir_site *site, u64 match, const struct weir_client_slot *slot,
				   u64 epoch, const char *body, size_t len, u64 (*clock)(void))
{
	(void)site, (void)match, (void)slot, (void)epoch, (void)body, (void)len, (void)clock;
	return -1;
}

enum weir_outcome { WEIR_AGAIN, WEIR_DONE, WEIR_FALLBACK };

static enum weir_outcome weir_append_slow(const struct weir_client_slot *slot, u64 epoch, u32 id, const char *body,
					  size_t len)
{
	(void)slot, (void)epoch, (void)id, (void)body, (void)len;
	return WEIR_FALLBACK;
}

#endif

/* Counted where it would have been recorded, as far as that can be known. */
static void weir_lose(unsigned int n, u64 epoch)
{
	weir_ring_lose(weir_client_state.slot[n].ring + weir_lost_ring(), epoch);
}

/* One slot, whatever it takes. */
static void weir_append(const struct weir_site *site, u64 match, unsigned int n, u64 epoch, const char *body,
			size_t len)
{
	const struct weir_client_slot *slot = &weir_client_state.slot[n];
	enum weir_outcome outcome = weir_client_thread.vforked ? WEIR_FALLBACK : WEIR_AGAIN;
	u32 id = site->id;
	int tries;

	if (outcome == WEIR_AGAIN && !weir_append_fast(site, match, slot, epoch, body, len, weir_clock))
		return;
	for (tries = 0; outcome == WEIR_AGAIN && tries < WEIR_TRIES; tries++)
		outcome = weir_append_slow(slot, epoch, id, body, len);
	if (outcome == WEIR_FALLBACK)
		weir_fallback_append(n, epoch, id, body, len);
	else if (outcome == WEIR_AGAIN)
		weir_lose(n, epoch);
}

/* The record as one trace wants it. The stage leaves room for tid before the fields; without it the record's
 * body is the fields alone. end NULL: a field did not fit. */
static void weir_emit_slot(const struct weir_site *site, u64 match, unsigned int n, u64 epoch, char *stage,
			   const char *end)
{
	char *body = stage + WEIR_STAGE_HEAD;
	u32 tid;

	if (epoch & WEIR_EPOCH_TID) {
		body -= sizeof(tid);
		tid = weir_client_tid();
		memcpy(body, &tid, sizeof(tid));
	}
	if (!end || (size_t)(end - body) > WEIR_RECORD_MAX - 8)
		weir_lose(n, epoch);
	else
		weir_append(site, match, n, epoch, body, (size_t)(end - body) + 8);
}

/* Any number of slots, any thread. */
static __attribute__((noinline)) void weir_emit_slow(struct weir_site *site, char *stage, char *end)
{
	u64 match, again, epoch;
	u32 left, done = 0;
	unsigned int n;

	if (end)
		memset(end, 0, 8);
	if (!READ_ONCE(weir_client_alive.alive))
		weir_client_forked();
	match = __atomic_load_n(&site->match, __ATOMIC_ACQUIRE); /* emit:D */
	left = match & (WEIR_GENERATION_STEP - 1);
	while (left) {
		n = (unsigned int)__builtin_ctz(left);
		epoch = __atomic_load_n(&weir_client_state.slot[n].epoch, __ATOMIC_ACQUIRE); /* emit:F */
		again = __atomic_load_n(&site->match, __ATOMIC_ACQUIRE); /* emit:D if it is another one */
		if (again != match) {
			match = again;
			left = match & (WEIR_GENERATION_STEP - 1) & ~done;
			continue;
		}
		weir_emit_slot(site, match, n, epoch, stage, end);
		done |= 1u << n;
		left &= left - 1;
	}
}

/* What is nearly always so, a plain thread, one trace and a record that fits, is done here; all else in
 * weir_emit_slow(). */
static inline __attribute__((always_inline)) void weir_emit(struct weir_site *site, char *stage, char *end,
							     u64 (*clock)(void))
{
	u64 match = __atomic_load_n(&site->match, __ATOMIC_ACQUIRE), epoch; /* emit:D */
	const struct weir_client_slot *slot = __atomic_load_n(&site->slot, __ATOMIC_ACQUIRE); /* emit:D */
	u64 thread = weir_client_thread.word;
	char *body = stage + WEIR_STAGE_HEAD;
	u32 tid = (u32)thread;

	memset(end, 0, 8); /* up to the next multiple of 8 */
	if (unlikely(!slot || !weir_thread_is_plain(thread)))
		goto slow;
	epoch = __atomic_load_n(&slot->epoch, __ATOMIC_ACQUIRE); /* emit:F */
	if (likely(epoch & WEIR_EPOCH_TID)) {
		body -= sizeof(tid);
		memcpy(body, &tid, sizeof(tid));
	}
	if (likely(!weir_append_fast(site, match, slot, epoch, body, (size_t)(end - body) + 8, clock)))
		return;
slow:
	weir_emit_slow(site, stage, end);
}

static inline __attribute__((always_inline)) void weir_finish(struct weir_site *site, struct weir_cursor *cursor,
							       u64 (*clock)(void))
{
	if (unlikely(cursor->lost || cursor->p - cursor->stage > (ptrdiff_t)WEIR_RECORD_MAX))
		weir_emit_slow(site, cursor->stage, cursor->lost ? NULL : cursor->p);
	else
		weir_emit(site, cursor->stage, cursor->p, clock);
	if (unlikely(!cursor->limit))
		weir_stage_release(cursor);
}

/**
 * weir_client_emit() - record what a site has staged, in every trace that it matches
 * @site: matched when weir_site_on() looked
 * @stage: fields from WEIR_STAGE_HEAD on
 * @end: of the fields; 8 bytes there may be written
 *
 * Any context; see the head of this file.
 */
void weir_client_emit(struct weir_site *site, char *stage, char *end)
{
	weir_emit(site, stage, end, weir_clock);
}

/**
 * weir_client_finish() - as weir_client_emit(), for fields that vary
 * @site: matched when weir_site_on() looked
 * @cursor: where they were staged; a larger stage is given back
 */
void weir_client_finish(struct weir_site *site, struct weir_cursor *cursor)
{
	weir_finish(site, cursor, weir_clock);
}

/* The same while the TSC is the clock: nothing is called, so little is saved and restored. (Where it is the clock no
 * more, it reads 0, and no record fits.) */
void weir_client_emit_tsc(struct weir_site *site, char *stage, char *end)
{
	weir_emit(site, stage, end, weir_clock_tsc);
}

void weir_client_finish_tsc(struct weir_site *site, struct weir_cursor *cursor)
{
	weir_finish(site, cursor, weir_clock_tsc);
}

/**
 * weir_client_switch() - ask for packets of what was recorded so far
 *
 * A count moves; readers who find it changed cut all open packets of the process at the positions that they see
 * then. A process that is not attached has nothing to be cut.
 *
 * Context: any; a vfork child counts for its parent.
 */
void weir_client_switch(void)
{
	struct weir_process *process = READ_ONCE(weir_client_state.process);

	if (process)
		__atomic_add_fetch(&process->switches, 1, __ATOMIC_RELEASE); /* switch:E */
}
