// SPDX-License-Identifier: GPL-2.0-only
/*
 * stream_wait: waiting for a sub-buffer.
 *
 * A process that writes wakes nobody: it makes no system call. So whoever waits for its packets is
 * looked after, and while nobody waits nobody looks. The kernel's writers do wake (stream_wake.c).
 */
#include <linux/jiffies.h>
#include <linux/slab.h>

#include "weir_kmod.h"

static unsigned int weir_poll_ms = 20;
module_param_named(poll_ms, weir_poll_ms, uint, 0644);
MODULE_PARM_DESC(poll_ms, "how often rings are looked at while somebody waits for them, ms (20)");

static void weir_watch(struct work_struct *work);
static DEFINE_MUTEX(weir_watch_lock);
static LIST_HEAD(weir_watched);
static DECLARE_DELAYED_WORK(weir_watch_work, weir_watch);

static void weir_watch_again(void)
{
	queue_delayed_work(weir_wq, &weir_watch_work,
			   msecs_to_jiffies(READ_ONCE(weir_poll_ms)) ?: 1);
}

static void weir_watch(struct work_struct *work)
{
	struct weir_stream *stream, *next;

	mutex_lock(&weir_watch_lock);
	list_for_each_entry_safe(stream, next, &weir_watched, watch) {
		if (!wq_has_sleeper(stream->wait))
			list_del_init(&stream->watch);
		else if (weir_stream_ready(stream))
			wake_up_interruptible(stream->wait);
	}
	if (!list_empty(&weir_watched))
		weir_watch_again();
	mutex_unlock(&weir_watch_lock);
}

/* Context: who waits is in stream->wait already: else it might be left out. */
static void weir_stream_watch(struct weir_stream *stream)
{
	if (stream->wait != &stream->own)
		return;
	mutex_lock(&weir_watch_lock);
	if (list_empty(&stream->watch))
		list_add_tail(&stream->watch, &weir_watched);
	weir_watch_again();
	mutex_unlock(&weir_watch_lock);
}

void weir_stream_unwatch(struct weir_stream *stream)
{
	mutex_lock(&weir_watch_lock);
	list_del_init(&stream->watch);
	mutex_unlock(&weir_watch_lock);
}

/* Until there is a sub-buffer, or will be none any more. 0 or -ERESTARTSYS. */
int weir_stream_wait(struct weir_stream *stream)
{
	DEFINE_WAIT_FUNC(wait, woken_wake_function);
	int err = 0;

	add_wait_queue(stream->wait, &wait);
	smp_mb(); /* wake:G */
	weir_stream_watch(stream);
	while (!err && !weir_stream_ready(stream)) {
		if (signal_pending(current))
			err = -ERESTARTSYS;
		else
			wait_woken(&wait, TASK_INTERRUPTIBLE, MAX_SCHEDULE_TIMEOUT);
	}
	remove_wait_queue(stream->wait, &wait);
	return err;
}

__poll_t weir_stream_poll(struct file *file, poll_table *wait)
{
	struct weir_stream *stream = file->private_data;
	struct weir_ring_view next;
	__poll_t mask = 0;

	poll_wait(file, stream->wait, wait);
	smp_mb(); /* wake:G */
	if (weir_stream_over(stream))
		mask |= EPOLLHUP;
	if (READ_ONCE(stream->held.size) || !weir_stream_next(stream, &next))
		mask |= EPOLLIN | EPOLLRDNORM;
	/* epoll gives its queue once, whatever is there at that moment */
	if (!poll_does_not_wait(wait))
		weir_stream_watch(stream);
	return mask;
}

/* Context: there is no stream any more. */
void weir_streams_exit(void)
{
	cancel_delayed_work_sync(&weir_watch_work);
}
