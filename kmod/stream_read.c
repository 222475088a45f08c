// SPDX-License-Identifier: GPL-2.0-only
/*
 * stream_read: read(2) and splice(2) of a stream.
 *
 * A sub-buffer is taken out of the ring as a whole, and given out afterwards, so that nothing can
 * overwrite what is being given out. Taking is copying, through the relay's read wrapper, where a
 * process can write the page, or the writer is close. From the kernel's own rings it is moving:
 * another page takes its place.
 */
#include <linux/cpu.h>
#include <linux/pagemap.h>
#include <linux/pipe_fs_i.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/splice.h>
#include <linux/uaccess.h>

#include "weir_kmod.h"

static atomic_long_t weir_moved;
weir_counter(moved, weir_moved,
	     "pages that splice(2) took out of the kernel's rings without copying");

/* ---- taking ---------------------------------------------------------------------------------- */

/* Lets go of what is held. Context: stream->lock, or nobody else has it. */
void weir_stream_drop(struct weir_stream *stream)
{
	struct weir_packet_pages *held = &stream->held;
	unsigned int i;

	for (i = 0; i < held->pages; i++)
		if (held->page[i])
			weir_page_free(NULL, held->page[i]);
	kvfree(held->page);
	memset(held, 0, sizeof(*held));
}

static int weir_stream_room(struct weir_stream *stream, size_t size)
{
	struct weir_packet_pages *held = &stream->held;
	unsigned int i, pages = DIV_ROUND_UP(size, PAGE_SIZE);

	held->page = kvcalloc(pages, sizeof(*held->page), GFP_KERNEL_ACCOUNT);
	if (!held->page)
		return -ENOMEM;
	held->pages = pages;
	for (i = 0; i < pages; i++) {
		held->page[i] = weir_page_alloc(NULL, NUMA_NO_NODE);
		if (!held->page[i])
			return -ENOMEM;
	}
	return 0;
}

static void weir_stream_copy(struct weir_stream *stream, struct weir_buffer *buffer,
			     const struct weir_ring_view *next)
{
	size_t offset = next->begin & (buffer->relay.size - 1), size = next->end - next->begin,
	       done;

	for (done = 0; done < size; done += PAGE_SIZE)
		weir_buffer_read(buffer, &stream->cursor, offset + done,
				 page_address(stream->held.page[done >> PAGE_SHIFT]),
				 min_t(size_t, size - done, PAGE_SIZE));
}

/* A move, as the ring's CPU does it. */
struct weir_move {
	struct weir_stream *stream;
	struct weir_buffer *buffer;
	u64 begin;
	bool done;
};

static void weir_move_pages(void *arg)
{
	struct weir_move *move = arg;
	struct weir_buffer *buffer = move->buffer;
	size_t offset = move->begin & (buffer->relay.size - 1);
	struct weir_packet_pages *held = &move->stream->held;
	unsigned int i;

	for (i = 0; i < held->pages; i++)
		weir_buffer_move(buffer, &move->stream->cursor, offset + i * PAGE_SIZE,
				 &held->page[i]);
	move->done = true;
}

/* On the ring's CPU, interrupts off: no writer comes in between, but an NMI, which is kept away. */
static void weir_move_here(void *info)
{
	struct weir_move *move = info;

	weir_writer_hold(move->buffer, move->begin, weir_move_pages, move);
}

static void weir_move_there(struct weir_move *move)
{
	unsigned int cpu = move->buffer->cpu;

	cpus_read_lock();
	if (cpu_online(cpu)) {
		smp_call_function_single(cpu, weir_move_here, move, 1);
	} else {
		local_irq_disable();
		weir_move_here(move);
		local_irq_enable();
	}
	cpus_read_unlock();
}

