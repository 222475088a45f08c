// SPDX-License-Identifier: GPL-2.0-only
/*
 * answer: reads and polls of what may have to be waited for. What a kind of it has to say is how it
 * is filled, and how a request is answered then; both happen under its lock, since the answer is in
 * it.
 */
#include <poll.h>

#include "live.h"

#define WEIR_ANSWER_AHEAD 65536u /* bytes to be found for who has not asked for a number */

void weir_answer_read(struct weir_wait *wait, uid_t uid, fuse_req_t req, size_t len, bool nonblock)
{
	const struct weir_wait_kind *kind = wait->kind;
	pthread_mutex_t *lock = kind->lock(wait);
	int err;

	pthread_mutex_lock(lock);
	err = kind->fill(wait, len);
	if (err)
		kind->reply(wait, req, len, err);
	pthread_mutex_unlock(lock);
	if (err)
		return;
	err = nonblock ? -EAGAIN : weir_waiter_park(wait, uid, req, len, 0, NULL);
	if (err)
		fuse_reply_err(req, -err);
}

/**
 * weir_answer_serve() - answer those who wait, as far as there are answers
 * @wait: what they wait for
 *
 * A request is taken out of its list only when its answer is there: until then an interrupt has to
 * find it.
 *
 * Context: the waiters' thread.
 * Return: whether there was something.
 */
bool weir_answer_serve(struct weir_wait *wait)
{
	const struct weir_wait_kind *kind = wait->kind;
	pthread_mutex_t *lock = kind->lock(wait);
	struct weir_waiter *waiter = NULL;
	bool found = false;
	int err;

	do {
		pthread_mutex_lock(lock);
		err = kind->fill(wait, WEIR_ANSWER_AHEAD);
		waiter = err ? weir_waiter_take(wait) : NULL;
		if (waiter)
			kind->reply(wait, waiter->req, waiter->len, err);
		pthread_mutex_unlock(lock);
		if (err)
			found |= weir_waiter_notify(wait);
		if (waiter)
			weir_waiter_free(waiter);
		found |= waiter != NULL;
	} while (waiter && !kind->one);
	return found;
}

void weir_answer_poll(struct weir_wait *wait, fuse_req_t req, struct fuse_pollhandle *poll)
{
	pthread_mutex_t *lock = wait->kind->lock(wait);
	unsigned int events = 0;
	int err;

	if (poll)
		weir_waiter_poll(wait, poll); /* first: what comes later is told */
	pthread_mutex_lock(lock);
	err = wait->kind->fill(wait, WEIR_ANSWER_AHEAD);
	pthread_mutex_unlock(lock);
	if (err)
		events = POLLIN | POLLRDNORM;
	if (err == -ENODATA)
		events |= POLLHUP;
	else if (err < 0)
		events |= POLLERR;
	fuse_reply_poll(req, events);
}
