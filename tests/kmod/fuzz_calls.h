/* SPDX-License-Identifier: GPL-2.0-only */
/* fuzz: the calls, each with arguments that are nearly right, and any_call(), which makes one of them. */
#ifndef WEIR_FUZZ_CALLS_H
#define WEIR_FUZZ_CALLS_H

#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "fuzz_any.h"

static long call_open(void)
{
	int fd = open(WEIR_DEVICE, (int)below(3) | (one_in(2) ? O_NONBLOCK : 0) | O_CLOEXEC);

	keep_fd(fd, DEVICE);
	return fd;
}

static long call_close(void)
{
	int i = 1 + (int)below(FDS - 1);
	long ret = fds[i] >= 0 ? close(fds[i]) : -1;

	fds[i] = -1;
	return ret;
}

static size_t any_size(void)
{
	switch (below(8)) {
	case 0: return control_size();
	case 1: return process_size();
	case 2: case 3: return buffers_size(PAGE << (1 + below(5)));
	case 4: return PAGE << below(8);
	case 5: return odd_number();
	default: return (1 + below(64)) * PAGE;
	}
}

static uint64_t any_offset(void)
{
	static const uint64_t offsets[] = { WEIR_DEV_CONTROL, WEIR_DEV_PROCESS, WEIR_DEV_BUFFERS };

	return one_in(8) ? odd_number() & ~(PAGE - 1) : offsets[below(3)];
}

static void forget(struct map *m)
{
	if (m->at)
		munmap(m->at, m->size);
	m->at = NULL;
}

static long keep_map(void *at, size_t size)
{
	struct map *m = any_map();

	if (at == MAP_FAILED)
		return -1;
	forget(m);
	m->size = size;
	m->at = at;
	return 0;
}

static long call_mmap(void)
{
	enum kind kind = (enum kind)below(3);
	size_t size = any_size();
	uint64_t offset = any_offset();
	int flags = one_in(8) ? MAP_PRIVATE : MAP_SHARED;
	int prot = one_in(4) ? (int)below(8) : kind == DEVICE && offset ? PROT_READ | PROT_WRITE : PROT_READ;

	if (one_in(16))
		flags |= MAP_POPULATE;
	if (!one_in(3)) {
		if (kind == STREAM) {
			offset = 0;
			size = PAGE << (1 + below(6));
		} else {
			size = offset == WEIR_DEV_CONTROL ? control_size() :
			       offset == WEIR_DEV_PROCESS ? process_size() : buffers_size(STRIDE);
		}
	}
	return keep_map(mmap(NULL, size, prot, flags, fd_of(kind), (off_t)offset), size);
}

/* What a well-behaved process would do: a part of the time, or the rest is never reached. */
static long call_attach(void)
{
	int fd = open(WEIR_DEVICE, O_RDWR | O_CLOEXEC);
	size_t buffers = buffers_size(one_in(4) ? PAGE << (1 + below(4)) : STRIDE);

	keep_map(region(fd, WEIR_DEV_PROCESS, process_size(), PROT_READ | PROT_WRITE), process_size());
	keep_map(region(fd, WEIR_DEV_CONTROL, control_size(), PROT_READ), control_size());
	keep_fd(fd, DEVICE);
	return keep_map(region(fd, WEIR_DEV_BUFFERS, buffers, PROT_READ | PROT_WRITE), buffers);
}

static long call_munmap(void)
{
	struct map *m = any_map();
	long ret;

	if (!m->at)
		return -1;
	if (one_in(3))
		return munmap(m->at + below(m->size / PAGE + 1) * PAGE, (1 + below(8)) * PAGE);
	ret = munmap(m->at, m->size);
	m->at = NULL;
	return ret;
}

static long call_mprotect(void)
{
	struct map m = *any_map();

	return mprotect(m.at, one_in(3) ? PAGE : m.size, (int)below(8));
}

static long call_mremap(void)
{
	struct map m = *any_map();
	void *at = m.at ? mremap(m.at, one_in(4) ? 0 : m.size, one_in(2) ? m.size : any_size(),
				 one_in(2) ? MREMAP_MAYMOVE : MREMAP_MAYMOVE | MREMAP_DONTUNMAP) : MAP_FAILED;

	return at == MAP_FAILED ? -1 : 0;
}

