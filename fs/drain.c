// SPDX-License-Identifier: GPL-2.0-only
/*
 * drain: the session's loop has ended, be it by a signal, while the doorbell or the sweeper were in the kernel,
 * waiting for an answer, or for a lock behind somebody else who does. Until they have come back and ended, this
 * thread answers whatever comes.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>

#include "doorbell_i.h"

static struct {
	pthread_t thread;
	int stop; /* eventfd */
	bool started;
	struct fuse_session *session;
} weir_drain;

static void *weir_drain_run(void *unused)
{
	struct pollfd fds[2] = { { .fd = fuse_session_fd(weir_drain.session), .events = POLLIN },
				 { .fd = weir_drain.stop, .events = POLLIN } };
	struct fuse_buf buf = { 0 };
	int len;

	(void)unused;
	fcntl(fds[0].fd, F_SETFL, fcntl(fds[0].fd, F_GETFL) | O_NONBLOCK);
	fuse_session_reset(weir_drain.session);
	for (;;) {
		if (poll(fds, 2, -1) < 0)
			continue;
		if (fds[1].revents)
			break;
		len = fuse_session_receive_buf(weir_drain.session, &buf);
		if (len > 0)
			fuse_session_process_buf(weir_drain.session, &buf);
		else if (len != -EAGAIN && len != -EINTR)
			fds[0].fd = -1; /* unmounted */
	}
	free(buf.mem);
	return NULL;
}

int weir_drain_start(struct fuse_session *session)
{
	sigset_t all, old;
	int err;

	weir_drain.session = session;
	weir_drain.stop = eventfd(0, EFD_CLOEXEC);
	if (weir_drain.stop < 0)
		return -errno;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(&weir_drain.thread, NULL, weir_drain_run, NULL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (err)
		close(weir_drain.stop);
	weir_drain.started = !err;
	return -err;
}

void weir_drain_stop(void)
{
	if (!weir_drain.started)
		return;
	eventfd_write(weir_drain.stop, 1);
	pthread_join(weir_drain.thread, NULL);
	close(weir_drain.stop);
	weir_drain.started = false;
}
