// SPDX-License-Identifier: GPL-2.0-only
/*
 * consume: streams. A process writes rings as a libweir without rseq does, and consumes them itself: read, poll, splice,
 * GET and PUT, SWITCH, the end. Then a ring that is written by restartable sequences while it is switched all the time,
 * and the kernel's own, whose pages splice(2) moves.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>

#include "writer.h"
#include "rseq_x86_64.h"

#define STRIDE (1ul << 20)
#define SHIFT 13 /* sub-buffers of 8 KiB, */
#define SUBBUF (1ul << SHIFT)
#define RING (8 * SUBBUF) /* eight of them */

static struct attach a;
static int consumer;

static uint64_t clock_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* ---- a writer ---------------------------------------------------------------------------------*/

struct writer {
	struct weir_relay relay;
	struct weir_ring *ring;
	uint64_t epoch, number;
};

static void writer_init(struct writer *w, unsigned int slot, uint64_t epoch)
{
	memset(w, 0, sizeof(*w));
	w->ring = ring_of(a.process, slot, 0);
	w->epoch = epoch;
	writer_map(&w->relay, &a, slot, epoch);
}

/* A record of 32 bytes that counts. 0 or -errno. */
static int append(struct writer *w)
{
	uint64_t now = clock_now();
	uint64_t record[4] = { now << WEIR_TIME_SHIFT, w->number, ~w->number, w->number * 3 };
	int err = weir_ring_append_locked(w->ring, &w->relay, w->epoch, 0, now, record, sizeof(record));

	w->number += !err;
	return err;
}

/* So many that the ring stands in the n-th packet. */
static void append_until(struct writer *w, uint64_t n)
{
	while (w->ring->position >> 63 || w->ring->position <= n << SHIFT)
		if (append(w))
			bail("append");
}

/* The records of a packet count on from *number: how many. */
static unsigned int records(const char *packet, size_t size, uint64_t *number)
{
	uint64_t record[4];
	unsigned int n = 0;
	size_t offset;

	for (offset = WEIR_PACKET_FIRST; offset + sizeof(record) <= size; offset += sizeof(record), n++) {
		memcpy(record, packet + offset, sizeof(record));
		if (record[1] != *number || record[2] != ~*number)
			return 0;
		++*number;
	}
	return n;
}

static size_t content(const void *packet)
{
	return ((const struct weir_packet *)packet)->content_size / 8;
}

/* ---- read, poll, SWITCH, GET, PUT -------------------------------------------------------------*/

static int stream_of(int process, unsigned int slot, unsigned int cpu, uint64_t epoch)
{
	struct weir_dev_ring ring = { .slot = slot, .cpu = cpu, .epoch = epoch };

	return ioctl(process, WEIR_IOC_STREAM, &ring);
}

static short readiness(int fd, int ms)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	poll(&pfd, 1, ms);
	return pfd.revents;
}

