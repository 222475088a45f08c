// SPDX-License-Identifier: GPL-2.0-only
/*
 * count.so: an LD_PRELOAD library that only counts the calls which lib/preload makes events of. It
 * shares no code with weir, so that a trace can be compared with it.
 *
 * COUNT_FILE names a file of 4096 bytes, zero at first: rows of struct count. COUNT_NOT names a
 * program that does not count, its children do. All processes of a run map it and count in it
 * atomically, so that nothing is lost when one is killed. Calls of vfork children, whose memory is
 * their parent's, are counted apart: libweir counts their events as lost.
 *
 * A call is counted when it returns; free and pthread_mutex_unlock before they are made. Counting
 * begins when all libraries have been initialised, before the program's own constructors.
 */
#undef _FORTIFY_SOURCE
#undef _FILE_OFFSET_BITS

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define EVENTS(X)                                                                                  \
	X(malloc) X(free) X(calloc) X(realloc) X(reallocarray) X(memalign) X(aligned_alloc)        \
	X(posix_memalign) X(valloc) X(pvalloc)                                                     \
	X(pthread_mutex_lock) X(pthread_mutex_trylock) X(pthread_mutex_timedlock)                  \
	X(pthread_mutex_clocklock) X(pthread_mutex_unlock) X(pthread_cond_wait)                    \
	X(pthread_cond_timedwait) X(pthread_cond_clockwait) X(pthread_create) X(pthread_join)      \
	X(open) X(openat) X(creat) X(close) X(read) X(write) X(readv) X(writev) X(pread) X(pwrite) \
	X(fsync) X(fdatasync) X(connect) X(accept) X(accept4) X(send) X(recv) X(sendto)            \
	X(recvfrom) X(sendmsg) X(recvmsg)

struct count {
	char name[32];
	uint64_t calls;
	uint64_t vforked;
	uint64_t reserved[2];
};

#define EVENT_ID(name) ID_##name,
#define EVENT_NAME(name) #name,
enum { EVENTS(EVENT_ID) NR_EVENTS };

static struct count *counts; /* shared by all processes */
static int started;
static long *home; /* the process that this memory belongs to; a page that fork() clears */

/* By libc's prototype; preloaded libraries have all been initialised. */
int __libc_start_main(int (*main)(int, char **, char **), int argc, char **argv, void (*init)(void),
		      void (*fini)(void), void (*rtld_fini)(void), void *stack_end)
{
	__typeof__(__libc_start_main) *next = dlsym(RTLD_NEXT, "__libc_start_main");

	started = 1;
	return next(main, argc, argv, init, fini, rtld_fini, stack_end);
}

