// SPDX-License-Identifier: GPL-2.0-only
/* moves: the kernel's own rings, whose pages splice(2) moves. */
#define _GNU_SOURCE
#include <pthread.h>

#include "stream.h"

static int running;

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
	(void)arg;
	on_cpu(0);
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
	on_cpu(1); /* the kernel writes on CPU 0 */
	serve();
	moves(0, "the kernel's ring, overwriting, by splice: every packet is whole");
	moves(WEIR_EPOCH_DISCARD, "discarding: every packet is whole");
	return tap_end();
}
