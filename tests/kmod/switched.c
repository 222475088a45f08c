// SPDX-License-Identifier: GPL-2.0-only
/*
 * switched: a ring that is written by restartable sequences, and switched all the time: by work on the writer's CPU,
 * and where that does not come soon enough, or never, by an interrupt.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>

#include "stream.h"
#include "writer.h"
#include "rseq_x86_64.h"

static struct attach a;
static int consumer;

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

	on_cpu(0);
	if (arg && sched_setscheduler(0, SCHED_FIFO, &fifo))
		bail("SCHED_FIFO");
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

/* From 6.12 on other threads have a server of their own, which has its share of CPU 0 whatever that limit says. */
static void fair_server(const char *ns)
{
	int fd = open("/sys/kernel/debug/sched/fair_server/cpu0/runtime", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, ns, strlen(ns)) < 0)
		bail("fair_server");
	close(fd);
}

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
	fair_server("0");
	parameter_set("switch_ms", 10);
	switched(100, true);
	parameter_set("switch_ms", ms);
	fair_server("50000000");
	real_time("950000");
}

int main(void)
{
	struct weir_dev_process p;

	on_cpu(1); /* the load is on CPU 0 */
	serve();
	if (attach(&a, STRIDE))
		bail("attach");
	consumer = next_process(getpid(), &p);
	switched(500, false);
	starved();
	return tap_end();
}
