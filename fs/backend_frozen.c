// SPDX-License-Identifier: GPL-2.0-only
/*
 * backend_frozen: the sources of snapshots: the memory that freeze.c has copied rings into.
 *
 * The copy is anonymous memory, huge pages where the system gives them, and read-only afterwards: filling memfds
 * takes twice the time, for the pages that tmpfs allocates one by one. The files of a snapshot, which copy.c
 * makes of it when they are opened, are in sealed memfds where that is of use.
 *
 * All snapshots together have a quarter of the memory.
 */
#include <sys/mman.h>
#include <sys/sysinfo.h>

#include "freeze_i.h"

static u64 weir_frozen_total; /* bytes of all */

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

/**
 * weir_frozen_alloc() - memory for a source's rings
 * @frozen: has none yet
 * @uid: who pays
 * @size: bytes
 * @why: on error, a sentence
 *
 * Return: 0; -ENOSPC quotas; -ENOMEM.
 */
int weir_frozen_alloc(struct weir_frozen *frozen, uid_t uid, size_t size, const char **why)
{
	int err = weir_frozen_charge(uid, size, why);

	if (err)
		return err;
	frozen->data = weir_frozen_map(uid, size);
	if (frozen->data)
		return 0;
	weir_frozen_discharge(uid, size);
	*why = "no memory";
	return -ENOMEM;
}

/* Nobody reads it, or can find it. */
void weir_frozen_free(struct weir_frozen *frozen)
{
	if (!frozen->data)
		return;
	weir_frozen_discharge(frozen->data->uid, frozen->data->size);
	weir_frozen_unmap(frozen->data);
}

/* Somebody may be reading it: it goes after a grace period. */
void weir_frozen_release(struct weir_frozen *frozen)
{
	struct weir_frozen_data *data = frozen->data;

	if (!data)
		return;
	weir_rcu_store(frozen->data, NULL);
	weir_frozen_discharge(data->uid, data->size);
	weir_rcu_call(&data->rcu, weir_frozen_reclaim);
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

	weir_frozen_free(frozen);
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
