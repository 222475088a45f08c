// SPDX-License-Identifier: GPL-2.0-only
/*
 * marker: the source of a trace's `marker` file. One ring on heap pages, written and read under a lock, with
 * the trace's geometry; its stream is cpu0, and it belongs to the trace's owner.
 */
#include "registry_i.h"

#define WEIR_MARKER_PAGE_SHIFT 16u
#define WEIR_MARKER_CPU 0u

struct weir_marker {
	pthread_mutex_t lock; /* of all below; readers sample the ring without */
	struct weir_ring ring;
	struct weir_relay relay;
	u64 charged; /* bytes taken from the owner's quota */
	u8 record[WEIR_RECORD_MAX];
};

/* ---- reading ----------------------------------------------------------------------------------*/

static int weir_marker_sample(struct weir_source *source, unsigned int slot, unsigned int cpu, u64 epoch,
			      struct weir_ring_view *view)
{
	struct weir_marker *marker = source->private;

	(void)slot;
	return cpu == WEIR_MARKER_CPU ? weir_ring_sample(&marker->ring, epoch, view) : -ENODATA;
}

static int weir_marker_read_locked(struct weir_marker *marker, u64 epoch, u64 position, void *dst, size_t len)
{
	struct weir_relay_cursor cursor = { 0 };
	size_t size = marker->relay.size, offset, first;
	int err;

	if (READ_ONCE(marker->ring.epoch) != epoch || len > size)
		return -ENODATA;
	offset = position & (size - 1);
	first = min(len, size - offset);
	err = weir_relay_read(&marker->relay, &cursor, offset, dst, first);
	if (!err && len > first)
		err = weir_relay_read(&marker->relay, &cursor, 0, (char *)dst + first, len - first);
	return err;
}

static int weir_marker_read(struct weir_source *source, unsigned int slot, unsigned int cpu, u64 epoch,
			    u64 position, void *dst, size_t len)
{
	struct weir_marker *marker = source->private;
	int err;

	(void)slot;
	if (cpu != WEIR_MARKER_CPU)
		return -ENODATA;
	pthread_mutex_lock(&marker->lock);
	err = weir_marker_read_locked(marker, epoch, position, dst, len);
	pthread_mutex_unlock(&marker->lock);
	return err;
}

static u64 weir_marker_valid_from(struct weir_source *source, unsigned int slot, unsigned int cpu,
				  const struct weir_ring_view *view)
{
	struct weir_marker *marker = source->private;

	(void)slot;
	return cpu == WEIR_MARKER_CPU ? weir_ring_valid_from(&marker->ring, view) : ~0ull;
}

static void weir_marker_consume(struct weir_source *source, unsigned int slot, unsigned int cpu, u64 epoch,
				u64 position)
{
	struct weir_marker *marker = source->private;

	(void)slot;
	if (cpu == WEIR_MARKER_CPU)
		weir_ring_consume(&marker->ring, epoch, position);
}

static u32 weir_marker_schemas(struct weir_source *source)
{
	return smp_load_acquire(&source->schemas.count); /* class:A */
}

static void weir_marker_destroy(struct weir_source *source)
{
	struct weir_marker *marker = source->private;

	if (marker->relay.size)
		weir_relay_destroy(&marker->relay);
	weir_quota_give(source->uid, WEIR_QUOTA_BYTES, marker->charged);
	pthread_mutex_destroy(&marker->lock);
	weir_free(marker);
}

static const struct weir_backend weir_backend_marker = {
	.name = "marker",
	.sample = weir_marker_sample,
	.read = weir_marker_read,
	.valid_from = weir_marker_valid_from,
	.consume = weir_marker_consume,
	.schemas = weir_marker_schemas,
	.destroy = weir_marker_destroy,
};

/* ---- writing ----------------------------------------------------------------------------------*/

int weir_marker_describe(struct weir_source *source)
{
	static const char *const names[] = { "text", "pid" };
	static const u8 types[] = { WEIR_TYPE_STR, WEIR_TYPE_U32 };
	u64 desc[16];
	int size = weir_desc_write(desc, sizeof(desc), "marker:print", ARRAY_SIZE(names), names, types);

	return size < 0 ? size : weir_schemas_parse(&source->schemas, desc, (size_t)size);
}

