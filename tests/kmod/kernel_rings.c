// SPDX-License-Identifier: GPL-2.0-only
/*
 * kernel_rings MODE SUBBUF_SHIFT COUNT_SHIFT MS tsc|monotonic|back: serves /dev/weir itself, lets
 * weir_nest write for that time, reads the kernel's rings meanwhile and afterwards through the
 * mappings, and accounts for every event. As TAP.
 *
 *   written (weir_nest's own count) = seen + lost (the ring's) + overwritten (between packets read)
 *
 * `back`: the cycle counter, set back by half a second, and forth, again and again, as a broken clock is.
 */
#include <sched.h>

#include "kernel.h"

#define CPUS 64
#define CONTEXTS 4
#define NEST "/sys/module/weir_nest/parameters/"

struct cpu {
	struct weir_ring *ring;
	const unsigned char *bytes;
	u64 next;	      /* packet */
	u64 expect[CONTEXTS]; /* number */
	bool gap[CONTEXTS];   /* packets were overwritten before the next record */
	u64 seen[CONTEXTS], missing, overwritten, gaps, packets;
	u64 time, discarded;
};

static struct cpu cpus[CPUS];
static u64 epoch;
static const struct weir_class *class;
static unsigned char *copy;
static u64 bad;
static char first[512]; /* what was wrong */
static unsigned int last_context;
static unsigned long backs;

__attribute__((format(printf, 1, 2))) static void wrong(const char *format, ...)
{
	va_list args;

	if (bad++)
		return;
	va_start(args, format);
	vsnprintf(first, sizeof(first), format, args);
	va_end(args);
}

/* ---- one packet -------------------------------------------------------------------------------*/

static u64 mix(u64 number, u64 context)
{
	u64 x = (number + 1) * 0x9e3779b97f4a7c15ull + context;

	return x ^ x >> 29;
}

static void read_record(struct cpu *cpu, const struct weir_record *record)
{
	const u8 *p = record->fields;
	u64 number, sum, expected;
	unsigned int context = p[0], i;
	u16 len;

	memcpy(&number, p + 1, 8);
	memcpy(&len, p + 9, 2);
	memcpy(&sum, p + 11 + len, 8);
	expected = mix(number, context);
	if (record->size != 19u + len || context >= CONTEXTS || sum != expected ||
	    len != (expected >> 32 & 127)) {
		wrong("torn: context %u number %llu", context, number);
		return;
	}
	for (i = 0; i < len; i++)
		if (p[11 + i] != (u8)(expected + i))
			wrong("torn: filler of context %u number %llu", context, number);
	if (number < cpu->expect[context])
		wrong("context %u: %llu after %llu", context, number, cpu->expect[context] - 1);
	*(cpu->gap[context] ? &cpu->overwritten : &cpu->missing) += number - cpu->expect[context];
	cpu->gap[context] = false;
	cpu->expect[context] = number + 1;
	cpu->seen[context]++;
	last_context = context;
}

/* A record that the walk refuses: for its time, or for what else it says. */
static void refused(const struct cpu *cpu, const struct weir_walk *walk, u64 packet)
{
	size_t start = weir_align8(walk->offset), i;
	char words[6 * 17 + 1] = "";
	u64 word, back = 0;

	for (i = start; i < start + 6 * 8 && i + 8 <= walk->end; i += 8) {
		memcpy(&word, copy + i, 8);
		sprintf(words + strlen(words), " %016llx", word);
		if (i == start && (word & WEIR_ID_MASK) < walk->count)
			back = (walk->time - (word >> WEIR_TIME_SHIFT)) & ((1ull << 48) - 1);
	}
	if (back >> 47)
		back = 0;
	wrong("cpu %td, %zu of %zu of the packet at %llu: %s, %llu ns; the last: time %llu, context %u; then%s",
	      cpu - cpus, start, walk->end, packet, back ? "time goes back" : "no record", back, walk->time,
	      last_context, words);
}

