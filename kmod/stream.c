// SPDX-License-Identifier: GPL-2.0-only
/*
 * stream: a descriptor of one ring in one epoch, which consumes whole sub-buffers, after the
 * consumer protocol of the RFC "Userspace tracing memory mappings".
 *
 * How far it has come is in the module's own memory; the writer is told for discard mode alone. One
 * stream a ring. Bytes are the ring's, as the process wrote them: whoever decodes them checks them.
 *
 *   GET     the oldest whole sub-buffer that was not consumed, to be read through the mapping
 *   PUT     it is consumed; ESTALE: it was overwritten meanwhile, what was read does not count
 *   read, splice   take it out of the ring (stream_read.c)
 *
 * A source that has ended has no open packet any more: what is left of it is the last sub-buffer,
 * shorter than the others, with the header of an open one.
 */
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "weir_kmod.h"

static u64 weir_stream_size(const struct weir_stream *stream)
{
	return weir_epoch_subbuf_size(stream->view.epoch);
}

static bool weir_stream_ended(const struct weir_stream *stream)
{
	return smp_load_acquire(&stream->view.source->state) >= WEIR_SOURCE_ENDED; /* over:A */
}

/* No more comes than there is. */
bool weir_stream_over(const struct weir_stream *stream)
{
	return weir_stream_ended(stream) ||
	       weir_slot_epoch(stream->view.slot) != stream->view.epoch;
}

static int weir_stream_sample(const struct weir_stream *stream, struct weir_ring_view *sample)
{
	const struct weir_view *view = &stream->view;
	struct weir_ring *ring = weir_source_ring(view->source, view->slot, view->cpu);

	memset(sample, 0, sizeof(*sample));
	if (weir_slot_epoch(view->slot) != view->epoch || !ring)
		return -ENODATA;
	return weir_ring_sample(ring, view->epoch, sample);
}

/**
 * weir_stream_next() - the oldest sub-buffer to consume
 * @stream: the stream
 * @next: [begin, end) of it
 *
 * Return: 0; -EAGAIN there is none.
 */
int weir_stream_next(struct weir_stream *stream, struct weir_ring_view *next)
{
	bool ended = weir_stream_ended(stream); /* over:A: first */
	u64 size = weir_stream_size(stream), open;

	if (weir_stream_sample(stream, next) || next->begin == next->end)
		return -EAGAIN;
	open = (next->end - 1) & ~(size - 1);
	next->begin = max(next->begin, READ_ONCE(stream->position));
	if (next->begin < open)
		next->end = next->begin + size;
	else if (!ended || next->begin >= next->end)
		return -EAGAIN;
	return 0;
}

/* All below @position was consumed. Context: stream->lock. */
void weir_stream_consume(struct weir_stream *stream, u64 position)
{
	struct weir_dev_ring ring = {
		.slot = stream->view.slot,
		.cpu = stream->view.cpu,
		.epoch = stream->view.epoch,
		.position = position,
	};

	WRITE_ONCE(stream->position, position);
	weir_consumed(stream->view.source, &ring);
}

/* Whether it holds no packet: the process lacks pages of it, or of the ring, or has written none. */
static bool weir_stream_lacks(const struct weir_stream *stream, const struct weir_ring_view *next)
{
	const struct weir_view *view = &stream->view;
	struct weir_buffer *buffer = weir_buffer_get(view->source, view->slot, view->cpu);
	bool lacks = !buffer;

	if (buffer && buffer->epoch == view->epoch)
		lacks = !weir_buffer_marked(buffer, next->begin & (buffer->relay.size - 1));
	weir_buffer_put(buffer);
	return lacks;
}

/**
 * weir_stream_find() - the oldest sub-buffer to consume that holds a packet
 * @stream: the stream
 * @next: [begin, end) of it
 *
 * At most a ring of those that hold none is passed over.
 *
 * Context: stream->lock.
 * Return: 0; -EAGAIN there is none.
 */
int weir_stream_find(struct weir_stream *stream, struct weir_ring_view *next)
{
	u64 left = weir_epoch_ring_size(stream->view.epoch) / weir_stream_size(stream);
	int err = weir_stream_next(stream, next);

	for (; !err && weir_stream_lacks(stream, next); left--) {
		weir_stream_consume(stream, next->end);
		err = left ? weir_stream_next(stream, next) : -EAGAIN;
		cond_resched();
	}
	return err;
}

/* Whether a reader need not wait. Context: any. */
bool weir_stream_ready(struct weir_stream *stream)
{
	struct weir_ring_view next;

	return READ_ONCE(stream->held.size) || !weir_stream_next(stream, &next) ||
	       weir_stream_over(stream);
}

/* ---- ioctl ----------------------------------------------------------------------------------- */

static void weir_stream_say(const struct weir_ring_view *view, struct weir_dev_subbuf *subbuf)
{
	subbuf->epoch = view->epoch;
	subbuf->begin = view->begin;
	subbuf->end = view->end;
	subbuf->offset = view->begin & (weir_epoch_ring_size(view->epoch) - 1);
	subbuf->lost = view->lost;
}

static long weir_stream_snapshot(struct file *file, struct weir_call *call)
{
	struct weir_stream *stream = file->private_data;
	struct weir_ring_view view;
	int err = weir_stream_sample(stream, &view);

	if (err == -EIO)
		return err;
	view.epoch = stream->view.epoch;
	weir_stream_say(&view, &call->subbuf);
	return 0;
}