static void nonblock(int fd)
{
	fcntl(fd, F_SETFL, O_NONBLOCK);
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

	writer_init(&w, 1, epoch);
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

static size_t take(int fd, char *to, size_t size)
{
	size_t done = 0;
	ssize_t n;

	while (done < size && (n = read(fd, to + done, size - done)) > 0)
		done += (size_t)n;
	return done;
}

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

/* ---- switched all the time --------------------------------------------------------------------*/

static int running;
static uint64_t load_epoch;
static unsigned long load_lost, load_wrote;

static int load_switch(ptrdiff_t rseq, struct weir_ring *ring, const struct weir_ring_state *s, const struct weir_ring_step *step,
		       char *bytes, uint64_t mask, const uint64_t *record, uint64_t now)
{
	static u64 scratch[3];
	struct weir_packet *old = (struct weir_packet *)(bytes + (step->old & mask));
	struct weir_rseq_switch sw = {
		.claim = step->claim,
		.old_end = step->seal ? (u64 *)&old->timestamp_end : &scratch[0],
		.old_end_value = now,
		.old_content = step->seal ? (u64 *)&old->content_size : &scratch[1],
		.old_content_value = step->content,
		.old_size = step->seal ? (u64 *)&old->packet_size : &scratch[2],
		.old_size_value = weir_epoch_subbuf_size(load_epoch) * 8,
		.dst = bytes + (step->start & mask),
		.header = (const u64 *)&step->header,
		.word = record[0],
		.body = (const char *)&record[1],
		.len = 24,
		.begin = now,
		.next = step->next,
	};

	return weir_rseq_do_switch(rseq, 0, ring, load_epoch, s->position, &sw);
}

/* libweir's section, on CPU 0, with all that its switch does. `arg`: it lets nobody else run there. */
static void *load_thread(void *arg)
{
	const struct sched_param fifo = { .sched_priority = 50 };
	struct weir_ring *ring = ring_of(a.process, 2, 0);
	char *bytes = (char *)bytes_of(&a, 2, 0);
	ptrdiff_t rseq = weir_rseq_offset();
	uint64_t number = 0, mask = weir_epoch_ring_size(load_epoch) - 1;
	cpu_set_t cpu;

	CPU_ZERO(&cpu);
	CPU_SET(0, &cpu);
	if (sched_setaffinity(0, sizeof(cpu), &cpu) || (arg && sched_setscheduler(0, SCHED_FIFO, &fifo)))
		bail("CPU 0");
	ring->position = weir_ring_empty(load_epoch);
	__atomic_store_n(&ring->epoch, load_epoch, __ATOMIC_RELEASE);
	while (__atomic_load_n(&running, __ATOMIC_RELAXED)) {
		struct weir_ring_state s = { .epoch = load_epoch, .position = ring->position, .begin = ring->begin };
		struct weir_ring_step step;
		uint64_t record[4], now = clock_now();
		int err;

		record[0] = now << WEIR_TIME_SHIFT, record[1] = number, record[2] = ~number, record[3] = number * 3;
		switch (weir_ring_plan(ring, &s, load_epoch, 0, now, sizeof(record), &step)) {
		case WEIR_PLAN_APPEND:
			err = weir_rseq_append(rseq, 0, ring, load_epoch, s.position, step.next, bytes + (step.start & mask),
					       record[0], (char *)&record[1], sizeof(record) - 8);
			break;
		case WEIR_PLAN_SWITCH:
			err = load_switch(rseq, ring, &s, &step, bytes, mask, record, now);
			break;
		default:
			load_lost++;
			continue;
		}
		number += !err;
	}
	load_wrote = number;
	return NULL;
}

/* Every record once and in order, times that do not go back, packets that follow each other: how many were bad. */
struct check {
	uint64_t number, time, seq;
	unsigned long packets, bad;
};

static void check_packet(struct check *c, const char *data, size_t size)
{
	const struct weir_packet *packet = (const void *)data;
	size_t end = content(data), offset;
	uint64_t record[4];

	c->packets++;
	if (packet->magic != WEIR_CTF_MAGIC || packet->packet_seq_num != c->seq + 1 || end > size ||
	    packet->timestamp_begin < c->time || packet->packet_size != SUBBUF * 8)
		c->bad++;
	c->seq = packet->packet_seq_num;
	if (end > WEIR_PACKET_HEADER && (end - WEIR_PACKET_FIRST) % sizeof(record))
		c->bad++;
	for (offset = WEIR_PACKET_FIRST; offset + sizeof(record) <= end; offset += sizeof(record)) {
		memcpy(record, data + offset, sizeof(record));
		if (record[1] != c->number++ || record[2] != ~record[1] || record[3] != record[1] * 3)
			c->bad++;
	}
	if (packet->timestamp_end < packet->timestamp_begin)
		c->bad++;
	c->time = packet->timestamp_end;
}

static void check_all(struct check *c, int fd)
{
	static char packet[SUBBUF];

	while (read(fd, packet, sizeof(packet)) == (ssize_t)sizeof(packet))
		check_packet(c, packet, sizeof(packet));
}

/* The share of the time that the scheduler keeps from real-time threads, us; -1: none. */
static void real_time(const char *us)
{
	int fd = open("/proc/sys/kernel/sched_rt_runtime_us", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, us, strlen(us)) < 0)
		bail("sched_rt_runtime_us");
	close(fd);
}

