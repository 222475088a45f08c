// SPDX-License-Identifier: GPL-2.0-only
/*
 * attach: the thread that knows processes. It waits for connections, for what they say, and for the end of the
 * processes that have attached, and does one thing at a time: events are taken one by one, so that what one
 * removes cannot be the next in a batch, and they come in the order in which they happened.
 */
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "registry_i.h"

#define WEIR_SYNC_GUARD_S 10u

static struct {
	int epoll;
	struct weir_watch stop, sync; /* eventfds */
	pthread_t thread;
	bool running, stopping;
	pthread_mutex_t lock;
	pthread_cond_t synced;
	u64 asked, served; /* syncs, under the lock */
} weir_attaching = {
	.epoll = -1,
	.stop.fd = -1,
	.sync.fd = -1,
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.synced = PTHREAD_COND_INITIALIZER,
};

static int weir_watch_control(struct weir_watch *watch, int op, u32 events)
{
	struct epoll_event event = { .events = events, .data.ptr = watch };

	return epoll_ctl(weir_attaching.epoll, op, watch->fd, &event) ? -errno : 0;
}

int weir_watch_add(struct weir_watch *watch)
{
	return weir_watch_control(watch, EPOLL_CTL_ADD, EPOLLIN);
}

void weir_watch_pause(struct weir_watch *watch, bool pause)
{
	weir_watch_control(watch, EPOLL_CTL_MOD, pause ? 0 : EPOLLIN);
}

/* Explicit: a copy of the descriptor elsewhere would keep the watch alive. */
void weir_watch_end(struct weir_watch *watch)
{
	weir_watch_control(watch, EPOLL_CTL_DEL, 0);
}

void weir_watch_remove(struct weir_watch *watch)
{
	if (watch->fd < 0)
		return;
	weir_watch_end(watch);
	close(watch->fd);
	watch->fd = -1;
}

static void weir_attach_stop(struct weir_watch *watch)
{
	(void)watch;
	weir_attaching.stopping = true;
}

static void weir_attach_sync(struct weir_watch *watch)
{
	eventfd_t count;
	u64 asked;

	pthread_mutex_lock(&weir_attaching.lock);
	asked = weir_attaching.asked;
	eventfd_read(watch->fd, &count);
	pthread_mutex_unlock(&weir_attaching.lock);
	weir_connections_drain();
	weir_kmod_drain();
	pthread_mutex_lock(&weir_attaching.lock);
	weir_attaching.served = asked;
	pthread_cond_broadcast(&weir_attaching.synced);
	pthread_mutex_unlock(&weir_attaching.lock);
}

/**
 * weir_registry_sync() - make known who has attached so far
 *
 * A program may end, and somebody may look for it, before its message was taken from the socket. When nobody
 * waits there, which is nearly always, this is one system call, two with the module.
 *
 * Context: any thread but the attach thread. Waits for a thread that never waits; the guard is for one that does not run.
 */
void weir_registry_sync(void)
{
	struct timespec guard;
	bool late;
	u64 ticket;

	if (!weir_attaching.running || (!weir_connections_waiting() && !weir_kmod_waiting()))
		return;
	clock_gettime(CLOCK_REALTIME, &guard);
	guard.tv_sec += WEIR_SYNC_GUARD_S;
	pthread_mutex_lock(&weir_attaching.lock);
	ticket = ++weir_attaching.asked;
	eventfd_write(weir_attaching.sync.fd, 1);
	while (weir_attaching.served < ticket &&
	       !pthread_cond_timedwait(&weir_attaching.synced, &weir_attaching.lock, &guard))
		;
	late = weir_attaching.served < ticket;
	pthread_mutex_unlock(&weir_attaching.lock);
	if (late)
		weir_error_add(weir_daemon.uid, "attach: who has come in the last %u s may not be shown yet",
			       WEIR_SYNC_GUARD_S);
}

static void *weir_attach_run(void *arg)
{
	struct epoll_event event;

	(void)arg;
	weir_daemon_background();
	urcu_memb_register_thread();
	while (!weir_attaching.stopping) {
		int timeout = weir_connections_expire();

		if (epoll_wait(weir_attaching.epoll, &event, 1, timeout) == 1) {
			struct weir_watch *watch = event.data.ptr;

			watch->ready(watch);
		}
	}
	urcu_memb_unregister_thread();
	return NULL;
}

int weir_attach_open(void)
{
	int err;

	weir_attaching.stopping = false;
	weir_attaching.stop.ready = weir_attach_stop;
	weir_attaching.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (weir_attaching.epoll < 0)
		return -errno;
	weir_attaching.sync.ready = weir_attach_sync;
	weir_attaching.stop.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	weir_attaching.sync.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (weir_attaching.stop.fd < 0 || weir_attaching.sync.fd < 0)
		return -errno;
	err = weir_watch_add(&weir_attaching.stop);
	return err ? err : weir_watch_add(&weir_attaching.sync);
}

/* Signals are for the daemon's other threads. */
int weir_attach_start(void)
{
	sigset_t all, old;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(&weir_attaching.thread, NULL, weir_attach_run, NULL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	weir_attaching.running = !err;
	return -err;
}

void weir_attach_close(void)
{
	if (weir_attaching.running) {
		eventfd_write(weir_attaching.stop.fd, 1);
		pthread_join(weir_attaching.thread, NULL);
		weir_attaching.running = false;
	}
	weir_connections_close();
	weir_kmod_stop();
	weir_processes_close();
	weir_watch_remove(&weir_attaching.stop);
	weir_watch_remove(&weir_attaching.sync);
	if (weir_attaching.epoll >= 0)
		close(weir_attaching.epoll);
	weir_attaching.epoll = -1;
}