/* The held pages take the ring's pages' places, and those are held. False: nothing was moved. */
static bool weir_stream_move(struct weir_stream *stream, struct weir_buffer *buffer,
			     const struct weir_ring_view *next)
{
	struct weir_move move = { .stream = stream, .buffer = buffer, .begin = next->begin };
	struct weir_source *source = buffer->source;
	unsigned int i;

	mutex_lock(&source->switching); /* of a CPU that is offline: both are done from here */
	weir_move_there(&move);
	mutex_unlock(&source->switching);
	if (!move.done)
		return false;
	synchronize_rcu(); /* who still copies from them */
	mutex_lock(&source->lock);
	mutex_unlock(&source->lock); /* who found one for a mapping has it locked now */
	for (i = 0; i < stream->held.pages; i++)
		wait_on_page_locked(stream->held.page[i]);
	weir_zap_view(source,
		      weir_buffers_offset(source, buffer->slot, buffer->cpu) +
			      (next->begin & (buffer->relay.size - 1)),
		      (u64)stream->held.pages << PAGE_SHIFT);
	atomic_long_add(stream->held.pages, &weir_moved);
	return true;
}

static bool weir_stream_may_move(const struct weir_buffer *buffer,
				 const struct weir_ring_view *next)
{
	return buffer->source == weir_kernel &&
	       next->end - next->begin == weir_epoch_subbuf_size(buffer->epoch);
}

/* Where it has come to in a page list is worth something in that one alone. */
static void weir_stream_cursor(struct weir_stream *stream, const struct weir_buffer *buffer)
{
	if (stream->cursor_of != buffer->id)
		memset(&stream->cursor, 0, sizeof(stream->cursor));
	stream->cursor_of = buffer->id;
}

static int weir_stream_take_one(struct weir_stream *stream, struct weir_buffer *buffer,
				struct weir_ring_view *next, bool move)
{
	int err = weir_stream_room(stream, next->end - next->begin);

	if (err)
		return err;
	weir_stream_cursor(stream, buffer);
	/* what was moved was whole then, wherever the writer has come to meanwhile */
	if (move && weir_stream_may_move(buffer, next) && weir_stream_move(stream, buffer, next))
		return 0;
	weir_stream_copy(stream, buffer, next);
	if (weir_ring_valid_from(buffer->ring, next) > next->begin)
		return -ESTALE;
	return 0;
}

/**
 * weir_stream_take() - hold the next sub-buffer, outside the ring
 * @stream: one that holds nothing
 * @move: pages may be moved
 *
 * What is overwritten while it is copied is left for the next one.
 *
 * Context: stream->lock.
 * Return: 0; -EAGAIN there is none; -ESTALE it has gone, look again: the process may make that so
 * for ever; -ENOMEM.
 */
int weir_stream_take(struct weir_stream *stream, bool move)
{
	const struct weir_view *view = &stream->view;
	struct weir_ring_view next;
	struct weir_buffer *buffer;
	int err = weir_stream_find(stream, &next);

	if (err)
		return err;
	buffer = weir_buffer_get(view->source, view->slot, view->cpu);
	err = buffer && buffer->epoch == view->epoch
		      ? weir_stream_take_one(stream, buffer, &next, move)
		      : -ESTALE;
	if (err) {
		weir_stream_drop(stream);
	} else {
		WRITE_ONCE(stream->held.size, next.end - next.begin);
		stream->got.end = 0;
		weir_stream_consume(stream, next.end);
	}
	weir_buffer_put(buffer);
	return err;
}

/* ---- giving out ------------------------------------------------------------------------------ */

/* Who does not wait looks so often again. */
#define WEIR_STREAM_TRIES 64

/* Holds a sub-buffer, with stream->lock held: 1; 0 at the end; -errno. */
static int weir_stream_hold(struct weir_stream *stream, bool nonblock, bool move)
{
	unsigned int tries = 0;
	int err;

	for (;;) {
		bool over = weir_stream_over(stream); /* over:A: first */

		if (mutex_lock_interruptible(&stream->lock))
			return -ERESTARTSYS;
		err = stream->held.size ? 0 : weir_stream_take(stream, move);
		if (!err)
			return 1;
		mutex_unlock(&stream->lock);
		if (err == -ESTALE) {
			if (signal_pending(current))
				return -ERESTARTSYS;
			if (nonblock && ++tries == WEIR_STREAM_TRIES)
				return -EAGAIN;
			cond_resched();
			continue;
		}
		if (err != -EAGAIN)
			return err;
		if (over)
			return 0;
		if (nonblock)
			return -EAGAIN;
		if (signal_pending(current)) /* no wait that the process ends at once, for ever */
			return -ERESTARTSYS;
		err = weir_stream_wait(stream);
		if (err)
			return err;
	}
}