/* By work on the writer's CPU, and where that does not come soon enough, or never, by an interrupt. */
static void switched(unsigned int times, bool starve)
{
	const char *name = starve ? "a real-time writer that lets no work come" : "a writer";
	volatile struct weir_ring *ring = ring_of(a.process, 2, 0);
	struct weir_dev_ring where = { 0 };
	long interrupts = parameter("switch_interrupts");
	struct check c = { 0 };
	unsigned int i, failed = 0;
	pthread_t thread;
	int fd;

	load_epoch = put_trace(2, SHIFT, 5, WEIR_EPOCH_DISCARD);
	load_lost = 0;
	fd = stream_of(consumer, 2, 0, load_epoch);
	nonblock(fd);
	__atomic_store_n(&running, 1, __ATOMIC_RELAXED);
	pthread_create(&thread, NULL, load_thread, starve ? &thread : NULL);
	while (__atomic_load_n(&ring->epoch, __ATOMIC_ACQUIRE) != load_epoch || ring->position >> 63)
		sched_yield();
	for (i = 0; i < times; i++) {
		if (ioctl(fd, WEIR_IOC_SWITCH, &where) && errno != ENOSPC)
			failed++;
		check_all(&c, fd);
	}
	__atomic_store_n(&running, 0, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	ioctl(fd, WEIR_IOC_SWITCH, &where);
	check_all(&c, fd);
	interrupts = parameter("switch_interrupts") - interrupts;
	printf("# %lu records in %lu packets, %lu refused, %ld interrupts\n", load_wrote, c.packets, load_lost, interrupts);
	ok(!failed, "%s, switched all the time: no switch fails", name);
	if (starve)
		ok(interrupts >= (long)times, "each came by an interrupt");
	is_u64("nothing is torn, out of order or missing", c.bad, 0);
	is_u64("every record was read", c.number, load_wrote);
	ok(load_wrote > 100 && c.packets > 10, "there was something to read");
	close(fd);
	take_trace(2);
}

static void starved(void)
{
	long ms = parameter("switch_ms");

	real_time("-1");
	parameter_set("switch_ms", 10);
	switched(100, true);
	parameter_set("switch_ms", ms);
	real_time("950000");
}

/* ---- the kernel's own rings -------------------------------------------------------------------*/

static bool kernel_packet_good(const char *data, uint64_t seq)
{
	const struct weir_packet *packet = (const void *)data;
	uint64_t word;

	memcpy(&word, data + WEIR_PACKET_FIRST, sizeof(word));
	return packet->magic == WEIR_CTF_MAGIC && packet->packet_seq_num >= seq && content(data) <= SUBBUF &&
	       packet->timestamp_begin <= packet->timestamp_end &&
	       (packet->timestamp_begin & ((1ull << 48) - 1)) == word >> WEIR_TIME_SHIFT;
}

/* Makes the kernel write: system calls on CPU 0. */
static void *calls(void *arg)
{
	cpu_set_t cpu;

	(void)arg;
	CPU_ZERO(&cpu);
	CPU_SET(0, &cpu);
	if (sched_setaffinity(0, sizeof(cpu), &cpu))
		bail("CPU 0");
	while (__atomic_load_n(&running, __ATOMIC_RELAXED))
		getppid();
	return NULL;
}

static void kernel_lap(const struct weir_ring *ring)
{
	uint64_t until = __atomic_load_n(&ring->position, __ATOMIC_RELAXED) + 2 * RING;

	while (__atomic_load_n(&ring->position, __ATOMIC_RELAXED) < until)
		sched_yield();
}

static void moves(uint32_t flags, const char *mode)
{
	static char data[SUBBUF];
	struct weir_dev_process p = { .id = WEIR_DEV_KERNEL_ID };
	int kernel = ioctl(server_fd, WEIR_IOC_PROCESS, &p), pipes[2], fd, i, bad = 0;
	volatile struct weir_process *process;
	long moved = parameter("moved");
	uint64_t epoch, seq = 0;
	pthread_t thread;
	size_t done;

	config.slot[3].kernel = ~0ull;
	epoch = put_trace(3, SHIFT, 3, flags);
	fd = stream_of(kernel, 3, 0, epoch);
	process = region(kernel, WEIR_DEV_PROCESS, process_size(), PROT_READ);
	if (kernel < 0 || fd < 0 || process == MAP_FAILED || pipe(pipes))
		bail("kernel");
	__atomic_store_n(&running, 1, __ATOMIC_RELAXED);
	pthread_create(&thread, NULL, calls, NULL);
	for (i = 0; i < 20; i++) {
		ssize_t n;

		for (done = 0; done < SUBBUF; done += (size_t)n) {
			n = splice(fd, NULL, pipes[1], NULL, SUBBUF - done, 0);
			if (n <= 0)
				break;
		}
		if (i == 5 && !(flags & WEIR_EPOCH_DISCARD))
			kernel_lap(ring_of((struct weir_process *)process, 3, 0));
		if (take(pipes[0], data, done) != SUBBUF || !kernel_packet_good(data, seq + 1))
			bad++;
		seq = ((struct weir_packet *)data)->packet_seq_num;
	}
	__atomic_store_n(&running, 0, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	is_u64(mode, (uint64_t)bad, 0);
	printf("# %ld pages moved\n", parameter("moved") - moved);
	ok(parameter("moved") > moved, "pages were moved");
	munmap((void *)process, process_size());
	close(fd), close(kernel), close(pipes[0]), close(pipes[1]);
	take_trace(3);
}

int main(void)
{
	struct weir_dev_process p;
	struct writer w;
	uint64_t epoch;
	cpu_set_t cpu;

	signal(SIGPIPE, SIG_IGN);
	CPU_ZERO(&cpu);
	CPU_SET(1, &cpu); /* the rings of CPU 0 are written from elsewhere, but for the load's */
	if (sched_setaffinity(0, sizeof(cpu), &cpu))
		bail("CPU 1");
	serve();
	epoch = put_trace(0, SHIFT, 3, 0);
	if (attach(&a, STRIDE))
		bail("attach");
	consumer = next_process(getpid(), &p);
	writer_init(&w, 0, epoch);
	opens(epoch);
	reads(&w);
	gets(&w);
	discards();
	splices(&w);
	waits(&w);
	switched(500, false);
	starved();
	moves(0, "the kernel's ring, overwriting, by splice: every packet is whole");
	moves(WEIR_EPOCH_DISCARD, "discarding: every packet is whole");
	ends_here(&w);
	return tap_end();
}