static long call_madvise(void)
{
	struct map m = *any_map();
	int advice = (int)below(26);

	return m.at ? madvise(m.at, one_in(2) ? m.size : PAGE * (1 + below(16)), advice) : -1;
}

/* An argument: a struct of the right kind with words that may be, or anything. */
static union {
	struct weir_dev_serve serve;
	struct weir_dev_process process;
	struct weir_dev_ring ring;
	struct weir_dev_subbuf subbuf;
	uint64_t words[64];
} arg;

static void fill_arg(void)
{
	size_t i;

	for (i = 0; i < 8; i++)
		arg.words[i] = one_in(2) ? odd_number() : below(8);
	if (one_in(2))
		arg.serve.version = WEIR_ABI_VERSION;
	if (one_in(2)) {
		arg.ring.slot = (uint32_t)below(WEIR_SLOTS + 2);
		arg.ring.cpu = (uint32_t)below(nr_cpus + 3);
		arg.ring.epoch = shared->epoch[arg.ring.slot % WEIR_SLOTS];
		arg.ring.position = odd_number();
	}
}

static long call_ioctl(void)
{
	static const unsigned int numbers[3][4] = {
		[DEVICE] = { WEIR_IOC_SERVE, WEIR_IOC_PROCESS, WEIR_IOC_SWITCH, WEIR_IOC_SWITCH },
		[CONSUMER] = { WEIR_IOC_STREAM, WEIR_IOC_CONSUMED, WEIR_IOC_SWITCH, WEIR_IOC_STREAM },
		[STREAM] = { WEIR_IOC_SWITCH, WEIR_IOC_SUBBUF_SNAPSHOT, WEIR_IOC_SUBBUF_GET, WEIR_IOC_SUBBUF_PUT },
	};
	enum kind kind = (enum kind)below(3);
	unsigned int number = numbers[one_in(8) ? below(3) : kind][below(4)];
	int fd = fd_of(kind);
	long ret;

	/* what GET gave is what PUT takes */
	if (number != WEIR_IOC_SUBBUF_PUT || one_in(4))
		fill_arg();
	if (one_in(10))
		number = (unsigned int)rnd();
	else if (one_in(10))
		number = _IOC(below(4), 'w', below(256), below(1 << 14));
	ret = ioctl(fd, number, one_in(12) ? (void *)any_address() : (void *)&arg);
	if (number == WEIR_IOC_STREAM || number == WEIR_IOC_PROCESS)
		keep_fd((int)ret, number == WEIR_IOC_STREAM ? STREAM : CONSUMER);
	return ret;
}

static char data[65536 * 2];
static struct weir_config bad_config;

static long call_read(void)
{
	return read(fd_of((enum kind)below(3)), one_in(8) ? any_address() : data, one_in(4) ? odd_number() : below(sizeof(data)));
}

static long call_pread(void)
{
	return pread(fd_of(CONSUMER), one_in(8) ? any_address() : data, below(sizeof(data)),
		     (off_t)(any_offset() + (one_in(2) ? odd_number() : below(1 << 20))));
}

static long call_write(void)
{
	if (is_server && one_in(2)) {
		unsigned int slot = (unsigned int)below(WEIR_SLOTS);

		config.slot[slot].epoch = one_in(4) ? 0 : weir_epoch_make(++config.counter, 12 + below(2), 1 + below(3),
									   (uint32_t)below(4) << 10);
		shared->epoch[slot] = config.slot[slot].epoch;
		config.slot[slot].flags = (uint32_t)below(4);
		config.slot[slot].kernel = one_in(2) && !quiet ? rnd() & rnd() : 0;
		if (!one_in(20)) {
			long done = write(fds[0], &config, sizeof(config));

			if (done < 0) /* one of the others below was taken, whose epochs are newer */
				memset(config.slot, 0, sizeof(config.slot));
			return done;
		}
		bad_config = config;
		((uint64_t *)&bad_config)[below(sizeof(bad_config) / 8)] = odd_number();
		for (slot = 0; quiet && slot < WEIR_SLOTS; slot++)
			bad_config.slot[slot].kernel = 0;
		return write(fds[0], &bad_config, sizeof(bad_config));
	}
	return write(any_fd(), one_in(8) ? any_address() : (char *)&config, one_in(2) ? sizeof(config) : odd_number());
}

