// SPDX-License-Identifier: GPL-2.0-only
/*
 * hostile_client: connects to the daemon's socket and does what nobody should.
 *
 *   hostile_client RUNDIR MODE [COUNT]      mode `list` prints the modes
 *
 * Ends with 0 when it has done so; whether it was refused is for others to see: there is no answer on the socket.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weir/abi.h>

#define STRIDE (1u << 20)
#define ALL_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

static const char *rundir;
static unsigned int nr_cpus;
static unsigned long count = 50;

static void die(const char *what)
{
	fprintf(stderr, "hostile_client: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int connected(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/socket", rundir);
	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
		die("connect");
	return fd;
}

/* Any message. The daemon may close its end before we are done; that is an answer, too: false. */
static bool say(int fd, const void *message, size_t len, const int *fds, unsigned int nr)
{
	char buf[CMSG_SPACE(253 * sizeof(int))] __attribute__((aligned(8))) = { 0 };
	struct iovec iov = { (void *)message, len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *cmsg = (struct cmsghdr *)buf;

	if (nr) {
		msg.msg_control = buf;
		msg.msg_controllen = CMSG_SPACE(nr * sizeof(int));
		cmsg->cmsg_len = CMSG_LEN(nr * sizeof(int));
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		memcpy(CMSG_DATA(cmsg), fds, nr * sizeof(int));
	}
	if (sendmsg(fd, &msg, MSG_NOSIGNAL) >= 0)
		return true;
	if (errno != EPIPE && errno != ECONNRESET && errno != EMSGSIZE && errno != ETOOMANYREFS)
		die("sendmsg");
	return false;
}

static size_t control_size(void)
{
	return weir_schema_offset(nr_cpus) + WEIR_SCHEMA_SIZE;
}

static size_t buffers_size(void)
{
	return (size_t)weir_ring_index(nr_cpus, WEIR_SLOTS, 0) * STRIDE;
}

static int memory(size_t size, int seals)
{
	int fd = memfd_create("hostile", MFD_ALLOW_SEALING | MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, (off_t)size) || (seals && fcntl(fd, F_ADD_SEALS, seals)))
		die("memfd");
	return fd;
}

static struct weir_attach hello(void)
{
	return (struct weir_attach){ WEIR_ATTACH_MAGIC, WEIR_ABI_VERSION, nr_cpus, STRIDE, "hostile" };
}

/* A right message with these two. */
static void attach_with(int control, int buffers)
{
	struct weir_attach attach = hello();
	int fds[2] = { control, buffers }, fd = connected();

	say(fd, &attach, sizeof(attach), fds, 2);
	close(fd);
	close(control);
	close(buffers);
}

static int good_control(void)
{
	return memory(control_size(), ALL_SEALS);
}

static int good_buffers(void)
{
	return memory(buffers_size(), ALL_SEALS);
}

/* ---- messages ---------------------------------------------------------------------------------*/

static void lengths(void)
{
	static const size_t lens[] = { 0, 1, 8, 39, 41, 64, 4096, 100000 };
	char message[100000] = { 0 };
	struct weir_attach attach = hello();
	int fds[2], fd;
	size_t i;

	memcpy(message, &attach, sizeof(attach));
	for (i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		fds[0] = good_control();
		fds[1] = good_buffers();
		fd = connected();
		say(fd, message, lens[i], fds, lens[i] ? 2 : 0);
		close(fd);
		close(fds[0]);
		close(fds[1]);
	}
}

static void words(void)
{
	struct weir_attach bad[9];
	int fds[2], fd;
	size_t i;

	for (i = 0; i < 9; i++)
		bad[i] = hello();
	bad[0].magic++;
	bad[1].version++;
	bad[2].nr_cpus++;
	bad[3].nr_cpus = ~0u;
	bad[4].ring_stride = 0;
	bad[5].ring_stride = 12345;
	bad[6].ring_stride = 1ull << 63;
	bad[7].ring_stride = 4096;
	bad[8].ring_stride = STRIDE * 2;
	for (i = 0; i < 9; i++) {
		fds[0] = good_control();
		fds[1] = good_buffers();
		fd = connected();
		say(fd, &bad[i], sizeof(bad[i]), fds, 2);
		close(fd);
		close(fds[0]);
		close(fds[1]);
	}
}

