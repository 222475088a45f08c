// SPDX-License-Identifier: GPL-2.0-only
/*
 * consume: streams. A process writes rings as a libweir without rseq does, and consumes them itself: read, poll, splice,
 * GET and PUT, SWITCH, the end.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "stream.h"
#include "writer.h"

static struct attach a;
static int consumer;

/* ---- a writer ---------------------------------------------------------------------------------*/

/* So many that the ring stands in the n-th packet. */
static void append_until(struct writer *w, uint64_t n)
{
	while (w->ring->position >> 63 || w->ring->position <= n << SHIFT)
		if (append(w))
			bail("append");
}

/* ---- read, poll, SWITCH, GET, PUT -------------------------------------------------------------*/

static short readiness(int fd, int ms)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	poll(&pfd, 1, ms);
	return pfd.revents;
}

static void opens(uint64_t epoch)
{
	int first = stream_of(consumer, 0, 0, epoch);

	ok(first >= 0, "a stream");
	IS_ERRNO("a second one of the same ring", stream_of(consumer, 0, 0, epoch), EBUSY);
	IS_ERRNO("of another epoch", stream_of(consumer, 0, 1, epoch + 0x10000), ESTALE);
	IS_ERRNO("of no epoch", stream_of(consumer, 0, 1, 0), EINVAL);
	IS_ERRNO("of a slot that is not", stream_of(consumer, WEIR_SLOTS, 0, epoch), EINVAL);
	IS_ERRNO("of a CPU that is not", stream_of(consumer, 0, nr_cpus + 1, epoch), EINVAL);
	close(first);
	first = stream_of(consumer, 0, 0, epoch);
	ok(first >= 0, "the first is closed: another may come");
	close(first);
}

static void reads(struct writer *w)
{
	static char packet[2 * SUBBUF];
	struct weir_dev_ring where = { 0 };
	uint64_t number = 0, position;
	ssize_t got, more;
	int fd = stream_of(consumer, 0, 0, w->epoch);

	nonblock(fd);
	IS_ERRNO("read: nothing is there", read(fd, packet, sizeof(packet)), EAGAIN);
	ok(!readiness(fd, 0), "poll: nothing is there");
	append(w);
	IS_ERRNO("one record: no whole sub-buffer", read(fd, packet, sizeof(packet)), EAGAIN);
	append_until(w, 1);
	ok(readiness(fd, 60000) == POLLIN, "poll: a sub-buffer is there");
	got = read(fd, packet, 100);
	more = read(fd, packet + 100, sizeof(packet) - 100);
	ok(got == 100 && more == (ssize_t)SUBBUF - 100, "read: in two parts");
	is_u64("every record of it", records(packet, content(packet), &number), (SUBBUF - WEIR_PACKET_FIRST) / 32);
	IS_ERRNO("there is no second one", read(fd, packet, sizeof(packet)), EAGAIN);

	position = w->ring->position;
	IS_ERRNO("SWITCH", ioctl(fd, WEIR_IOC_SWITCH, &where), 0);
	is_u64("the ring stands in the next packet", where.position, 2 * SUBBUF + WEIR_PACKET_HEADER);
	got = read(fd, packet, sizeof(packet));
	ok(got == (ssize_t)SUBBUF, "read: what was written before is a sub-buffer");
	is_u64("its content ends where the writer was", content(packet), position - SUBBUF);
	ok(records(packet, content(packet), &number) && number == w->number, "with every record");
	IS_ERRNO("SWITCH, with nothing written since", ioctl(fd, WEIR_IOC_SWITCH, &where), 0);
	is_u64("does nothing", where.position, 2 * SUBBUF + WEIR_PACKET_HEADER);
	append(w);
	IS_ERRNO("SWITCH after one record", ioctl(fd, WEIR_IOC_SWITCH, &where), 0);
	got = read(fd, packet, sizeof(packet));
	is_u64("a sub-buffer of one record", content(packet), WEIR_PACKET_FIRST + 32);
	ok(records(packet, content(packet), &number) == 1, "which is the next");
	where = (struct weir_dev_ring){ .slot = 0, .cpu = nr_cpus, .epoch = w->epoch };
	IS_ERRNO("SWITCH of the ring behind the last CPU's", ioctl(consumer, WEIR_IOC_SWITCH, &where), EOPNOTSUPP);
	where = (struct weir_dev_ring){ .slot = 0, .cpu = 1, .epoch = w->epoch };
	IS_ERRNO("SWITCH of a ring that was never touched", ioctl(consumer, WEIR_IOC_SWITCH, &where), 0);
	where = (struct weir_dev_ring){ .slot = 0, .cpu = 0, .epoch = w->epoch };
	append(w);
	IS_ERRNO("SWITCH by the process itself", ioctl(a.fd, WEIR_IOC_SWITCH, &where), 0);
	close(fd);
}

