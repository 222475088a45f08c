// SPDX-License-Identifier: GPL-2.0-only
/*
 * waiter: requests for which there is no answer yet, and the one thread that finds it.
 *
 * No worker of libfuse waits for trace data: ten readers would otherwise hang the mount. A read
 * that finds nothing is put into its stream's list and its worker goes on. While there are any,
 * this thread looks at the streams that somebody waits for, every millisecond when something was
 * found, down to every ten when nothing is; else it sleeps, and nobody looks at any position. Of
 * streams whose writer wakes it is told (wakeup.c), and looks then.
 *
 * A request is answered once: by who takes it out of its list, under the lock. An interrupt may
 * come while the request is being registered, on this thread or another, and while libfuse holds
 * the request; so its function only marks what is not registered yet, and knows requests by what is
 * in the lists.
 *
 * Locks: this one is the innermost; nothing is called under it but libc.
 */
#include <signal.h>

#include "live.h"

#define WEIR_WAITER_COST 512u /* bytes charged for a request that waits, about what it takes */
#define WEIR_PERIOD_MIN_MS 1u
#define WEIR_PERIOD_MAX_MS 10u
#define WEIR_PERIOD_TOLD_MS 1000 /* where all is told, should anything not be */

static struct {
	pthread_t thread;
	pthread_mutex_t lock;
	bool started, stop;
	bool look; /* not all that is watched is told */
	struct fuse_session *session;
	struct list_head watched; /* streams */
	size_t count;
} weir_waiting = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.watched = { &weir_waiting.watched, &weir_waiting.watched },
};

/* ---- lists: under the lock --------------------------------------------------------------------*/

static void weir_wait_watch(struct weir_wait *wait)
{
	bool told = READ_ONCE(wait->told);

	if (!list_empty(&wait->watched))
		return;
	/* what came after its reader had looked may have been told when it was not listed: one look more */
	if (!weir_waiting.count++ || told || !weir_waiting.look)
		weir_wakeup_kick();
	weir_waiting.look |= !told;
	list_add_tail(&wait->watched, &weir_waiting.watched);
	wait->kind->get(wait);
}

/* True: the caller puts the reference when it has let go of the lock. */
static bool weir_wait_unwatch(struct weir_wait *wait)
{
	if (list_empty(&wait->watched) || !list_empty(&wait->waiters) || wait->poll)
		return false;
	list_del(&wait->watched);
	INIT_LIST_HEAD(&wait->watched);
	weir_waiting.count--;
	return true;
}

static struct weir_waiter *weir_waiter_find(fuse_req_t req)
{
	struct weir_waiter *waiter;
	struct weir_wait *wait;

	list_for_each_entry(wait, &weir_waiting.watched, watched) {
		list_for_each_entry(waiter, &wait->waiters, list) {
			if (waiter->req == req)
				return waiter;
		}
	}
	return NULL;
}

/* ---- one request ------------------------------------------------------------------------------*/

/* Out of its list: now it is the caller's, who answers it. Under the lock. */
static void weir_waiter_remove(struct weir_waiter *waiter)
{
	list_del(&waiter->list);
	waiter->unwatched = weir_wait_unwatch(waiter->wait);
}

void weir_waiter_free(struct weir_waiter *waiter)
{
	weir_quota_give(waiter->uid, WEIR_QUOTA_COPIES, waiter->charged);
	if (waiter->unwatched)
		waiter->wait->kind->put(waiter->wait);
	free(waiter->data);
	free(waiter);
}

static void weir_waiter_interrupted(fuse_req_t req, void *unused)
{
	struct weir_waiter *waiter;

	(void)unused;
	pthread_mutex_lock(&weir_waiting.lock);
	waiter = weir_waiter_find(req);
	if (waiter && waiter->registering) {
		waiter->interrupted = true;
		waiter = NULL;
	}
	if (waiter)
		weir_waiter_remove(waiter);
	pthread_mutex_unlock(&weir_waiting.lock);
	if (!waiter)
		return;
	fuse_reply_err(req, EINTR);
	weir_waiter_free(waiter);
}

