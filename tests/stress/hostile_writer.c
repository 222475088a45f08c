// SPDX-License-Identifier: GPL-2.0-only
/*
 * hostile_writer: a process that attaches by itself, and then scribbles over every word that it shares with the
 * daemon, while others read.
 *
 *   hostile_writer RUNDIR [SEED [LIVES]]      until SIGTERM; children live LIVES times as long
 *
 * One child after the other attaches, each with another seed. A child writes good packets into its rings, and from
 * then on damages, at random: ring words (random, at the bounds, near the right ones, single bits, other rings'), the
 * heads of packets, records, the schema log, the head of the process; quickly to and fro; it punches holes, and tries
 * to change sizes. What it must not be able to do, and could, is said on standard error, and ends it with 1.
 *
 * Where the daemon has the kernel module, most children attach by that, and misuse the device: hostile_device.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/memfd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <weir/abi.h>

typedef __u64 u64;

#define STRIDE (1u << 20)
#define CLASSES 4u

static const struct weir_control *control;
static struct weir_process *process;
static struct weir_ring *rings;
static char *buffers, *schema;
static int control_fd, buffers_fd;
static size_t control_size, buffers_size;
static unsigned int nr_cpus;
static u64 seed;
static volatile sig_atomic_t stop;

static void on_term(int sig)
{
	(void)sig;
	stop = 1;
}

static void die(const char *what)
{
	fprintf(stderr, "hostile_writer: %s: %s\n", what, strerror(errno));
	_exit(2);
}

static u64 rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed * 0x2545f4914f6cdd1dull >> 11 ^ seed << 40;
}

static u64 below(u64 n)
{
	return rnd() % n;
}

static u64 now(void)
{
	const struct weir_clock *clock = &control->copy[0].clock;
	struct timespec ts;

#ifdef __x86_64__
	if (clock->type == WEIR_CLOCK_TSC)
		return (u64)((unsigned __int128)(__builtin_ia32_rdtsc() - clock->base) * clock->mult >> 64);
#endif
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000000000u + (u64)ts.tv_nsec;
}

/* ---- what is right ----------------------------------------------------------------------------*/

static u64 epoch_of(unsigned int slot)
{
	return control->copy[0].slot[slot].epoch;
}

static unsigned int some_slot(void)
{
	unsigned int slot, tries;

	for (tries = 0; tries < 64; tries++) {
		slot = (unsigned int)below(WEIR_SLOTS);
		if (epoch_of(slot))
			break;
	}
	return slot;
}

static size_t put_desc(char *at, const char *name, const char *const *fields, const unsigned char *types, unsigned int nr)
{
	struct weir_desc desc = { 0 };
	char *p = at + sizeof(desc);
	unsigned int i;

	p = stpcpy(p, name) + 1;
	for (i = 0; i < nr; i++) {
		*p++ = (char)types[i];
		p = stpcpy(p, fields[i]) + 1;
	}
	while ((p - at) % 8)
		*p++ = 0;
	desc.size = (__u16)(p - at);
	desc.nr_fields = (__u16)nr;
	memcpy(at, &desc, sizeof(desc));
	return desc.size;
}

static unsigned int good_classes;
static size_t good_bytes; /* of the log, as long as nothing else was done to it */

static void good_schema(void)
{
	static const char *const fields[] = { "number", "text", "bytes", "more" };
	static const unsigned char types[] = { WEIR_TYPE_U64, WEIR_TYPE_STR, WEIR_TYPE_BYTES, WEIR_TYPE_U32 };
	size_t at = 0;
	char name[32];
	unsigned int i;

	for (i = 0; i < CLASSES; i++) {
		snprintf(name, sizeof(name), "hostile:event_%u", i);
		at += put_desc(schema + at, name, fields, types, 1 + i % 4);
	}
	__atomic_store_n(&process->schema_bytes, at, __ATOMIC_RELEASE);
	good_classes = CLASSES;
	good_bytes = at;
}

/* A record of class `id`, as long as fits; 0: none. */
static size_t put_record(char *at, size_t room, unsigned int id, u64 time, int tid)
{
	u64 word = id | time << WEIR_TIME_SHIFT, number = rnd();
	char record[128], *p = record;
	__u16 len = (__u16)below(24);
	unsigned int more = 7;

	p = mempcpy(p, &word, 8);
	if (tid)
		p = mempcpy(p, &more, 4);
	p = mempcpy(p, &number, 8);
	if (id % 4 > 0)
		p = mempcpy(p, "hostile text", 13);
	if (id % 4 > 1) {
		p = mempcpy(p, &len, 2);
		p = mempcpy(p, "0123456789abcdefghijklmnopqrstuvwxyz", len);
	}
	if (id % 4 > 2)
		p = mempcpy(p, &more, 4);
	if ((size_t)(p - record) > room)
		return 0;
	memcpy(at, record, (size_t)(p - record));
	return (size_t)(p - record);
}

