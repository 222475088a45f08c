// SPDX-License-Identifier: GPL-2.0-only
/* life: pages come when they are touched and go when nobody needs them; processes begin, fork, exec, end; traces come
 * and go meanwhile; limits. */
#define _GNU_SOURCE
#include <grp.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "device.h"

#define STRIDE 65536ul
#define SUBBUF_SHIFT 13u /* 8 sub-buffers of two pages: as much as the stride */
#define COUNT_SHIFT 3u

static void touch(volatile char *at, int pages, char value)
{
	int i;

	for (i = 0; i < pages; i++)
		at[i * PAGE + 17] = value;
}

/* ---- pages ------------------------------------------------------------------------------------*/

static void first_touch(void)
{
	struct weir_dev_process p;
	struct weir_dev_ring ring = { 0 };
	long none = parameter("pages"), attached, touched, seen;
	const volatile char *view, *stream;
	struct attach a;
	char byte = 1;
	int consumer, fd;
	uint64_t frame;

	ring.epoch = put_trace(0, SUBBUF_SHIFT, COUNT_SHIFT, 0);
	if (attach(&a, STRIDE))
		bail("attach");
	consumer = next_process(getpid(), &p);
	/* the head of the control, its tables of frames, a page for what cannot be kept */
	attached = parameter("pages");
	ok(attached - none < 16, "%u rings of %lu pages are reserved, with %ld pages", WEIR_SLOTS * (nr_cpus + 1), STRIDE / PAGE,
	   attached - none);
	view = region(consumer, WEIR_DEV_BUFFERS, buffers_size(STRIDE), PROT_READ);
	for (seen = 0; seen < (long)buffers_size(STRIDE); seen += PAGE)
		if (view[seen])
			break;
	is_u64("a consumer sees zeros everywhere", seen, buffers_size(STRIDE));
	is_u64("pread: zeros", pread(consumer, &byte, 1, WEIR_DEV_BUFFERS + 5 * PAGE + 17) == 1 ? byte : -1, 0);
	is_u64("and no page is made", parameter("pages"), attached);

	ring_of(a.process, 0, 0)->epoch = ring.epoch;
	touched = parameter("pages");
	touch(bytes_of(&a, 0, 0), 5, 'a');
	seen = parameter("pages");
	ok(seen - touched >= 5 && seen - touched <= 5 + 3, "five pages are touched, %ld are made", seen - touched);
	touch(bytes_of(&a, 0, 0), 5, 'b');
	is_u64("a second time, none", parameter("pages"), seen);
	is_u64("sunk: none", parameter("sunk"), 0);

	/* one page, by every way that leads to it */
	frame = frame_at(bytes_of(&a, 0, 0) + 4 * PAGE);
	ok(view[4 * PAGE + 17] == 'b', "the consumer's mapping has what was written, though it had zeros there");
	ok(frame && frame == frame_at(view + 4 * PAGE), "and has the very page");
	fd = ioctl(consumer, WEIR_IOC_STREAM, &ring);
	ok(fd >= 0, "a stream's descriptor");
	stream = region(fd, 0, STRIDE, PROT_READ);
	ok(stream != MAP_FAILED && stream[4 * PAGE + 17] == 'b', "the stream's mapping has it");
	ok(frame_at(stream + 4 * PAGE) == frame, "and has the very page");
	is_u64("pread, through the page list", pread(consumer, &byte, 1, WEIR_DEV_BUFFERS + 4 * PAGE + 17) == 1 ? byte : -1, 'b');
	bytes_of(&a, 0, 0)[4 * PAGE + 17] = 'c';
	ok(view[4 * PAGE + 17] == 'c' && stream[4 * PAGE + 17] == 'c', "what is written later is seen by all");
	if (madvise((void *)a.buffers, buffers_size(STRIDE), MADV_DONTNEED))
		bail("MADV_DONTNEED");
	ok(bytes_of(&a, 0, 0)[4 * PAGE + 17] == 'c', "a process that drops its page tables gets the same page again");
	munmap((void *)stream, STRIDE);
	munmap((void *)view, buffers_size(STRIDE));
	close(fd);

	/* the descriptor may be closed; the end comes with the last mapping */
	close(a.fd);
	touch(bytes_of(&a, 0, 0) + 8 * PAGE, 1, 'd');
	is_u64("the descriptor is closed: writes go on", pread(consumer, &byte, 1, WEIR_DEV_BUFFERS + 8 * PAGE + 17) == 1 ? byte : -1, 'd');
	ok(!has_ended(consumer), "nothing has ended");
	munmap((void *)a.buffers, buffers_size(STRIDE));
	ok(!has_ended(consumer), "nor without the buffers");
	munmap(a.process, process_size());
	ok(ends(consumer), "but with the last mapping");
	munmap((void *)a.control, control_size());
	is_u64("what was written is there", pread(consumer, &byte, 1, WEIR_DEV_BUFFERS + 8 * PAGE + 17) == 1 ? byte : -1, 'd');
	close(consumer);
	ok(parameter_becomes("pages", none), "then all its pages go");
	take_trace(0);
}