static struct weir_waiter *weir_waiter_new(struct weir_wait *wait, uid_t uid, fuse_req_t req,
					   size_t len, int *error)
{
	struct weir_waiter *waiter = calloc(1, sizeof(*waiter));

	*error = -ENOMEM;
	if (!waiter)
		return NULL;
	waiter->uid = uid;
	*error =
		weir_quota_hold(waiter->uid, WEIR_QUOTA_COPIES, &waiter->charged, WEIR_WAITER_COST);
	if (*error) {
		free(waiter);
		return NULL;
	}
	waiter->wait = wait;
	waiter->req = req;
	waiter->len = len;
	waiter->registering = true;
	return waiter;
}

void weir_wait_init(struct weir_wait *wait, const struct weir_wait_kind *kind)
{
	wait->kind = kind;
	wait->poll = NULL;
	wait->told = false;
	INIT_LIST_HEAD(&wait->watched);
	INIT_LIST_HEAD(&wait->waiters);
}

/* 0: it is in the list, and may be answered before this returns; -EINTR: it is gone. */
static int weir_waiter_add(struct weir_waiter *waiter)
{
	struct weir_wait *wait = waiter->wait;
	bool interrupted;

	pthread_mutex_lock(&weir_waiting.lock);
	list_add_tail(&waiter->list, &wait->waiters);
	weir_wait_watch(wait);
	pthread_mutex_unlock(&weir_waiting.lock);
	fuse_req_interrupt_func(waiter->req, weir_waiter_interrupted, NULL);
	pthread_mutex_lock(&weir_waiting.lock);
	waiter->registering = false;
	interrupted = waiter->interrupted;
	if (interrupted)
		weir_waiter_remove(waiter);
	pthread_mutex_unlock(&weir_waiting.lock);
	if (!interrupted)
		return 0;
	weir_waiter_free(waiter);
	return -EINTR;
}

/**
 * weir_waiter_park() - a request waits
 * @wait: of the stream
 * @uid: who is charged
 * @req: the request; not the caller's any more when this returns 0
 * @len: of a read: bytes at most; else 0
 * @until: of what waits for a while, ms: see weir_waiter_take_due(); else 0
 * @data: of its kind; taken over, whatever this returns; NULL
 *
 * Context: a worker of libfuse, which holds a reference to the stream.
 * Return: 0; -EINTR, -ENOMEM, -EDQUOT.
 */
int weir_waiter_park(struct weir_wait *wait, uid_t uid, fuse_req_t req, size_t len, u64 until,
		     void *data)
{
	struct weir_waiter *waiter;
	int err;

	waiter = weir_waiter_new(wait, uid, req, len, &err);
	if (!waiter) {
		free(data);
		return err;
	}
	waiter->until = until;
	waiter->data = data;
	return weir_waiter_add(waiter);
}

/**
 * weir_waiter_poll() - somebody wants to be told when a read would be answered
 * @wait: of the stream
 * @poll: how to tell; taken over. NULL: nobody does any more
 */
void weir_waiter_poll(struct weir_wait *wait, struct fuse_pollhandle *poll)
{
	struct fuse_pollhandle *old;
	bool unwatched = false;

	pthread_mutex_lock(&weir_waiting.lock);
	old = wait->poll;
	wait->poll = poll;
	if (poll)
		weir_wait_watch(wait);
	else
		unwatched = weir_wait_unwatch(wait);
	pthread_mutex_unlock(&weir_waiting.lock);
	if (old)
		fuse_pollhandle_destroy(old);
	if (unwatched)
		wait->kind->put(wait);
}

/* ---- the thread -------------------------------------------------------------------------------*/

/* The first request of a stream that waits no longer than until now, out of its list; or NULL. */
struct weir_waiter *weir_waiter_take_due(struct weir_wait *wait, u64 now)
{
	struct weir_waiter *waiter, *found = NULL;

	pthread_mutex_lock(&weir_waiting.lock);
	list_for_each_entry(waiter, &wait->waiters, list) {
		if (waiter->registering || waiter->until > now)
			continue;
		found = waiter;
		weir_waiter_remove(waiter);
		break;
	}
	pthread_mutex_unlock(&weir_waiting.lock);
	return found;
}

