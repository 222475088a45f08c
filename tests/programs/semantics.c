// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls every wrapped function in every way that could show a wrapper: bad pointers, errors, errno
 * left alone on success, alignment, modes, lock types. What it prints is the same with any library
 * preloaded.
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static void *volatile bad = (void *)8;
static volatile size_t huge = SIZE_MAX / 2;
static volatile int minus = -1;
static pthread_t late;

static void show(int line, const char *what, long ret)
{
	int error = errno;

	printf("%d: %s: %s %s\n", line, what, ret < 0 ? "fails" : "ok", strerrorname_np(error));
	errno = EXFULL;
}

/* As long a path as can be, of which the NUL is missing, and what is behind cannot be read. */
static const char *endless(void)
{
	static char *path;

	if (!path) {
		path = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		memset(path, 'a', 4096);
		mprotect(path + 4096, 4096, PROT_NONE);
	}
	return path;
}

#define SHOW(call) (errno = EXFULL, show(__LINE__, #call, (long)(call)))
#define NUMBER(call)                                                                               \
	do {                                                                                       \
		errno = EXFULL;                                                                    \
		long number = (long)(call);                                                        \
		printf("%d: %s: %ld %s\n", __LINE__, #call, number, strerrorname_np(errno));       \
	} while (0)

static void files(void)
{
	struct iovec iov = { "abc", 3 };
	struct stat st;
	char buf[16];
	int fd, p[2];

	SHOW(open(bad, O_RDONLY));
	SHOW(open(bad, O_TMPFILE));
	SHOW(open64(bad, O_RDONLY));
	SHOW(openat(AT_FDCWD, bad, O_RDONLY));
	SHOW(openat(-5, "none", O_RDONLY));
	SHOW(openat64(-5, "none", O_RDONLY));
	SHOW(creat(bad, 0600));
	SHOW(creat64("/none/none", 0600));
	SHOW(open("", O_RDONLY));
	SHOW(open(endless(), O_RDONLY));
	SHOW(openat(AT_FDCWD, endless(), O_RDONLY));
	umask(0);
	fd = open("made", O_CREAT | O_RDWR | O_TRUNC, 0641);
	fstat(fd, &st);
	printf("mode %o\n", st.st_mode);
	NUMBER(write(fd, "0123456789", 10));
	NUMBER(pwrite(fd, "ab", 2, 4));
	NUMBER(pwrite64(fd, "ab", 2, 4));
	NUMBER(pread(fd, buf, 8, 3));
	NUMBER(pread64(fd, buf, 8, -1));
	NUMBER(writev(fd, &iov, 1));
	NUMBER(readv(fd, &iov, minus));
	NUMBER(read(fd, bad, 1));
	NUMBER(lseek(fd, 0, SEEK_SET));
	NUMBER(read(fd, bad, 1));
	NUMBER(write(fd, bad, 1));
	NUMBER(fsync(fd));
	NUMBER(fdatasync(fd));
	NUMBER(close(fd));
	NUMBER(close(fd));
	NUMBER(fsync(fd));
	NUMBER(fdatasync(-1));
	fd = openat(AT_FDCWD, ".", O_TMPFILE | O_RDWR, 0604);
	if (fd >= 0) {
		fstat(fd, &st);
		printf("mode %o\n", st.st_mode);
	}
	close(fd);
	fd = open(".", O_RDONLY | O_DIRECTORY);
	NUMBER(read(fd, buf, 1));
	close(fd);
	NUMBER(pipe(p));
	signal(SIGPIPE, SIG_IGN);
	NUMBER(pread(p[0], buf, 1, 0));
	NUMBER(fsync(p[1]));
	close(p[0]);
	NUMBER(write(p[1], "x", 1));
	close(p[1]);
	unlink("made");
}

static void sockets(void)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	struct sockaddr_un un = { .sun_family = AF_UNIX, .sun_path = "socket" };
	struct sockaddr *sin = (struct sockaddr *)&in, *sun = (struct sockaddr *)&un;
	struct msghdr empty = { 0 };
	socklen_t size = sizeof(in);
	char buf[8];
	int s, c, u;

	s = socket(AF_INET, SOCK_STREAM, 0);
	NUMBER(bind(s, sin, size));
	getsockname(s, sin, &size);
	c = socket(AF_INET, SOCK_STREAM, 0);
	NUMBER(connect(c, sin, size));
	NUMBER(connect(c, bad, size));
	NUMBER(connect(c, sin, 1));
	NUMBER(connect(c, sin, -1));
	NUMBER(connect(-1, bad, size));
	NUMBER(connect(0, NULL, 0));
	NUMBER(accept(s, NULL, NULL));
	NUMBER(listen(s, 5));
	close(c);
	c = socket(AF_INET, SOCK_STREAM, 0);
	NUMBER(connect(c, sin, size));
	SHOW(accept(s, sin, &size));
	NUMBER(size);
	SHOW(accept4(s, sin, &size, SOCK_NONBLOCK | 12345));
	fcntl(s, F_SETFL, O_NONBLOCK);
	SHOW(accept4(s, sin, &size, SOCK_CLOEXEC));
	NUMBER(send(c, "ab", 2, 0));
	NUMBER(send(c, bad, 2, 0));
	NUMBER(sendto(c, "ab", 2, 0, sin, size));
	NUMBER(sendto(c, "ab", 2, 0, bad, size));
	NUMBER(sendto(c, "ab", 2, 0, NULL, 0));
	NUMBER(recv(c, buf, 1, MSG_DONTWAIT));
	NUMBER(recvfrom(c, buf, 1, MSG_DONTWAIT, sin, &size));
	NUMBER(recvfrom(-1, bad, 1, 0, bad, NULL));
	NUMBER(sendmsg(c, bad, 0));
	NUMBER(sendmsg(c, &empty, 0));
	NUMBER(recvmsg(c, &empty, MSG_DONTWAIT));
	close(c);
	close(s);
	u = socket(AF_UNIX, SOCK_DGRAM, 0);
	NUMBER(connect(u, sun, sizeof(un)));
	NUMBER(connect(u, sun, 3));
	NUMBER(sendto(u, "ab", 2, 0, sun, sizeof(un)));
	close(u);
}

