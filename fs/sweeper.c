// SPDX-License-Identifier: GPL-2.0-only
/*
 * sweeper: a thread that frees what is no longer asked for, once a second: views, idle copies,
 * spares, and the kernel's memory of processes that are gone, which would hold theirs. It calls the
 * kernel, so it holds no lock meanwhile. More rarely what was freed goes back to the system.
 */
#include <errno.h>
#include <signal.h>
#include <sys/mount.h>

#include "live.h"

#define WEIR_SWEEPS_HEAP 8u /* sweeps until the heap is looked at */

static struct {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool started, stop;
	struct fuse_session *session;
} weir_sweeper = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void weir_sweep(void)
{
	char name[sizeof(((struct weir_source *)0)->name)];
	fuse_ino_t parent;

	weir_view_sweep(false);
	weir_copy_sweep(false);
	weir_live_sweep(false);
	weir_spare_sweep(false);
	weir_registry_sweep();
	while (weir_node_stale(&parent, name, sizeof(name)))
		fuse_lowlevel_notify_inval_entry(weir_sweeper.session, parent, name, strlen(name));
}

static void *weir_sweeper_run(void *unused)
{
	unsigned int sweeps = 0;
	struct timespec until;
	bool stop;

	(void)unused;
	urcu_memb_register_thread();
	do {
		weir_sweep();
		if (!(++sweeps % WEIR_SWEEPS_HEAP))
			weir_heap_sweep();
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec++;
		pthread_mutex_lock(&weir_sweeper.lock);
		while (!weir_sweeper.stop &&
		       pthread_cond_timedwait(&weir_sweeper.wake, &weir_sweeper.lock, &until) !=
			       ETIMEDOUT)
			;
		stop = weir_sweeper.stop;
		pthread_mutex_unlock(&weir_sweeper.lock);
	} while (!stop);
	urcu_memb_unregister_thread();
	return NULL;
}

int weir_sweeper_start(struct fuse_session *session)
{
	pthread_condattr_t attr;
	sigset_t all, old;
	int err;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&weir_sweeper.wake, &attr);
	pthread_condattr_destroy(&attr);
	weir_sweeper.session = session;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(&weir_sweeper.thread, NULL, weir_sweeper_run, NULL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	weir_sweeper.started = !err;
	return -err;
}

/*
 * Ends the thread. It may be in the kernel, behind a look-up that nobody answers any more: the
 * connection is then cut.
 */
void weir_sweeper_stop(const char *mountpoint)
{
	struct timespec until;

	if (!weir_sweeper.started)
		return;
	pthread_mutex_lock(&weir_sweeper.lock);
	weir_sweeper.stop = true;
	pthread_cond_signal(&weir_sweeper.wake);
	pthread_mutex_unlock(&weir_sweeper.lock);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 5;
	if (pthread_timedjoin_np(weir_sweeper.thread, NULL, &until)) {
		umount2(mountpoint, MNT_FORCE | MNT_DETACH);
		pthread_join(weir_sweeper.thread, NULL);
	}
	weir_sweeper.started = false;
}
