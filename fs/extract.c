// SPDX-License-Identifier: GPL-2.0-only
/*
 * extract: a source and a trace of nobody's, made of memory that somebody else reads for us; then the same code that
 * fills the tree's files fills files on disk.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "extract.h"
#include "tree_i.h"
#include "registry_i.h"

#define WEIR_EXTRACT_AHEAD (1ull << 47) /* a record is no later than this after its packet's begin */
#define WEIR_EXTRACT_NAMES 1000u

/* ---- the memory as a backend ------------------------------------------------------------------*/

struct weir_extract_memory {
	const struct weir_extract_source *from;
	struct weir_extract_count *count;
};

/* A ring's words, as of one moment: claim and epoch are the same before and after. */
static int weir_extract_ring(const struct weir_extract_memory *memory, unsigned int slot, unsigned int cpu,
			     struct weir_ring *ring)
{
	const struct weir_extract_source *from = memory->from;
	u64 offset = WEIR_RINGS_OFFSET + weir_ring_index(weir_daemon.nr_cpus, slot, cpu) * sizeof(*ring);
	struct weir_ring after;
	int tries;

	for (tries = 0; tries < 16; tries++) {
		if (from->ops->process(from->priv, offset, ring, sizeof(*ring)) ||
		    from->ops->process(from->priv, offset, &after, sizeof(after)))
			return -EIO;
		if (ring->claim == after.claim && ring->epoch == after.epoch)
			return 0;
	}
	return -EIO;
}

static bool weir_extract_has(const struct weir_extract_memory *memory, unsigned int slot, unsigned int cpu, u64 epoch)
{
	const struct weir_extract_source *from = memory->from;

	return weir_epoch_ring_size(epoch) <= from->ring_stride &&
	       (!from->ops->epoch || from->ops->epoch(from->priv, slot, cpu) == epoch);
}

static int weir_extract_sample(struct weir_source *source, unsigned int slot, unsigned int cpu, u64 epoch,
			       struct weir_ring_view *view)
{
	const struct weir_extract_memory *memory = source->private;
	struct weir_ring ring;

	if (!weir_extract_has(memory, slot, cpu, epoch))
		return -ENODATA;
	if (weir_extract_ring(memory, slot, cpu, &ring))
		return -EIO;
	return weir_ring_sample(&ring, epoch, view);
}

static int weir_extract_read(struct weir_source *source, unsigned int slot, unsigned int cpu, u64 epoch, u64 position,
			     void *dst, size_t len)
{
	const struct weir_extract_memory *memory = source->private;
	const struct weir_extract_source *from = memory->from;
	u64 size = weir_epoch_ring_size(epoch), offset = position & (size - 1);
	size_t first = min(len, size - offset);

	if (len > size)
		return -EINVAL;
	memory->count->missing += from->ops->ring(from->priv, slot, cpu, offset, dst, first);
	if (len > first)
		memory->count->missing += from->ops->ring(from->priv, slot, cpu, 0, (u8 *)dst + first, len - first);
	return 0;
}

static u64 weir_extract_valid_from(struct weir_source *source, unsigned int slot, unsigned int cpu,
				   const struct weir_ring_view *view)
{
	struct weir_ring ring;

	if (weir_extract_ring(source->private, slot, cpu, &ring))
		return ~0ull;
	return weir_ring_valid_from(&ring, view);
}

static u32 weir_extract_schemas(struct weir_source *source)
{
	return source->schemas.count;
}

static const struct weir_backend weir_backend_extract = {
	.name = "extract",
	.sample = weir_extract_sample,
	.read = weir_extract_read,
	.valid_from = weir_extract_valid_from,
	.schemas = weir_extract_schemas,
};

/* ---- classes ----------------------------------------------------------------------------------*/

/* Those before the first bad entry stay. */
static int weir_extract_log(struct weir_source *source, struct weir_extract_memory *memory)
{
	const struct weir_extract_source *from = memory->from;
	struct weir_process process;
	size_t len;
	void *log;

	memory->count->missing += from->ops->process(from->priv, 0, &process, sizeof(process));
	len = min(process.schema_bytes, (u64)WEIR_SCHEMA_SIZE);
	log = len ? malloc(len) : NULL;
	if (!log)
		return len ? -ENOMEM : 0;
	memory->count->missing +=
		from->ops->process(from->priv, weir_schema_offset(weir_daemon.nr_cpus), log, len);
	if (weir_schemas_parse(&source->schemas, log, len))
		memory->count->damaged++;
	free(log);
	return 0;
}

