// SPDX-License-Identifier: GPL-2.0-only
/*
 * server: the one descriptor that tells processes what to trace, and is told of processes.
 *
 * Two queues: sources that it was not told of, and those that its last read(2) told it of. The next
 * read(2) says that it has dealt with them; until then a source that has ended is kept for it.
 */
#include <linux/capability.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "weir_kmod.h"

#define WEIR_SERVER_BATCH 32

/* all under weir_source_lock */
static struct file *weir_server;
static LIST_HEAD(weir_server_queue);
static LIST_HEAD(weir_server_told);
static DECLARE_WAIT_QUEUE_HEAD(weir_server_wait);

/* Only the server itself asks: then nobody else can be the server while it does. */
static bool weir_server_is(const struct file *file)
{
	return READ_ONCE(weir_server) == file;
}

/* A source has attached. Context: weir_source_lock. */
void weir_server_notify(struct weir_source *source)
{
	if (!weir_server)
		return;
	list_add_tail(&source->notice, &weir_server_queue);
	wake_up_interruptible(&weir_server_wait);
}

static void weir_server_announce_all(void)
{
	struct weir_source *source;

	list_for_each_entry(source, &weir_sources, list)
		if (source->state >= WEIR_SOURCE_ATTACHED)
			weir_server_notify(source);
}

/* WEIR_IOC_SERVE */
long weir_server_serve(struct file *file, struct weir_call *call)
{
	long err = 0;

	if (!capable(CAP_SYS_ADMIN) || !(file->f_mode & FMODE_WRITE))
		return -EPERM;
	if (call->serve.version != WEIR_ABI_VERSION)
		return -EINVAL;
	mutex_lock(&weir_source_lock);
	if (weir_server) {
		err = -EBUSY;
	} else {
		WRITE_ONCE(weir_server, file);
		weir_server_announce_all();
	}
	mutex_unlock(&weir_source_lock);
	weir_control_state(&call->serve);
	return err;
}

/* WEIR_IOC_PROCESS */
long weir_server_process(struct file *file, struct weir_call *call)
{
	struct weir_source *source;
	long ret;

	if (!weir_server_is(file))
		return -EPERM;
	source = weir_source_find(call->process.id);
	if (!source)
		return -ENOENT;
	ret = weir_consumer_open(source, call);
	weir_source_put(source);
	return ret;
}

static void weir_server_drop(struct list_head *queue)
{
	struct weir_source *source, *next;

	list_for_each_entry_safe(source, next, queue, notice) {
		list_del_init(&source->notice);
		weir_source_check(source);
	}
}

void weir_server_release(struct file *file)
{
	if (!weir_server_is(file))
		return;
	weir_control_unserved(); /* first: the next server's word is the last */
	mutex_lock(&weir_source_lock);
	weir_server_drop(&weir_server_told);
	weir_server_drop(&weir_server_queue);
	WRITE_ONCE(weir_server, NULL);
	mutex_unlock(&weir_source_lock);
}

/* ---- read, poll: who has attached ------------------------------------------------------------ */

/* The next events, at most @max. */
static unsigned int weir_server_take(struct weir_dev_event *event, unsigned int max)
{
	struct weir_source *source, *next;
	unsigned int n = 0;

	mutex_lock(&weir_source_lock);
	weir_server_drop(&weir_server_told);
	list_for_each_entry_safe(source, next, &weir_server_queue, notice) {
		if (n == max)
			break;
		event[n++] = (struct weir_dev_event){ .type = WEIR_DEV_ATTACHED, .id = source->id };
		list_move_tail(&source->notice, &weir_server_told);
	}
	mutex_unlock(&weir_source_lock);
	return n;
}

/* They could not be copied. */
static void weir_server_untake(void)
{
	mutex_lock(&weir_source_lock);
	list_splice_init(&weir_server_told, &weir_server_queue);
	mutex_unlock(&weir_source_lock);
}

static bool weir_server_has(void)
{
	bool has;

	mutex_lock(&weir_source_lock);
	has = !list_empty(&weir_server_queue);
	mutex_unlock(&weir_source_lock);
	return has;
}

ssize_t weir_server_read(struct file *file, char __user *to, size_t size)
{
	struct weir_dev_event event[WEIR_SERVER_BATCH];
	unsigned int n, max = min_t(size_t, size / sizeof(*event), WEIR_SERVER_BATCH);

	if (!weir_server_is(file) || !max)
		return -EINVAL;
	while (!(n = weir_server_take(event, max))) {
		if (file->f_flags & O_NONBLOCK)
			return -EAGAIN;
		if (wait_event_interruptible(weir_server_wait, weir_server_has()))
			return -ERESTARTSYS;
	}
	if (!copy_to_user(to, event, n * sizeof(*event)))
		return n * sizeof(*event);
	weir_server_untake();
	return -EFAULT;
}

__poll_t weir_server_poll(struct file *file, poll_table *wait)
{
	if (!weir_server_is(file))
		return EPOLLERR;
	poll_wait(file, &weir_server_wait, wait);
	return (weir_server_has() ? EPOLLIN | EPOLLRDNORM : 0) | EPOLLOUT | EPOLLWRNORM;
}

/* ---- write: what to trace -------------------------------------------------------------------- */

ssize_t weir_server_write(struct file *file, const char __user *from, size_t size)
{
	struct weir_config *config;
	int err;

	if (!weir_server_is(file) || size != sizeof(*config))
		return -EINVAL;
	config = vmemdup_user(from, size);
	if (IS_ERR(config))
		return PTR_ERR(config);
	err = weir_control_write(config);
	kvfree(config);
	return err ?: (ssize_t)size;
}
