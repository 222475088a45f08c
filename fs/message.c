// SPDX-License-Identifier: GPL-2.0-only
/*
 * message: who a client is, and the one thing that it says. It may be hostile:
 *
 *   says something else       it is closed, with the descriptors that came along
 *   sends strange descriptors the kernel drops what has no room, in the thread that receives it, and that can take
 *                             for ever (closer.c). So the message is looked at and stays in the queue; only one of
 *                             which we hold all descriptors, none of them strange, is taken out
 */
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "connection_i.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

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

/* Of the files that have seals none does anything at close. */
static bool weir_message_strange(const int fds[WEIR_HELLO_FDS], int count)
{
	while (count)
		if (fcntl(fds[--count], F_GET_SEALS) < 0)
			return true;
	return false;
}

/* It is not the message: its descriptors are closed, now or with the connection. */
static void weir_message_drop(struct weir_connection *connection, const int fds[WEIR_HELLO_FDS], int count)
{
	while (count--) {
		if (weir_message_strange(&fds[count], 1))
			connection->foreign[count] = fds[count];
		else
			close(fds[count]);
	}
}

/* The one message there may be. -EAGAIN: none yet; -ENOMSG: there will be none; -EMFILE: we have no descriptors for it;
 * -EPROTO: not what abi.h says. There is room for two descriptors: of more the kernel says MSG_CTRUNC, as if there were
 * too few left to us. */
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
	int fds[WEIR_HELLO_FDS], count, fd = connection->watch.fd;
	ssize_t n = recvmsg(fd, &msg, MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	bool all, strange;

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? -EAGAIN : -ENOMSG;
	count = weir_message_fds(&msg, fds);
	all = !(msg.msg_flags & MSG_CTRUNC);
	strange = weir_message_strange(fds, count);
	if (all && !strange)
		recv(fd, NULL, 0, MSG_DONTWAIT);
	if (n == (ssize_t)sizeof(hello->attach) && !(msg.msg_flags & MSG_TRUNC) && all && !strange &&
	    count == WEIR_HELLO_FDS) {
		hello->control = fds[0];
		hello->buffers = fds[1];
		hello->open = weir_shm_open;
		hello->backend = &weir_backend_shm;
		return 0;
	}
	weir_message_drop(connection, fds, count);
	if (!all && count < WEIR_HELLO_FDS)
		return -EMFILE;
	return n || count ? -EPROTO : -ENOMSG; /* the end: it has said nothing */
}

#define WEIR_MESSAGES_MAX 4096 /* more than a queue holds */

/* Of the next message, which stays; MSG_TRUNC: it has bytes. */
static int weir_message_flags(int fd, int credentials)
{
	struct msghdr msg = { 0 };

	if (setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &credentials, sizeof(credentials)) ||
	    recvmsg(fd, &msg, MSG_PEEK | MSG_DONTWAIT) < 0)
		return MSG_CTRUNC;
	return msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC);
}

/**
 * weir_messages_end() - nothing more is said on a connection; has everything been heard?
 * @fd: the connection
 *
 * Those without descriptors are taken out. One that has some says MSG_CTRUNC, for there is no room for them here. One
 * of no bytes looks like the end; with SO_PASSCRED it has something, too.
 *
 * Return: whether nothing is left in the queue, so that closing it drops nothing.
 */
bool weir_messages_end(int fd)
{
	int flags, left = WEIR_MESSAGES_MAX;

	if (shutdown(fd, SHUT_RD))
		return false;
	while (left-- && !((flags = weir_message_flags(fd, 0)) & MSG_CTRUNC)) {
		if (!flags && !weir_message_flags(fd, 1))
			return true;
		recv(fd, NULL, 0, MSG_DONTWAIT);
	}
	return false;
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