/* ---- files ------------------------------------------------------------------------------------*/

static int weir_extract_fill(struct weir_place *place, int (*fill)(const struct weir_place *, int), int dir,
			     const char *name)
{
	int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640), err;

	if (fd < 0)
		return -errno;
	err = ftruncate(fd, (off_t)place->state.size) ? -errno : fill(place, fd);
	if (close(fd) && !err)
		err = -errno;
	return err;
}

static int weir_extract_mkdir(int parent, const char *name)
{
	int fd;

	if (mkdirat(parent, name, 0750) && errno != EEXIST)
		return -errno;
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? -errno : fd;
}

/* A name that is taken gets .1, as in the tree. */
static int weir_extract_new_dir(int parent, const char *name)
{
	char more[64];
	unsigned int n;

	snprintf(more, sizeof(more), "%s", name);
	for (n = 1; mkdirat(parent, more, 0750); n++) {
		if (errno != EEXIST || n > WEIR_EXTRACT_NAMES)
			return -errno;
		snprintf(more, sizeof(more), "%s.%u", name, n);
	}
	return weir_extract_mkdir(parent, more);
}

/* ---- one slot ---------------------------------------------------------------------------------*/

/* The streams of a source in a slot: what of it can be sampled. */
struct weir_extract_slot {
	struct weir_place place;
	struct weir_extract_count *count;
	unsigned int nr;
	struct weir_ring_view view[]; /* epoch 0: nothing there */
};

static void weir_extract_look(struct weir_extract_slot *slot, unsigned int cpu)
{
	struct weir_state state = { .cpu = cpu };
	struct weir_source *source = slot->place.source;
	int err = source->backend->sample(source, slot->place.trace->slot, cpu, slot->place.trace->epoch, &state.ring);

	if (!err)
		err = weir_state_fix(&state);
	if (err == -EIO)
		slot->count->damaged++;
	if (err)
		return;
	slot->view[cpu] = state.ring;
	slot->nr++;
}

/* Bounds times where the time of the end is not known. Garbage in a ring's own words is its own loss. */
static u64 weir_extract_latest(const struct weir_extract_memory *memory, unsigned int slot)
{
	u64 latest = memory->from->latest, most = 0;
	struct weir_ring ring;
	unsigned int cpu;

	for (cpu = 0; !latest && cpu <= weir_daemon.nr_cpus; cpu++)
		if (!weir_extract_ring(memory, slot, cpu, &ring) && ring.begin < ~0ull >> 1)
			most = max(most, ring.begin);
	return latest ? latest : most + WEIR_EXTRACT_AHEAD;
}

static int weir_extract_stream(struct weir_extract_slot *slot, unsigned int cpu, int dir)
{
	struct weir_place *place = &slot->place;
	char name[16];
	int err;

	place->state.ring = slot->view[cpu];
	place->state.cpu = cpu;
	err = weir_state_fix(&place->state);
	if (err)
		return 0;
	snprintf(name, sizeof(name), cpu < weir_daemon.nr_cpus ? "cpu%u" : "cpux", cpu);
	err = weir_extract_fill(place, weir_stream_fill, dir, name);
	if (err)
		return err;
	slot->count->damaged += weir_stream_damaged(place->source, place->trace, cpu);
	slot->count->streams++;
	slot->count->bytes += place->state.size;
	return 0;
}

static int weir_extract_streams(struct weir_extract_slot *slot, int dir)
{
	struct weir_place *place = &slot->place;
	unsigned int cpu;
	int err = 0;

	for (cpu = 0; !err && cpu <= weir_daemon.nr_cpus; cpu++)
		if (slot->view[cpu].epoch)
			err = weir_extract_stream(slot, cpu, dir);
	place->state.ring.epoch = place->trace->epoch;
	place->state.size =
		weir_metadata_size(place->trace, place->source, place->trace->epoch, place->state.count);
	return err ? err : weir_extract_fill(place, weir_metadata_fill, dir, "metadata");
}

