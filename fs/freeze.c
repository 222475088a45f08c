// SPDX-License-Identifier: GPL-2.0-only
/*
 * freeze: copying a trace's rings as of one moment, while they are written.
 *
 * All rings are sampled first, which takes microseconds; what is copied afterwards is what they held then. A writer
 * overwrites the oldest sub-buffer first. So a ring is copied from the oldest on, which keeps everything if
 * copying is faster than writing; and once the writer has overtaken, from the newest backwards until both meet,
 * which keeps the most that can be. Each sub-buffer is validated when it was copied.
 *
 * The copy is anonymous memory, huge pages where the system gives them, and read-only afterwards: filling memfds
 * takes twice the time, for the pages that tmpfs allocates one by one. The files of a snapshot, which copy.c
 * makes of it when they are opened, are in sealed memfds where that is of use.
 *
 * What it costs is charged before a byte is copied. All snapshots together have a quarter of the memory.
 */
#include <signal.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "freeze_i.h"

#define WEIR_HUGE (2ul << 20)
#define WEIR_FREEZE_THREADS 8u
#define WEIR_FREEZE_SHARE (4ull << 20) /* bytes that are worth a thread */
#define WEIR_FREEZE_TRIES 4		/* to sample everything undisturbed, */
#define WEIR_FREEZE_WITHIN 200000ull	/* which is in so many ns */

static u64 weir_frozen_total; /* bytes of all */

static size_t weir_freeze_rings(void)
{
	return (size_t)weir_daemon.nr_cpus + 1;
}

u64 weir_frozen_bytes(void)
{
	return __atomic_load_n(&weir_frozen_total, __ATOMIC_RELAXED);
}

/* ---- memory -----------------------------------------------------------------------------------*/

static int weir_frozen_reserve(u64 bytes)
{
	struct sysinfo info;
	u64 most = 0;

	if (!sysinfo(&info))
		most = (u64)info.totalram * info.mem_unit / 4;
	if (__atomic_add_fetch(&weir_frozen_total, bytes, __ATOMIC_RELAXED) <= most)
		return 0;
	__atomic_sub_fetch(&weir_frozen_total, bytes, __ATOMIC_RELAXED);
	return -ENOSPC;
}

static int weir_frozen_charge(uid_t uid, u64 bytes, const char **why)
{
	int err = weir_quota_take(uid, WEIR_QUOTA_SNAPSHOT_BYTES, bytes);

	*why = "a user's snapshots have 512 MiB";
	if (err)
		return err == -EDQUOT ? -ENOSPC : err;
	*why = "all snapshots together have a quarter of the memory";
	err = weir_frozen_reserve(bytes);
	if (err)
		weir_quota_give(uid, WEIR_QUOTA_SNAPSHOT_BYTES, bytes);
	return err;
}

static void weir_frozen_discharge(uid_t uid, u64 bytes)
{
	__atomic_sub_fetch(&weir_frozen_total, bytes, __ATOMIC_RELAXED);
	weir_quota_give(uid, WEIR_QUOTA_SNAPSHOT_BYTES, bytes);
}

/* It is charged already. */
static struct weir_frozen_data *weir_frozen_map(uid_t uid, size_t size)
{
	struct weir_frozen_data *data = weir_alloc(sizeof(*data));

	if (!data)
		return NULL;
	data->map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (data->map == MAP_FAILED) {
		weir_free(data);
		return NULL;
	}
	data->uid = uid;
	data->size = size;
	madvise(data->map, size, MADV_HUGEPAGE);
	madvise(data->map, size, MADV_DONTDUMP);
	return data;
}

static void weir_frozen_unmap(struct weir_frozen_data *data)
{
	munmap(data->map, data->size);
	weir_free(data);
}

static void weir_frozen_reclaim(struct rcu_head *head)
{
	weir_rcu_reclaim();
	weir_frozen_unmap(container_of(head, struct weir_frozen_data, rcu));
	weir_rcu_reclaimed();
}

