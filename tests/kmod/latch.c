// SPDX-License-Identifier: GPL-2.0-only
/* latch: processes read the tracing control while it is written. What they take for whole is one configuration. */
#define _GNU_SOURCE
#include "device.h"

#define READERS 3
#define WRITES 60 /* meanwhile */

struct result {
	unsigned long whole, torn, moved, newer, stop;
};

/* One configuration says the same number everywhere. */
static bool is_one(const struct weir_config *c)
{
	unsigned int slot;
	size_t i;

	for (slot = 0; slot < WEIR_SLOTS; slot++) {
		if (c->slot[slot].epoch >> WEIR_EPOCH_COUNTER_SHIFT != c->counter - slot)
			return false;
		for (i = 0; i < sizeof(c->slot[slot].rules) - 1; i++)
			if (c->slot[slot].rules[i] != (char)('a' + c->counter % 26))
				return false;
	}
	return true;
}

static void reads(struct result *r)
{
	const volatile struct weir_control *control;
	static struct weir_config copy;
	uint64_t sequence, last = 0, generation;
	int fd = open(WEIR_DEVICE, O_RDWR);

	control = region(fd, WEIR_DEV_CONTROL, control_size(), PROT_READ);
	if (control == MAP_FAILED)
		_exit(97);
	close(fd);
	while (!__atomic_load_n(&r->stop, __ATOMIC_RELAXED)) {
		generation = __atomic_load_n(&control->generation, __ATOMIC_ACQUIRE);
		sequence = __atomic_load_n(&control->sequence, __ATOMIC_ACQUIRE);
		memcpy(&copy, (const void *)&control->copy[sequence & 1], sizeof(copy));
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (__atomic_load_n(&control->sequence, __ATOMIC_RELAXED) != sequence) {
			r->moved++;
			continue;
		}
		r->whole++;
		r->torn += !is_one(&copy) || copy.counter < last || generation % WEIR_GENERATION_STEP;
		r->newer += copy.counter != last;
		last = copy.counter;
	}
}

static void write_config(void)
{
	unsigned int slot;

	config.counter += WEIR_SLOTS;
	for (slot = 0; slot < WEIR_SLOTS; slot++) {
		config.slot[slot].epoch = weir_epoch_make(config.counter - slot, 12, 1, 0);
		memset(config.slot[slot].rules, 'a' + config.counter % 26, sizeof(config.slot[slot].rules) - 1);
	}
	publish();
}

int main(void)
{
	struct result *r = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct result sum = { 0 };
	unsigned long written = 0;
	int i, status, bad = 0;

	serve();
	write_config();
	for (i = 0; i < READERS; i++)
		if (!fork()) {
			reads(&r[i]);
			_exit(0);
		}
	for (written = 0; written < WRITES; written++)
		write_config();
	for (i = 0; i < READERS; i++)
		__atomic_store_n(&r[i].stop, 1, __ATOMIC_RELAXED);
	for (i = 0; i < READERS; i++) {
		wait(&status);
		bad += status != 0;
	}
	for (i = 0; i < READERS; i++) {
		sum.whole += r[i].whole;
		sum.torn += r[i].torn;
		sum.moved += r[i].moved;
		sum.newer += r[i].newer;
	}
	printf("# %lu written; %lu read, of %lu different; %lu that changed meanwhile\n", written, sum.whole, sum.newer, sum.moved);
	is_u64("all readers end well", bad, 0);
	ok(sum.whole > WRITES, "readings are whole");
	is_u64("none is torn, or older than the one before", sum.torn, 0);
	ok(sum.newer > WRITES / 2, "they see new ones");
	for (i = 0; i < (int)WEIR_SLOTS; i++)
		take_trace(i);
	close(server_fd);
	return tap_end();
}