static int weir_extract_into(struct weir_extract_slot *slot, int parent)
{
	int dir = weir_extract_mkdir(parent, slot->place.trace->name), sub, err;

	if (dir < 0)
		return dir;
	sub = weir_extract_new_dir(dir, slot->place.source->name);
	close(dir);
	if (sub < 0)
		return sub;
	slot->count->directories++;
	err = weir_extract_streams(slot, sub);
	close(sub);
	return err;
}

static int weir_extract_slot(struct weir_source *source, unsigned int n, u64 epoch, int parent)
{
	struct weir_extract_memory *memory = source->private;
	struct weir_trace trace = { .slot = n, .serial = n + 1, .epoch = epoch, .all = true };
	struct weir_extract_slot *slot;
	unsigned int cpu;
	int err = 0;

	slot = calloc(1, sizeof(*slot) + (weir_daemon.nr_cpus + 1) * sizeof(slot->view[0]));
	if (!slot)
		return -ENOMEM;
	snprintf(trace.name, sizeof(trace.name), "slot%u", n);
	slot->place = (struct weir_place){ .trace = &trace, .source = source };
	slot->place.state.count = source->schemas.count;
	slot->place.state.latest = weir_extract_latest(memory, n);
	slot->count = memory->count;
	for (cpu = 0; cpu <= weir_daemon.nr_cpus; cpu++)
		weir_extract_look(slot, cpu);
	if (slot->nr)
		err = weir_extract_into(slot, parent);
	free(slot);
	return err;
}

/* ---- a source ---------------------------------------------------------------------------------*/

static bool weir_extract_epoch_sane(u64 epoch)
{
	unsigned int subbuf = weir_epoch_subbuf_shift(epoch), ring = weir_epoch_ring_shift(epoch);

	return epoch >> WEIR_EPOCH_COUNTER_SHIFT && subbuf >= WEIR_SUBBUF_SHIFT_MIN &&
	       ring >= subbuf + WEIR_COUNT_SHIFT_MIN && ring <= WEIR_RING_SHIFT_MAX;
}

/* The newest of the slot's rings. */
static u64 weir_extract_newest(const struct weir_extract_memory *memory, unsigned int slot)
{
	struct weir_ring ring;
	unsigned int cpu;
	u64 newest = 0;

	for (cpu = 0; cpu <= weir_daemon.nr_cpus; cpu++)
		if (!weir_extract_ring(memory, slot, cpu, &ring) && weir_extract_epoch_sane(ring.epoch))
			newest = max(newest, ring.epoch);
	return newest;
}

static int weir_extract_slots(struct weir_source *source, const u64 epochs[WEIR_SLOTS], int parent)
{
	struct weir_extract_memory *memory = source->private;
	int err = weir_extract_log(source, memory);
	unsigned int n;
	u64 epoch;

	for (n = 0; !err && n < WEIR_SLOTS; n++) {
		epoch = epochs[n] ? epochs[n] : weir_extract_newest(memory, n);
		if (weir_extract_epoch_sane(epoch))
			err = weir_extract_slot(source, n, epoch, parent);
	}
	return err;
}

static struct weir_source *weir_extract_source(const struct weir_extract_source *from,
					       struct weir_extract_memory *memory)
{
	struct weir_source *source =
		weir_source_new(from->comm, from->pid, from->uid, &weir_backend_extract, memory);
	static u64 serial;

	if (!source)
		return NULL;
	source->serial = ++serial;
	if (from->kernel)
		strcpy(source->name, WEIR_KERNEL_NAME);
	else
		weir_source_plain_name(source);
	return source;
}

int weir_extract(const struct weir_extract_source *from, const u64 epochs[WEIR_SLOTS], const char *dir,
		 struct weir_extract_count *count)
{
	struct weir_extract_memory memory = { from, count };
	struct weir_source *source = weir_extract_source(from, &memory);
	int parent, err;

	if (!source)
		return -ENOMEM;
	parent = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	err = parent < 0 ? -errno : weir_extract_slots(source, epochs, parent);
	if (parent >= 0)
		close(parent);
	weir_schemas_destroy(&source->schemas);
	weir_free(source);
	return err;
}
