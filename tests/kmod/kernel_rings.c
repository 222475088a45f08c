// SPDX-License-Identifier: GPL-2.0-only
/*
 * kernel_rings MODE SUBBUF_SHIFT COUNT_SHIFT MS tsc|monotonic: serves /dev/weir itself, lets weir_nest write for that
 * time, reads the kernel's rings meanwhile and afterwards through the mappings, and accounts for every event. As TAP.
 *
 *   written (weir_nest's own count) = seen + lost (the ring's) + overwritten (between packets that were read)
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "weir_ring.h"
#include "weir_schema.h"

#define CPUS 64
#define CONTEXTS 4
#define PARAMETERS "/sys/module/weir_nest/parameters/"

struct cpu {
	struct weir_ring *ring;
	const unsigned char *bytes;
	u64 next;	       /* packet */
	u64 expect[CONTEXTS];  /* number */
	bool gap[CONTEXTS];    /* packets were overwritten before the next record */
	u64 seen[CONTEXTS], missing, overwritten, gaps, packets;
	u64 time, discarded;
};

static struct cpu cpus[CPUS];
static unsigned int nr_cpus;
static u64 epoch;
static struct weir_schemas schemas;
static const struct weir_class *class;
static unsigned char *copy;
static u64 bad;
static char first[256]; /* what was wrong */
static int test;

static void die(const char *what)
{
	printf("Bail out! %s: %s\n", what, strerror(errno));
	exit(99);
}

static void ok(bool good, const char *what)
{
	printf("%sok %d - %s\n", good ? "" : "not ", ++test, what);
}

__attribute__((format(printf, 1, 2))) static void wrong(const char *format, ...)
{
	va_list args;

	if (bad++)
		return;
	va_start(args, format);
	vsnprintf(first, sizeof(first), format, args);
	va_end(args);
}

/* ---- one packet -------------------------------------------------------------------------------------------*/

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
	if (record->size != 19u + len || context >= CONTEXTS || sum != expected || len != (expected >> 32 & 127)) {
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
}

static void read_packet(struct cpu *cpu, u64 packet, size_t len, bool open)
{
	struct weir_packet header;
	struct weir_walk walk = { .data = copy, .offset = WEIR_PACKET_HEADER, .latest = ~0ull, .schemas = &schemas };
	struct weir_record record;
	int more;

	memcpy(&header, copy, sizeof(header));
	if (header.magic != WEIR_CTF_MAGIC || header.cpu_id != cpu - cpus || header.stream_instance_id != header.cpu_id ||
	    header.packet_seq_num != (packet >> weir_epoch_subbuf_shift(epoch)) + 1)
		wrong("header of the packet at %llu", packet);
	if (header.timestamp_begin < cpu->time || header.events_discarded < cpu->discarded)
		wrong("the packet at %llu goes back", packet);
	walk.end = len;
	if (!open) {
		walk.end = header.content_size / 8;
		if (header.content_size % 8 || walk.end > len || walk.end < WEIR_PACKET_HEADER ||
		    header.packet_size != len * 8)
			wrong("sizes of the packet at %llu: %llu %llu", packet, header.content_size, header.packet_size);
	}
	walk.time = header.timestamp_begin;
	walk.count = schemas.count;
	walk.tid = epoch & WEIR_EPOCH_TID;
	while ((more = weir_walk_next(&walk, &record)) > 0)
		if (record.class == class)
			read_record(cpu, &record);
	if (more)
		wrong("no record at %zu of the packet at %llu", walk.offset, packet);
	if (!open && header.timestamp_end < walk.time)
		wrong("the packet at %llu ends before its records", packet);
	cpu->time = open ? walk.time : header.timestamp_end;
	cpu->discarded = header.events_discarded;
	cpu->packets++;
}

/* ---- one ring ---------------------------------------------------------------------------------------------*/

static void skip_to(struct cpu *cpu, u64 packet)
{
	cpu->next = packet;
	cpu->gaps++;
	memset(cpu->gap, 1, sizeof(cpu->gap));
}

/* `all`: nobody writes any more, the open packet counts as well. */
static void read_ring(struct cpu *cpu, int fd, bool all)
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
		struct weir_dev_ring ring = { .cpu = (u32)(cpu - cpus), .epoch = epoch, .position = cpu->next };

		if (ioctl(fd, WEIR_IOC_CONSUMED, &ring))
			die("CONSUMED");
	}
}

/* ---- the device -------------------------------------------------------------------------------------------*/

static int open_kernel(int server)
{
	struct weir_dev_process process = { .id = WEIR_DEV_KERNEL_ID };
	int fd = ioctl(server, WEIR_IOC_PROCESS, &process);
	size_t size = weir_schema_offset(nr_cpus) + WEIR_SCHEMA_SIZE, log;
	size_t rings = WEIR_SLOTS * (nr_cpus + 1ull) * process.ring_stride;
	struct weir_process *head;
	unsigned char *bytes;
	unsigned int i;

	if (fd < 0)
		die("PROCESS");
	head = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, WEIR_DEV_PROCESS);
	bytes = mmap(NULL, rings, PROT_READ, MAP_SHARED | MAP_NORESERVE, fd, WEIR_DEV_BUFFERS);
	if (head == MAP_FAILED || bytes == MAP_FAILED)
		die("mmap");
	for (i = 0; i < nr_cpus; i++) {
		cpus[i].ring = (struct weir_ring *)((char *)head + WEIR_RINGS_OFFSET) + i;
		cpus[i].bytes = bytes + i * process.ring_stride;
	}
	log = smp_load_acquire(&head->schema_bytes);
	if (weir_schemas_parse(&schemas, (char *)head + head->schema_offset, log))
		die("schema log");
	for (i = 0; i < schemas.count; i++)
		if (!strcmp(weir_schemas_class(&schemas, i)->name, "nest:record"))
			class = weir_schemas_class(&schemas, i);
	if (!class)
		die("nest:record");
	return fd;
}