static long call_splice(void)
{
	int p[2], flags = SPLICE_F_NONBLOCK | (int)below(16);
	long ret;

	if (pipe2(p, O_NONBLOCK))
		return -1;
	if (one_in(4)) {
		ret = write(p[1], data, 4096) > 0 ? splice(p[0], NULL, any_fd(), NULL, 4096, (unsigned int)flags) : -1;
	} else {
		ret = splice(fd_of(STREAM), NULL, p[1], NULL, one_in(4) ? odd_number() : 65536, (unsigned int)flags);
		if (ret > 0)
			read(p[0], data, below(sizeof(data)));
	}
	close(p[0]);
	close(p[1]);
	return ret;
}

static long call_vmsplice(void)
{
	struct map m = *any_map();
	struct iovec v = { m.at, PAGE * (1 + below(4)) };
	int p[2];
	long ret;

	if (!m.at || pipe2(p, O_NONBLOCK))
		return -1;
	ret = vmsplice(p[1], &v, 1, SPLICE_F_NONBLOCK | (unsigned int)below(16));
	close(p[0]);
	close(p[1]);
	return ret;
}

static long call_poll(void)
{
	struct pollfd p[3];
	int i;

	for (i = 0; i < 3; i++) {
		p[i].fd = any_fd();
		p[i].events = (short)rnd();
	}
	return poll(p, 3, 0);
}

static long call_epoll(void)
{
	struct epoll_event event = { .events = (uint32_t)rnd() };
	int e = epoll_create1(EPOLL_CLOEXEC);
	long ret = epoll_ctl(e, EPOLL_CTL_ADD, any_fd(), &event);

	epoll_wait(e, &event, 1, 0);
	close(e);
	return ret;
}

static long call_memory(void)
{
	struct iovec local = { data, 1 + below(8192) }, remote = { any_address(), local.iov_len };

	if (one_in(2))
		return process_vm_writev(getpid(), &local, 1, &remote, 1, 0);
	return process_vm_readv(getpid(), &local, 1, &remote, 1, 0);
}

static long call_lock(void)
{
	struct map m = *any_map();

	if (!m.at)
		return -1;
	return one_in(2) ? mlock(m.at, PAGE * (1 + below(16))) : munlock(m.at, m.size);
}

static long call_misc(void)
{
	int fd = any_fd();

	switch (below(8)) {
	case 0: return fsync(fd);
	case 1: return lseek(fd, (off_t)odd_number(), (int)below(5));
	case 2: return ftruncate(fd, (off_t)odd_number());
	case 3: return fallocate(fd, (int)below(4), 0, PAGE);
	case 4: return fcntl(fd, F_SETFL, one_in(2) ? O_NONBLOCK | O_ASYNC : O_NONBLOCK);
	case 5: keep_fd(fcntl(fd, F_DUPFD_CLOEXEC, 0), DEVICE); return 0;
	case 6: return syscall(__NR_msync, maps[below(MAPS)].at, PAGE, (int)below(8));
	default: return syscall(__NR_mincore, maps[below(MAPS)].at, PAGE, data);
	}
}

/* The words that a process shares, and a consumer believes or not. */
static long call_scribble(void)
{
	char *at = any_address();
	int fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	uint64_t word = odd_number();
	long ret = pwrite(fd, &word, 8, (off_t)((uintptr_t)at & ~7ul));

	close(fd);
	return ret;
}

/* Beginnings of packets in the rings of a slot, wherever this process has them: else they are passed over. */
static void write_magics(int fd, unsigned int slot, uint64_t epoch)
{
	const uint64_t rings = WEIR_SLOTS * (nr_cpus + 1), size = weir_epoch_subbuf_size(epoch), all = weir_epoch_ring_size(epoch);
	const uint32_t magic = WEIR_CTF_MAGIC;
	unsigned int i, cpu;
	uint64_t at;

	for (i = 0; i < MAPS; i++) {
		struct map m = maps[i];

		if (!m.at || m.size % rings || m.size / rings < all)
			continue;
		for (cpu = 0; cpu < nr_cpus + 1; cpu++)
			for (at = 0; at < all; at += size)
				pwrite(fd, &magic, sizeof(magic),
				       (off_t)((uintptr_t)m.at + weir_ring_index(nr_cpus, slot, cpu) * (m.size / rings) + at));
	}
}

