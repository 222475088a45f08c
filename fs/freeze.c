// SPDX-License-Identifier: GPL-2.0-only
/*
 * freeze: copying a trace's rings as of one moment, while they are written.
 *
 * All rings are sampled first, which takes microseconds; what is copied afterwards is what they held then. A writer
 * overwrites the oldest sub-buffer first. So a ring is copied from the oldest on, which keeps everything if
 * copying is faster than writing; and once the writer has overtaken, from the newest backwards until both meet,
 * which keeps the most that can be. Each sub-buffer is validated when it was copied.
 *
 * What it costs is charged before a byte is copied: backend_frozen.c, which has the copy afterwards.
 */
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "freeze_i.h"

#define WEIR_HUGE (2ul << 20)
#define WEIR_FREEZE_THREADS 8u
#define WEIR_FREEZE_SHARE (4ull << 20) /* bytes that are worth a thread */
#define WEIR_FREEZE_TRIES 4		/* to sample everything undisturbed, */
#define WEIR_FREEZE_WITHIN 200000ull	/* which is in so many ns */

/* ---- the moment -------------------------------------------------------------------------------*/

/* Every ring of a source; false: there is nothing. */
static bool weir_freeze_source(struct weir_freeze *freeze, size_t i)
{
	struct weir_source *origin = freeze->origin[i];
	struct weir_kept *ring = freeze->frozen[i]->ring;
	struct weir_ring_view view;
	bool any = false;
	unsigned int cpu;

	for (cpu = 0; cpu < weir_freeze_rings(); cpu++) {
		ring[cpu] = (struct weir_kept){ 0 };
		if (origin->backend->sample(origin, freeze->slot, cpu, freeze->epoch, &view))
			continue;
		ring[cpu] = (struct weir_kept){ .begin = view.begin, .end = view.end, .lost = view.lost };
		any = true;
	}
	return any;
}

static void weir_freeze_once(struct weir_freeze *freeze, bool any[])
{
	u64 from = weir_clock_now();
	size_t i;

	for (i = 0; i < freeze->nr; i++)
		any[i] = weir_freeze_source(freeze, i);
	freeze->moment = weir_clock_now();
	freeze->within = freeze->moment - from;
}

static int weir_freeze_alloc(struct weir_freeze *freeze)
{
	size_t i, size = sizeof(struct weir_frozen) + weir_freeze_rings() * sizeof(struct weir_kept);

	freeze->frozen = weir_alloc((freeze->nr + 1) * sizeof(*freeze->frozen));
	if (!freeze->frozen)
		return -ENOMEM;
	for (i = 0; i < freeze->nr; i++) {
		freeze->frozen[i] = weir_alloc(size);
		if (!freeze->frozen[i])
			return -ENOMEM;
	}
	return 0;
}

/**
 * weir_freeze_sample() - one moment of all rings
 * @freeze: slot, epoch, uid, origin and nr are set
 *
 * On a busy machine somebody may run in between; then it is done again. Classes come after the rings: a class is
 * known before a record of it is there.
 *
 * Return: 0, -ENOMEM; weir_freeze_end() in any case.
 */
int weir_freeze_sample(struct weir_freeze *freeze)
{
	bool *any = weir_alloc(freeze->nr + 1);
	int try, err = any ? weir_freeze_alloc(freeze) : -ENOMEM;
	size_t i;

	if (err) {
		weir_free(any);
		return err;
	}
	for (try = 0; try < WEIR_FREEZE_TRIES; try++) {
		weir_freeze_once(freeze, any);
		if (freeze->within <= WEIR_FREEZE_WITHIN)
			break;
	}
	for (i = 0; i < freeze->nr; i++) {
		freeze->frozen[i]->classes = freeze->origin[i]->backend->schemas(freeze->origin[i]);
		if (any[i])
			continue;
		weir_free(freeze->frozen[i]);
		freeze->frozen[i] = NULL;
	}
	weir_free(any);
	return 0;
}

/* ---- copying ----------------------------------------------------------------------------------*/

/* Gives each ring its place; returns the bytes. Large rings begin with a huge page. */
static size_t weir_freeze_layout(struct weir_frozen *frozen)
{
	size_t cpu, size = 0, len;

	for (cpu = 0; cpu < weir_freeze_rings(); cpu++) {
		len = frozen->ring[cpu].end - frozen->ring[cpu].begin;
		if (len >= WEIR_HUGE)
			size = (size + WEIR_HUGE - 1) & ~(WEIR_HUGE - 1);
		frozen->ring[cpu].offset = size;
		size += (size_t)weir_align8(len);
	}
	return (size + 4095) & ~4095ul;
}

