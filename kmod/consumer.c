// SPDX-License-Identifier: GPL-2.0-only
/*
 * consumer: a descriptor of one source, as the server has it: both regions to read, and what a
 * reader tells the writer.
 *
 * What the process never touched reads as zeros, and allocates nothing. Bytes of rings come through
 * the relay's read wrapper.
 */
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "weir_kmod.h"

#define WEIR_READ_CHUNK (64u << 10)

/* ---- read ------------------------------------------------------------------------------------ */

/* These pages stay as long as the source. Return: bytes copied, less than @size at a fault. */
static size_t weir_read_process(struct weir_source *source, char __user *to, size_t size,
				size_t offset)
{
	size_t done = 0;

	while (done < size) {
		size_t in = offset_in_page(offset), left;
		size_t chunk = min_t(size_t, size - done, PAGE_SIZE - in);
		struct page *page = weir_pages_get(&source->process, offset >> PAGE_SHIFT);

		if (page)
			left = copy_to_user(to + done, page_address(page) + in, chunk);
		else
			left = clear_user(to + done, chunk);
		done += chunk - left;
		offset += chunk;
		if (left)
			break;
	}
	return done;
}

/* Bytes of one ring, all inside it. A cursor a call: two threads may read, from where they like. */
static size_t weir_read_buffer(struct weir_buffer *buffer, char __user *to, size_t size,
			       size_t offset)
{
	struct weir_relay_cursor cursor = {};
	size_t done = 0, left = 0;
	void *bounce = kvmalloc(min_t(size_t, size, WEIR_READ_CHUNK), GFP_KERNEL);

	while (bounce && done < size && !left) {
		size_t chunk = min_t(size_t, size - done, WEIR_READ_CHUNK);

		weir_buffer_read(buffer, &cursor, offset + done, bounce, chunk);
		left = copy_to_user(to + done, bounce, chunk);
		done += chunk - left;
	}
	kvfree(bounce);
	return done;
}

/* Bytes of one ring's place in the buffers, behind the ring zeros. */
static size_t weir_read_ring(struct weir_source *source, char __user *to, size_t size,
			     unsigned int slot, unsigned int cpu, size_t offset)
{
	struct weir_buffer *buffer = weir_buffer_get(source, slot, cpu);
	size_t inside = 0, done = 0;

	if (buffer && offset < buffer->relay.size) {
		inside = min_t(size_t, size, buffer->relay.size - offset);
		done = weir_read_buffer(buffer, to, inside, offset);
	}
	weir_buffer_put(buffer);
	if (done < inside)
		return done;
	return size - clear_user(to + done, size - done);
}

static size_t weir_read_buffers(struct weir_source *source, char __user *to, size_t size,
				u64 offset)
{
	size_t done = 0, n;

	while (done < size) {
		unsigned int slot, cpu;
		size_t in, chunk;

		weir_buffers_place(source, offset, &slot, &cpu, &in);
		chunk = min_t(size_t, size - done, source->stride - in);
		n = weir_read_ring(source, to + done, chunk, slot, cpu, in);
		done += n;
		offset += chunk;
		if (n < chunk || fatal_signal_pending(current))
			break;
		cond_resched();
	}
	return done;
}

static ssize_t weir_consumer_read(struct file *file, char __user *to, size_t size, loff_t *pos)
{
	const struct weir_view *view = file->private_data;
	u64 stride = READ_ONCE(view->source->stride), offset = *pos, end;
	size_t done;

	if (!size)
		return 0;
	if (offset >= WEIR_DEV_BUFFERS) {
		end = WEIR_DEV_BUFFERS + weir_nr_rings() * stride;
		size = min_t(u64, size, end - min(end, offset));
		done = weir_read_buffers(view->source, to, size, offset - WEIR_DEV_BUFFERS);
	} else if (offset >= WEIR_DEV_PROCESS) {
		end = WEIR_DEV_PROCESS + weir_process_size();
		size = min_t(u64, size, end - min(end, offset));
		done = weir_read_process(view->source, to, size, offset - WEIR_DEV_PROCESS);
	} else {
		return -EINVAL;
	}
	*pos += done;
	return done || !size ? (ssize_t)done : -EFAULT;
}

/* ---- the other calls ------------------------------------------------------------------------- */

static int weir_consumer_mmap(struct file *file, struct vm_area_struct *vma)
{
	return weir_map_view(file->private_data, vma);
}

