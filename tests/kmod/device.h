/* SPDX-License-Identifier: GPL-2.0-only */
/* device.h: what the programs that try /dev/weir share. TAP; a process's three regions; a server; counters. */
#ifndef WEIR_TEST_DEVICE_H
#define WEIR_TEST_DEVICE_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <weir/abi.h>

#define PAGE 4096ul

/* ---- TAP --------------------------------------------------------------------------------------*/

static int tap_nr, tap_failed;

static bool __attribute__((format(printf, 2, 3))) ok(bool good, const char *format, ...)
{
	va_list args;

	printf("%sok %d - ", good ? "" : "not ", ++tap_nr);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
	tap_failed += !good;
	return good;
}

/* A call's errno, 0 for success. */
static inline void is_errno(const char *what, long result, int error, int wanted)
{
	int got = result == -1 ? error : 0;

	if (!ok(got == wanted, "%s: %s", what, wanted ? strerrorname_np(wanted) : "succeeds"))
		printf("# got: %s\n", got ? strerrorname_np(got) : "success");
}

/* The call is made before errno is read. */
#define IS_ERRNO(what, call, wanted)                             \
	({                                                       \
		long result_ = (long)(call);                     \
		is_errno(what, result_, errno, wanted);          \
		result_;                                         \
	})

static inline void is_u64(const char *what, uint64_t got, uint64_t wanted)
{
	if (!ok(got == wanted, "%s", what))
		printf("# got: %llu, wanted: %llu\n", (unsigned long long)got, (unsigned long long)wanted);
}

static inline int tap_end(void)
{
	printf("1..%d\n", tap_nr);
	return tap_failed ? 1 : 0;
}

static inline void __attribute__((noreturn)) bail(const char *what)
{
	printf("Bail out! %s: %s\n", what, strerror(errno));
	exit(99);
}

/* ---- the module -------------------------------------------------------------------------------*/

#define PARAMETERS "/sys/module/weir/parameters/"

static inline long number_in(const char *path)
{
	char text[32] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		bail(path);
	close(fd);
	return atol(text);
}

static inline void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		bail(path);
	close(fd);
}

static inline long parameter(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), PARAMETERS "%s", name);
	return number_in(path);
}

static inline void parameter_set(const char *name, long value)
{
	char path[128], text[32];

	snprintf(path, sizeof(path), PARAMETERS "%s", name);
	snprintf(text, sizeof(text), "%ld", value);
	put(path, text);
}

/* What is freed is freed by workers and after grace periods: 60 s is the hang guard. */
static inline bool parameter_becomes(const char *name, long value)
{
	int i;

	for (i = 0; i < 6000; i++) {
		if (parameter(name) == value)
			return true;
		usleep(10000);
	}
	printf("# %s: %ld, wanted %ld\n", name, parameter(name), value);
	return false;
}

/* ---- a process's side -------------------------------------------------------------------------*/

static unsigned int nr_cpus;

static inline size_t control_size(void)
{
	return (sizeof(struct weir_control) + PAGE - 1) & ~(PAGE - 1);
}

static inline size_t process_size(void)
{
	return weir_schema_offset(nr_cpus) + WEIR_SCHEMA_SIZE;
}

static inline size_t buffers_size(size_t stride)
{
	return (size_t)WEIR_SLOTS * (nr_cpus + 1) * stride;
}

struct attach {
	int fd;
	size_t stride;
	volatile struct weir_control *control;
	struct weir_process *process;
	volatile char *buffers;
};

static inline void *region(int fd, uint64_t offset, size_t size, int prot)
{
	return mmap(NULL, size, prot, MAP_SHARED, fd, (off_t)offset);
}

/* 0 or -errno. */
static inline int attach(struct attach *a, size_t stride)
{
	void *control, *process, *buffers;

	memset(a, 0, sizeof(*a));
	a->fd = open(WEIR_DEVICE, O_RDWR | O_CLOEXEC);
	if (a->fd < 0)
		return -errno;
	control = region(a->fd, WEIR_DEV_CONTROL, control_size(), PROT_READ);
	if (control == MAP_FAILED)
		return -errno;
	a->control = control;
	process = region(a->fd, WEIR_DEV_PROCESS, process_size(), PROT_READ | PROT_WRITE);
	if (process == MAP_FAILED)
		return -errno;
	a->process = process;
	buffers = region(a->fd, WEIR_DEV_BUFFERS, buffers_size(stride), PROT_READ | PROT_WRITE);
	if (buffers == MAP_FAILED)
		return -errno;
	a->buffers = buffers;
	a->stride = stride;
	a->process->magic = WEIR_PROCESS_MAGIC;
	a->process->version = WEIR_ABI_VERSION;
	a->process->nr_cpus = nr_cpus;
	a->process->ring_stride = stride;
	a->process->schema_offset = weir_schema_offset(nr_cpus);
	a->process->schema_size = WEIR_SCHEMA_SIZE;
	return 0;
}