static void read_packet(struct cpu *cpu, u64 packet, size_t len, bool open)
{
	struct weir_packet header;
	struct weir_walk walk = { .data = copy,
				  .offset = WEIR_PACKET_HEADER,
				  .latest = ~0ull,
				  .schemas = &kernel_schemas };
	struct weir_record record;
	int more;

	memcpy(&header, copy, sizeof(header));
	if (header.magic != WEIR_CTF_MAGIC || header.cpu_id != cpu - cpus ||
	    header.stream_instance_id != header.cpu_id ||
	    header.packet_seq_num != (packet >> weir_epoch_subbuf_shift(epoch)) + 1)
		wrong("header of the packet at %llu", packet);
	if (header.timestamp_begin < cpu->time || header.events_discarded < cpu->discarded)
		wrong("the packet at %llu goes back", packet);
	walk.end = len;
	if (!open) {
		walk.end = header.content_size / 8;
		if (header.content_size % 8 || walk.end > len || walk.end < WEIR_PACKET_HEADER ||
		    header.packet_size != len * 8)
			wrong("sizes of the packet at %llu: %llu %llu", packet, header.content_size,
			      header.packet_size);
	}
	walk.time = header.timestamp_begin;
	walk.count = kernel_schemas.count;
	walk.tid = epoch & WEIR_EPOCH_TID;
	while ((more = weir_walk_next(&walk, &record)) > 0)
		if (record.class == class)
			read_record(cpu, &record);
	if (more)
		refused(cpu, &walk, packet);
	if (!open && header.timestamp_end < walk.time)
		wrong("the packet at %llu ends before its records", packet);
	cpu->time = open ? walk.time : header.timestamp_end;
	cpu->discarded = header.events_discarded;
	cpu->packets++;
}

/* ---- one ring ---------------------------------------------------------------------------------*/

static void skip_to(struct cpu *cpu, u64 packet)
{
	cpu->next = packet;
	cpu->gaps++;
	memset(cpu->gap, 1, sizeof(cpu->gap));
}

/* `all`: nobody writes any more, the open packet counts as well. */
static void read_ring(struct cpu *cpu, bool all)
{
	u64 size = weir_epoch_subbuf_size(epoch), mask = weir_epoch_ring_size(epoch) - 1, from;
	struct weir_ring_view view;
	int err = weir_ring_sample(cpu->ring, epoch, &view);

	if (err == -EIO)
		wrong("position and claim contradict each other");
	if (err)
		return;
	if (view.begin > cpu->next)
		skip_to(cpu, view.begin);
	while (cpu->next < view.end && (all || view.end - cpu->next > size)) {
		u64 left = view.end - cpu->next, len = left < size ? left : size;
		bool open = left <= size;

		memcpy(copy, cpu->bytes + (cpu->next & mask), len);
		from = weir_ring_valid_from(cpu->ring, &view);
		if (from > cpu->next) {
			skip_to(cpu, from);
			return;
		}
		read_packet(cpu, cpu->next, len, open);
		cpu->next += size;
	}
	if (epoch & WEIR_EPOCH_DISCARD) {
		struct weir_dev_ring ring = { .cpu = (u32)(cpu - cpus),
					      .epoch = epoch,
					      .position = cpu->next };

		if (ioctl(kernel_fd, WEIR_IOC_CONSUMED, &ring))
			bail("CONSUMED");
	}
}

/* ---- the run ----------------------------------------------------------------------------------*/

static void start(const char *clock, unsigned int subbuf_shift, unsigned int count_shift, u32 flags)
{
	unsigned int i;

	if (strcmp(clock, "monotonic"))
		config.clock = (struct weir_clock){ .type = WEIR_CLOCK_TSC, .mult = 1ull << 63 };
	config.slot[0].kernel = 1ull << class->id;
	epoch = put_trace(0, subbuf_shift, count_shift, flags);
	for (i = 0; i < nr_cpus; i++) {
		cpus[i].ring = ring_of(kernel_process, 0, i);
		cpus[i].bytes = kernel_ring_bytes(0, i);
	}
	copy = malloc(weir_epoch_subbuf_size(epoch));
}

static void set_back(void)
{
	config.clock.base ^= 1ull << 30;
	publish();
	backs += config.clock.base != 0;
}

static void let_write(const char *ms)
{
	int fd = open(NEST "run", O_WRONLY);

	_exit(fd < 0 || write(fd, ms, strlen(ms)) != (ssize_t)strlen(ms));
}