static size_t put_packet(char *at, size_t room, u64 seq, unsigned int cpu, int tid, int whole)
{
	struct weir_packet head = { .magic = WEIR_CTF_MAGIC, .stream_instance_id = cpu, .cpu_id = cpu };
	size_t offset = WEIR_PACKET_HEADER, start, len;
	unsigned int records = whole ? ~0u : 1 + (unsigned int)below(20), i;
	u64 time = now();

	memset(at, 0, room);
	head.timestamp_begin = time;
	for (i = 0; i < records; i++) {
		start = (offset + 7) & ~(size_t)7;
		len = start < room ? put_record(at + start, room - start, (unsigned int)below(CLASSES), time, tid) : 0;
		if (!len)
			break;
		offset = start + len;
		head.timestamp_end = time;
		time += !below(4);
	}
	head.content_size = offset * 8;
	head.packet_size = room * 8;
	head.packet_seq_num = seq;
	memcpy(at, &head, sizeof(head));
	return offset;
}

static char *ring_bytes(unsigned int slot, unsigned int cpu)
{
	return buffers + weir_ring_index(nr_cpus, slot, cpu) * STRIDE;
}

/* Whole packets one after the other, then an open one. */
static void good_ring(unsigned int slot, unsigned int cpu)
{
	struct weir_ring *ring = &rings[weir_ring_index(nr_cpus, slot, cpu)];
	u64 epoch = epoch_of(slot), size = weir_epoch_subbuf_size(epoch), ring_size = weir_epoch_ring_size(epoch);
	u64 packets = 1 + below(10), first = below(1000), i, at = 0;
	size_t len = 0;

	if (!epoch || ring_size > STRIDE)
		return;
	for (i = 0; i < packets; i++) {
		at = (first + i) * size;
		len = put_packet(ring_bytes(slot, cpu) + (at & (ring_size - 1)), size, first + i, cpu,
				 !!(epoch & WEIR_EPOCH_TID), i + 1 < packets);
	}
	ring->lost = weir_lost_tag(epoch) | below(4);
	ring->position = at + len;
	ring->claim = at + size;
	ring->begin = now();
	__atomic_store_n(&ring->epoch, epoch, __ATOMIC_RELEASE);
}

static void good_process(void)
{
	process->magic = WEIR_PROCESS_MAGIC;
	process->version = WEIR_ABI_VERSION;
	process->nr_cpus = nr_cpus;
	process->ring_stride = STRIDE;
	process->schema_offset = weir_schema_offset(nr_cpus);
	process->schema_size = WEIR_SCHEMA_SIZE;
	process->server = control->copy[0].server;
}

static void all_good(void)
{
	unsigned int slot, cpu;

	good_process();
	for (slot = 0; slot < WEIR_SLOTS; slot++)
		for (cpu = 0; cpu <= nr_cpus; cpu++)
			good_ring(slot, cpu);
}

/* ---- what is not ------------------------------------------------------------------------------*/

/* A value to put in place of `right`. */
static u64 wrong(u64 right)
{
	static const u64 bounds[] = { 0, 1, 7, 8, 84, 87, 88, 89, 4095, 4096, 65535, 65536, 1ull << 20, 1ull << 26,
				      0x7fffffff, 0x80000000, 0xffffffff, 1ull << 32, 1ull << 47, 1ull << 48, 1ull << 61,
				      1ull << 63, ~0ull, ~7ull, ~4095ull, ~0ull - 87, ~0ull >> 1, 1ull << 44,
				      (1ull << 44) - 1 };

	switch (below(9)) {
	case 0: return rnd();
	case 1: return bounds[below(sizeof(bounds) / sizeof(bounds[0]))];
	case 2: return right ^ 1ull << below(64);
	case 3: return right + below(17) - 8;
	case 4: return right + (below(9) - 4) * 4096;
	case 5: return right + (below(9) - 4) * 65536;
	case 6: return right & ~4095ull;
	case 7: return ~right;
	default: return rnd() >> below(64);
	}
}