static inline void detach(struct attach *a)
{
	if (a->control)
		munmap((void *)a->control, control_size());
	if (a->process)
		munmap(a->process, process_size());
	if (a->buffers)
		munmap((void *)a->buffers, buffers_size(a->stride));
	close(a->fd);
}

static inline struct weir_ring *ring_of(struct weir_process *process, unsigned int slot, unsigned int cpu)
{
	return (struct weir_ring *)((char *)process + WEIR_RINGS_OFFSET) + weir_ring_index(nr_cpus, slot, cpu);
}

static inline volatile char *bytes_of(const struct attach *a, unsigned int slot, unsigned int cpu)
{
	return a->buffers + weir_ring_index(nr_cpus, slot, cpu) * a->stride;
}

/* ---- the server's side ------------------------------------------------------------------------*/

static int server_fd = -1;
static struct weir_dev_serve served;
static struct weir_config config;

static inline void publish(void)
{
	if (write(server_fd, &config, sizeof(config)) != (ssize_t)sizeof(config))
		bail("publish");
}

/* Puts a trace into a slot; its epoch. */
static inline uint64_t put_trace(unsigned int slot, unsigned int subbuf_shift, unsigned int count_shift, uint32_t flags)
{
	config.slot[slot].epoch = weir_epoch_make(++config.counter, subbuf_shift, count_shift, flags);
	config.slot[slot].flags = WEIR_SLOT_ENABLED | WEIR_SLOT_ALL;
	publish();
	return config.slot[slot].epoch;
}

static inline void take_trace(unsigned int slot)
{
	memset(&config.slot[slot], 0, sizeof(config.slot[slot]));
	publish();
}

static inline void serve(void)
{
	served.version = WEIR_ABI_VERSION;
	server_fd = open(WEIR_DEVICE, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (server_fd < 0 || ioctl(server_fd, WEIR_IOC_SERVE, &served))
		bail("serve");
	nr_cpus = served.nr_cpus;
	memset(&config, 0, sizeof(config));
	config.server = served.server + 1;
	config.nr_cpus = nr_cpus;
	config.nr_slots = WEIR_SLOTS;
	config.counter = served.counter;
	config.flags = WEIR_CONFIG_DEVICE;
	publish();
}

/* The next that the module has told, 60 s at most. A read(2) that finds none tells it that the last was dealt with. */
static inline bool next_event(struct weir_dev_event *event, bool wait)
{
	static struct weir_dev_event kept;
	struct pollfd pfd = { .fd = server_fd, .events = POLLIN };

	if (wait && kept.id) {
		*event = kept;
		kept.id = 0;
		return true;
	}
	if (wait && poll(&pfd, 1, 60000) != 1)
		bail("next event");
	if (read(server_fd, event, sizeof(*event)) != sizeof(*event))
		return false;
	if (!wait)
		kept = *event;
	return true;
}

/* The consumer's descriptor of a process that attached, and what the module says of it; others are let go. */
static inline int next_process(pid_t pid, struct weir_dev_process *p)
{
	struct weir_dev_event event;
	int consumer;

	for (;;) {
		if (!next_event(&event, true))
			bail("next process");
		memset(p, 0, sizeof(*p));
		p->id = event.id;
		consumer = ioctl(server_fd, WEIR_IOC_PROCESS, p);
		next_event(&event, false);
		if (consumer >= 0 && p->id != WEIR_DEV_KERNEL_ID && p->pid == pid)
			return consumer;
		close(consumer);
	}
}

static inline bool has_ended(int consumer)
{
	struct pollfd pfd = { .fd = consumer, .events = POLLIN };

	return poll(&pfd, 1, 0) == 1 && pfd.revents & POLLHUP;
}

static inline bool ends(int consumer)
{
	struct pollfd pfd = { .fd = consumer, .events = POLLIN };

	return poll(&pfd, 1, 60000) == 1 && pfd.revents & POLLHUP;
}

/* The frame under an address, by /proc/self/pagemap; 0: none. */
static inline uint64_t frame_at(const volatile void *address)
{
	uint64_t entry = 0;
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);

	if (fd < 0 || pread(fd, &entry, 8, (off_t)((uintptr_t)address / PAGE * 8)) != 8)
		bail("pagemap");
	close(fd);
	return entry >> 63 ? entry & ((1ull << 55) - 1) : 0;
}

#endif /* WEIR_TEST_DEVICE_H */
