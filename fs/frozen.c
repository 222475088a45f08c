// SPDX-License-Identifier: GPL-2.0-only
/*
 * frozen: what processes that have ended held. An image is one process in one trace: the bytes [begin, end) of
 * each of its rings, and what it lost. The process's memory is given back; its schemas stay with the source.
 *
 * Images are immutable once they are reachable. A trace lists its own in the order in which the processes
 * ended; beyond max_bytes the first ones go. A source whose last image goes, goes with it.
 *
 * A reader that has listed a trace looks its processes up afterwards, and fails if one is gone. So while a trace
 * is being listed, an image that has to go is hidden first: no listing has it any more, but it is found by its
 * name, until as many bytes again are hidden or nobody has listed the trace for some seconds. The same holds for
 * one that is too large to be kept at all; it is empty.
 */
#include <time.h>

#include "news.h"
#include "registry_i.h"

#define WEIR_LISTED_S 12u /* longer than a view, see view.c */

struct weir_image {
	struct rcu_head rcu;
	struct cds_list_head list;  /* of the trace */
	struct weir_source *source; /* stays in the registry as long as the image */
	unsigned int slot;
	uid_t uid;
	u64 epoch;
	bool hidden; /* set locked */
	u64 bytes;   /* everything that is kept for it */
	u64 charged; /* of that, taken from the user's quota here */
	u8 *data;
	struct weir_kept ring[];
};

static size_t weir_image_rings(void)
{
	return (size_t)weir_daemon.nr_cpus + 1;
}

/* ---- making one -------------------------------------------------------------------------------*/

/* Ring by ring what is to be kept; returns the bytes of data. */
static size_t weir_image_measure(struct weir_image *image, bool *any)
{
	size_t i, size = 0;

	for (i = 0; i < weir_image_rings(); i++) {
		struct weir_kept *ring = &image->ring[i];
		struct weir_ring_view view;

		if (image->source->backend->sample(image->source, image->slot, (unsigned int)i, image->epoch,
						   &view))
			continue;
		*ring = (struct weir_kept){ view.begin, view.end, view.lost, size };
		size += view.end - view.begin;
		*any = true;
	}
	return size;
}

/* The process is dead, but its memory may be shared with one that is not: the copy is validated like any. */
static void weir_image_fill(struct weir_image *image, unsigned int cpu)
{
	const struct weir_backend *backend = image->source->backend;
	struct weir_kept *ring = &image->ring[cpu];
	struct weir_ring_view view = { image->epoch, ring->begin, ring->end, ring->lost };
	u64 from = ~0ull;

	if (ring->begin == ring->end)
		return;
	if (!backend->read(image->source, image->slot, cpu, image->epoch, ring->begin,
			   image->data + ring->offset, ring->end - ring->begin))
		from = backend->valid_from(image->source, image->slot, cpu, &view);
	if (from <= ring->begin)
		return;
	from = min(from, ring->end);
	ring->offset += from - ring->begin;
	ring->begin = from;
}

static int weir_image_data(struct weir_image *image, size_t size)
{
	size_t cpu;
	int err;

	err = weir_quota_take(image->uid, WEIR_QUOTA_BYTES, size);
	if (err)
		return err;
	image->data = weir_alloc(size ? size : 1);
	if (!image->data) {
		weir_quota_give(image->uid, WEIR_QUOTA_BYTES, size);
		return -ENOMEM;
	}
	image->charged += size;
	image->bytes += size;
	for (cpu = 0; cpu < weir_image_rings(); cpu++)
		weir_image_fill(image, (unsigned int)cpu);
	return 0;
}

/* What an image costs beside its data, its source included. */
static int weir_image_charge(struct weir_image *image)
{
	u64 cost = sizeof(*image) + weir_image_rings() * sizeof(image->ring[0]) + sizeof(struct weir_source) +
		   sizeof(struct weir_shm);
	int err = weir_quota_take(image->uid, WEIR_QUOTA_BYTES, cost);

	if (err)
		return err;
	image->charged = cost;
	image->bytes = cost + weir_shm_schemas_cost(image->source->private);
	return 0;
}