static int weir_freeze_memory(struct weir_freeze *freeze, const char **why)
{
	struct weir_frozen *frozen;
	size_t i, size;
	int err;

	for (i = 0; i < freeze->nr; i++) {
		frozen = freeze->frozen[i];
		size = frozen ? weir_freeze_layout(frozen) : 0;
		if (!size)
			continue;
		err = weir_frozen_alloc(frozen, freeze->uid, size, why);
		if (err)
			return err;
		freeze->bytes += size;
	}
	return 0;
}

/* A ring that is being copied. */
struct weir_freeze_ring {
	struct weir_source *origin;
	unsigned int slot, cpu;
	struct weir_ring_view view;
	u8 *data; /* of view.begin */
};

/* True if the sub-buffer was still whole when it had been copied. */
static bool weir_freeze_subbuf(const struct weir_freeze_ring *ring, u64 position)
{
	const struct weir_backend *backend = ring->origin->backend;
	u64 size = weir_epoch_subbuf_size(ring->view.epoch);
	size_t len = min(size, ring->view.end - position);

	return !backend->read(ring->origin, ring->slot, ring->cpu, ring->view.epoch, position,
			      ring->data + (position - ring->view.begin), len) &&
	       backend->valid_from(ring->origin, ring->slot, ring->cpu, &ring->view) <= position;
}

/* Returns from where on everything was copied in time. */
static u64 weir_freeze_span(const struct weir_freeze_ring *ring)
{
	u64 size = weir_epoch_subbuf_size(ring->view.epoch), begin = ring->view.begin, end = ring->view.end;
	u64 behind, position;

	for (behind = begin; behind < end && weir_freeze_subbuf(ring, behind); behind += size)
		;
	if (behind >= end)
		return begin;
	for (position = (end - 1) & ~(size - 1); position > behind && weir_freeze_subbuf(ring, position);
	     position -= size)
		;
	return min(position + size, end);
}

static void weir_freeze_ring(struct weir_freeze *freeze, size_t i, unsigned int cpu)
{
	struct weir_frozen *frozen = freeze->frozen[i];
	struct weir_kept *kept = &frozen->ring[cpu];
	struct weir_freeze_ring ring = {
		.origin = freeze->origin[i],
		.slot = freeze->slot,
		.cpu = cpu,
		.view = { freeze->epoch, kept->begin, kept->end, kept->lost },
	};
	u64 from;

	if (kept->begin == kept->end)
		return;
	ring.data = frozen->data->map + kept->offset;
	from = weir_freeze_span(&ring);
	kept->offset += from - kept->begin;
	kept->begin = from;
}

static void weir_freeze_work(struct weir_freeze *freeze)
{
	size_t rings = weir_freeze_rings(), job;

	while ((job = __atomic_fetch_add(&freeze->next, 1, __ATOMIC_RELAXED)) < freeze->nr * rings)
		if (freeze->frozen[job / rings])
			weir_freeze_ring(freeze, job / rings, (unsigned int)(job % rings));
}

static void *weir_freeze_help(void *freeze)
{
	urcu_memb_register_thread();
	weir_freeze_work(freeze);
	urcu_memb_unregister_thread();
	return NULL;
}

static unsigned int weir_freeze_helpers(const struct weir_freeze *freeze)
{
	u64 cpus = (u64)max(sysconf(_SC_NPROCESSORS_ONLN), 1l);

	cpus = min(cpus, (u64)WEIR_FREEZE_THREADS);
	return (unsigned int)min(cpus - 1, freeze->bytes / WEIR_FREEZE_SHARE);
}

/**
 * weir_freeze_copy() - copy what was sampled
 * @freeze: sampled
 * @why: on error, a sentence
 *
 * Context: any thread, nothing locked. Other CPUs help for as long as it takes.
 * Return: 0; -ENOSPC quotas; -ENOMEM. weir_freeze_end() in any case.
 */
int weir_freeze_copy(struct weir_freeze *freeze, const char **why)
{
	pthread_t helper[WEIR_FREEZE_THREADS];
	unsigned int n = 0, most;
	sigset_t all, old;
	int err = weir_freeze_memory(freeze, why);
	size_t i;

	if (err)
		return err;
	most = weir_freeze_helpers(freeze);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	while (n < most && !pthread_create(&helper[n], NULL, weir_freeze_help, freeze))
		n++;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	weir_freeze_work(freeze);
	while (n)
		pthread_join(helper[--n], NULL);
	for (i = 0; i < freeze->nr; i++)
		if (freeze->frozen[i] && freeze->frozen[i]->data)
			mprotect(freeze->frozen[i]->data->map, freeze->frozen[i]->data->size, PROT_READ);
	return 0;
}

void weir_freeze_end(struct weir_freeze *freeze)
{
	struct weir_frozen *frozen;
	size_t i;

	for (i = 0; freeze->frozen && i < freeze->nr; i++) {
		frozen = freeze->frozen[i];
		if (!frozen)
			continue;
		weir_frozen_free(frozen);
		weir_free(frozen);
	}
	weir_free(freeze->frozen);
}