static long weir_stream_get(struct file *file, struct weir_call *call)
{
	struct weir_stream *stream = file->private_data;
	int err;

	if (mutex_lock_interruptible(&stream->lock))
		return -ERESTARTSYS;
	err = stream->held.size ? -EBUSY : weir_stream_find(stream, &stream->got);
	if (err)
		stream->got.end = 0;
	else
		weir_stream_say(&stream->got, &call->subbuf);
	mutex_unlock(&stream->lock);
	return err;
}

/* Whether what was read since GET is what was there then. */
static int weir_stream_check(struct weir_stream *stream)
{
	struct weir_ring *ring =
		weir_source_ring(stream->view.source, stream->view.slot, stream->view.cpu);

	if (weir_stream_over(stream) && !weir_stream_ended(stream))
		return -ESTALE;
	return weir_ring_valid_from(ring, &stream->got) <= stream->got.begin ? 0 : -ESTALE;
}

static long weir_stream_put(struct file *file, struct weir_call *call)
{
	struct weir_stream *stream = file->private_data;
	int err = -EINVAL;

	if (mutex_lock_interruptible(&stream->lock))
		return -ERESTARTSYS;
	if (stream->got.end && stream->got.begin == call->subbuf.begin) {
		err = weir_stream_check(stream);
		weir_stream_consume(stream, stream->got.end);
		stream->got.end = 0;
	}
	mutex_unlock(&stream->lock);
	return err;
}

static long weir_stream_switch(struct file *file, struct weir_call *call)
{
	struct weir_stream *stream = file->private_data;

	call->ring.slot = stream->view.slot;
	call->ring.cpu = stream->view.cpu;
	call->ring.epoch = stream->view.epoch;
	return weir_switch(stream->view.source, &call->ring);
}

static const struct weir_ioctl weir_stream_ioctls[] = {
	{ WEIR_IOC_SUBBUF_SNAPSHOT, weir_stream_snapshot },
	{ WEIR_IOC_SUBBUF_GET, weir_stream_get },
	{ WEIR_IOC_SUBBUF_PUT, weir_stream_put },
	{ WEIR_IOC_SWITCH, weir_stream_switch },
	{},
};

static long weir_stream_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	return weir_ioctl(weir_stream_ioctls, file, cmd, arg);
}

static int weir_stream_mmap(struct file *file, struct vm_area_struct *vma)
{
	return weir_map_view(file->private_data, vma);
}

/* ---- life ------------------------------------------------------------------------------------ */

static u32 weir_stream_index(const struct weir_stream *stream)
{
	return weir_ring_index(weir_nr_cpus(), stream->view.slot, stream->view.cpu);
}

static void weir_stream_free(struct weir_stream *stream)
{
	struct weir_source *source = stream->view.source;

	mutex_lock(&weir_source_lock);
	__clear_bit(weir_stream_index(stream), source->streams);
	mutex_unlock(&weir_source_lock);
	weir_consumer_put(source);
	kfree(stream);
}

static int weir_stream_release(struct inode *inode, struct file *file)
{
	struct weir_stream *stream = file->private_data;

	file->f_mapping = inode->i_mapping;
	weir_stream_unwatch(stream);
	weir_stream_drop(stream);
	weir_stream_free(stream);
	return 0;
}

static const struct file_operations weir_stream_fops = {
	.owner = THIS_MODULE,
	.release = weir_stream_release,
	.read = weir_stream_read,
	.splice_read = weir_stream_splice,
	.mmap = weir_stream_mmap,
	.poll = weir_stream_poll,
	.unlocked_ioctl = weir_stream_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

/* The stream of a ring that has none. */
static struct weir_stream *weir_stream_create(struct weir_source *source,
					      const struct weir_dev_ring *ring)
{
	struct weir_stream *stream = kzalloc(sizeof(*stream), GFP_KERNEL_ACCOUNT);
	int err = stream ? weir_consumer_get(source) : -ENOMEM;
	bool taken;

	if (err) {
		kfree(stream);
		return ERR_PTR(err);
	}
	stream->view = (struct weir_view){ source, ring->epoch, ring->slot, ring->cpu };
	mutex_init(&stream->lock);
	init_waitqueue_head(&stream->own);
	stream->wait = weir_wake_queue(source, ring->slot, ring->cpu) ?: &stream->own;
	INIT_LIST_HEAD(&stream->watch);
	mutex_lock(&weir_source_lock);
	taken = __test_and_set_bit(weir_stream_index(stream), source->streams);
	mutex_unlock(&weir_source_lock);
	if (!taken)
		return stream;
	weir_consumer_put(source);
	kfree(stream);
	return ERR_PTR(-EBUSY);
}

/**
 * weir_stream_open() - make a descriptor of one ring
 * @source: whose
 * @call: WEIR_IOC_STREAM
 *
 * Return: the descriptor; -EINVAL no such ring; -ESTALE the slot has another epoch; -EBUSY the ring
 * has one; -errno.
 */
long weir_stream_open(struct weir_source *source, struct weir_call *call)
{
	const struct weir_dev_ring *ring = &call->ring;
	struct weir_stream *stream;
	int fd;

	if (ring->slot >= WEIR_SLOTS || ring->cpu > weir_nr_cpus() || !ring->epoch ||
	    weir_epoch_ring_size(ring->epoch) > source->stride)
		return -EINVAL;
	if (ring->epoch != weir_slot_epoch(ring->slot))
		return -ESTALE;
	stream = weir_stream_create(source, ring);
	if (IS_ERR(stream))
		return PTR_ERR(stream);
	fd = weir_descriptor(call, "[weir-stream]", &weir_stream_fops, stream, source);
	if (fd < 0)
		weir_stream_free(stream);
	return fd;
}