static void ring_word(void)
{
	struct weir_ring *ring = &rings[weir_ring_index(nr_cpus, some_slot(), (unsigned int)below(nr_cpus + 1))];
	static const unsigned char words[] = { 0, 1, 1, 1, 2, 2, 2, 3, 16, 24, 25 };
	u64 *word = (u64 *)ring + (below(4) ? words[below(sizeof(words))] : below(sizeof(*ring) / 8));

	*word = wrong(below(4) ? *word : epoch_of(some_slot()));
}

static void ring_jump(void) /* position and claim go together, far */
{
	unsigned int slot = some_slot();
	struct weir_ring *ring = &rings[weir_ring_index(nr_cpus, slot, (unsigned int)below(nr_cpus + 1))];
	u64 size = weir_epoch_subbuf_size(epoch_of(slot)), to = wrong(ring->position);

	ring->claim = (to + size - 1) & ~(size - 1);
	ring->position = to;
}

static void packet_head(void)
{
	unsigned int slot = some_slot(), cpu = (unsigned int)below(nr_cpus + 1);
	u64 epoch = epoch_of(slot), size = weir_epoch_subbuf_size(epoch);
	struct weir_packet *head;
	u64 *word;

	if (!epoch || weir_epoch_ring_size(epoch) > STRIDE)
		return;
	head = (struct weir_packet *)(ring_bytes(slot, cpu) + below(weir_epoch_ring_size(epoch) / size) * size);
	word = (u64 *)head + 4 + below(7); /* from timestamp_begin on, and the first record's word */
	*word = wrong(*word);
	if (!below(3))
		head->content_size = 8 * wrong(head->content_size / 8);
	if (!below(3))
		head->timestamp_begin = now() + below(3) * below(1ull << 40) - below(1ull << 40);
}

static void record_bytes(void)
{
	unsigned int slot = some_slot(), cpu = (unsigned int)below(nr_cpus + 1), n;
	char *bytes = ring_bytes(slot, cpu);
	size_t size = weir_epoch_ring_size(epoch_of(slot)), at, i;

	if (size < 4096 || size > STRIDE)
		return;
	for (n = 0; n < 16; n++) {
		at = below(size - 64);
		switch (below(4)) {
		case 0: bytes[at] = (char)rnd(); break;
		case 1: at &= ~7ul; *(u64 *)(bytes + at) = wrong(*(u64 *)(bytes + at)); break;
		case 2: memset(bytes + at, below(2) ? 0xff : 0, 1 + below(64)); break;
		default:
			for (i = 0; i < 64; i++)
				bytes[at + i] = (char)rnd();
		}
	}
}

static void process_word(void)
{
	u64 *word = (u64 *)process + below(sizeof(*process) / 8);

	*word = wrong(*word);
}

static void schema_bytes(void)
{
	u64 committed = process->schema_bytes % WEIR_SCHEMA_SIZE;
	size_t i;

	switch (below(5)) {
	case 0: /* one that is good, perhaps with strange names */
		if (committed < WEIR_SCHEMA_SIZE - 4096) {
			static const char *const fields[] = { "a", "a", "_a", "a b\"\\\n\x01\xff" };
			unsigned char types[4];
			char name[16] = "x:";

			for (i = 0; i < 4; i++)
				types[i] = (unsigned char)below(WEIR_TYPE_COUNT + 1);
			for (i = 2; i < 12; i++)
				name[i] = (char)rnd();
			committed += put_desc(schema + (committed & ~7ull), name, fields, types, (unsigned int)below(5));
		}
		break;
	case 1:
		committed = wrong(committed);
		break;
	case 2:
		for (i = 0; i < 256; i++)
			schema[(committed + i) % WEIR_SCHEMA_SIZE] = (char)rnd();
		committed += 8 * below(33);
		break;
	case 3:
		schema[below(committed + 64) % WEIR_SCHEMA_SIZE] = (char)rnd();
		break;
	default:
		*(__u16 *)(schema + (committed & ~7ull) % WEIR_SCHEMA_SIZE) = (__u16)wrong(16);
		committed += 16;
	}
	__atomic_store_n(&process->schema_bytes, committed, __ATOMIC_RELEASE);
}

