// SPDX-License-Identifier: GPL-2.0-only
/*
 * raw_irq: the negative control of "the kernel appends to no ring of a process". A process appends to its ring as libweir
 * does, by the same restartable sequence, while interrupts append to it, too (modules/weir_irq.c). Without asking for
 * a restart records tear or vanish, and this test fails if none does; with it none may.
 *
 *   raw_irq WEIR_IRQ.KO
 */
#define _GNU_SOURCE
#include <sched.h>
#include <sys/syscall.h>

#include "device.h"
#include "rseq_x86_64.h"
#include "modules/raw_irq.h"

#define SHIFT 24 /* a ring of 16 MiB, used as one flat log */
#define STRIDE (1ul << SHIFT)
#define ENOUGH 100 /* interrupts; a ring that fills fast takes fewer in a round */
#define ROUNDS 200

struct found {
	unsigned long user, kernel, torn;
};

static struct attach a;
static struct weir_ring *ring;
static volatile char *bytes;

static unsigned long append_all(uint64_t epoch)
{
	ptrdiff_t rseq = weir_rseq_offset();
	struct raw_record r;
	unsigned long number = 0;
	uint64_t position;

	for (;;) {
		position = __atomic_load_n(&ring->position, __ATOMIC_RELAXED);
		if (position + sizeof(r) > STRIDE)
			return number;
		raw_record_fill(&r, RAW_USER, number);
		if (!weir_rseq_append(rseq, 0, ring, epoch, position, position + sizeof(r), (char *)bytes + position, r.word,
				      (char *)r.mixed, sizeof(r.mixed)))
			number++;
	}
}

static struct found look(void)
{
	struct found f = { 0 };
	struct raw_record r, good;
	uint64_t at;

	for (at = 0; at + sizeof(r) <= ring->position; at += sizeof(r)) {
		memcpy(&r, (const char *)bytes + at, sizeof(r));
		raw_record_fill(&good, r.word >> 56, r.word & ((1ull << 56) - 1));
		if (memcmp(&r, &good, sizeof(r)))
			f.torn++;
		else if (r.word >> 56 == RAW_USER)
			f.user++;
		else
			f.kernel++;
	}
	return f;
}

static void load(const char *module, int restart)
{
	char options[256];
	int fd = open(module, O_RDONLY | O_CLOEXEC);

	snprintf(options, sizeof(options), "pid=%d ring=%lu bytes=%lu size=%lu restart=%d", getpid(), (unsigned long)ring,
		 (unsigned long)bytes, STRIDE, restart);
	if (fd < 0 || syscall(__NR_finit_module, fd, options, 0))
		bail(module);
	close(fd);
}

static unsigned long unload(void)
{
	unsigned long appended = 0;
	FILE *f = fopen("/sys/module/weir_irq/parameters/appended", "r");

	if (!f || fscanf(f, "%lu", &appended) != 1)
		bail("appended");
	fclose(f);
	if (syscall(__NR_delete_module, "weir_irq", 0))
		bail("unload");
	return appended;
}

/* Records that are torn or missing, after one ring full. */
static unsigned long damage(const char *module, int restart, unsigned long *appended)
{
	uint64_t epoch = put_trace(0, SHIFT - 6, 6, WEIR_EPOCH_DISCARD);
	unsigned long by_user, by_kernel, lost;
	struct found f;

	ring->epoch = epoch;
	ring->position = 0;
	load(module, restart);
	by_user = append_all(epoch);
	by_kernel = unload();
	f = look();
	lost = by_user + by_kernel - f.user - f.kernel;
	printf("# restart=%d: %lu by the process, %lu by interrupts; %lu torn, %lu in all torn or missing\n", restart, by_user,
	       by_kernel, f.torn, lost);
	fflush(stdout);
	*appended += by_kernel;
	return lost;
}

int main(int argc, char **argv)
{
	cpu_set_t cpu;
	struct weir_dev_process p;
	unsigned long raw = 0, restarted = 0, by_raw = 0, by_restarted = 0;
	int i;

	if (argc != 2)
		return 2;
	CPU_ZERO(&cpu);
	CPU_SET(0, &cpu);
	if (sched_setaffinity(0, sizeof(cpu), &cpu))
		bail("CPU 0");
	serve();
	if (attach(&a, STRIDE))
		bail("attach");
	close(next_process(getpid(), &p));
	ring = ring_of(a.process, 0, 0);
	bytes = bytes_of(&a, 0, 0);
	for (i = 0; i < ROUNDS && (!raw || by_raw < ENOUGH); i++)
		raw += damage(argv[1], 0, &by_raw);
	ok(by_raw >= ENOUGH, "interrupts append to a user's ring");
	ok(raw > 0, "that tears it: the control is one");
	for (i = 0; i < ROUNDS && (i < 3 || by_restarted < ENOUGH); i++)
		restarted += damage(argv[1], 1, &by_restarted);
	ok(by_restarted >= ENOUGH, "interrupts append, and ask for a restart");
	is_u64("then nothing is torn or missing", restarted, 0);
	detach(&a);
	close(server_fd);
	return tap_end();
}