/* A large ring's list of pages is memory, too, and its user's. */
static void lists(void)
{
	const size_t ring = 4ul << 20;
	long none = parameter("pages"), attached, touched;
	struct weir_dev_process p;
	struct attach a;
	int consumer;

	put_trace(0, 20, 2, 0);
	if (attach(&a, ring))
		bail("attach");
	consumer = next_process(getpid(), &p);
	attached = parameter("pages");
	touch(bytes_of(&a, 0, 0), 1, 'l');
	touched = parameter("pages");
	ok(touched - attached >= 1 + (long)(ring / PAGE * 32 / PAGE), "one byte of a ring of %zu pages counts as %ld", ring / PAGE,
	   touched - attached);
	detach(&a);
	close(consumer);
	take_trace(0);
	ok(parameter_becomes("pages", none), "and all of it goes");
}

/* Where no trace is, a process may write what it likes. */
static void no_trace(void)
{
	struct weir_dev_process p;
	struct attach a;
	char byte = 1;
	long before;
	int consumer;

	if (attach(&a, STRIDE))
		bail("attach");
	consumer = next_process(getpid(), &p);
	before = parameter("pages");
	touch(bytes_of(&a, 3, 0), STRIDE / PAGE, 'x');
	is_u64("a slot without a trace: no page is made", parameter("pages"), before);
	is_u64("and nothing is seen", pread(consumer, &byte, 1, WEIR_DEV_BUFFERS + weir_ring_index(nr_cpus, 3, 0) * STRIDE + 17) == 1 ? byte : -1, 0);
	close(consumer);
	detach(&a);
}

/* ---- traces come and go while the process runs ------------------------------------------------*/

static void new_trace(void)
{
	struct weir_dev_process p;
	uint64_t first, second, at;
	uint64_t generation;
	struct attach a;
	char byte;
	long pages;
	int consumer;

	if (attach(&a, STRIDE))
		bail("attach");
	consumer = next_process(getpid(), &p);
	at = WEIR_DEV_BUFFERS + weir_ring_index(nr_cpus, 2, 1) * STRIDE + 17;
	touch(bytes_of(&a, 2, 1), 4, 'x');
	generation = a.control->generation;
	first = put_trace(2, SUBBUF_SHIFT, COUNT_SHIFT, 0);
	ok(a.control->generation != generation, "a new trace: the process sees another generation");
	is_u64("and its epoch", a.control->copy[0].slot[2].epoch, first);
	pages = parameter("pages");
	touch(bytes_of(&a, 2, 1), 4, 'y');
	is_u64("the ring is there at once", pread(consumer, &byte, 1, at) == 1 ? byte : -1, 'y');
	ok(parameter("pages") > pages, "of pages that were made for it");
	second = put_trace(2, SUBBUF_SHIFT, COUNT_SHIFT, 0);
	ok(second > first, "another one in its place");
	is_u64("nothing of the old is seen", pread(consumer, &byte, 1, at) == 1 ? byte : -1, 0);
	is_u64("nor by the process", bytes_of(&a, 2, 1)[17], 0);
	touch(bytes_of(&a, 2, 1), 4, 'z');
	is_u64("it has pages of its own", pread(consumer, &byte, 1, at) == 1 ? byte : -1, 'z');
	take_trace(2);
	touch(bytes_of(&a, 2, 1), 4, 'w');
	is_u64("the trace is gone: nothing is seen", pread(consumer, &byte, 1, at) == 1 ? byte : -1, 0);
	detach(&a);
	ok(ends(consumer), "the process has ended");
	close(consumer);
}