/* A class that readers who have looked already do not know, and records of it. */
static void new_class(void)
{
	static const char *const fields[] = { "number" };
	static const unsigned char types[] = { WEIR_TYPE_U64 };
	unsigned int slot = some_slot(), cpu, i;
	u64 epoch = epoch_of(slot), size = weir_epoch_subbuf_size(epoch);
	size_t at = process->schema_bytes;

	if (good_classes < CLASSES || good_classes > 200 || at != good_bytes || !epoch ||
	    weir_epoch_ring_size(epoch) > STRIDE || at > WEIR_SCHEMA_SIZE - 64)
		return;
	at += put_desc(schema + at, "hostile:new", fields, types, 1);
	__atomic_store_n(&process->schema_bytes, at, __ATOMIC_RELEASE);
	good_bytes = at;
	for (cpu = 0; cpu <= nr_cpus; cpu++)
		for (i = 0; i < weir_epoch_ring_size(epoch) / size; i++)
			*(__u16 *)(ring_bytes(slot, cpu) + i * size + WEIR_PACKET_FIRST) = (__u16)good_classes;
	good_classes++;
}

/* The last record of each packet goes on into the next, and the packet says so. */
static void crossing(void)
{
	unsigned int slot = some_slot(), cpu = (unsigned int)below(nr_cpus + 1), i;
	u64 epoch = epoch_of(slot), size = weir_epoch_subbuf_size(epoch), word;
	struct weir_packet *head;
	size_t at, tid = epoch & WEIR_EPOCH_TID ? 4 : 0;
	__u16 len;

	if (!epoch || weir_epoch_ring_size(epoch) > STRIDE)
		return;
	for (i = 0; i < weir_epoch_ring_size(epoch) / size; i++) {
		head = (struct weir_packet *)(ring_bytes(slot, cpu) + i * size);
		word = 2 | head->timestamp_begin << WEIR_TIME_SHIFT;
		memset((char *)head + WEIR_PACKET_FIRST, 0, 128);
		memcpy((char *)head + WEIR_PACKET_FIRST, &word, 8);
		/* class 2: a number, a string, bytes */
		at = WEIR_PACKET_FIRST + 8 + tid + 8 + 1;
		len = (__u16)(size - at - 2 + below(64) * 64);
		memcpy((char *)head + at, &len, 2);
		head->content_size = (at + 2 + len) * 8;
	}
}

/* To and fro, as quickly as can be: between looks of a reader that looks twice. */
static void toggle(void)
{
	struct weir_ring *ring = &rings[weir_ring_index(nr_cpus, some_slot(), (unsigned int)below(nr_cpus + 1))];
	volatile u64 *word = (u64 *)ring + below(4);
	u64 right = *word, other = wrong(right);
	unsigned int i;

	for (i = 0; i < 20000; i++) {
		*word = other;
		*word = right;
	}
}

static void toggle_bytes(void)
{
	unsigned int slot = some_slot(), cpu = (unsigned int)below(nr_cpus + 1), i;
	u64 size = weir_epoch_subbuf_size(epoch_of(slot));
	volatile u64 *head = (u64 *)(ring_bytes(slot, cpu) + (below(2) ? size % STRIDE & ~7ull : 0));
	u64 content = head[6], record = head[11];

	for (i = 0; i < 20000; i++) {
		head[6] = i & 1 ? content : wrong(content);
		head[11] = i & 2 ? record : wrong(record);
	}
}

#include "hostile_device.h"

/* Sizes are sealed: all of these must fail. */
static void sizes(void)
{
	int fds[2] = { control_fd, buffers_fd }, fd = fds[below(2)];
	off_t size = fd == control_fd ? (off_t)control_size : (off_t)buffers_size;

	if (device >= 0)
		device_denied();
	else if (!ftruncate(fd, 0) || !ftruncate(fd, size - 4096) || !ftruncate(fd, size + 4096) ||
	    !fallocate(fd, 0, size, 4096) || !fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE)) {
		fprintf(stderr, "hostile_writer: a size or seal could be changed\n");
		_exit(1);
	}
}

static void holes(void)
{
	off_t at = (off_t)below(64) * 4096, len = (off_t)(1 + below(64)) * 4096;

	if (device >= 0) {
		device_pages();
		return;
	}
	switch (below(4)) {
	case 0:
		fallocate(control_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, len);
		break;
	case 1:
		fallocate(buffers_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			  (off_t)weir_ring_index(nr_cpus, some_slot(), (unsigned int)below(nr_cpus + 1)) * STRIDE + at, len);
		break;
	case 2:
		madvise((char *)process, WEIR_RINGS_OFFSET + below(8) * 4096, MADV_REMOVE);
		break;
	default:
		madvise(ring_bytes(some_slot(), (unsigned int)below(nr_cpus + 1)), STRIDE, MADV_REMOVE);
	}
}