static void counts(void)
{
	static const unsigned int nr[] = { 0, 1, 3, 4, 17, 253 };
	struct weir_attach attach = hello();
	int fds[253], fd;
	unsigned int i;

	for (i = 0; i < 253; i++)
		fds[i] = memory(4096, ALL_SEALS);
	for (i = 0; i < sizeof(nr) / sizeof(nr[0]); i++) {
		fd = connected();
		say(fd, &attach, sizeof(attach), fds, nr[i]);
		close(fd);
	}
}

static void twice(void) /* more than one message */
{
	struct weir_attach attach = hello();
	int fds[2] = { good_control(), good_buffers() }, fd = connected(), i;

	for (i = 0; i < 10; i++)
		say(fd, &attach, sizeof(attach), fds, i % 3);
	shutdown(fd, SHUT_WR);
	say(connected(), "x", 1, fds, 2);
}

/* ---- descriptors ------------------------------------------------------------------------------*/

static void sizes(void)
{
	static const int seals[] = { 0, F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_SHRINK | F_SEAL_GROW, ALL_SEALS | F_SEAL_WRITE };
	size_t i;
	int fd;

	for (i = 0; i < sizeof(seals) / sizeof(seals[0]); i++) {
		attach_with(memory(control_size(), seals[i]), good_buffers());
		attach_with(good_control(), memory(buffers_size(), seals[i]));
	}
	attach_with(memory(0, ALL_SEALS), good_buffers());
	attach_with(memory(control_size() - 1, ALL_SEALS), good_buffers());
	attach_with(memory(4096, ALL_SEALS), memory(4096, ALL_SEALS));
	attach_with(memory(1ull << 45, ALL_SEALS), memory(1ull << 45, ALL_SEALS));
	attach_with(good_buffers(), good_control());
	/* shrunk after it was sent, which the seals' absence allows */
	fd = memory(control_size(), 0);
	attach_with(dup(fd), good_buffers());
	if (ftruncate(fd, 0))
		die("ftruncate");
}

static void kinds(void)
{
	char path[4096];
	int pair[2], fds[14], n = 0, i;

	snprintf(path, sizeof(path), "%s/../mnt/.weir/version", rundir);
	if (pipe(pair))
		die("pipe");
	fds[n++] = pair[0];
	fds[n++] = pair[1];
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		die("socketpair");
	fds[n++] = pair[0];
	fds[n++] = connected(); /* the daemon's own socket */
	fds[n++] = open("/dev/zero", O_RDWR);
	fds[n++] = open("/dev/null", O_RDWR);
	fds[n++] = open("/", O_RDONLY | O_DIRECTORY);
	fds[n++] = open("/etc/passwd", O_RDONLY);
	fds[n++] = open(path, O_RDONLY); /* the daemon's own mount */
	fds[n++] = open(path, O_PATH);
	fds[n++] = epoll_create1(0);
	fds[n++] = eventfd(0, 0);
	snprintf(path, sizeof(path), "%s/control", rundir);
	fds[n++] = open(path, O_RDONLY);
	for (i = 0; i < n; i++) {
		if (fds[i] < 0)
			die("descriptor");
		attach_with(dup(fds[i]), dup(fds[i]));
		attach_with(good_control(), dup(fds[i]));
		attach_with(dup(fds[i]), good_buffers());
	}
}

/* A file of the daemon's own mount, open when it is sent, and the only one who has it open then. */
static void own_mount(void)
{
	static const char *const files[] = { ".weir/version", ".weir/errors", "t/text", "t/status", "t/control/enabled", "t" };
	struct weir_attach attach = hello();
	char path[4096];
	unsigned int i;
	int fds[2], fd;

	for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(path, sizeof(path), "%s/../mnt/%s", rundir, files[i]);
		fds[0] = open(path, O_RDONLY);
		fds[1] = open(path, O_RDONLY);
		if (fds[0] < 0 || fds[1] < 0)
			die(path);
		fd = connected();
		/* sent, and closed here before the daemon looks: closing it is up to the daemon */
		say(fd, &attach, i % 2 ? sizeof(attach) : 3, fds, 2);
		close(fds[0]);
		close(fds[1]);
		close(fd);
	}
}

/* ---- connections ------------------------------------------------------------------------------*/

static void silent(void) /* many that never say anything, held until standard input ends */
{
	unsigned long i;
	char c;

	for (i = 0; i < count; i++)
		connected();
	puts("connected");
	fflush(stdout);
	if (read(0, &c, 1) < 0)
		die("read");
}

