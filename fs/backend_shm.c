// SPDX-License-Identifier: GPL-2.0-only
/*
 * backend_shm: processes whose memory is shared with the daemon: by two memfds (memfds.c), or by the kernel
 * module (backend_kmod.c), where one descriptor has both regions.
 *
 * Nothing is trusted that the process can write. Geometry comes from its one message, checked, or from the module;
 * of the words in its memory each is read once by weir_ring_sample() and bounded there.
 *
 * Only the ring controls are mapped, a few pages, and their reserved pages allocate nothing until a trace looks at
 * them. The bytes of rings are read by pread(), for which a hole is zeros and allocates nothing.
 *
 *   end:A / memory:A    the images of what was held, before the memory is gone: who finds no memory finds them
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "news.h"
#include "registry_i.h"

#define WEIR_EXTENT_SHIFT 21u /* a "page" of the relay: an extent of the file */

static struct weir_ring *weir_shm_ring(const struct weir_shm_memory *memory, unsigned int slot, unsigned int cpu)
{
	u64 index = weir_ring_index(weir_daemon.nr_cpus, slot, cpu);

	return (struct weir_ring *)(memory->map + WEIR_RINGS_OFFSET) + index;
}

static int weir_pread(int fd, void *dst, size_t len, u64 offset)
{
	while (len) {
		ssize_t n = pread(fd, dst, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		dst = (char *)dst + n;
		offset += (u64)n;
		len -= (size_t)n;
	}
	return 0;
}

/* ---- the ring's bytes: a relay whose frames are extents of the file ---------------------------*/

struct weir_extents {
	int fd;
	u64 base; /* of the ring in the file */
};

/* Every frame is there, and its place is its offset: any token will do. */
static void *weir_extent_lookup(void *priv, size_t offset)
{
	(void)offset;
	return priv;
}

static int weir_extent_read(void *priv, void *page, size_t offset, void *dst, size_t len)
{
	const struct weir_extents *extents = priv;

	(void)page;
	return weir_pread(extents->fd, dst, len, extents->base + offset);
}

static const struct weir_relay_ops weir_extent_ops = {
	.lookup = weir_extent_lookup,
	.read = weir_extent_read,
};

static int weir_shm_copy(const struct weir_shm_memory *memory, unsigned int slot, unsigned int cpu, u64 epoch,
			 u64 position, void *dst, size_t len)
{
	u64 base = memory->buffers_base + weir_ring_index(weir_daemon.nr_cpus, slot, cpu) * memory->stride;
	struct weir_extents extents = { memory->buffers, base };
	size_t size = weir_epoch_ring_size(epoch), offset = position & (size - 1), first;
	unsigned int shift = min(weir_epoch_ring_shift(epoch), WEIR_EXTENT_SHIFT);
	struct weir_relay_cursor cursor = { 0 };
	struct weir_relay relay;
	int err;

	if (len > size)
		return -EINVAL;
	first = min(len, size - offset);
	err = weir_relay_init(&relay, size, shift, weir_epoch_subbuf_shift(epoch), &weir_extent_ops, &extents);
	if (err)
		return err;
	err = weir_relay_read(&relay, &cursor, offset, dst, first);
	if (!err && len > first)
		err = weir_relay_read(&relay, &cursor, 0, (char *)dst + first, len - first);
	weir_relay_destroy(&relay);
	return err;
}

/* ---- the backend: the memory while there is one, images afterwards ----------------------------*/

/* A ring of this epoch fits into what the process has reserved for it. */
static bool weir_shm_has(const struct weir_shm_memory *memory, unsigned int slot, unsigned int cpu, u64 epoch)
{
	return slot < WEIR_SLOTS && cpu <= weir_daemon.nr_cpus && weir_epoch_ring_size(epoch) <= memory->stride;
}

static const struct weir_image *weir_shm_image(const struct weir_shm *shm, unsigned int slot, unsigned int cpu)
{
	if (slot >= WEIR_SLOTS || cpu > weir_daemon.nr_cpus)
		return NULL;
	return weir_rcu_load(shm->image[slot]);
}

static int weir_shm_sample(struct weir_source *source, unsigned int slot, unsigned int cpu, u64 epoch,
			   struct weir_ring_view *view)
{
	const struct weir_shm *shm = source->private;
	const struct weir_shm_memory *memory;
	const struct weir_image *image;
	int err = -ENODATA;

	weir_rcu_lock();
	memory = weir_rcu_load(shm->memory); /* memory:A */
	image = memory ? NULL : weir_shm_image(shm, slot, cpu);
	if (memory && weir_shm_has(memory, slot, cpu, epoch))
		err = weir_ring_sample(weir_shm_ring(memory, slot, cpu), epoch, view);
	else if (image)
		err = weir_image_sample(image, cpu, epoch, view);
	weir_rcu_unlock();
	return err;
}

static int weir_shm_read(struct weir_source *source, unsigned int slot, unsigned int cpu, u64 epoch, u64 position,
			 void *dst, size_t len)
{
	const struct weir_shm *shm = source->private;
	const struct weir_shm_memory *memory;
	const struct weir_image *image;
	int err = -ENODATA;

	weir_rcu_lock();
	memory = weir_rcu_load(shm->memory); /* memory:A */
	image = memory ? NULL : weir_shm_image(shm, slot, cpu);
	if (memory && weir_shm_has(memory, slot, cpu, epoch))
		err = weir_shm_copy(memory, slot, cpu, epoch, position, dst, len);
	else if (image)
		err = weir_image_read(image, cpu, epoch, position, dst, len);
	weir_rcu_unlock();
	return err;
}

static u64 weir_shm_valid_from(struct weir_source *source, unsigned int slot, unsigned int cpu,
			       const struct weir_ring_view *view)
{
	const struct weir_shm *shm = source->private;
	const struct weir_shm_memory *memory;
	const struct weir_image *image;
	u64 from = ~0ull;

	weir_rcu_lock();
	memory = weir_rcu_load(shm->memory); /* memory:A */
	image = memory ? NULL : weir_shm_image(shm, slot, cpu);
	if (memory && weir_shm_has(memory, slot, cpu, view->epoch))
		from = weir_ring_valid_from(weir_shm_ring(memory, slot, cpu), view);
	else if (image)
		from = weir_image_valid_from(image, cpu, view);
	weir_rcu_unlock();
	return from;
}

/* ---- consuming --------------------------------------------------------------------------------*/

static void weir_shm_consume(struct weir_source *source, unsigned int slot, unsigned int cpu, u64 epoch,
			     u64 position)
{
	const struct weir_shm *shm = source->private;
	const struct weir_shm_memory *memory;

	weir_rcu_lock();
	memory = weir_rcu_load(shm->memory);
	if (memory && weir_shm_has(memory, slot, cpu, epoch))
		weir_ring_consume(weir_shm_ring(memory, slot, cpu), epoch, position);
	weir_rcu_unlock();
}

/* What the daemon may only read, the module writes. */
static void weir_kmod_consume(struct weir_source *source, unsigned int slot, unsigned int cpu, u64 epoch,
			      u64 position)
{
	struct weir_dev_ring ring = { .slot = slot, .cpu = cpu, .epoch = epoch, .position = position };
	const struct weir_shm *shm = source->private;
	const struct weir_shm_memory *memory;

	weir_rcu_lock();
	memory = weir_rcu_load(shm->memory);
	if (memory)
		weir_device->ioctl(memory->control, WEIR_IOC_CONSUMED, &ring);
	weir_rcu_unlock();
}

/* Done on the CPU itself, which may take a while: not under RCU. */
static int weir_kmod_switch_cpu(struct weir_source *source, unsigned int slot, unsigned int cpu, u64 epoch)
{
	struct weir_dev_ring ring = { .slot = slot, .cpu = cpu, .epoch = epoch };
	const struct weir_shm *shm = source->private;
	const struct weir_shm_memory *memory;
	int fd = -1, err;

	weir_rcu_lock();
	memory = weir_rcu_load(shm->memory);
	if (memory)
		fd = fcntl(memory->control, F_DUPFD_CLOEXEC, 0);
	err = memory && fd < 0 ? -errno : 0;
	weir_rcu_unlock();
	if (fd < 0)
		return err;
	err = weir_device->ioctl(fd, WEIR_IOC_SWITCH, &ring);
	close(fd);
	return err == -ENODATA ? 0 : err;
}

/* A process that writes calls nobody: its rings are looked at. The kernel's writers wake who waits for a stream. */
static int weir_kmod_wake(struct weir_source *source, unsigned int slot, unsigned int cpu, u64 epoch)
{
	struct weir_dev_ring ring = { .slot = slot, .cpu = cpu, .epoch = epoch };
	const struct weir_shm *shm = source->private;
	const struct weir_shm_memory *memory;
	int fd = -EOPNOTSUPP;

	if (!weir_source_is_kernel(source))
		return fd;
	weir_rcu_lock();
	memory = weir_rcu_load(shm->memory);
	if (memory)
		fd = weir_device->ioctl(memory->control, WEIR_IOC_STREAM, &ring);
	weir_rcu_unlock();
	return fd;
}

static u64 weir_shm_switches(struct weir_source *source)
{
	const struct weir_shm *shm = source->private;
	const struct weir_shm_memory *memory;
	u64 count = 0;

	weir_rcu_lock();
	memory = weir_rcu_load(shm->memory);
	if (memory)
		count = smp_load_acquire(&((struct weir_process *)memory->map)->switches); /* asked:E */
	weir_rcu_unlock();
	return count;
}

/* ---- schemas ----------------------------------------------------------------------------------*/

/* What was committed and not parsed yet, copied, so that it holds still. Its cost is the user's. */
static int weir_shm_parse(struct weir_source *source, struct weir_shm *shm, const struct weir_shm_memory *memory)
{
	const struct weir_process *process = (const struct weir_process *)memory->map;
	u64 done = source->schemas.bytes;
	u64 committed = smp_load_acquire(&process->schema_bytes); /* parse:A */
	u64 len = min(committed, (u64)WEIR_SCHEMA_SIZE), cost;
	void *log;
	int err;

	if (len <= done)
		return 0;
	len -= done;
	cost = len * WEIR_SCHEMA_COST;
	err = weir_quota_take(source->uid, WEIR_QUOTA_BYTES, cost);
	if (err)
		return err;
	shm->schemas_cost += cost;
	log = weir_alloc(len);
	err = log ? weir_pread(memory->control, log, len,
			       memory->control_base + weir_schema_offset(weir_daemon.nr_cpus) + done) :
		    -ENOMEM;
	if (!err) {
		err = weir_schemas_parse(&source->schemas, log, len);
		shm->schemas_bad = err && err != -ENOMEM;
	}
	weir_free(log);
	/* what was not understood costs nothing from now on */
	cost = (done + len - source->schemas.bytes) * WEIR_SCHEMA_COST;
	shm->schemas_cost -= cost;
	weir_quota_give(source->uid, WEIR_QUOTA_BYTES, cost);
	return err;
}

/* A log with a bad entry is not looked at again: it only grows, and ids are counted from its start. What there was
 * no memory for is tried again, the next time somebody looks. */
static u32 weir_shm_schemas(struct weir_source *source)
{
	struct weir_shm *shm = source->private;
	const struct weir_shm_memory *memory;
	bool more = false, full = false;
	u32 before;

	weir_rcu_lock();
	memory = weir_rcu_load(shm->memory);
	if (memory) {
		pthread_mutex_lock(&shm->schemas_lock);
		before = source->schemas.count;
		if (!shm->schemas_bad && weir_shm_parse(source, shm, memory) == -EDQUOT)
			full = !shm->schemas_full;
		shm->schemas_full |= full;
		more = source->schemas.count != before;
		pthread_mutex_unlock(&shm->schemas_lock);
	}
	weir_rcu_unlock();
	if (full)
		weir_error_add(source->uid, "event types of %s: the user's ended processes hold as much as there may be",
			       source->name);
	if (more)
		weir_news_tell(NULL, source);
	return smp_load_acquire(&source->schemas.count); /* class:A */
}

u64 weir_shm_schemas_cost(struct weir_shm *shm)
{
	u64 cost;

	pthread_mutex_lock(&shm->schemas_lock);
	cost = shm->schemas_cost;
	pthread_mutex_unlock(&shm->schemas_lock);
	return cost;
}

/* ---- life -------------------------------------------------------------------------------------*/

static void weir_shm_release(struct weir_shm_memory *memory)
{
	munmap(memory->map, memory->map_size);
	close(memory->control);
	if (memory->buffers != memory->control)
		close(memory->buffers);
	weir_free(memory);
}

static void weir_shm_reclaim(struct rcu_head *head)
{
	weir_rcu_reclaim();
	weir_shm_release(container_of(head, struct weir_shm_memory, rcu));
	weir_rcu_reclaimed();
}

/**
 * weir_shm_forget() - the process's memory goes; its images are read from now on
 * @shm: the process
 *
 * Context: the attach thread. Readers that are under way keep the memory until they are done.
 */
void weir_shm_forget(struct weir_shm *shm)
{
	struct weir_shm_memory *memory = shm->memory;

	weir_rcu_store(shm->memory, NULL); /* end:A */
	if (memory)
		weir_rcu_call(&memory->rcu, weir_shm_reclaim);
}

void weir_shm_abandon(struct weir_shm *shm)
{
	if (shm->memory)
		weir_shm_release(shm->memory);
	pthread_mutex_destroy(&shm->schemas_lock);
	weir_free(shm);
}

static void weir_shm_destroy(struct weir_source *source)
{
	struct weir_shm *shm = source->private;

	weir_quota_give(source->uid, WEIR_QUOTA_BYTES, shm->schemas_cost);
	weir_shm_abandon(shm);
}

const struct weir_backend weir_backend_shm = {
	.name = "shm",
	.sample = weir_shm_sample,
	.read = weir_shm_read,
	.valid_from = weir_shm_valid_from,
	.consume = weir_shm_consume,
	.switches = weir_shm_switches,
	.schemas = weir_shm_schemas,
	.destroy = weir_shm_destroy,
};

const struct weir_backend weir_backend_kmod = {
	.name = "kmod",
	.sample = weir_shm_sample,
	.read = weir_shm_read,
	.valid_from = weir_shm_valid_from,
	.consume = weir_kmod_consume,
	.switches = weir_shm_switches,
	.switch_cpu = weir_kmod_switch_cpu,
	.wake = weir_kmod_wake,
	.schemas = weir_shm_schemas,
	.destroy = weir_shm_destroy,
};

/**
 * weir_shm_new() - a process by its memory
 * @memory: mapped; its descriptors and its mapping are taken over on success
 * @shm: set
 *
 * Return: 0, -ENOMEM.
 */
int weir_shm_new(const struct weir_shm_memory *memory, struct weir_shm **shm)
{
	struct weir_shm_memory *copy = weir_alloc(sizeof(*copy));

	*shm = weir_alloc(sizeof(**shm));
	if (!copy || !*shm) {
		weir_free(copy);
		weir_free(*shm);
		return -ENOMEM;
	}
	*copy = *memory;
	pthread_mutex_init(&(*shm)->schemas_lock, NULL);
	(*shm)->memory = copy;
	(*shm)->watch.fd = -1;
	return 0;
}