static __poll_t weir_consumer_poll(struct file *file, poll_table *wait)
{
	const struct weir_view *view = file->private_data;

	poll_wait(file, &view->source->wait, wait);
	if (READ_ONCE(view->source->state) < WEIR_SOURCE_ENDED)
		return 0;
	return EPOLLIN | EPOLLRDNORM | EPOLLHUP;
}

static long weir_consumer_stream(struct file *file, struct weir_call *call)
{
	const struct weir_view *view = file->private_data;

	return weir_stream_open(view->source, call);
}

static long weir_consumer_switch(struct file *file, struct weir_call *call)
{
	const struct weir_view *view = file->private_data;

	return weir_switch(view->source, &call->ring);
}

/**
 * weir_consumed() - tell a ring's writer how far the reader has come, for discard mode
 * @source: whose
 * @ring: slot, cpu, epoch, position
 *
 * Return: 0; -EINVAL no such ring; -ESTALE the slot has another epoch.
 */
int weir_consumed(struct weir_source *source, const struct weir_dev_ring *ring)
{
	struct weir_ring *words;

	if (ring->slot >= WEIR_SLOTS || ring->cpu > weir_nr_cpus() || !ring->epoch)
		return -EINVAL;
	if (ring->epoch != weir_slot_epoch(ring->slot))
		return -ESTALE;
	words = weir_source_ring(source, ring->slot, ring->cpu);
	if (words)
		weir_ring_consume(words, ring->epoch, ring->position);
	return 0;
}

static long weir_consumer_consumed(struct file *file, struct weir_call *call)
{
	const struct weir_view *view = file->private_data;

	return weir_consumed(view->source, &call->ring);
}

static const struct weir_ioctl weir_consumer_ioctls[] = {
	{ WEIR_IOC_STREAM, weir_consumer_stream },
	{ WEIR_IOC_CONSUMED, weir_consumer_consumed },
	{ WEIR_IOC_SWITCH, weir_consumer_switch },
	{},
};

static long weir_consumer_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	return weir_ioctl(weir_consumer_ioctls, file, cmd, arg);
}

/* ---- life ------------------------------------------------------------------------------------ */

/**
 * weir_consumer_get() - keep a source for a consumer
 * @source: one with a reference of the caller's
 *
 * Return: 0; -ENOENT it has retired.
 */
int weir_consumer_get(struct weir_source *source)
{
	int err = 0;

	mutex_lock(&weir_source_lock);
	if (source->state == WEIR_SOURCE_RETIRED) {
		err = -ENOENT;
	} else {
		source->consumers++;
		kref_get(&source->ref);
	}
	mutex_unlock(&weir_source_lock);
	return err;
}

void weir_consumer_put(struct weir_source *source)
{
	mutex_lock(&weir_source_lock);
	source->consumers--;
	weir_source_check(source);
	mutex_unlock(&weir_source_lock);
	weir_source_put(source);
}

static int weir_consumer_release(struct inode *inode, struct file *file)
{
	struct weir_view *view = file->private_data;

	file->f_mapping = inode->i_mapping;
	weir_consumer_put(view->source);
	kfree(view);
	return 0;
}

static const struct file_operations weir_consumer_fops = {
	.owner = THIS_MODULE,
	.release = weir_consumer_release,
	.read = weir_consumer_read,
	.mmap = weir_consumer_mmap,
	.poll = weir_consumer_poll,
	.unlocked_ioctl = weir_consumer_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static void weir_consumer_fill(const struct weir_source *source, struct weir_dev_process *process)
{
	process->ring_stride = source->stride;
	process->pid = pid_vnr(source->pid);
	process->uid = from_kuid_munged(current_user_ns(), source->uid);
	process->gid = from_kgid_munged(current_user_ns(), source->gid);
	process->reserved = 0;
	memcpy(process->comm, source->comm, sizeof(process->comm));
}

/**
 * weir_consumer_open() - make a descriptor of a source
 * @source: one with a reference of the caller's
 * @call: WEIR_IOC_PROCESS; its argument is filled in
 *
 * Return: the descriptor, or -errno.
 */
long weir_consumer_open(struct weir_source *source, struct weir_call *call)
{
	struct weir_view *view = kzalloc(sizeof(*view), GFP_KERNEL_ACCOUNT);
	int fd = view ? weir_consumer_get(source) : -ENOMEM;

	if (fd) {
		kfree(view);
		return fd;
	}
	view->source = source;
	fd = weir_descriptor(call, "[weir-process]", &weir_consumer_fops, view, source);
	if (fd < 0) {
		weir_consumer_put(source);
		kfree(view);
		return fd;
	}
	call->made->f_mode |= FMODE_PREAD;
	weir_consumer_fill(source, &call->process);
	return fd;
}