/* Whoever knows an epoch knows one trace: none comes back, nor goes to two slots. */
static void once(void)
{
	uint64_t first, second, generation;
	struct weir_dev_process p;
	struct attach a;

	if (attach(&a, STRIDE))
		bail("attach");
	close(next_process(getpid(), &p));
	first = put_trace(0, SUBBUF_SHIFT, COUNT_SHIFT, 0);
	second = put_trace(0, SUBBUF_SHIFT, COUNT_SHIFT, 0);
	generation = a.control->generation;
	config.slot[0].epoch = first;
	IS_ERRNO("an epoch that was there before", write(server_fd, &config, sizeof(config)), EINVAL);
	config.slot[0].epoch = second;
	config.slot[1].epoch = first;
	IS_ERRNO("nor in another slot", write(server_fd, &config, sizeof(config)), EINVAL);
	config.slot[0].epoch = config.slot[1].epoch = weir_epoch_make(++config.counter, SUBBUF_SHIFT, COUNT_SHIFT, 0);
	IS_ERRNO("one in two slots", write(server_fd, &config, sizeof(config)), EINVAL);
	config.slot[0].epoch = 0;
	config.slot[1].epoch = second;
	IS_ERRNO("or in one after the other", write(server_fd, &config, sizeof(config)), EINVAL);
	is_u64("nothing of that was published", a.control->generation, generation);
	config.slot[0].epoch = second;
	config.slot[1].epoch = 0;
	publish();
	ok(a.control->generation != generation, "what stays may stay");
	detach(&a);
	take_trace(0);
}

/* ---- fork, exec, exit -------------------------------------------------------------------------*/

static int say_fd, hear_fd; /* between this process and its child */

static void child_waits(void)
{
	char c;

	if (write(say_fd, "+", 1) != 1 || read(hear_fd, &c, 1) != 1)
		_exit(98);
}

static pid_t child(void (*run)(void))
{
	int up[2], down[2];
	char c;
	pid_t pid;

	if (pipe2(up, O_CLOEXEC) || pipe2(down, O_CLOEXEC))
		bail("pipe");
	pid = fork();
	if (!pid) {
		close(server_fd);
		close(up[0]);
		close(down[1]);
		say_fd = up[1];
		hear_fd = down[0];
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		run();
		_exit(0);
	}
	close(up[1]);
	close(down[0]);
	hear_fd = up[0];
	say_fd = down[1];
	if (read(hear_fd, &c, 1) != 1)
		bail("the child waits");
	return pid;
}

static int child_goes_on(pid_t pid)
{
	int status;

	if (write(say_fd, "+", 1) != 1)
		bail("the child goes on");
	close(say_fd);
	close(hear_fd);
	waitpid(pid, &status, 0);
	return status;
}

static struct attach inherited;

static void forked(void)
{
	touch(bytes_of(&inherited, 0, 0) + PAGE, 2, 'f');
	child_waits();
	touch(bytes_of(&inherited, 0, 0) + PAGE, 2, 'g');
}

static void fork_shares(void)
{
	struct weir_dev_process p;
	int consumer;
	pid_t pid;

	put_trace(0, SUBBUF_SHIFT, COUNT_SHIFT, 0);
	if (attach(&inherited, STRIDE))
		bail("attach");
	consumer = next_process(getpid(), &p);
	touch(bytes_of(&inherited, 0, 0), 2, 'p');
	pid = child(forked);
	ok(bytes_of(&inherited, 0, 0)[PAGE + 17] == 'f', "fork: what the child writes is in its parent's ring");
	detach(&inherited);
	ok(!has_ended(consumer), "the parent lets go: nothing has ended");
	is_u64("the child ends well", child_goes_on(pid), 0);
	ok(ends(consumer), "then it has");
	close(consumer);
	take_trace(0);
}

static void execs(void)
{
	if (attach(&inherited, STRIDE))
		_exit(97);
	child_waits();
	execl("/bin/true", "true", NULL);
	_exit(96);
}