/* weir_nest's counts, before and after: what was written by each context, and in all. Behind a ring's last record a
 * context's events were lost, or overwritten if a gap was there. */
static u64 written(u64 *context, bool before)
{
	FILE *file = fopen(NEST "written", "r");
	unsigned long long n, sum = 0;
	unsigned int i, c;

	while (file && fscanf(file, "%u %u %llu", &i, &c, &n) == 3) {
		struct cpu *cpu = &cpus[i];

		context[c] += before ? -n : n;
		sum += n;
		if (!before)
			*(cpu->gap[c] ? &cpu->overwritten : &cpu->missing) += n - cpu->expect[c];
		cpu->expect[c] = n;
	}
	if (!file)
		bail(NEST "written");
	fclose(file);
	return sum;
}

static void report(const char *what, u64 *by, u64 before)
{
	static const char *const name[CONTEXTS] = { "task", "softirq", "interrupt", "NMI" };
	u64 seen = 0, lost = 0, overwritten = 0, missing = 0, packets = 0, gaps = 0, all;
	unsigned int i, c, online = (unsigned int)sysconf(_SC_NPROCESSORS_ONLN);

	all = written(by, false) - before;
	for (i = 0; i < nr_cpus; i++) {
		for (c = 0; c < CONTEXTS; c++)
			seen += cpus[i].seen[c];
		lost += weir_lost_count(cpus[i].ring->lost, epoch);
		overwritten += cpus[i].overwritten;
		missing += cpus[i].missing;
		packets += cpus[i].packets;
		gaps += cpus[i].gaps;
	}
	printf("# %s: written %llu (task %llu softirq %llu interrupt %llu NMI %llu), seen %llu in %llu packets, lost %llu, "
	       "overwritten %llu in %llu gaps\n",
	       what, all, by[0], by[1], by[2], by[3], seen, packets, lost, overwritten, gaps);
	for (c = 0; c < CONTEXTS; c++) {
		ok(by[c] > 0 || (c == 3 && online < 2), "events were written by %s", name[c]);
	}
	ok(!bad, "no record was torn, out of order or unreadable, no header wrong");
	if (bad)
		printf("# %llu times; first: %s\n", bad, first);
	ok(seen > 0 && packets > 0, "events were seen");
	if (!gaps || !lost)
		ok(seen + lost + overwritten == all, "seen + lost + overwritten = written");
	else /* a lost one that was overwritten's neighbour is in both */
		ok(seen + overwritten <= all && all <= seen + overwritten + lost,
		   "seen + lost + overwritten is about written");
	ok(missing <= lost,
	   "none is missing between packets that were read, but those counted as lost");
	if (epoch & WEIR_EPOCH_DISCARD)
		ok(!gaps && !overwritten, "discard mode overwrites nothing");
	else
		ok(true, "overwrite mode");
}

int main(int argc, char **argv)
{
	u64 by[CONTEXTS] = { 0 }, before;
	unsigned int i;
	char what[128];
	pid_t child;
	int status;

	if (argc != 6)
		return 2;
	serve();
	kernel_open();
	class = kernel_class("nest:record");
	if (!class || nr_cpus > CPUS)
		bail("nest:record");
	snprintf(what, sizeof(what), "%s mode, 2^%s sub-buffers of 2^%s bytes, %s", argv[1],
		 argv[3], argv[2], argv[5]);
	before = written(by, true);
	start(argv[5], (unsigned int)atoi(argv[2]), (unsigned int)atoi(argv[3]),
	      WEIR_EPOCH_TID | (strcmp(argv[1], "discard") ? 0 : WEIR_EPOCH_DISCARD));
	child = fork();
	if (!child)
		let_write(argv[4]);
	while (!waitpid(child, &status, WNOHANG)) {
		for (i = 0; i < nr_cpus; i++)
			read_ring(&cpus[i], false);
		if (!strcmp(argv[5], "back"))
			set_back();
		sched_yield();
	}
	if (status)
		bail(NEST "run");
	config.slot[0].flags &= ~WEIR_SLOT_ENABLED;
	publish();
	for (i = 0; i < nr_cpus; i++)
		read_ring(&cpus[i], true);
	report(what, by, before);
	if (!strcmp(argv[5], "back"))
		ok(backs > 0, "while the clock was set back");
	return tap_end();
}