/* The first one. */
struct weir_waiter *weir_waiter_take(struct weir_wait *wait)
{
	return weir_waiter_take_due(wait, ~0ull);
}

/* Tells who polls; false: nobody does. */
bool weir_waiter_notify(struct weir_wait *wait)
{
	struct fuse_pollhandle *poll;
	bool unwatched;

	pthread_mutex_lock(&weir_waiting.lock);
	poll = wait->poll;
	wait->poll = NULL;
	unwatched = weir_wait_unwatch(wait);
	pthread_mutex_unlock(&weir_waiting.lock);
	if (poll) {
		fuse_lowlevel_notify_poll(poll);
		fuse_pollhandle_destroy(poll);
	}
	if (unwatched)
		wait->kind->put(wait);
	return poll;
}

/* Each stream once. */
static bool weir_waiting_round(void)
{
	struct weir_wait *wait;
	bool found = false;
	size_t left;

	pthread_mutex_lock(&weir_waiting.lock);
	for (left = weir_waiting.count; left && weir_waiting.count; left--) {
		wait = list_entry(weir_waiting.watched.next, struct weir_wait, watched);
		list_del(&wait->watched);
		list_add_tail(&wait->watched, &weir_waiting.watched);
		wait->kind->get(wait);
		pthread_mutex_unlock(&weir_waiting.lock);
		found |= wait->kind->serve(wait);
		wait->kind->put(wait);
		pthread_mutex_lock(&weir_waiting.lock);
	}
	weir_waiting.look = false;
	list_for_each_entry(wait, &weir_waiting.watched, watched)
		weir_waiting.look |= !READ_ONCE(wait->told);
	pthread_mutex_unlock(&weir_waiting.lock);
	return found;
}

/* Until the next round; false: there is none. */
static bool weir_waiting_sleep(unsigned int period)
{
	bool told, stop;
	int ms = -1;

	pthread_mutex_lock(&weir_waiting.lock);
	told = weir_waiting.count && !weir_waiting.look;
	if (weir_waiting.count)
		ms = told ? WEIR_PERIOD_TOLD_MS : (int)period;
	pthread_mutex_unlock(&weir_waiting.lock);
	weir_wakeup_sleep(ms, told);
	pthread_mutex_lock(&weir_waiting.lock);
	stop = weir_waiting.stop;
	pthread_mutex_unlock(&weir_waiting.lock);
	return !stop;
}

static void *weir_waiting_run(void *unused)
{
	unsigned int period = WEIR_PERIOD_MAX_MS;

	(void)unused;
	urcu_memb_register_thread();
	while (weir_waiting_sleep(period))
		period = weir_waiting_round() ? WEIR_PERIOD_MIN_MS
					      : min(period * 2, WEIR_PERIOD_MAX_MS);
	urcu_memb_unregister_thread();
	return NULL;
}

int weir_waiter_start(struct fuse_session *session)
{
	sigset_t all, old;
	int err = weir_wakeup_init();

	if (err)
		return err;
	weir_waiting.session = session;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(&weir_waiting.thread, NULL, weir_waiting_run, NULL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	weir_waiting.started = !err;
	return -err;
}

/* Who still waits is told that nobody will answer any more. No worker runs now. */
static void weir_waiting_dismiss(void)
{
	struct weir_waiter *waiter;
	struct weir_wait *wait;

	while (weir_waiting.count) {
		wait = list_entry(weir_waiting.watched.next, struct weir_wait, watched);
		waiter = weir_waiter_take(wait);
		if (waiter) {
			fuse_reply_err(waiter->req, ENOTCONN);
			weir_waiter_free(waiter);
		} else {
			weir_waiter_poll(wait, NULL);
		}
	}
}

void weir_waiter_stop(void)
{
	if (!weir_waiting.started)
		return;
	pthread_mutex_lock(&weir_waiting.lock);
	weir_waiting.stop = true;
	pthread_mutex_unlock(&weir_waiting.lock);
	weir_wakeup_kick();
	pthread_join(weir_waiting.thread, NULL);
	weir_waiting.started = false;
	weir_waiting_dismiss();
}