static void exec_ends(void)
{
	struct weir_dev_process p;
	int consumer;
	pid_t pid = child(execs);

	consumer = next_process(pid, &p);
	ok(consumer >= 0 && !strcmp(p.comm, program_invocation_short_name), "a child attaches, called %.16s", p.comm);
	is_u64("the program that follows ends well", child_goes_on(pid), 0);
	ok(ends(consumer), "exec ends it");
	close(consumer);
}

static uint64_t epoch;

/* Less than a sub-buffer: there was no switch but the first. */
static void writes_little(void)
{
	struct weir_ring *ring;

	if (attach(&inherited, STRIDE))
		_exit(97);
	ring = ring_of(inherited.process, 0, 0);
	memset((char *)bytes_of(&inherited, 0, 0), 'l', 200);
	ring->epoch = epoch;
	ring->begin = 1;
	ring->claim = 1ul << SUBBUF_SHIFT;
	ring->position = 200;
	child_waits();
	raise(SIGKILL);
}

static void exit_before_switch(void)
{
	struct weir_dev_process p;
	struct weir_ring ring;
	char bytes[200];
	int consumer, i;
	pid_t pid;

	epoch = put_trace(0, SUBBUF_SHIFT, COUNT_SHIFT, 0);
	pid = child(writes_little);
	consumer = next_process(pid, &p);
	is_u64("it is killed", child_goes_on(pid), SIGKILL);
	ok(ends(consumer), "and has ended");
	if (pread(consumer, &ring, sizeof(ring), WEIR_DEV_PROCESS + WEIR_RINGS_OFFSET) != sizeof(ring))
		bail("pread");
	is_u64("before its first switch: its position is there", ring.position, 200);
	if (pread(consumer, bytes, sizeof(bytes), WEIR_DEV_BUFFERS) != sizeof(bytes))
		bail("pread");
	for (i = 0; i < 200 && bytes[i] == 'l'; i++)
		;
	is_u64("and its bytes are", i, 200);
	close(consumer);
	take_trace(0);
}

/* Two whole sub-buffers with proper headers, and a third one that is open. */
static void writes_much(void)
{
	const uint64_t subbuf = 1ul << SUBBUF_SHIFT;
	struct weir_packet header = {
		.magic = WEIR_CTF_MAGIC, .content_size = subbuf * 8, .packet_size = subbuf * 8, .timestamp_begin = 1, .timestamp_end = 2,
	};
	struct weir_ring *ring;
	int i;

	if (attach(&inherited, STRIDE))
		_exit(97);
	ring = ring_of(inherited.process, 0, 0);
	ring->epoch = epoch;
	for (i = 0; i < 3; i++) {
		memset((char *)bytes_of(&inherited, 0, 0) + i * subbuf, 'm' + i, subbuf);
		header.packet_seq_num = i;
		memcpy((char *)bytes_of(&inherited, 0, 0) + i * subbuf, &header, sizeof(header));
	}
	ring->begin = 1;
	ring->claim = 3 * subbuf;
	ring->position = 2 * subbuf + 300;
	child_waits();
}

static void exit_with_data(void)
{
	const uint64_t size = 1ul << SUBBUF_SHIFT;
	struct weir_dev_ring ring = { 0 };
	struct weir_dev_subbuf subbuf;
	struct weir_dev_process p;
	const volatile char *map;
	int consumer, stream, i;
	pid_t pid;

	ring.epoch = epoch = put_trace(0, SUBBUF_SHIFT, COUNT_SHIFT, 0);
	pid = child(writes_much);
	consumer = next_process(pid, &p);
	is_u64("it ends well", child_goes_on(pid), 0);
	ok(ends(consumer), "and has ended");
	stream = ioctl(consumer, WEIR_IOC_STREAM, &ring);
	ok(stream >= 0, "with data: a stream");
	map = region(stream, 0, STRIDE, PROT_READ);
	for (i = 0; i < 2; i++) {
		memset(&subbuf, 0, sizeof(subbuf));
		IS_ERRNO("GET", ioctl(stream, WEIR_IOC_SUBBUF_GET, &subbuf), 0);
		is_u64("the next sub-buffer", subbuf.begin, i * size);
		is_u64("it is whole", subbuf.end, (i + 1) * size);
		ok(map != MAP_FAILED && map[subbuf.offset + size - 1] == 'm' + i, "its last byte is where it says");
		IS_ERRNO("PUT", ioctl(stream, WEIR_IOC_SUBBUF_PUT, &subbuf), 0);
	}
	munmap((void *)map, STRIDE);
	close(stream);
	close(consumer);
	take_trace(0);
}