static void publish(int server, const char *clock, u32 flags)
{
	static struct weir_config config;

	config.server = 1;
	config.nr_cpus = nr_cpus;
	config.nr_slots = WEIR_SLOTS;
	if (!strcmp(clock, "tsc"))
		config.clock = (struct weir_clock){ .type = WEIR_CLOCK_TSC, .mult = 1ull << 63 };
	config.counter = epoch >> WEIR_EPOCH_COUNTER_SHIFT;
	config.slot[0].epoch = epoch;
	config.slot[0].flags = flags;
	config.slot[0].kernel = 1ull << class->id;
	if (write(server, &config, sizeof(config)) != sizeof(config))
		die("config");
}

static void let_write(const char *ms)
{
	int fd = open(PARAMETERS "run", O_WRONLY);

	_exit(fd < 0 || write(fd, ms, strlen(ms)) != (ssize_t)strlen(ms));
}

/* Adds what was written to context[], or takes it away; `expect` as well. */
static u64 written(u64 *context, bool before)
{
	FILE *file = fopen(PARAMETERS "written", "r");
	unsigned long long n, sum = 0;
	unsigned int cpu, c;

	while (file && fscanf(file, "%u %u %llu", &cpu, &c, &n) == 3) {
		context[c] += before ? -n : n;
		sum += n;
		if (before)
			cpus[cpu].expect[c] = n;
	}
	if (!file)
		die(PARAMETERS "written");
	fclose(file);
	return sum;
}

static void report(const char *what, u64 *by, u64 before)
{
	static const char *const name[CONTEXTS] = { "task", "softirq", "interrupt", "NMI" };
	u64 seen = 0, lost = 0, overwritten = 0, missing = 0, packets = 0, gaps = 0, all;
	unsigned int i, c, online = (unsigned int)sysconf(_SC_NPROCESSORS_ONLN);
	char text[128];

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
	       "overwritten %llu in %llu gaps\n", what, all, by[0], by[1], by[2], by[3], seen, packets, lost, overwritten,
	       gaps);
	for (c = 0; c < CONTEXTS; c++) {
		snprintf(text, sizeof(text), "events were written by %s", name[c]);
		ok(by[c] > 0 || (c == 3 && online < 2), text);
	}
	ok(!bad, "no record was torn, out of order or unreadable, no header wrong");
	if (bad)
		printf("# %llu times; first: %s\n", bad, first);
	ok(seen > 0 && packets > 0, "events were seen");
	if (!gaps || !lost)
		ok(seen + lost + overwritten == all, "seen + lost + overwritten = written");
	else /* a lost one that was overwritten's neighbour is in both */
		ok(seen + overwritten <= all && all <= seen + overwritten + lost, "seen + lost + overwritten is about written");
	ok(missing <= lost, "none is missing between packets that were read, but those counted as lost");
	if (epoch & WEIR_EPOCH_DISCARD)
		ok(!gaps && !overwritten, "discard mode overwrites nothing");
	else
		ok(true, "overwrite mode");
}

int main(int argc, char **argv)
{
	struct weir_dev_serve serve = { .version = WEIR_ABI_VERSION };
	int server = open(WEIR_DEVICE, O_RDWR | O_CLOEXEC), fd, status;
	unsigned int i;
	u64 by[CONTEXTS] = { 0 }, before;
	char what[128];
	pid_t child;

	if (argc != 6)
		return 2;
	if (server < 0 || ioctl(server, WEIR_IOC_SERVE, &serve))
		die(WEIR_DEVICE);
	nr_cpus = serve.nr_cpus;
	if (nr_cpus > CPUS)
		return 2;
	epoch = weir_epoch_make(serve.counter + 1, (unsigned int)atoi(argv[2]), (unsigned int)atoi(argv[3]),
				WEIR_EPOCH_TID | (strcmp(argv[1], "discard") ? 0 : WEIR_EPOCH_DISCARD));
	snprintf(what, sizeof(what), "%s mode, 2^%s sub-buffers of 2^%s bytes, %s", argv[1], argv[3], argv[2], argv[5]);
	fd = open_kernel(server);
	copy = malloc(weir_epoch_subbuf_size(epoch));
	before = written(by, true);
	publish(server, argv[5], WEIR_SLOT_ENABLED | WEIR_SLOT_ALL);
	child = fork();
	if (!child)
		let_write(argv[4]);
	while (!waitpid(child, &status, WNOHANG)) {
		for (i = 0; i < nr_cpus; i++)
			read_ring(&cpus[i], fd, false);
		sched_yield();
	}
	if (status)
		die(PARAMETERS "run");
	publish(server, argv[5], WEIR_SLOT_ALL);
	for (i = 0; i < nr_cpus; i++)
		read_ring(&cpus[i], fd, true);
	report(what, by, before);
	printf("1..%d\n", test);
	return 0;
}