/* Bytes were given out. */
static void weir_stream_given(struct weir_stream *stream, size_t size)
{
	stream->held.done += size;
	if (stream->held.done == stream->held.size)
		weir_stream_drop(stream);
}

static size_t weir_stream_give(struct weir_stream *stream, char __user *to, size_t size)
{
	const struct weir_packet_pages *held = &stream->held;
	size_t done = 0;

	size = min(size, held->size - held->done);
	while (done < size) {
		size_t at = held->done + done, in = offset_in_page(at);
		size_t chunk = min_t(size_t, size - done, PAGE_SIZE - in), left;

		left = copy_to_user(to + done, page_address(held->page[at >> PAGE_SHIFT]) + in,
				    chunk);
		done += chunk - left;
		if (left)
			break;
	}
	return done;
}

/* One sub-buffer a call at most, and the rest of it the next time. */
ssize_t weir_stream_read(struct file *file, char __user *to, size_t size, loff_t *pos)
{
	struct weir_stream *stream = file->private_data;
	size_t done;
	int got;

	if (!size)
		return 0;
	got = weir_stream_hold(stream, file->f_flags & O_NONBLOCK, false);
	if (got <= 0)
		return got;
	done = weir_stream_give(stream, to, size);
	weir_stream_given(stream, done);
	mutex_unlock(&stream->lock);
	return done ? (ssize_t)done : -EFAULT;
}

static void weir_spd_release(struct splice_pipe_desc *spd, unsigned int i)
{
	put_page(spd->pages[i]);
}

/* Gives pages, not bytes: a page that is in a pipe is nobody's to write any more. */
static ssize_t weir_stream_give_pages(struct weir_stream *stream, struct pipe_inode_info *pipe,
				      size_t size)
{
	struct weir_packet_pages *held = &stream->held;
	struct partial_page partial[PIPE_DEF_BUFFERS];
	struct page *pages[PIPE_DEF_BUFFERS];
	struct splice_pipe_desc spd = {
		.pages = pages,
		.partial = partial,
		.nr_pages_max = PIPE_DEF_BUFFERS,
		.ops = &nosteal_pipe_buf_ops,
		.spd_release = weir_spd_release,
	};
	size_t at = held->done, end = held->done + min(size, held->size - held->done);

	while (at < end && spd.nr_pages < PIPE_DEF_BUFFERS) {
		struct partial_page *part = &partial[spd.nr_pages];
		size_t in = offset_in_page(at);

		*part = (struct partial_page){ .offset = in,
					       .len = min_t(size_t, end - at, PAGE_SIZE - in) };
		pages[spd.nr_pages] = held->page[at >> PAGE_SHIFT];
		get_page(pages[spd.nr_pages++]);
		at += part->len;
	}
	return splice_to_pipe(pipe, &spd);
}

ssize_t weir_stream_splice(struct file *file, loff_t *pos, struct pipe_inode_info *pipe,
			   size_t size, unsigned int flags)
{
	struct weir_stream *stream = file->private_data;
	ssize_t ret;

	if (!size)
		return 0;
	ret = weir_stream_hold(stream, file->f_flags & O_NONBLOCK || flags & SPLICE_F_NONBLOCK,
			       true);
	if (ret <= 0)
		return ret;
	ret = weir_stream_give_pages(stream, pipe, size);
	if (ret > 0)
		weir_stream_given(stream, ret);
	mutex_unlock(&stream->lock);
	return ret;
}