/* ---- who pays ---------------------------------------------------------------------------------*/

#define CGROUP "/tmp/cgroup"

static void writes_in_cgroup(void)
{
	unsigned int slot, cpu;

	put(CGROUP "/weir/cgroup.procs", "0");
	if (attach(&inherited, STRIDE))
		_exit(97);
	child_waits();
	for (slot = 0; slot < WEIR_SLOTS; slot++)
		for (cpu = 0; cpu < 2; cpu++)
			touch(bytes_of(&inherited, slot, cpu), STRIDE / PAGE, 'm');
	child_waits();
}

/* The pages that a process's writing makes are its cgroup's. Each CPU may have taken a batch before that is used then. */
static void charged(void)
{
	const long pages = 2 * WEIR_SLOTS * (long)(STRIDE / PAGE), batch = 64;
	long before, after;
	unsigned int slot;
	pid_t pid;
	char c;

	mkdir(CGROUP, 0755);
	if (mount("none", CGROUP, "cgroup2", 0, NULL))
		bail("cgroup2");
	put(CGROUP "/cgroup.subtree_control", "+memory");
	if (mkdir(CGROUP "/weir", 0755))
		bail("a cgroup");
	for (slot = 0; slot < WEIR_SLOTS; slot++)
		put_trace(slot, SUBBUF_SHIFT, COUNT_SHIFT, 0);
	pid = child(writes_in_cgroup);
	before = number_in(CGROUP "/weir/memory.current");
	if (write(say_fd, "+", 1) != 1 || read(hear_fd, &c, 1) != 1)
		bail("the child writes");
	after = number_in(CGROUP "/weir/memory.current");
	ok(after - before >= (pages - batch * nr_cpus) * (long)PAGE, "%ld pages are charged to the process's cgroup (%ld bytes)",
	   pages, after - before);
	is_u64("it ends well", child_goes_on(pid), 0);
	for (slot = 0; slot < WEIR_SLOTS; slot++)
		take_trace(slot);
	while (rmdir(CGROUP "/weir") && errno == EBUSY)
		usleep(10000);
	umount(CGROUP);
}

/* ---- limits, rights ---------------------------------------------------------------------------*/

/* The number that stands in the last slot's first ring's words, as a consumer reads it. */
static uint64_t word_seen(int consumer)
{
	uint64_t word = ~0ull;

	if (pread(consumer, &word, sizeof(word),
		  (off_t)(WEIR_DEV_PROCESS + WEIR_RINGS_OFFSET +
			  weir_ring_index(nr_cpus, WEIR_SLOTS - 1, 0) * sizeof(struct weir_ring))) != sizeof(word))
		bail("pread");
	return word;
}

/* A ring that is refused its words has them with its next epoch. */
static void words(void)
{
	const unsigned int stride = 2 * STRIDE, last = WEIR_SLOTS - 1, most = PAGE / sizeof(struct weir_ring) / (nr_cpus + 1);
	const unsigned int slots = most ? most : 1;
	long mib = parameter("user_max_mib"), sunk;
	struct weir_dev_process p;
	unsigned int slot, cpu;
	struct attach a;
	int consumer;

	for (slot = 0; slot < slots; slot++)
		put_trace(slot, SUBBUF_SHIFT, COUNT_SHIFT + 1, 0);
	put_trace(last, SUBBUF_SHIFT, COUNT_SHIFT, 0);
	if (attach(&a, stride))
		bail("attach");
	consumer = next_process(getpid(), &p);
	parameter_set("user_max_mib", 1);
	for (slot = 0; slot < slots; slot++)
		for (cpu = 0; cpu <= nr_cpus; cpu++)
			touch(bytes_of(&a, slot, cpu), stride / PAGE, 'w');
	sunk = parameter("sunk");
	ring_of(a.process, last, 0)->epoch = 4711;
	ok(parameter("sunk") > sunk, "the words of a ring are refused");
	is_u64("what is written there is not seen", word_seen(consumer), 0);
	parameter_set("user_max_mib", mib);
	put_trace(last, SUBBUF_SHIFT, COUNT_SHIFT, 0);
	ring_of(a.process, last, 0)->epoch = 4712;
	is_u64("there is room again, and a new epoch: it is", word_seen(consumer), 4712);
	detach(&a);
	close(consumer);
	for (slot = 0; slot < slots; slot++)
		take_trace(slot);
	take_trace(last);
}