/* What a writer would have written, nearly: there is something to consume. */
static long call_words(void)
{
	struct map m = *any_map();
	unsigned int slot = (unsigned int)below(WEIR_SLOTS), i;
	const uint64_t epoch = shared->epoch[slot], size = weir_epoch_subbuf_size(epoch);
	int fd;
	long ret = -1;

	if (!m.at || m.size != process_size() || !epoch)
		return -1;
	fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
	if (!one_in(4))
		write_magics(fd, slot, epoch);
	for (i = 0; i < nr_cpus + 1; i++) {
		struct weir_ring ring = { .epoch = epoch, .position = size * below(6) + WEIR_PACKET_FIRST + below(2000) };

		ring.claim = (ring.position + size - 1) & ~(size - 1);
		if (one_in(8))
			ring.claim = odd_number();
		ret = pwrite(fd, &ring, sizeof(ring),
			     (off_t)((uintptr_t)m.at + WEIR_RINGS_OFFSET + weir_ring_index(nr_cpus, slot, i) * sizeof(ring)));
	}
	close(fd);
	return ret;
}

static long call_consumer(void)
{
	struct weir_dev_event event;
	int fd;

	if (read(fds[0], &event, sizeof(event)) != sizeof(event) && !one_in(3))
		return -1;
	memset(&arg, 0, sizeof(arg));
	arg.process.id = one_in(3) ? below(64) : event.id;
	fd = ioctl(fds[0], WEIR_IOC_PROCESS, &arg);
	keep_fd(fd, CONSUMER);
	if (fd < 0)
		return -1;
	fill_arg();
	arg.ring.slot = (uint32_t)below(WEIR_SLOTS);
	arg.ring.cpu = (uint32_t)below(nr_cpus + 1);
	arg.ring.epoch = shared->epoch[arg.ring.slot];
	fd = ioctl(fd, WEIR_IOC_STREAM, &arg);
	keep_fd(fd, STREAM);
	return fd;
}

static const struct {
	const char *name;
	long (*call)(void);
	unsigned int weight;
} calls[] = {
	{ "open", call_open, 3 },	 { "close", call_close, 2 },	     { "mmap", call_mmap, 8 },
	{ "attach", call_attach, 4 },	 { "munmap", call_munmap, 4 },	     { "mprotect", call_mprotect, 3 },
	{ "mremap", call_mremap, 3 },	 { "madvise", call_madvise, 5 },     { "ioctl", call_ioctl, 30 },
	{ "read", call_read, 6 },	 { "pread", call_pread, 6 },	     { "write", call_write, 4 },
	{ "splice", call_splice, 5 },	 { "vmsplice", call_vmsplice, 1 },   { "poll", call_poll, 4 },
	{ "epoll", call_epoll, 1 },	 { "memory", call_memory, 3 },	     { "lock", call_lock, 1 },
	{ "misc", call_misc, 4 },	 { "scribble", call_scribble, 6 },   { "consumer", call_consumer, 8 },
	{ "words", call_words, 5 },
};
#define CALLS (sizeof(calls) / sizeof(calls[0]))

static void any_call(void)
{
	unsigned int sum = 0, pick, i;
	long ret;

	for (i = 0; i < CALLS; i++)
		sum += calls[i].weight;
	pick = (unsigned int)below(sum);
	for (i = 0; pick >= calls[i].weight; i++)
		pick -= calls[i].weight;
	ret = calls[i].call();
	__atomic_fetch_add(&shared->calls, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&shared->by[i], 1, __ATOMIC_RELAXED);
	if (ret >= 0)
		__atomic_fetch_add(&shared->good[i], 1, __ATOMIC_RELAXED);
}

#endif /* WEIR_FUZZ_CALLS_H */
