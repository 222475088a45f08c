// SPDX-License-Identifier: GPL-2.0-only
/*
 * values: calls whose arguments and results are known. Says, one line each and in order, what their events have to
 * hold; a duration by what it has at least, ns. close(-101), close(-102) and close(-103)
 * stand in front of, between and behind the two parts: memory, everything else.
 *
 *   values DIRECTORY
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define WAIT 50000000 /* ns */

static char said[65536];
static size_t len;

/* No stdio meanwhile: it allocates and writes. */
static void say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	len += (size_t)vsnprintf(said + len, sizeof(said) - len, format, args);
	va_end(args);
	len += (size_t)snprintf(said + len, sizeof(said) - len, "\n");
}

/* What a call that says its error by errno has for a result. */
static long result(long ret)
{
	return ret < 0 ? -errno : ret;
}

#define SAY(ret, least, format, ...) \
	do { \
		long result_ = result(ret); \
		say(format " result=%ld duration>=%d", __VA_ARGS__, result_, least); \
	} while (0)

/* ---- memory -----------------------------------------------------------------------------------*/

static void *keep(void *p)
{
	__asm__ __volatile__("" : "+r"(p) : : "memory"); /* no call is left out, or put in another's place */
	return p;
}

static void give(void *p)
{
	say("free: ptr=%p", p);
	free(keep(p));
}

static void resized(void)
{
	void *first = keep(malloc(1001)), *second, *third;

	say("malloc: size=1001 ptr=%p", first);
	second = keep(realloc(first, 200002));
	say("realloc: old=%p size=200002 ptr=%p", first, second);
	third = keep(reallocarray(second, 3, 70003));
	say("reallocarray: old=%p nmemb=3 size=70003 ptr=%p", second, third);
	give(third);
}

static void aligned(void)
{
	void *p = keep(memalign(64, 1005));
	int err;

	say("memalign: alignment=64 size=1005 ptr=%p", p);
	give(p);
	p = keep(aligned_alloc(128, 1024));
	say("aligned_alloc: alignment=128 size=1024 ptr=%p", p);
	give(p);
	err = posix_memalign(&p, 256, 1007);
	say("posix_memalign: alignment=256 size=1007 ptr=%p result=%d", p, err);
	give(p);
	err = posix_memalign(&p, 3, 1008);
	say("posix_memalign: alignment=3 size=1008 ptr=0x0 result=%d", err);
	p = keep(valloc(1009));
	say("valloc: size=1009 ptr=%p", p);
	give(p);
	p = keep(pvalloc(1010));
	say("pvalloc: size=1010 ptr=%p", p);
	give(p);
}

static void memory(void)
{
	void *p = keep(malloc(1002)), *q;

	say("malloc: size=1002 ptr=%p", p);
	q = keep(calloc(7, 1003));
	say("calloc: nmemb=7 size=1003 ptr=%p", q);
	give(p);
	give(q);
	resized();
	aligned();
	p = keep(malloc((size_t)1 << 62));
	say("malloc: size=%zu ptr=0x0", (size_t)1 << 62);
	p = NULL;
	say("free: ptr=0x0");
	free(keep(p));
}

/* ---- files ------------------------------------------------------------------------------------*/

static int file(const char *path)
{
	int fd = open(path, O_RDONLY);

	SAY(fd, 0, "open: path=\"%s\" flags=%d mode=0", path, O_RDONLY);
	fd = open(path, O_RDWR | O_CREAT, 0640);
	SAY(fd, 0, "open: path=\"%s\" flags=%d mode=%d", path, O_RDWR | O_CREAT, 0640);
	return fd;
}

static void offsets(int fd)
{
	char buf[100];
	struct iovec iov[2] = { { buf, 10 }, { buf + 10, 20 } };

	SAY(write(fd, "0123456789", 10), 0, "write: fd=%d count=10", fd);
	SAY(pwrite(fd, "abc", 3, 5), 0, "pwrite: fd=%d count=3 offset=5", fd);
	SAY(pread(fd, buf, 100, 4), 0, "pread: fd=%d count=100 offset=4", fd);
	SAY(pread(fd, buf, 100, -4), 0, "pread: fd=%d count=100 offset=-4", fd);
	SAY(writev(fd, iov, 2), 0, "writev: fd=%d count=2", fd);
	SAY(readv(fd, iov, 1), 0, "readv: fd=%d count=1", fd);
	SAY(fsync(fd), 0, "fsync: fd=%d", fd);
	SAY(fdatasync(-7), 0, "fdatasync: fd=%d", -7);
	SAY(close(fd), 0, "close: fd=%d", fd);
	SAY(close(fd), 0, "close: fd=%d", fd);
	SAY(read(fd, buf, 9), 0, "read: fd=%d count=9", fd);
}

/* ---- what is waited for -----------------------------------------------------------------------*/

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int ends[2];
static volatile int step;

