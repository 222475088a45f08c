// SPDX-License-Identifier: LGPL-2.1-only
/*
 * libweir-io.so: events of files, for programs that nobody can change. Sockets are in io_socket.c.
 *
 *   libc:open      path flags mode result duration            open64 too
 *   libc:openat    dirfd path flags mode result duration      openat64 too
 *   libc:creat     path mode result duration                  creat64 too
 *   libc:read      fd count result duration                   write too
 *   libc:pread     fd count offset result duration            pread64, pwrite, pwrite64 too
 *   libc:readv     fd count result duration                   writev too; count of buffers
 *   libc:close     fd result duration                         fsync, fdatasync too
 *
 * The names that fortified programs call (__open_2, __read_chk ...) count as the plain ones. Only
 * calls between objects can be seen: what libc does inside itself (stdio's reads and writes, the
 * open in fopen or opendir, what posix_spawn and system do in the child) never comes by a preloaded
 * library, nor do raw system calls.
 */
#undef _FORTIFY_SOURCE
#undef _FILE_OFFSET_BITS

#include <fcntl.h>
#include <stdarg.h>
#include <sys/uio.h>
#include <unistd.h>

#include "timed.h"

/* The path, unless the kernel may not have been able to read it either, or not to its end. */
static inline const char *weir_path(int ret, const char *path)
{
	return ret < 0 && (errno == EFAULT || errno == EINVAL || errno == ENAMETOOLONG) ? "" : path;
}

/* `mode`, which only some calls of open() have. */
#define WEIR_MODE(flags)                                                                           \
	mode_t mode = 0;                                                                           \
	va_list rest;                                                                              \
                                                                                                   \
	if (__OPEN_NEEDS_MODE(flags)) {                                                            \
		va_start(rest, flags);                                                             \
		mode = va_arg(rest, mode_t);                                                       \
		va_end(rest);                                                                      \
	}

/* next_NAME, where NAME is variadic. */
#define WEIR_NEXT_VARIADIC(name, params, args)                                                     \
	static int first_##name params;                                                            \
	WEIR_NEXT_POINTER(int, name, NULL, params)                                                 \
	static int first_##name params                                                             \
	{                                                                                          \
		WEIR_MODE(flags)                                                                   \
		find_##name();                                                                     \
		return next_##name args;                                                           \
	}

/* The variadic NAME hands its arguments to wrap_NAME, an ordinary wrapper. */
#define WEIR_OPEN_ANY(event, name, variadic, params, args, ...)                                    \
	WEIR_NEXT_VARIADIC(name, variadic, args)                                                   \
	WEIR_TIMED_CALL(static inline, event, int, wrap_##name, next_##name, params, args,         \
			__VA_ARGS__, weir_i32(flags, flags), weir_u32(mode, mode))                 \
	WEIR_EXPORT int name variadic                                                              \
	{                                                                                          \
		WEIR_MODE(flags)                                                                   \
		return wrap_##name args;                                                           \
	}

#define WEIR_OPEN(name)                                                                            \
	WEIR_OPEN_ANY(open, name, (const char *path, int flags, ...),                              \
		      (const char *path, int flags, mode_t mode), (path, flags, mode),             \
		      weir_str(path, weir_path(ret, path)))

#define WEIR_OPENAT(name)                                                                          \
	WEIR_OPEN_ANY(openat, name, (int dirfd, const char *path, int flags, ...),                 \
		      (int dirfd, const char *path, int flags, mode_t mode),                       \
		      (dirfd, path, flags, mode), weir_i32(dirfd, dirfd),                          \
		      weir_str(path, weir_path(ret, path)))

WEIR_OPEN(open)
WEIR_OPEN(open64)
WEIR_OPENAT(openat)
WEIR_OPENAT(openat64)

/* Fortified, without a mode; libc ends the program if the flags need one. */
int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat_2(int dirfd, const char *path, int flags);
int __openat64_2(int dirfd, const char *path, int flags);

#define WEIR_OPEN_2(name)                                                                          \
	WEIR_TIMED_AS(open, int, name, (const char *path, int flags), (path, flags),               \
		      weir_str(path, weir_path(ret, path)), weir_i32(flags, flags),                \
		      weir_u32(mode, 0))

#define WEIR_OPENAT_2(name)                                                                        \
	WEIR_TIMED_AS(openat, int, name, (int dirfd, const char *path, int flags),                 \
		      (dirfd, path, flags), weir_i32(dirfd, dirfd),                                \
		      weir_str(path, weir_path(ret, path)), weir_i32(flags, flags),                \
		      weir_u32(mode, 0))

WEIR_OPEN_2(__open_2)
WEIR_OPEN_2(__open64_2)
WEIR_OPENAT_2(__openat_2)
WEIR_OPENAT_2(__openat64_2)

#define WEIR_CREAT(name)                                                                           \
	WEIR_TIMED_AS(creat, int, name, (const char *path, mode_t mode), (path, mode),             \
		      weir_str(path, weir_path(ret, path)), weir_u32(mode, mode))

WEIR_CREAT(creat)
WEIR_CREAT(creat64)

WEIR_TIMED(int, close, (int fd), (fd), weir_i32(fd, fd))
WEIR_TIMED(int, fsync, (int fd), (fd), weir_i32(fd, fd))
WEIR_TIMED(int, fdatasync, (int fd), (fd), weir_i32(fd, fd))

WEIR_TIMED(ssize_t, read, (int fd, void *buf, size_t count), (fd, buf, count), weir_i32(fd, fd),
	   weir_u64(count, count))

WEIR_TIMED(ssize_t, write, (int fd, const void *buf, size_t count), (fd, buf, count),
	   weir_i32(fd, fd), weir_u64(count, count))

WEIR_TIMED(ssize_t, readv, (int fd, const struct iovec *iov, int count), (fd, iov, count),
	   weir_i32(fd, fd), weir_u64(count, (__u64)count))

WEIR_TIMED(ssize_t, writev, (int fd, const struct iovec *iov, int count), (fd, iov, count),
	   weir_i32(fd, fd), weir_u64(count, (__u64)count))

#define WEIR_PREAD(event, name, buffer)                                                            \
	WEIR_TIMED_AS(event, ssize_t, name, (int fd, buffer buf, size_t count, off64_t offset),    \
		      (fd, buf, count, offset), weir_i32(fd, fd), weir_u64(count, count),          \
		      weir_i64(offset, offset))

WEIR_PREAD(pread, pread, void *)
WEIR_PREAD(pread, pread64, void *)
WEIR_PREAD(pwrite, pwrite, const void *)
WEIR_PREAD(pwrite, pwrite64, const void *)

ssize_t __read_chk(int fd, void *buf, size_t count, size_t room);
ssize_t __pread_chk(int fd, void *buf, size_t count, off64_t offset, size_t room);
ssize_t __pread64_chk(int fd, void *buf, size_t count, off64_t offset, size_t room);

WEIR_TIMED_AS(read, ssize_t, __read_chk, (int fd, void *buf, size_t count, size_t room),
	      (fd, buf, count, room), weir_i32(fd, fd), weir_u64(count, count))

#define WEIR_PREAD_CHK(name)                                                                       \
	WEIR_TIMED_AS(pread, ssize_t, name,                                                        \
		      (int fd, void *buf, size_t count, off64_t offset, size_t room),              \
		      (fd, buf, count, offset, room), weir_i32(fd, fd), weir_u64(count, count),    \
		      weir_i64(offset, offset))

WEIR_PREAD_CHK(__pread_chk)
WEIR_PREAD_CHK(__pread64_chk)
