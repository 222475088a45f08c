// SPDX-License-Identifier: LGPL-2.1-only
/*
 * libweir-io.so: events of sockets.
 *
 *   libc:connect     fd family port address result duration
 *   libc:accept      fd result duration                       accept4: flags too
 *   libc:send        fd size flags result duration            recv too
 *   libc:sendto      fd size flags family port address result duration
 *   libc:recvfrom    fd size flags result duration
 *   libc:sendmsg     fd flags result duration                 recvmsg too
 *
 * family, port and address are those that the program asked for, 0 and empty where there are none;
 * address is the 4 or 16 bytes of an internet address, the name of a local socket.
 */
#undef _FORTIFY_SOURCE

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "timed.h"

/* A socket address taken apart. */
struct weir_address {
	__u16 family;
	__u16 port;
	__u16 size;
	const void *bytes;
};

static const struct weir_address no_address = { .bytes = "" };

/* Errors with which a call may end before the kernel has read the address that it was given. */
static inline int weir_address_unread(__s64 ret)
{
	return ret < 0 &&
	       (errno == EFAULT || errno == EBADF || errno == ENOTSOCK || errno == EINVAL);
}

static struct weir_address weir_address(__s64 ret, const struct sockaddr *sa, socklen_t size)
{
	const struct sockaddr_in *in = (const void *)sa;
	const struct sockaddr_in6 *in6 = (const void *)sa;
	size_t name = offsetof(struct sockaddr_un, sun_path);

	if (!sa || size < sizeof(sa->sa_family) || size > sizeof(struct sockaddr_storage) ||
	    weir_address_unread(ret))
		return no_address;
	if (sa->sa_family == AF_INET && size >= sizeof(*in))
		return (struct weir_address){ AF_INET, ntohs(in->sin_port), sizeof(in->sin_addr),
					      &in->sin_addr };
	if (sa->sa_family == AF_INET6 && size >= sizeof(*in6))
		return (struct weir_address){ AF_INET6, ntohs(in6->sin6_port),
					      sizeof(in6->sin6_addr), &in6->sin6_addr };
	if (sa->sa_family == AF_UNIX && size > name)
		return (struct weir_address){ AF_UNIX, 0, (__u16)(size - name),
					      (const char *)sa + name };
	return (struct weir_address){ sa->sa_family, 0, 0, "" };
}

WEIR_NEXT(int, connect, (int fd, __CONST_SOCKADDR_ARG address, socklen_t size), (fd, address, size))

static WEIR_APART int traced_connect(int fd, __CONST_SOCKADDR_ARG address, socklen_t size)
{
	__u64 start = weir_now();
	int ret = next_connect(fd, address, size);
	struct weir_address to = weir_address(ret, address.__sockaddr__, size);

	weir_trace_fields(libc, connect, weir_i32(fd, fd), weir_u16(family, to.family),
			  weir_u16(port, to.port), weir_bytes(address, to.bytes, to.size),
			  weir_i64(result, weir_result(ret)),
			  weir_u64(duration, weir_now() - start));
	return ret;
}

WEIR_EXPORT int connect(int fd, __CONST_SOCKADDR_ARG address, socklen_t size)
{
	if (weir_likely(!weir_enabled(libc, connect)))
		return next_connect(fd, address, size);
	return traced_connect(fd, address, size);
}

WEIR_TIMED(int, accept, (int fd, __SOCKADDR_ARG address, socklen_t *restrict size),
	   (fd, address, size), weir_i32(fd, fd))

WEIR_TIMED(int, accept4, (int fd, __SOCKADDR_ARG address, socklen_t *restrict size, int flags),
	   (fd, address, size, flags), weir_i32(fd, fd), weir_i32(flags, flags))

WEIR_TIMED(ssize_t, send, (int fd, const void *buf, size_t count, int flags),
	   (fd, buf, count, flags), weir_i32(fd, fd), weir_u64(size, count), weir_i32(flags, flags))

WEIR_TIMED(ssize_t, recv, (int fd, void *buf, size_t count, int flags), (fd, buf, count, flags),
	   weir_i32(fd, fd), weir_u64(size, count), weir_i32(flags, flags))

WEIR_TIMED(ssize_t, recvfrom,
	   (int fd, void *restrict buf, size_t count, int flags, __SOCKADDR_ARG address,
	    socklen_t *restrict size),
	   (fd, buf, count, flags, address, size), weir_i32(fd, fd), weir_u64(size, count),
	   weir_i32(flags, flags))

WEIR_TIMED(ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags),
	   (fd, message, flags), weir_i32(fd, fd), weir_i32(flags, flags))

WEIR_TIMED(ssize_t, recvmsg, (int fd, struct msghdr *message, int flags), (fd, message, flags),
	   weir_i32(fd, fd), weir_i32(flags, flags))

WEIR_NEXT(ssize_t, sendto,
	  (int fd, const void *buf, size_t count, int flags, __CONST_SOCKADDR_ARG address,
	   socklen_t size),
	  (fd, buf, count, flags, address, size))

static WEIR_APART ssize_t traced_sendto(int fd, const void *buf, size_t count, int flags,
					__CONST_SOCKADDR_ARG address, socklen_t size)
{
	__u64 start = weir_now();
	ssize_t ret = next_sendto(fd, buf, count, flags, address, size);
	struct weir_address to = weir_address(ret, address.__sockaddr__, size);

	weir_trace_fields(libc, sendto, weir_i32(fd, fd), weir_u64(size, count),
			  weir_i32(flags, flags), weir_u16(family, to.family),
			  weir_u16(port, to.port), weir_bytes(address, to.bytes, to.size),
			  weir_i64(result, weir_result(ret)),
			  weir_u64(duration, weir_now() - start));
	return ret;
}

WEIR_EXPORT ssize_t sendto(int fd, const void *buf, size_t count, int flags,
			   __CONST_SOCKADDR_ARG address, socklen_t size)
{
	if (weir_likely(!weir_enabled(libc, sendto)))
		return next_sendto(fd, buf, count, flags, address, size);
	return traced_sendto(fd, buf, count, flags, address, size);
}

/* Fortified. */
ssize_t __recv_chk(int fd, void *buf, size_t count, size_t room, int flags);
ssize_t __recvfrom_chk(int fd, void *restrict buf, size_t count, size_t room, int flags,
		       __SOCKADDR_ARG address, socklen_t *restrict size);

WEIR_TIMED_AS(recv, ssize_t, __recv_chk, (int fd, void *buf, size_t count, size_t room, int flags),
	      (fd, buf, count, room, flags), weir_i32(fd, fd), weir_u64(size, count),
	      weir_i32(flags, flags))

WEIR_TIMED_AS(recvfrom, ssize_t, __recvfrom_chk,
	      (int fd, void *restrict buf, size_t count, size_t room, int flags,
	       __SOCKADDR_ARG address, socklen_t *restrict size),
	      (fd, buf, count, room, flags, address, size), weir_i32(fd, fd),
	      weir_u64(size, count), weir_i32(flags, flags))