/* Too much: nothing but the name stays, for readers that have it already. */
static void weir_image_empty(struct weir_image *image)
{
	memset(image->ring, 0, weir_image_rings() * sizeof(image->ring[0]));
	image->hidden = true;
}

/**
 * weir_image_make() - copy what a process holds in a trace
 * @source: a process that has ended, its memory still there
 * @trace: the trace
 * @epoch: of the trace
 * @full: set if there was something that could not be kept; the image is empty and hidden then
 *
 * Context: the attach thread, nothing locked; copies up to all rings of a trace.
 * Return: the image; NULL if there is nothing, or nothing can be kept.
 */
struct weir_image *weir_image_make(struct weir_source *source, struct weir_trace *trace, u64 epoch, bool *full)
{
	size_t size = sizeof(struct weir_image) + weir_image_rings() * sizeof(struct weir_kept);
	struct weir_image *image = weir_alloc(size);
	bool any = READ_ONCE(source->shown[trace->slot]) == epoch; /* then it stays, be it empty */

	if (!image) {
		*full = true;
		return NULL;
	}
	image->source = source;
	image->slot = trace->slot;
	image->uid = source->uid;
	image->epoch = epoch;
	size = weir_image_measure(image, &any);
	if (any) {
		*full = weir_image_charge(image);
		if (!*full) {
			*full = image->bytes + size > READ_ONCE(trace->max_bytes) || weir_image_data(image, size);
			if (*full)
				weir_image_empty(image);
			return image;
		}
	}
	weir_free(image);
	return NULL;
}

void weir_image_free(struct weir_image *image)
{
	weir_quota_give(image->uid, WEIR_QUOTA_BYTES, image->charged);
	weir_free(image->data);
	weir_free(image);
}

/* ---- joining and leaving ----------------------------------------------------------------------*/

static void weir_image_reclaim(struct rcu_head *head)
{
	weir_rcu_reclaim();
	weir_image_free(container_of(head, struct weir_image, rcu));
	weir_rcu_reclaimed();
}

static void weir_image_remove(struct weir_image *image, struct weir_trace *trace)
{
	struct weir_shm *shm = image->source->private;

	weir_rcu_store(shm->image[image->slot], NULL);
	weir_news_tell(trace, image->source);
	cds_list_del(&image->list);
	WRITE_ONCE(trace->dead_bytes, trace->dead_bytes - image->bytes);
	if (image->hidden)
		trace->hidden_bytes -= image->bytes;
	weir_image_sweep(image->source);
	weir_rcu_call(&image->rcu, weir_image_reclaim);
}

/**
 * weir_image_add() - an image joins its trace and its source
 * @image: from weir_image_make()
 * @trace: for which it was made
 *
 * Context: locked; the source is not marked ended yet, so that it stays. weir_images_limit() comes next.
 * Return: false if the trace has gone to another epoch meanwhile: free the image.
 */
bool weir_image_add(struct weir_image *image, struct weir_trace *trace)
{
	struct weir_shm *shm = image->source->private;

	if (trace->gone || trace->epoch != image->epoch)
		return false;
	weir_rcu_store(shm->image[image->slot], image);
	cds_list_add_tail(&image->list, &trace->images);
	WRITE_ONCE(trace->dead_bytes, trace->dead_bytes + image->bytes);
	if (image->hidden)
		trace->hidden_bytes += image->bytes;
	return true;
}

static u64 weir_images_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec;
}

void weir_trace_list(struct weir_trace *trace)
{
	WRITE_ONCE(trace->listed, weir_images_now());
}

static void weir_images_hide(struct weir_trace *trace, u64 bytes)
{
	struct cds_list_head *pos;

	cds_list_for_each(pos, &trace->images) {
		struct weir_image *image = container_of(pos, struct weir_image, list);

		if (trace->dead_bytes - trace->hidden_bytes <= bytes)
			break;
		if (image->hidden)
			continue;
		WRITE_ONCE(image->hidden, true);
		trace->hidden_bytes += image->bytes;
		WRITE_ONCE(trace->dropped, trace->dropped + 1);
	}
}