static void set_linger(int fd, int seconds)
{
	struct linger linger = { seconds > 0, seconds };

	if (setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)))
		die("linger");
}

/* A socket that whoever drops it last waits for, as long as nobody takes its bytes: it is never accepted. */
static int lingering(int listener)
{
	static const char bytes[1 << 16];
	struct sockaddr_in addr;
	socklen_t len = sizeof(addr);
	int fd = socket(AF_INET, SOCK_STREAM, 0), few = 4096;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &few, sizeof(few)) ||
	    getsockname(listener, (struct sockaddr *)&addr, &len) || connect(fd, (struct sockaddr *)&addr, len))
		die("tcp");
	while (send(fd, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
	set_linger(fd, 100000);
	return fd;
}

static void linger(void) /* as many, wherever there is room for one, until standard input ends */
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int listener = socket(AF_INET, SOCK_STREAM, 0), few = 4096, memfd, fd, fds[3];
	struct weir_attach attach = hello();
	unsigned long i;
	char c;

	if (setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &few, sizeof(few)) ||
	    bind(listener, (struct sockaddr *)&addr, sizeof(addr)) || listen(listener, 4096))
		die("listen");
	memfd = memory(4096, ALL_SEALS);
	for (i = 0; i < count; i++) {
		unsigned int nr = i % 3 + 1;

		fds[0] = fds[1] = memfd;
		fd = connected();
		if (i % 4) /* in the queue behind another */
			say(fd, &attach, i % 4 == 1 ? 0 : sizeof(attach), fds, i % 4 == 3 ? 2 : 0);
		fds[nr - 1] = lingering(listener);
		if (!say(fd, &attach, sizeof(attach), fds, nr))
			set_linger(fds[nr - 1], 0);
		close(fds[nr - 1]);
		close(fd);
	}
	puts("connected");
	fflush(stdout);
	if (read(0, &c, 1) < 0)
		die("read");
}

static void storm(void) /* come and go */
{
	struct weir_attach attach = hello();
	unsigned long i;
	int fd, fds[2] = { memory(4096, 0), memory(4096, 0) };

	for (i = 0; i < count; i++) {
		fd = connected();
		if (i % 3)
			say(fd, &attach, i % 3 == 1 ? 7 : sizeof(attach), fds, i % 2 ? 2 : 0);
		close(fd);
	}
}

static void good(void) /* as it should be, many times: each ends the one before */
{
	unsigned long i;

	for (i = 0; i < count; i++)
		attach_with(good_control(), good_buffers());
}

/* As many attached processes as there can be, held until standard input ends. */
static void crowd(void)
{
	unsigned long i;
	int end[2];
	char c;

	if (pipe(end))
		die("pipe");
	for (i = 0; i < count; i++) {
		if (!fork()) {
			close(end[1]);
			attach_with(good_control(), good_buffers());
			_exit(read(end[0], &c, 1) < 0);
		}
	}
	puts("connected");
	fflush(stdout);
	if (read(0, &c, 1) < 0)
		die("read");
	close(end[1]);
	while (wait(NULL) > 0)
		;
}

static const struct {
	const char *name;
	void (*run)(void);
} modes[] = {
	{ "lengths", lengths }, { "words", words }, { "counts", counts }, { "twice", twice }, { "sizes", sizes },
	{ "kinds", kinds }, { "own_mount", own_mount }, { "silent", silent }, { "storm", storm }, { "good", good },
	{ "crowd", crowd }, { "linger", linger },
};

int main(int argc, char **argv)
{
	const struct weir_control *control;
	struct rlimit limit;
	char path[4096];
	size_t i;
	int fd;

	if (argc < 3)
		return 2;
	rundir = argv[1];
	if (argc > 3)
		count = strtoul(argv[3], NULL, 10);
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	snprintf(path, sizeof(path), "%s/control", rundir);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	control = mmap(NULL, sizeof(*control), PROT_READ, MAP_SHARED, fd, 0);
	if (control == MAP_FAILED)
		die(path);
	nr_cpus = control->copy[0].nr_cpus;
	close(fd);
	for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (!strcmp(modes[i].name, argv[2])) {
			modes[i].run();
			return 0;
		}
	}
	return 2;
}