void weir_frozen_release(struct weir_frozen *frozen)
{
	struct weir_frozen_data *data = frozen->data;

	if (!data)
		return;
	weir_rcu_store(frozen->data, NULL);
	weir_frozen_discharge(data->uid, data->size);
	weir_rcu_call(&data->rcu, weir_frozen_reclaim);
}

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
		err = weir_frozen_charge(freeze->uid, size, why);
		if (err)
			return err;
		frozen->data = weir_frozen_map(freeze->uid, size);
		if (!frozen->data) {
			weir_frozen_discharge(freeze->uid, size);
			*why = "no memory";
			return -ENOMEM;
		}
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
		if (frozen->data) {
			weir_frozen_discharge(frozen->data->uid, frozen->data->size);
			weir_frozen_unmap(frozen->data);
		}
		weir_free(frozen);
	}
	weir_free(freeze->frozen);
}

/* ---- the backend ------------------------------------------------------------------------------*/

static const struct weir_kept *weir_frozen_ring(const struct weir_source *source, unsigned int cpu)
{
	const struct weir_frozen *frozen = source->private;

	return cpu < weir_freeze_rings() ? &frozen->ring[cpu] : NULL;
}

static int weir_frozen_sample(struct weir_source *source, unsigned int slot, unsigned int cpu, u64 epoch,
			      struct weir_ring_view *view)
{
	const struct weir_kept *ring = weir_frozen_ring(source, cpu);

	(void)slot;
	return ring ? weir_kept_sample(ring, epoch, view) : -ENODATA;
}

static int weir_frozen_read(struct weir_source *source, unsigned int slot, unsigned int cpu, u64 epoch,
			    u64 position, void *dst, size_t len)
{
	const struct weir_frozen *frozen = source->private;
	const struct weir_kept *ring = weir_frozen_ring(source, cpu);
	const struct weir_frozen_data *data;
	int err = -ENODATA;

	(void)slot;
	(void)epoch;
	weir_rcu_lock();
	data = weir_rcu_load(frozen->data);
	if (ring && data) {
		weir_kept_read(ring, data->map, position, dst, len);
		err = 0;
	}
	weir_rcu_unlock();
	return err;
}

static u64 weir_frozen_valid_from(struct weir_source *source, unsigned int slot, unsigned int cpu,
				  const struct weir_ring_view *view)
{
	const struct weir_kept *ring = weir_frozen_ring(source, cpu);

	(void)slot;
	return ring && view->end <= ring->end ? ring->begin : ~0ull;
}

/* Nobody takes anything from a snapshot. */
static void weir_frozen_consume(struct weir_source *source, unsigned int slot, unsigned int cpu, u64 epoch,
				u64 position)
{
	(void)source;
	(void)slot;
	(void)cpu;
	(void)epoch;
	(void)position;
}

static u32 weir_frozen_schemas(struct weir_source *source)
{
	const struct weir_frozen *frozen = source->private;

	return frozen->classes;
}

/* The classes are the origin's, and stay there. */
static void weir_frozen_destroy(struct weir_source *source)
{
	struct weir_frozen *frozen = source->private;

	if (frozen->data) {
		weir_frozen_discharge(frozen->data->uid, frozen->data->size);
		weir_frozen_unmap(frozen->data);
	}
	if (frozen->origin) {
		memset(&source->schemas, 0, sizeof(source->schemas));
		weir_source_put(frozen->origin);
	}
	weir_free(frozen);
}

const struct weir_backend weir_backend_frozen = {
	.name = "frozen",
	.sample = weir_frozen_sample,
	.read = weir_frozen_read,
	.valid_from = weir_frozen_valid_from,
	.consume = weir_frozen_consume,
	.schemas = weir_frozen_schemas,
	.destroy = weir_frozen_destroy,
};
