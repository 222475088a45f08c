// SPDX-License-Identifier: GPL-2.0-only
/*
 * message: who a client is, and the one thing that it says. It may be hostile:
 *
 *   says something else       the descriptors that came along are closed
 *   sends strange descriptors closing one can take for ever (the flush of a FUSE file is answered by its
 *                             server), so a thread does that, charged to the user
 */
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "connection_i.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

/* ---- descriptors that came along --------------------------------------------------------------*/

struct weir_closing {
	int fd;
	uid_t uid;
};

static void *weir_close_slowly(void *arg)
{
	struct weir_closing *closing = arg;

	close(closing->fd);
	weir_quota_give(closing->uid, WEIR_QUOTA_CONNECTIONS, 1);
	weir_free(closing);
	return NULL;
}

static int weir_close_spawn(struct weir_closing *closing)
{
	pthread_attr_t attr;
	pthread_t thread;
	int err;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, 64 << 10);
	err = pthread_create(&thread, &attr, weir_close_slowly, closing);
	pthread_attr_destroy(&attr);
	return err;
}

/* Of the files that have seals none does anything at close. Where there can be no thread the descriptor stays
 * open, and charged. */
void weir_close_foreign(struct weir_connection *connection, int fd)
{
	struct weir_closing *closing;

	if (fd < 0)
		return;
	if (fcntl(fd, F_GET_SEALS) >= 0) {
		close(fd);
		return;
	}
	connection->charged--;
	closing = weir_alloc(sizeof(*closing));
	if (!closing)
		return;
	*closing = (struct weir_closing){ fd, connection->peer.uid };
	if (weir_close_spawn(closing))
		weir_free(closing);
}

/* ---- the message ------------------------------------------------------------------------------*/

/* Takes the descriptors out of what was received; returns how many there were. */
static int weir_message_fds(struct msghdr *msg, int fds[WEIR_HELLO_FDS])
{
	struct cmsghdr *cmsg;
	int count = 0;

	for (cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		size_t n = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS || n > WEIR_HELLO_FDS)
			continue;
		memcpy(fds, CMSG_DATA(cmsg), n * sizeof(int));
		count = (int)n;
	}
	return count;
}

/* The one message there may be. -EAGAIN: none yet; -ENOMSG: there will be none; -EPROTO: not what abi.h says, everything
 * is closed. There is room for two descriptors: of more the kernel says MSG_CTRUNC and drops the rest. */
int weir_message_receive(struct weir_connection *connection, struct weir_hello *hello)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(WEIR_HELLO_FDS * sizeof(int))];
	} control;
	struct iovec iov = { &hello->attach, sizeof(hello->attach) };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = &control,
			      .msg_controllen = sizeof(control) };
	int fds[WEIR_HELLO_FDS], count;
	ssize_t n = recvmsg(connection->watch.fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? -EAGAIN : -ENOMSG;
	count = weir_message_fds(&msg, fds);
	if (!n && !count)
		return -ENOMSG; /* the end: it has said nothing */
	if (n == (ssize_t)sizeof(hello->attach) && !(msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) &&
	    count == WEIR_HELLO_FDS) {
		hello->control = fds[0];
		hello->buffers = fds[1];
		hello->open = weir_shm_open;
		hello->backend = &weir_backend_shm;
		return 0;
	}
	while (count)
		weir_close_foreign(connection, fds[--count]);
	return -EPROTO;
}

/* ---- who it is --------------------------------------------------------------------------------*/

/* A descriptor of the process, -1 if it has ended already. The kernel's own answer is about the process that
 * connected, whatever has become of its number; before Linux 6.5 the number has to do. A process of a pid
 * namespace that the daemon does not see into has none: then only the kernel's answer helps. */
static int weir_peer_pidfd(int fd, const struct ucred *peer, int *pidfd)
{
	socklen_t len = sizeof(*pidfd);

	*pidfd = -1;
	if (!getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, pidfd, &len))
		return 0;
	*pidfd = -1;
	if (errno == ENOPROTOOPT && peer->pid > 0) {
		*pidfd = (int)syscall(SYS_pidfd_open, peer->pid, 0);
		if (*pidfd >= 0)
			return 0;
	}
	if (errno == EMFILE || errno == ENFILE || errno == ENOMEM)
		return -errno;
	return peer->pid > 0 ? 0 : -ESRCH;
}

int weir_peer(int fd, struct ucred *peer, int *pidfd)
{
	socklen_t len = sizeof(*peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, peer, &len))
		return -errno;
	/* A user's own daemon serves nobody else. */
	if (weir_daemon.uid && peer->uid != weir_daemon.uid)
		return -EPERM;
	return weir_peer_pidfd(fd, peer, pidfd);
}