static int sleeps(pid_t pid)
{
	char path[64], text[256], *at;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", pid);
	fd = open(path, O_RDONLY);
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	at = strrchr(text, ')');
	return at && at[1] == ' ' && at[2] == 'S';
}

/* Until the main thread, which has said that it is about to wait, does; and then the time that it waits at least. */
static void wait_step(int wanted)
{
	struct timespec time = { 0, WAIT };

	while (step != wanted || !sleeps(getpid()))
		usleep(1000);
	while (nanosleep(&time, &time))
		;
}

static void *other(void *arg)
{
	pthread_mutex_lock(&mutex);
	step = 1;
	wait_step(2);
	pthread_mutex_unlock(&mutex);
	wait_step(3);
	write(ends[1], "hello", 5);
	return arg;
}

static void waits(void)
{
	struct timespec time;
	pthread_t thread;
	char buf[100];
	int err;

	err = pthread_create(&thread, NULL, other, buf);
	say("pthread_create: thread=%p start=%p arg=%p result=%d duration>=0", &thread, other, buf, err);
	while (step != 1)
		usleep(1000);
	err = pthread_mutex_trylock(&mutex);
	say("pthread_mutex_trylock: mutex=%p result=%d duration>=0", &mutex, err);
	step = 2;
	err = pthread_mutex_lock(&mutex);
	say("pthread_mutex_lock: mutex=%p result=%d duration>=%d", &mutex, err, WAIT);
	clock_gettime(CLOCK_REALTIME, &time);
	time.tv_sec--;
	err = pthread_cond_timedwait(&cond, &mutex, &time);
	say("pthread_cond_timedwait: cond=%p mutex=%p result=%d duration>=0", &cond, &mutex, err);
	say("pthread_mutex_unlock: mutex=%p", &mutex);
	pthread_mutex_unlock(&mutex);
	step = 3;
	SAY(read(ends[0], buf, 100), WAIT, "read: fd=%d count=100", ends[0]);
	err = pthread_join(thread, NULL);
	say("pthread_join: thread=%lu result=%d duration>=0", thread, err);
}

/* ---- sockets ----------------------------------------------------------------------------------*/

static void hexadecimal(char *at, unsigned int byte)
{
	static const char digits[] = "0123456789abcdef";

	at[0] = digits[byte >> 4];
	at[1] = digits[byte & 15];
}

/* Bound, but nobody listens. */
static void refused(const char *directory)
{
	struct sockaddr_un name = { .sun_family = AF_UNIX };
	int bound = socket(AF_UNIX, SOCK_STREAM, 0), fd = socket(AF_UNIX, SOCK_STREAM, 0);
	char hex[2 * sizeof(name.sun_path) + 1];
	socklen_t size;
	size_t i;

	i = (size_t)snprintf(name.sun_path, sizeof(name.sun_path), "%s/socket", directory) + 1;
	size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + i);
	bind(bound, (struct sockaddr *)&name, size);
	while (i--)
		hexadecimal(hex + 2 * i, (unsigned char)name.sun_path[i]);
	hex[2 * (size - offsetof(struct sockaddr_un, sun_path))] = '\0';
	SAY(connect(fd, (struct sockaddr *)&name, size), 0, "connect: fd=%d family=%d port=0 address=0x%s", fd, AF_UNIX,
	    hex);
}

/* Where there is no network either the result is another one. */
static void internet(void)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int bound = socket(AF_INET, SOCK_STREAM, 0), fd = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t size = sizeof(in);

	bind(bound, (struct sockaddr *)&in, size);
	getsockname(bound, (struct sockaddr *)&in, &size);
	SAY(connect(fd, (struct sockaddr *)&in, size), 0, "connect: fd=%d family=%d port=%d address=0x7f000001", fd,
	    AF_INET, ntohs(in.sin_port));
}

static void pair(void)
{
	char buf[100];
	int fds[2];

	socketpair(AF_UNIX, SOCK_STREAM, 0, fds);
	SAY(send(fds[0], "abcdef", 6, MSG_NOSIGNAL), 0, "send: fd=%d size=6 flags=%d", fds[0], MSG_NOSIGNAL);
	SAY(recv(fds[1], buf, 100, 0), 0, "recv: fd=%d size=100 flags=0", fds[1]);
	SAY(recv(fds[1], buf, 100, MSG_DONTWAIT), 0, "recv: fd=%d size=100 flags=%d", fds[1], MSG_DONTWAIT);
	SAY(accept(fds[0], NULL, NULL), 0, "accept: fd=%d", fds[0]);
}

int main(int argc, char **argv)
{
	char path[4096];

	if (argc < 2 || pipe(ends))
		return 1;
	snprintf(path, sizeof(path), "%s/file", argv[1]);
	close(-101);
	say("part 1");
	memory();
	close(-102);
	say("part 2");
	offsets(file(path));
	waits();
	refused(argv[1]);
	internet();
	pair();
	close(-103);
	say("part 3");
	return fwrite(said, 1, len, stdout) != len;
}