static void gets(struct writer *w)
{
	struct weir_dev_subbuf now, sub, wrong;
	volatile char *view;
	uint64_t number;
	int fd = stream_of(consumer, 0, 0, w->epoch);

	append_until(w, (w->ring->position >> SHIFT) + 2);
	IS_ERRNO("SNAPSHOT", ioctl(fd, WEIR_IOC_SUBBUF_SNAPSHOT, &now), 0);
	ok(now.epoch == w->epoch && now.end == w->ring->position, "is where the writer stands");
	IS_ERRNO("GET", ioctl(fd, WEIR_IOC_SUBBUF_GET, &sub), 0);
	ok(sub.begin == now.begin && sub.end == sub.begin + SUBBUF && sub.offset == sub.begin % RING, "is the oldest");
	view = mmap(NULL, RING, PROT_READ, MAP_SHARED, fd, 0);
	ok(view != MAP_FAILED, "mapped");
	memcpy(&number, (const char *)view + sub.offset + WEIR_PACKET_FIRST + 8, 8);
	ok(records((const char *)view + sub.offset, content((const char *)view + sub.offset), &number), "its records are there");
	wrong = sub;
	wrong.begin += SUBBUF;
	IS_ERRNO("PUT of another one", ioctl(fd, WEIR_IOC_SUBBUF_PUT, &wrong), EINVAL);
	IS_ERRNO("PUT", ioctl(fd, WEIR_IOC_SUBBUF_PUT, &sub), 0);
	IS_ERRNO("PUT again", ioctl(fd, WEIR_IOC_SUBBUF_PUT, &sub), EINVAL);
	IS_ERRNO("GET", ioctl(fd, WEIR_IOC_SUBBUF_GET, &sub), 0);
	append_until(w, (sub.begin >> SHIFT) + 8);
	IS_ERRNO("PUT of what was overwritten meanwhile", ioctl(fd, WEIR_IOC_SUBBUF_PUT, &sub), ESTALE);
	IS_ERRNO("GET", ioctl(fd, WEIR_IOC_SUBBUF_GET, &sub), 0);
	ok(sub.begin > now.begin + SUBBUF, "goes on behind it");
	munmap((void *)view, RING);
	close(fd);
}

/* In discard mode the writer waits for nobody, and overwrites nothing that was not consumed. */
static void discards(void)
{
	static char packet[SUBBUF];
	uint64_t epoch = put_trace(1, SHIFT, 3, WEIR_EPOCH_DISCARD), number = 0;
	int fd = stream_of(consumer, 1, 0, epoch), i;
	struct writer w;

	writer_begin(&w, &a, 1, 0, epoch);
	while (!append(&w))
		;
	is_u64("discard: a full ring", w.ring->position, RING - (RING - WEIR_PACKET_FIRST) % 32);
	for (i = 0; i < 3; i++)
		ok(read(fd, packet, sizeof(packet)) == (ssize_t)SUBBUF && records(packet, content(packet), &number),
		   "read: sub-buffer %d", i);
	for (i = 0; !append(&w); i++)
		;
	is_u64("three have room again", w.ring->position, RING + 3 * SUBBUF - (RING - WEIR_PACKET_FIRST) % 32);
	for (i = 0; i < 7 && read(fd, packet, sizeof(packet)) == (ssize_t)SUBBUF; i++)
		if (!records(packet, content(packet), &number))
			break;
	is_u64("the rest comes, in order", (uint64_t)i, 7);
	close(fd);
	take_trace(1);
}

/* ---- splice -----------------------------------------------------------------------------------*/