void weir_images_limit(struct weir_trace *trace, u64 bytes)
{
	u64 listed = READ_ONCE(trace->listed), spare = 0;
	struct cds_list_head *pos, *next;

	if (listed && weir_images_now() - listed < WEIR_LISTED_S)
		spare = bytes;
	weir_images_hide(trace, bytes);
	for (pos = trace->images.next; trace->hidden_bytes > spare && pos != &trace->images; pos = next) {
		struct weir_image *image = container_of(pos, struct weir_image, list);

		next = pos->next;
		if (image->hidden)
			weir_image_remove(image, trace);
	}
}

void weir_registry_sweep(void)
{
	struct weir_trace *trace;
	unsigned int i;

	pthread_mutex_lock(&weir_registry.lock);
	for (i = 0; i < WEIR_SLOTS; i++) {
		trace = weir_registry.traces[i];
		if (trace && trace->hidden_bytes)
			weir_images_limit(trace, trace->max_bytes);
	}
	weir_kmod_sweep();
	pthread_mutex_unlock(&weir_registry.lock);
}

void weir_images_drop(struct weir_trace *trace)
{
	while (!cds_list_empty(&trace->images))
		weir_image_remove(cds_list_first_entry(&trace->images, struct weir_image, list), trace);
}

void weir_image_sweep(struct weir_source *source)
{
	struct weir_shm *shm = source->private;
	unsigned int i;

	if (!source->ended || source->gone)
		return;
	for (i = 0; i < WEIR_SLOTS; i++)
		if (shm->image[i])
			return;
	weir_source_drop(source);
}

/* ---- reading: under RCU -----------------------------------------------------------------------*/

static const struct weir_kept *weir_image_ring(const struct weir_image *image, unsigned int cpu, u64 epoch)
{
	return image->epoch == epoch ? &image->ring[cpu] : NULL;
}

bool weir_image_there(const struct weir_source *source, const struct weir_trace *trace, bool listed)
{
	const struct weir_shm *shm = source->private;
	const struct weir_image *image;
	bool there;

	weir_rcu_lock();
	image = weir_rcu_load(shm->image[trace->slot]);
	there = image && image->epoch == READ_ONCE(trace->epoch) && !(listed && READ_ONCE(image->hidden));
	weir_rcu_unlock();
	return there;
}

int weir_kept_sample(const struct weir_kept *ring, u64 epoch, struct weir_ring_view *view)
{
	if (ring->begin == ring->end && !ring->lost)
		return -ENODATA;
	*view = (struct weir_ring_view){ epoch, ring->begin, ring->end, ring->lost };
	return 0;
}

void weir_kept_read(const struct weir_kept *ring, const u8 *data, u64 position, void *dst, size_t len)
{
	u64 from = max(position, ring->begin), to = min(position + len, ring->end);

	if (from >= to) {
		memset(dst, 0, len);
		return;
	}
	memset(dst, 0, from - position);
	memcpy((u8 *)dst + (from - position), data + ring->offset + (from - ring->begin), to - from);
	memset((u8 *)dst + (to - position), 0, position + len - to);
}

int weir_image_sample(const struct weir_image *image, unsigned int cpu, u64 epoch, struct weir_ring_view *view)
{
	const struct weir_kept *ring = weir_image_ring(image, cpu, epoch);

	return ring ? weir_kept_sample(ring, epoch, view) : -ENODATA;
}

/* valid_from tells what of it is kept. */
int weir_image_read(const struct weir_image *image, unsigned int cpu, u64 epoch, u64 position, void *dst,
		    size_t len)
{
	const struct weir_kept *ring = weir_image_ring(image, cpu, epoch);

	if (!ring)
		return -ENODATA;
	weir_kept_read(ring, image->data, position, dst, len);
	return 0;
}

u64 weir_image_valid_from(const struct weir_image *image, unsigned int cpu, const struct weir_ring_view *view)
{
	const struct weir_kept *ring = weir_image_ring(image, cpu, view->epoch);

	return ring && view->end <= ring->end ? ring->begin : ~0ull;
}