static int aligned(const void *p, size_t to)
{
	return p && (uintptr_t)p % to == 0;
}

static void memory(void)
{
	void *p, *q, *out = bad;
	size_t n, i;

	SHOW(malloc(huge) ? 0 : -1);
	SHOW(calloc(huge, 16) ? 0 : -1);
	SHOW(calloc(huge, huge) ? 0 : -1);
	SHOW(realloc(NULL, huge) ? 0 : -1);
	SHOW(reallocarray(NULL, huge, 16) ? 0 : -1);
	SHOW(memalign(64, huge) ? 0 : -1);
	SHOW(aligned_alloc(64, huge) ? 0 : -1);
	SHOW(valloc(huge) ? 0 : -1);
	SHOW(pvalloc(huge) ? 0 : -1);
	NUMBER(posix_memalign(&out, 64, huge));
	NUMBER(posix_memalign(&out, 3, 16));
	NUMBER(out == bad);
	errno = EXFULL;
	for (n = 1; n < 300000; n = n * 3 + 1) {
		p = malloc(n);
		q = calloc(n, 3);
		for (i = 0; i < 3 * n; i++)
			if (((char *)q)[i])
				printf("not zero\n");
		memset(p, 1, n);
		p = realloc(p, n + 100);
		p = reallocarray(p, n, 2);
		if (((char *)p)[0] != 1 || malloc_usable_size(p) < 2 * n)
			printf("moved badly\n");
		free(p);
		free(q);
	}
	for (n = sizeof(void *); n <= 65536; n *= 2) {
		p = memalign(n, 10);
		q = aligned_alloc(n, n);
		posix_memalign(&out, n, n + 1);
		if (!aligned(p, n) || !aligned(q, n) || !aligned(out, n))
			printf("not aligned\n");
		free(p);
		free(q);
		free(out);
	}
	p = valloc(1);
	q = pvalloc(1);
	NUMBER(aligned(p, 4096) && aligned(q, 4096) && malloc_usable_size(q) >= 4096);
	free(p);
	free(q);
	free(NULL);
	p = malloc(0);
	NUMBER(p != NULL);
	free(p);
	printf("errno %s\n", strerrorname_np(errno));
}

static void *nothing(void *arg)
{
	return arg;
}

static void *leave_locked(void *mutex)
{
	pthread_mutex_lock(mutex);
	return NULL;
}

static void *join_itself(void *arg)
{
	(void)arg;
	return (void *)(long)pthread_join(late, NULL);
}

static void threads(void)
{
	struct timespec past = { 1, 0 };
	pthread_mutex_t m, robust;
	pthread_mutexattr_t type;
	pthread_cond_t c = PTHREAD_COND_INITIALIZER;
	pthread_t t, self = pthread_self();
	void *value = bad;

	pthread_mutexattr_init(&type);
	pthread_mutexattr_settype(&type, PTHREAD_MUTEX_ERRORCHECK);
	pthread_mutex_init(&m, &type);
	NUMBER(pthread_mutex_unlock(&m));
	NUMBER(pthread_mutex_lock(&m));
	NUMBER(pthread_mutex_lock(&m));
	NUMBER(pthread_mutex_trylock(&m));
	NUMBER(pthread_mutex_timedlock(&m, &past));
	NUMBER(pthread_mutex_clocklock(&m, CLOCK_MONOTONIC, &past));
	NUMBER(pthread_cond_timedwait(&c, &m, &past));
	NUMBER(pthread_cond_clockwait(&c, &m, CLOCK_MONOTONIC, &past));
	NUMBER(pthread_cond_clockwait(&c, &m, 77, &past));
	NUMBER(pthread_mutex_unlock(&m));
	NUMBER(pthread_cond_wait(&c, &m));
	pthread_mutexattr_settype(&type, PTHREAD_MUTEX_NORMAL);
	pthread_mutexattr_setrobust(&type, PTHREAD_MUTEX_ROBUST);
	pthread_mutex_init(&robust, &type);
	NUMBER(pthread_create(&t, NULL, leave_locked, &robust));
	NUMBER(pthread_join(t, &value));
	NUMBER(value == NULL);
	NUMBER(pthread_mutex_lock(&robust));
	NUMBER(pthread_mutex_consistent(&robust));
	NUMBER(pthread_mutex_unlock(&robust));
	NUMBER(pthread_create(&t, NULL, nothing, bad));
	NUMBER(pthread_join(t, &value));
	NUMBER(value == bad);
	NUMBER(pthread_join(self, NULL));
	NUMBER(pthread_create(&late, NULL, join_itself, NULL));
	NUMBER(pthread_join(late, &value));
	NUMBER((long)value);
}

int main(int argc, char **argv)
{
	if (argc > 1 && chdir(argv[1]))
		return 1;
	files();
	sockets();
	memory();
	threads();
	return 0;
}