static void splices(struct writer *w)
{
	static char first[SUBBUF], second[SUBBUF];
	int fd = stream_of(consumer, 0, 0, w->epoch), pipes[2], pair[2], file;
	struct weir_dev_subbuf now;
	ssize_t n;

	if (pipe(pipes) || socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		bail("pipe");
	append_until(w, (w->ring->position >> SHIFT) + 4);
	nonblock(fd);
	ioctl(fd, WEIR_IOC_SUBBUF_SNAPSHOT, &now);
	memcpy(first, (const char *)bytes_of(&a, 0, 0) + now.begin % RING, SUBBUF);
	n = splice(fd, NULL, pipes[1], NULL, SUBBUF, 0);
	is_u64("splice to a pipe: a sub-buffer", (uint64_t)n, SUBBUF);
	append_until(w, (w->ring->position >> SHIFT) + 20);
	ok(take(pipes[0], second, SUBBUF) == SUBBUF && !memcmp(first, second, SUBBUF), "laps later the pipe has the bytes of then");

	ioctl(fd, WEIR_IOC_SUBBUF_SNAPSHOT, &now);
	memcpy(first, (const char *)bytes_of(&a, 0, 0) + now.begin % RING, SUBBUF);
	n = splice(fd, NULL, pipes[1], NULL, SUBBUF, 0);
	n = splice(pipes[0], NULL, pair[1], NULL, (size_t)n, 0);
	append_until(w, (w->ring->position >> SHIFT) + 20);
	ok(take(pair[0], second, SUBBUF) == SUBBUF && !memcmp(first, second, SUBBUF), "a socket, too");

	ioctl(fd, WEIR_IOC_SUBBUF_SNAPSHOT, &now);
	memcpy(first, (const char *)bytes_of(&a, 0, 0) + now.begin % RING, SUBBUF);
	file = open("/tmp/spliced", O_RDWR | O_CREAT | O_TRUNC, 0600);
	n = splice(fd, NULL, pipes[1], NULL, 1000, 0);
	n += splice(fd, NULL, pipes[1], NULL, SUBBUF, 0);
	is_u64("in two parts", (uint64_t)n, SUBBUF);
	n = splice(pipes[0], NULL, file, NULL, SUBBUF, 0);
	append_until(w, (w->ring->position >> SHIFT) + 20);
	ok(pread(file, second, SUBBUF, 0) == (ssize_t)SUBBUF && !memcmp(first, second, SUBBUF), "a file, too");
	close(file);
	close(pair[0]), close(pair[1]), close(pipes[0]), close(pipes[1]), close(fd);
}

/* ---- nothing but words ------------------------------------------------------------------------*/

static volatile bool stop;

static void on_alarm(int sig)
{
	(void)sig;
}

/* A process that says it has written, and has not: its ring has no pages. */
static void says_written(volatile struct weir_ring *ring, uint64_t epoch, uint64_t position)
{
	ring->claim = (position + SUBBUF - 1) & ~(SUBBUF - 1);
	ring->position = position;
	ring->epoch = epoch;
}

static void *says_so_on(void *arg)
{
	volatile struct weir_ring *ring = arg;
	uint64_t position = ring->position, epoch = ring->epoch;

	on_cpu(0);
	while (!stop)
		says_written(ring, epoch, position += SUBBUF);
	return NULL;
}

/* A read that waits is ended by a signal, whatever is said meanwhile. */
static int interrupted(int fd, char *to)
{
	static const struct itimerval soon = { .it_value = { .tv_usec = 100000 }, .it_interval = { .tv_usec = 100000 } };
	ssize_t n;

	setitimer(ITIMER_REAL, &soon, NULL);
	n = read(fd, to, SUBBUF);
	setitimer(ITIMER_REAL, &(struct itimerval){ 0 }, NULL);
	return n < 0 ? errno : 0;
}

static void nothing_written(void)
{
	static char packet[SUBBUF];
	uint64_t epoch = put_trace(2, SHIFT, 3, 0);
	struct weir_ring *ring = ring_of(a.process, 2, 0);
	int fd = stream_of(consumer, 2, 0, epoch);
	sigset_t alarms;
	pthread_t thread;

	sigemptyset(&alarms);
	sigaddset(&alarms, SIGALRM);
	sigaction(SIGALRM, &(struct sigaction){ .sa_handler = on_alarm }, NULL);
	says_written(ring, epoch, 3 * SUBBUF + WEIR_PACKET_FIRST);
	ok(readiness(fd, 0) == POLLIN, "a process says that there are packets, and has no page of them");
	nonblock(fd);
	IS_ERRNO("read", read(fd, packet, sizeof(packet)), EAGAIN);
	ok(!readiness(fd, 0), "they have been passed over");
	says_written(ring, epoch, 5 * SUBBUF + WEIR_PACKET_FIRST);
	fcntl(fd, F_SETFL, 0);
	is_u64("a read that waits is interrupted", (uint64_t)interrupted(fd, packet), EINTR);

	pthread_sigmask(SIG_BLOCK, &alarms, NULL);
	pthread_create(&thread, NULL, says_so_on, ring);
	pthread_sigmask(SIG_UNBLOCK, &alarms, NULL);
	is_u64("also while it says so again and again", (uint64_t)interrupted(fd, packet), EINTR);
	nonblock(fd);
	IS_ERRNO("and one that does not wait comes back", read(fd, packet, sizeof(packet)), EAGAIN);
	stop = true;
	pthread_join(thread, NULL);
	close(fd);
	take_trace(2);
}

/* ---- a process at its user's limit ------------------------------------------------------------*/

#define MUCH_SHIFT 16
#define MUCH (1ul << MUCH_SHIFT)
#define MUCH_COUNT 16u

/* Whether it is one, whose records count. */
static bool whole(const char *packet)
{
	size_t size = content(packet);
	uint64_t number;

	memcpy(&number, packet + WEIR_PACKET_FIRST + 8, sizeof(number));
	return ((const struct weir_packet *)packet)->magic == WEIR_CTF_MAGIC && size <= MUCH &&
	       records(packet, size, &number) == (size - WEIR_PACKET_FIRST) / 32;
}

static void append_subbufs(struct writer *w, unsigned int n)
{
	uint64_t until = (w->ring->position >> 63 ? 0 : w->ring->position) + n * MUCH;

	while (w->ring->position >> 63 || w->ring->position < until)
		append(w);
}

/* What there is, by GET and PUT, and then by read: how many packets. */
static unsigned int much(const char *name, uint64_t epoch)
{
	static char packet[MUCH];
	int fd = stream_of(consumer, 4, 0, epoch);
	const char *map = region(fd, 0, MUCH_COUNT * MUCH, PROT_READ);
	struct weir_dev_subbuf got = { 0 };
	unsigned int n = 0, m = 0, bad = map == MAP_FAILED;

	while (!bad && !ioctl(fd, WEIR_IOC_SUBBUF_GET, &got)) {
		bad += !whole(map + got.offset) || ioctl(fd, WEIR_IOC_SUBBUF_PUT, &got);
		n++;
	}
	munmap((void *)map, MUCH_COUNT * MUCH);
	close(fd);
	fd = stream_of(consumer, 4, 0, epoch);
	nonblock(fd);
	for (; take(fd, packet, MUCH) == MUCH; m++)
		bad += !whole(packet);
	close(fd);
	ok(!bad && n == m, "%s: all that is taken is whole (%u by GET, %u by read)", name, n, m);
	return n;
}

/* It lacks pages, and goes on for laps: what is given out is whole. `before`: pages that it has elsewhere, which moves the
 * limit within a sub-buffer. */
static void at_the_limit(unsigned int before)
{
	long mib = parameter("user_max_mib"), refused = parameter("refused");
	struct weir_dev_ring where = { 0 };
	uint64_t epoch = put_trace(4, MUCH_SHIFT, 4, 0);
	int fd = stream_of(consumer, 4, 0, epoch), i, bad = 0;
	struct writer w;
	unsigned int n;

	writer_begin(&w, &a, 4, 0, epoch);
	put_trace(3, MUCH_SHIFT, 4, 0);
	parameter_set("user_max_mib", 1);
	for (i = 0; i < (int)before; i++)
		bytes_of(&a, 3, 0)[(size_t)i * PAGE] = 'x';
	append_subbufs(&w, 3 * MUCH_COUNT);
	ok(parameter("refused") > refused, "a process at its limit lacks pages");
	for (i = 0; i < 40; i++) {
		bad += ioctl(fd, WEIR_IOC_SWITCH, &where) && errno != EDQUOT;
		append(&w);
	}
	is_u64("and is switched, or not for that reason", (uint64_t)bad, 0);
	close(fd);
	append_subbufs(&w, MUCH_COUNT + MUCH_COUNT / 2); /* not to stand where switches end */
	n = much("a process at its limit", epoch);
	ok(n && n < MUCH_COUNT - 2, "which is not as much as was written");
	parameter_set("user_max_mib", mib);
	take_trace(3);
	take_trace(4);
}

/* Pages that it was given when not even the ring's own things could be had. */
static void before_the_buffer(void)
{
	long mib = parameter("user_max_mib"), sunk;
	uint64_t epoch;
	struct writer w;
	unsigned int i;

	put_trace(3, MUCH_SHIFT, 4, 0);
	epoch = put_trace(4, MUCH_SHIFT, 4, 0);
	parameter_set("user_max_mib", 1);
	for (i = 0; i < MUCH_COUNT * MUCH / PAGE; i++)
		bytes_of(&a, 3, 0)[i * PAGE] = 'x';
	sunk = parameter("sunk");
	for (i = 1; i < MUCH_COUNT * MUCH / PAGE; i += 2)
		bytes_of(&a, 4, 0)[i * PAGE] = 'x';
	is_u64("a ring whose pages are all refused", (uint64_t)(parameter("sunk") - sunk), MUCH_COUNT * MUCH / PAGE / 2);
	parameter_set("user_max_mib", mib);
	writer_begin(&w, &a, 4, 0, epoch);
	append_subbufs(&w, 3 * MUCH_COUNT);
	is_u64("and there is room again", much("it has all of them", epoch), MUCH_COUNT - 1);
	take_trace(3);
	take_trace(4);
}

/* ---- waiting, and the end ---------------------------------------------------------------------*/

static void *writes_later(void *arg)
{
	struct writer *w = arg;

	usleep(50000);
	append_until(w, (w->ring->position >> SHIFT) + 1);
	return NULL;
}

static void waits(struct writer *w)
{
	static char packet[SUBBUF];
	int fd = stream_of(consumer, 0, 0, w->epoch);
	pthread_t thread;

	nonblock(fd);
	while (read(fd, packet, sizeof(packet)) > 0)
		;
	fcntl(fd, F_SETFL, 0);
	pthread_create(&thread, NULL, writes_later, w);
	is_u64("a read that waits gets what is written then", (uint64_t)read(fd, packet, sizeof(packet)), SUBBUF);
	pthread_join(thread, NULL);
	pthread_create(&thread, NULL, writes_later, w);
	ok(readiness(fd, -1) == POLLIN, "so does a poll");
	pthread_join(thread, NULL);
	close(fd);
}

/* Who was told of a packet that was there when he came is told of later ones. */
static void epolls(struct writer *w)
{
	struct epoll_event event = { .events = EPOLLIN };
	int fd = stream_of(consumer, 0, 0, w->epoch), e = epoll_create1(0);
	static char packet[SUBBUF];
	pthread_t thread;

	nonblock(fd);
	append_until(w, (w->ring->position >> SHIFT) + 1);
	ok(!epoll_ctl(e, EPOLL_CTL_ADD, fd, &event) && epoll_wait(e, &event, 1, 0) == 1, "epoll: a sub-buffer is there");
	while (read(fd, packet, sizeof(packet)) > 0)
		;
	is_u64("it is read", (uint64_t)epoll_wait(e, &event, 1, 0), 0);
	sleep(1); /* more than one look at who waits */
	pthread_create(&thread, NULL, writes_later, w);
	is_u64("what is written then is told", (uint64_t)epoll_wait(e, &event, 1, 60000), 1);
	pthread_join(thread, NULL);
	close(e);
	close(fd);
}

static void ends_here(struct writer *w)
{
	static char packet[SUBBUF];
	uint64_t open = w->ring->position & (SUBBUF - 1), number = 0;
	int fd = stream_of(consumer, 0, 0, w->epoch), n = 0;
	ssize_t got, last = 0;

	detach(&a);
	ok(readiness(fd, 60000) & POLLHUP, "the process has ended: poll");
	while ((got = read(fd, packet, sizeof(packet))) > 0)
		last = got, n++;
	ok(!got && n > 1, "all is read, then comes the end");
	is_u64("with the packet that was open, as far as it was written", (uint64_t)last, open);
	memcpy(&number, packet + WEIR_PACKET_FIRST + 8, 8);
	ok(records(packet, open, &number) && number == w->number, "up to the last record");
	close(fd);
}

int main(void)
{
	struct weir_dev_process p;
	struct writer w;
	uint64_t epoch;

	signal(SIGPIPE, SIG_IGN);
	on_cpu(1); /* the rings of CPU 0 are written from elsewhere */
	serve();
	epoch = put_trace(0, SHIFT, 3, 0);
	if (attach(&a, STRIDE))
		bail("attach");
	consumer = next_process(getpid(), &p);
	writer_begin(&w, &a, 0, 0, epoch);
	opens(epoch);
	reads(&w);
	gets(&w);
	discards();
	splices(&w);
	nothing_written();
	at_the_limit(1);
	at_the_limit(6);
	before_the_buffer();
	waits(&w);
	epolls(&w);
	ends_here(&w);
	return tap_end();
}