static void __attribute__((constructor)) map_file(void)
{
	static const char *const names[] = { EVENTS(EVENT_NAME) };
	const char *path = getenv("COUNT_FILE"), *not = getenv("COUNT_NOT");
	int i, fd;
	void *map;

	_Static_assert(sizeof(*counts) * NR_EVENTS <= 4096, "a page");
	if (not && !strcmp(not, program_invocation_short_name))
		return;

	/* raw system calls, and mmap: nothing that is counted or traced */
	fd = path ? (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC) : -1;
	if (fd < 0)
		return;
	home = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	map = mmap(NULL, sizeof(*counts) * NR_EVENTS, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	syscall(SYS_close, fd);
	if (map == MAP_FAILED || home == MAP_FAILED || madvise(home, 4096, MADV_WIPEONFORK))
		return;
	*home = syscall(SYS_getpid);
	for (i = 0; i < NR_EVENTS; i++)
		strncpy(((struct count *)map)[i].name, names[i], sizeof(counts->name) - 1);
	counts = map;
}

static void count(int id)
{
	int error = errno;
	long pid;

	if (!counts || !started)
		return;
	pid = syscall(SYS_getpid);
	if (!*home)
		*home = pid;
	__atomic_fetch_add(*home == pid ? &counts[id].calls : &counts[id].vforked, 1,
			   __ATOMIC_RELAXED);
	errno = error;
}

/* The next definition; VERSION where libc has several. */
static void *lookup(const char *name, const char *version)
{
	void *exact = version ? dlvsym(RTLD_NEXT, name, version) : NULL;
	void *next = dlsym(RTLD_NEXT, name);
	Dl_info a, b;

	if (exact && dladdr(next, &a) && dladdr(exact, &b) && a.dli_fbase == b.dli_fbase)
		next = exact;
	dlerror();
	return next;
}

#define NEXT(type, name, params, version)                                                          \
	static type(*next_##name) params;                                                          \
	static void __attribute__((constructor(101))) find_##name(void)                            \
	{                                                                                          \
		next_##name = (type(*) params)lookup(#name, version);                              \
	}

#define COUNT_AS(event, type, name, version, params, args)                                         \
	NEXT(type, name, params, version)                                                          \
	type name params                                                                           \
	{                                                                                          \
		type ret;                                                                          \
                                                                                                   \
		if (!next_##name)                                                                  \
			find_##name();                                                             \
		ret = next_##name args;                                                            \
		count(ID_##event);                                                                 \
		return ret;                                                                        \
	}
#define COUNT(type, name, params, args) COUNT_AS(name, type, name, NULL, params, args)

/* ---- memory: dlsym() may allocate while the allocator is looked up ----------------------------*/

static char early[16384] __attribute__((aligned(16)));
static size_t early_used;
static int looking;

static void *early_alloc(size_t size)
{
	size_t at = early_used;

	early_used += (size + 15) / 16 * 16;
	return early_used <= sizeof(early) ? early + at : NULL;
}

static int is_early(const void *p)
{
	return (uintptr_t)p - (uintptr_t)early < sizeof(early);
}

#define LOOK(name)                                                                                 \
	do {                                                                                       \
		looking++;                                                                         \
		find_##name();                                                                     \
		looking--;                                                                         \
	} while (0)

#define ALLOC(type, name, params, args, bytes)                                                     \
	NEXT(type, name, params, NULL)                                                             \
	type name params                                                                           \
	{                                                                                          \
		type ret;                                                                          \
                                                                                                   \
		if (!next_##name && looking)                                                       \
			return early_alloc(bytes);                                                 \
		if (!next_##name)                                                                  \
			LOOK(name);                                                                \
		ret = next_##name args;                                                            \
		count(ID_##name);                                                                  \
		return ret;                                                                        \
	}

ALLOC(void *, malloc, (size_t size), (size), size)
ALLOC(void *, calloc, (size_t nmemb, size_t size), (nmemb, size), nmemb * size)
ALLOC(void *, realloc, (void *old, size_t size), (old, size), size)
COUNT(void *, reallocarray, (void *old, size_t nmemb, size_t size), (old, nmemb, size))
COUNT(void *, memalign, (size_t alignment, size_t size), (alignment, size))
COUNT(void *, aligned_alloc, (size_t alignment, size_t size), (alignment, size))
COUNT(int, posix_memalign, (void **out, size_t alignment, size_t size), (out, alignment, size))
COUNT(void *, valloc, (size_t size), (size))
COUNT(void *, pvalloc, (size_t size), (size))

NEXT(void, free, (void *p), NULL)
void free(void *p)
{
	if (is_early(p) || (!next_free && looking))
		return;
	if (!next_free)
		LOOK(free);
	count(ID_free);
	next_free(p);
}

/* ---- threads ----------------------------------------------------------------------------------*/

typedef const struct timespec *restrict until_t;
typedef pthread_mutex_t *restrict mutex_t;
typedef pthread_cond_t *restrict cond_t;

COUNT(int, pthread_mutex_lock, (pthread_mutex_t * mutex), (mutex))
COUNT(int, pthread_mutex_trylock, (pthread_mutex_t * mutex), (mutex))
COUNT(int, pthread_mutex_timedlock, (mutex_t mutex, until_t until), (mutex, until))
COUNT(int, pthread_mutex_clocklock, (mutex_t mutex, clockid_t clock, until_t until),
      (mutex, clock, until))
COUNT_AS(pthread_cond_wait, int, pthread_cond_wait, "GLIBC_2.3.2", (cond_t cond, mutex_t mutex),
	 (cond, mutex))
COUNT_AS(pthread_cond_timedwait, int, pthread_cond_timedwait, "GLIBC_2.3.2",
	 (cond_t cond, mutex_t mutex, until_t until), (cond, mutex, until))
COUNT(int, pthread_cond_clockwait, (cond_t cond, mutex_t mutex, clockid_t clock, until_t until),
      (cond, mutex, clock, until))
COUNT(int, pthread_create,
      (pthread_t *restrict thread, const pthread_attr_t *restrict attr, void *(*run)(void *),
       void *restrict arg),
      (thread, attr, run, arg))
COUNT(int, pthread_join, (pthread_t thread, void **value), (thread, value))

NEXT(int, pthread_mutex_unlock, (pthread_mutex_t * mutex), NULL)
int pthread_mutex_unlock(pthread_mutex_t *mutex)
{
	if (!next_pthread_mutex_unlock)
		find_pthread_mutex_unlock();
	count(ID_pthread_mutex_unlock);
	return next_pthread_mutex_unlock(mutex);
}

/* ---- files ------------------------------------------------------------------------------------*/

#define OPEN(event, name, params, last, args)                                                      \
	NEXT(int, name, params, NULL)                                                              \
	int name params                                                                            \
	{                                                                                          \
		mode_t mode = 0;                                                                   \
		va_list rest;                                                                      \
		int ret;                                                                           \
                                                                                                   \
		if (__OPEN_NEEDS_MODE(last)) {                                                     \
			va_start(rest, last);                                                      \
			mode = va_arg(rest, mode_t);                                               \
			va_end(rest);                                                              \
		}                                                                                  \
		if (!next_##name)                                                                  \
			find_##name();                                                             \
		ret = next_##name args;                                                            \
		count(ID_##event);                                                                 \
		return ret;                                                                        \
	}

OPEN(open, open, (const char *path, int flags, ...), flags, (path, flags, mode))
OPEN(open, open64, (const char *path, int flags, ...), flags, (path, flags, mode))
OPEN(openat, openat, (int dir, const char *path, int flags, ...), flags, (dir, path, flags, mode))
OPEN(openat, openat64, (int dir, const char *path, int flags, ...), flags, (dir, path, flags, mode))

int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat_2(int dir, const char *path, int flags);
int __openat64_2(int dir, const char *path, int flags);
ssize_t __read_chk(int fd, void *buf, size_t count, size_t room);
ssize_t __pread_chk(int fd, void *buf, size_t count, off64_t offset, size_t room);
ssize_t __pread64_chk(int fd, void *buf, size_t count, off64_t offset, size_t room);
ssize_t __recv_chk(int fd, void *buf, size_t size, size_t room, int flags);
ssize_t __recvfrom_chk(int fd, void *restrict buf, size_t size, size_t room, int flags,
		       __SOCKADDR_ARG address, socklen_t *restrict length);

#define COUNT_TO(event, type, name, params, args) COUNT_AS(event, type, name, NULL, params, args)

COUNT_TO(open, int, __open_2, (const char *path, int flags), (path, flags))
COUNT_TO(open, int, __open64_2, (const char *path, int flags), (path, flags))
COUNT_TO(openat, int, __openat_2, (int dir, const char *path, int flags), (dir, path, flags))
COUNT_TO(openat, int, __openat64_2, (int dir, const char *path, int flags), (dir, path, flags))
COUNT(int, creat, (const char *path, mode_t mode), (path, mode))
COUNT_TO(creat, int, creat64, (const char *path, mode_t mode), (path, mode))
COUNT(int, close, (int fd), (fd))
COUNT(int, fsync, (int fd), (fd))
COUNT(int, fdatasync, (int fd), (fd))
COUNT(ssize_t, read, (int fd, void *buf, size_t n), (fd, buf, n))
COUNT(ssize_t, write, (int fd, const void *buf, size_t n), (fd, buf, n))
COUNT(ssize_t, readv, (int fd, const struct iovec *iov, int n), (fd, iov, n))
COUNT(ssize_t, writev, (int fd, const struct iovec *iov, int n), (fd, iov, n))
COUNT(ssize_t, pread, (int fd, void *buf, size_t n, off_t at), (fd, buf, n, at))
COUNT(ssize_t, pwrite, (int fd, const void *buf, size_t n, off_t at), (fd, buf, n, at))
COUNT_TO(pread, ssize_t, pread64, (int fd, void *buf, size_t n, off64_t at), (fd, buf, n, at))
COUNT_TO(pwrite, ssize_t, pwrite64, (int fd, const void *buf, size_t n, off64_t at),
	 (fd, buf, n, at))
COUNT_TO(read, ssize_t, __read_chk, (int fd, void *buf, size_t n, size_t room), (fd, buf, n, room))
COUNT_TO(pread, ssize_t, __pread_chk, (int fd, void *buf, size_t n, off64_t at, size_t room),
	 (fd, buf, n, at, room))
COUNT_TO(pread, ssize_t, __pread64_chk, (int fd, void *buf, size_t n, off64_t at, size_t room),
	 (fd, buf, n, at, room))

/* ---- sockets ----------------------------------------------------------------------------------*/

COUNT(int, connect, (int fd, __CONST_SOCKADDR_ARG to, socklen_t size), (fd, to, size))
COUNT(int, accept, (int fd, __SOCKADDR_ARG from, socklen_t *restrict size), (fd, from, size))
COUNT(int, accept4, (int fd, __SOCKADDR_ARG from, socklen_t *restrict size, int flags),
      (fd, from, size, flags))
COUNT(ssize_t, send, (int fd, const void *buf, size_t n, int flags), (fd, buf, n, flags))
COUNT(ssize_t, recv, (int fd, void *buf, size_t n, int flags), (fd, buf, n, flags))
COUNT(ssize_t, sendto,
      (int fd, const void *buf, size_t n, int flags, __CONST_SOCKADDR_ARG to, socklen_t size),
      (fd, buf, n, flags, to, size))
COUNT(ssize_t, recvfrom,
      (int fd, void *restrict buf, size_t n, int flags, __SOCKADDR_ARG from,
       socklen_t *restrict size),
      (fd, buf, n, flags, from, size))
COUNT(ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags), (fd, message, flags))
COUNT(ssize_t, recvmsg, (int fd, struct msghdr *message, int flags), (fd, message, flags))
COUNT_TO(recv, ssize_t, __recv_chk, (int fd, void *buf, size_t n, size_t room, int flags),
	 (fd, buf, n, room, flags))
COUNT_TO(recvfrom, ssize_t, __recvfrom_chk,
	 (int fd, void *restrict buf, size_t n, size_t room, int flags, __SOCKADDR_ARG from,
	  socklen_t *restrict size),
	 (fd, buf, n, room, flags, from, size))
