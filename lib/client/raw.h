/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * raw: system calls that libc has under names which a preloaded library may stand before, and most
 * of which are cancellation points. What weir does for itself must neither be an event of the
 * program nor end its thread. errno as in libc.
 */
#ifndef WEIR_CLIENT_RAW_H
#define WEIR_CLIENT_RAW_H

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static inline int weir_sys_open(const char *path, int flags)
{
	return (int)syscall(SYS_openat, AT_FDCWD, path, flags, 0);
}

static inline ssize_t weir_sys_read(int fd, void *buf, size_t size)
{
	return syscall(SYS_read, fd, buf, size);
}

static inline int weir_sys_close(int fd)
{
	return (int)syscall(SYS_close, fd);
}

static inline int weir_sys_connect(int fd, const struct sockaddr *address, socklen_t size)
{
	return (int)syscall(SYS_connect, fd, address, size);
}

static inline ssize_t weir_sys_sendmsg(int fd, const struct msghdr *message, int flags)
{
	return syscall(SYS_sendmsg, fd, message, flags);
}

#endif /* WEIR_CLIENT_RAW_H */