/**
 * weir_marker_new() - a trace's marker, before anything was marked
 * @trace: the trace
 * @source: set; weir_source_add() comes next
 *
 * Return: 0, -ENOMEM.
 */
int weir_marker_new(struct weir_trace *trace, struct weir_source **source)
{
	struct weir_marker *marker = weir_alloc(sizeof(*marker));
	int err = -ENOMEM;

	if (!marker)
		return -ENOMEM;
	pthread_mutex_init(&marker->lock, NULL);
	*source = weir_source_new("marker", 0, trace->owner, &weir_backend_marker, marker);
	if (!*source) {
		weir_free(marker);
		return -ENOMEM;
	}
	strcpy((*source)->name, WEIR_MARKER_NAME);
	(*source)->dir_gid = trace->group;
	err = weir_marker_describe(*source);
	if (err)
		weir_source_put(*source);
	return err;
}

/* Memory for the rings of this epoch. Nobody reads the old one: its epoch is gone. */
static int weir_marker_resize(struct weir_marker *marker, uid_t uid, u64 epoch)
{
	unsigned int subbuf_shift = weir_epoch_subbuf_shift(epoch);
	unsigned int page_shift = min(subbuf_shift, WEIR_MARKER_PAGE_SHIFT);
	u64 size = weir_epoch_ring_size(epoch);
	int err;

	if (READ_ONCE(marker->ring.epoch) >= epoch)
		return 0;
	if (marker->relay.size == size && marker->relay.subbuf_shift == subbuf_shift)
		return 0;
	if (marker->relay.size)
		weir_relay_destroy(&marker->relay);
	weir_quota_give(uid, WEIR_QUOTA_BYTES, marker->charged);
	marker->charged = 0;
	err = weir_quota_take(uid, WEIR_QUOTA_BYTES, size);
	if (err)
		return err;
	marker->charged = size;
	err = weir_relay_init(&marker->relay, size, page_shift, subbuf_shift, &weir_relay_heap,
			      (void *)(1ul << page_shift));
	if (err)
		marker->relay.size = 0;
	return err;
}

/* {header word, u32 tid if the trace has that context, text NUL, u32 pid} */
static size_t weir_marker_record(u8 *record, u64 epoch, u64 time, const char *text, size_t len, pid_t pid)
{
	u64 head = time << WEIR_TIME_SHIFT; /* the only event: id 0 */
	u32 tid = (u32)pid;
	u8 *p = record;

	memcpy(p, &head, sizeof(head));
	p += sizeof(head);
	if (epoch & WEIR_EPOCH_TID) {
		memcpy(p, &tid, sizeof(tid));
		p += sizeof(tid);
	}
	memcpy(p, text, len);
	p += len;
	*p++ = 0;
	memcpy(p, &tid, sizeof(tid));
	return (size_t)(p + sizeof(tid) - record);
}

static int weir_marker_append_locked(struct weir_source *source, u64 epoch, const char *text, size_t len,
				     pid_t pid)
{
	struct weir_marker *marker = source->private;
	int err = weir_marker_resize(marker, source->uid, epoch);
	u64 time;

	if (err)
		return err;
	time = weir_clock_now();
	len = weir_marker_record(marker->record, epoch, time, text, len, pid);
	return weir_ring_append_locked(&marker->ring, &marker->relay, epoch, WEIR_MARKER_CPU, time,
				       marker->record, len);
}

/**
 * weir_marker_append() - one marker:print
 * @source: the marker
 * @epoch: of its trace
 * @text: bytes; end at a NUL if there is one
 * @len: of the text
 * @pid: of the writing thread
 *
 * Return: 0; -ESTALE the epoch is no longer the trace's; -EMSGSIZE; -ENOSPC; -EDQUOT; -ENOMEM.
 */
int weir_marker_append(struct weir_source *source, u64 epoch, const char *text, size_t len, pid_t pid)
{
	struct weir_marker *marker = source->private;
	int err;

	len = strnlen(text, len);
	if (len > WEIR_RECORD_MAX - 32)
		return -EMSGSIZE;
	pthread_mutex_lock(&marker->lock);
	err = weir_marker_append_locked(source, epoch, text, len, pid);
	pthread_mutex_unlock(&marker->lock);
	return err;
}