static const struct {
	void (*act)(void);
	unsigned int weight;
} acts[] = {
	{ ring_word, 30 }, { ring_jump, 10 }, { packet_head, 30 }, { record_bytes, 20 }, { process_word, 5 },
	{ schema_bytes, 1 }, { new_class, 4 },
	{ crossing, 3 }, { toggle, 3 }, { toggle_bytes, 3 }, { sizes, 1 }, { holes, 1 }, { all_good, 2 },
	{ device_calls, 3 }, { device_remap, 1 }, { device_again, 1 },
};

static int keeps_log; /* every other one leaves its schema log whole, and adds to it */

static void act(void)
{
	unsigned int sum = 0, at, i;

	for (i = 0; i < sizeof(acts) / sizeof(acts[0]); i++)
		sum += acts[i].weight;
	at = (unsigned int)below(sum);
	for (i = 0; at >= acts[i].weight; i++)
		at -= acts[i].weight;
	if (!keeps_log || (acts[i].act != schema_bytes && acts[i].act != process_word))
		acts[i].act();
}

/* ---- attaching --------------------------------------------------------------------------------*/

static int sealed(size_t size)
{
	int fd = memfd_create("hostile", MFD_ALLOW_SEALING | MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, (off_t)size) ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL))
		die("memfd");
	return fd;
}

static void *shared(int fd, size_t size)
{
	void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);

	if (map == MAP_FAILED)
		die("mmap");
	return map;
}

static void tell(const char *rundir)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct weir_attach attach = { WEIR_ATTACH_MAGIC, WEIR_ABI_VERSION, nr_cpus, STRIDE, "hostile" };
	union {
		char buf[CMSG_SPACE(2 * sizeof(int))];
		struct cmsghdr align;
	} cmsg = { .align = { CMSG_LEN(2 * sizeof(int)), SOL_SOCKET, SCM_RIGHTS } };
	struct iovec iov = { &attach, sizeof(attach) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = cmsg.buf,
			      .msg_controllen = sizeof(cmsg.buf) };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), fds[2] = { control_fd, buffers_fd };

	memcpy(CMSG_DATA(&cmsg.align), fds, sizeof(fds));
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/socket", rundir);
	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr)) || sendmsg(fd, &msg, 0) != sizeof(attach))
		die("socket");
	close(fd);
}

static void attach(const char *rundir)
{
	control_size = weir_schema_offset(nr_cpus) + WEIR_SCHEMA_SIZE;
	buffers_size = (size_t)weir_ring_index(nr_cpus, WEIR_SLOTS, 0) * STRIDE;
	if (control->copy[0].flags & WEIR_CONFIG_DEVICE && below(4)) {
		device_attach();
		return;
	}
	control_fd = sealed(control_size);
	buffers_fd = sealed(buffers_size);
	place(shared(control_fd, control_size));
	buffers = shared(buffers_fd, buffers_size);
	all_good();
	good_schema();
	tell(rundir);
}

static u64 ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000 + (u64)ts.tv_nsec / 1000000;
}

/* A life of some hundred milliseconds, or so many times that, in bursts, so that readers find the same damage twice, too. */
static void live(const char *rundir, u64 times)
{
	static const unsigned int bursts[] = { 8, 8, 100, 5000 };
	u64 end;
	unsigned int burst;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "hostile"); /* as the module sees it */
	keeps_log = (int)below(2);
	attach(rundir);
	end = ms() + times * (300 + below(1500));
	while (!stop && ms() < end) {
		if (below(2))
			all_good();
		for (burst = (unsigned int)below(bursts[below(4)]); burst && !stop; burst--)
			act();
		if (below(4))
			usleep((useconds_t)below(20000));
	}
	if (below(3))
		all_good(); /* what it leaves behind is good */
	_exit(0);
}

int main(int argc, char **argv)
{
	char path[200];
	int fd, status;
	u64 number;

	if (argc < 2)
		return 2;
	number = argc > 2 ? strtoull(argv[2], NULL, 0) : 1;
	snprintf(path, sizeof(path), "%s/control", argv[1]);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	control = mmap(NULL, sizeof(*control), PROT_READ, MAP_SHARED, fd, 0);
	if (control == MAP_FAILED)
		die(path);
	nr_cpus = control->copy[0].nr_cpus;
	signal(SIGTERM, on_term);
	for (; !stop; number++) {
		pid_t pid = fork();

		if (!pid) {
			seed = number * 0x9e3779b97f4a7c15ull | 1;
			live(argv[1], argc > 3 ? strtoull(argv[3], NULL, 0) : 1);
		}
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			kill(pid, SIGTERM);
		if (status) {
			fprintf(stderr, "hostile_writer: seed %llu: status %#x\n", number, (unsigned int)status);
			return 1;
		}
	}
	return 0;
}