static void attaches(void)
{
	struct attach a[3];

	is_u64("limit of processes: one", attach(&a[0], STRIDE) == 0, 1);
	is_u64("two", attach(&a[1], STRIDE) == 0, 1);
	is_u64("the third is refused: EDQUOT", -attach(&a[2], STRIDE), EDQUOT);
	detach(&a[2]);
	detach(&a[1]);
	parameter_becomes("sources", 2);
	is_u64("one goes: another may come", attach(&a[1], STRIDE) == 0, 1);
	detach(&a[0]);
	detach(&a[1]);
}

static void limits(void)
{
	long processes = parameter("user_max_processes"), mib = parameter("user_max_mib");
	long refused, sunk, slot, pages;
	struct attach a;

	/* nobody is told: whoever lets go is gone at once */
	close(server_fd);
	ok(parameter_becomes("sources", 1), "without a server, no source is left");
	parameter_set("user_max_processes", 2);
	attaches();
	parameter_set("user_max_processes", processes);
	serve();

	for (slot = 0; slot < WEIR_SLOTS; slot++)
		put_trace(slot, SUBBUF_SHIFT, COUNT_SHIFT, 0);
	if (attach(&a, STRIDE))
		bail("attach");
	pages = parameter("pages");
	parameter_set("user_max_mib", 1);
	refused = parameter("refused");
	sunk = parameter("sunk");
	for (slot = 0; slot < WEIR_SLOTS; slot++)
		touch(bytes_of(&a, slot, 0), STRIDE / PAGE, 'q');
	for (slot = 0; slot < WEIR_SLOTS; slot++)
		touch(bytes_of(&a, slot, 1), STRIDE / PAGE, 'q');
	ok(parameter("refused") > refused, "1 MiB: pages are refused");
	ok(parameter("sunk") > sunk, "and the process writes on");
	ok(parameter("pages") - pages <= 256 + 32, "it has not more than that (%ld)", parameter("pages") - pages);
	parameter_set("user_max_mib", mib);
	detach(&a);
	for (slot = 0; slot < WEIR_SLOTS; slot++)
		take_trace(slot);
}

static void rights(void)
{
	struct weir_dev_serve again = { .version = WEIR_ABI_VERSION };
	struct weir_dev_process p = { .id = WEIR_DEV_KERNEL_ID };
	int fd = open(WEIR_DEVICE, O_RDWR), status;
	pid_t pid;

	IS_ERRNO("a second server", ioctl(fd, WEIR_IOC_SERVE, &again), EBUSY);
	IS_ERRNO("who does not serve has no consumers", ioctl(fd, WEIR_IOC_PROCESS, &p), EPERM);
	is_u64("nor publishes", write(fd, &config, sizeof(config)) == -1, 1);
	close(fd);
	close(server_fd);
	pid = fork();
	if (!pid) {
		if (setgroups(0, NULL) || setgid(1000) || setuid(1000))
			_exit(99);
		fd = open(WEIR_DEVICE, O_RDWR);
		_exit(ioctl(fd, WEIR_IOC_SERVE, &again) == -1 ? errno : 0);
	}
	waitpid(pid, &status, 0);
	is_u64("nor may a user serve", WEXITSTATUS(status), EPERM);
	serve();
}

int main(void)
{
	serve();
	first_touch();
	lists();
	no_trace();
	new_trace();
	once();
	fork_shares();
	exec_ends();
	exit_before_switch();
	exit_with_data();
	charged();
	words();
	limits();
	rights();
	close(server_fd);
	ok(parameter_becomes("sources", 1), "in the end nothing is left but the kernel's own source");
	return tap_end();
}
