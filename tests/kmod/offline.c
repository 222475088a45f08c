// SPDX-License-Identifier: GPL-2.0-only
/*
 * offline: a CPU that goes, and comes back. Its rings stay: they can be switched and read, and the kernel's pages moved,
 * without it; and while it goes and comes, nothing that it wrote is torn or missing.
 */
#define _GNU_SOURCE
#include <pthread.h>

#include "stream.h"
#include "writer.h"

#define CPU 1
#define TURNS 10

static char packet[SUBBUF];

static void online(bool on)
{
	put("/sys/devices/system/cpu/cpu1/online", on ? "1" : "0");
}

/* ---- a user's ring ----------------------------------------------------------------------------*/

static void user(void)
{
	struct weir_dev_ring where = { 0 };
	struct weir_dev_process p;
	uint64_t epoch = put_trace(0, SHIFT, 3, 0), number = 0;
	struct writer w;
	struct attach a;
	int consumer, fd, i;

	if (attach(&a, STRIDE))
		bail("attach");
	consumer = next_process(getpid(), &p);
	writer_begin(&w, &a, 0, CPU, epoch);
	for (i = 0; i < 10; i++)
		append(&w);
	fd = stream_of(consumer, 0, CPU, epoch);
	nonblock(fd);
	online(false);
	IS_ERRNO("offline: a user's ring is switched", ioctl(fd, WEIR_IOC_SWITCH, &where), 0);
	is_u64("what it held is a packet", take(fd, packet, SUBBUF), SUBBUF);
	is_u64("with all its records", records(packet, content(packet), &number), 10);
	online(true);
	append(&w);
	IS_ERRNO("online again: the same", ioctl(fd, WEIR_IOC_SWITCH, &where), 0);
	is_u64("a packet", take(fd, packet, SUBBUF), SUBBUF);
	is_u64("with the next record", records(packet, content(packet), &number), 1);
	close(fd);
	close(consumer);
	detach(&a);
	take_trace(0);
}

/* ---- the kernel's -----------------------------------------------------------------------------*/

static int kernel, running;
static uint64_t epoch;

/* Makes the kernel write on that CPU, if it is there. */
static void *calls(void *arg)
{
	cpu_set_t cpu;

	(void)arg;
	CPU_ZERO(&cpu);
	CPU_SET(CPU, &cpu);
	while (__atomic_load_n(&running, __ATOMIC_RELAXED)) {
		sched_setaffinity(0, sizeof(cpu), &cpu); /* EINVAL: it is offline */
		getppid();
	}
	return NULL;
}

/* Packets whole, one after the other. */
struct taken {
	uint64_t seq, time;
	unsigned long packets, bad;
};

/* As many as there are, or `most`. */
static void take_packets(struct taken *t, unsigned long most, int fd, int pipes[2])
{
	const struct weir_packet *header = (const void *)packet;

	while (most-- && splice(fd, NULL, pipes[1], NULL, SUBBUF, 0) > 0) {
		t->packets++;
		t->bad += take(pipes[0], packet, SUBBUF) != SUBBUF || header->magic != WEIR_CTF_MAGIC ||
			  header->packet_seq_num != t->seq + 1 || header->cpu_id != CPU || content(packet) > SUBBUF ||
			  header->timestamp_begin < t->time || header->timestamp_end < header->timestamp_begin;
		t->seq = header->packet_seq_num;
		t->time = header->timestamp_end;
	}
}

static void kernel_begin(int *fd, int pipes[2])
{
	struct weir_dev_process p = { .id = WEIR_DEV_KERNEL_ID };

	kernel = ioctl(server_fd, WEIR_IOC_PROCESS, &p);
	config.slot[3].kernel = ~0ull;
	epoch = put_trace(3, SHIFT, 3, WEIR_EPOCH_DISCARD);
	*fd = stream_of(kernel, 3, CPU, epoch);
	if (kernel < 0 || *fd < 0 || pipe(pipes))
		bail("kernel");
	nonblock(*fd);
}

static void *switches(void *arg)
{
	struct weir_dev_ring where = { .slot = 3, .cpu = CPU, .epoch = epoch };
	long failed = 0;

	(void)arg;
	while (__atomic_load_n(&running, __ATOMIC_RELAXED))
		failed += ioctl(kernel, WEIR_IOC_SWITCH, &where) && errno != ENOSPC;
	return (void *)failed;
}

/* Until there are some packets to take. */
static void fills(const struct taken *t, int fd)
{
	struct weir_dev_subbuf ring = { 0 };

	do {
		if (ioctl(fd, WEIR_IOC_SUBBUF_SNAPSHOT, &ring))
			bail("SNAPSHOT");
		sched_yield();
	} while (ring.end / SUBBUF < t->seq + RING / SUBBUF / 2);
}

static void kernels(void)
{
	struct taken t = { 0 };
	pthread_t caller, switcher;
	int fd, pipes[2], i;
	long moved = 0;
	void *failed;

	kernel_begin(&fd, pipes);
	running = 1;
	pthread_create(&caller, NULL, calls, NULL);
	pthread_create(&switcher, NULL, switches, NULL);
	for (i = 0; i < TURNS; i++) {
		take_packets(&t, RING / SUBBUF, fd, pipes); /* of a writer that is faster */
		fills(&t, fd);
		online(false);
		moved -= parameter("moved");
		take_packets(&t, -1ul, fd, pipes);
		moved += parameter("moved");
		online(true);
	}
	__atomic_store_n(&running, 0, __ATOMIC_RELAXED);
	pthread_join(caller, NULL);
	pthread_join(switcher, &failed);
	ok(moved > TURNS, "it goes and comes back %d times: pages of the kernel's are moved while it is away (%ld)", TURNS, moved);
	is_u64("of all packets none is torn, out of order or missing", t.bad, 0);
	printf("# %lu packets\n", t.packets);
	is_u64("no switch fails", (uint64_t)failed, 0);
	close(fd), close(kernel), close(pipes[0]), close(pipes[1]);
	take_trace(3);
}

int main(void)
{
	on_cpu(0);
	serve();
	user();
	kernels();
	return tap_end();
}
