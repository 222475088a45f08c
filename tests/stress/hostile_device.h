/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hostile_device.h: part of hostile_writer.c. A hostile process that attached by the kernel module misuses what it
 * has of /dev/weir: a descriptor, the tracing control, its two regions. What must not be allowed, and was, ends it.
 */
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/uio.h>

#define CONTROL_SIZE ((sizeof(struct weir_control) + 4095) & ~(size_t)4095)
#define AGAIN_MAX 2

static int device = -1;
static char *device_control;

static void *device_map(u64 offset, size_t size, int prot)
{
	void *map = mmap(NULL, size, prot, MAP_SHARED | MAP_NORESERVE, device, (off_t)offset);

	if (map == MAP_FAILED)
		die("mmap of " WEIR_DEVICE);
	return map;
}

static void place(void *map)
{
	process = map;
	rings = (struct weir_ring *)((char *)process + WEIR_RINGS_OFFSET);
	schema = (char *)process + weir_schema_offset(nr_cpus);
}

/* With the buffers it is attached; what the daemon looks for first is there by then. */
static void device_attach(void)
{
	device = open(WEIR_DEVICE, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (device < 0)
		die(WEIR_DEVICE);
	device_control = device_map(WEIR_DEV_CONTROL, CONTROL_SIZE, PROT_READ);
	place(device_map(WEIR_DEV_PROCESS, control_size, PROT_READ | PROT_WRITE));
	good_process();
	good_schema();
	buffers = device_map(WEIR_DEV_BUFFERS, buffers_size, PROT_READ | PROT_WRITE);
	all_good();
}

static void denied(const char *what, long ret)
{
	if (ret == -1)
		return;
	fprintf(stderr, "hostile_writer: %s: allowed\n", what);
	_exit(1);
}

#define DENIED(call) denied(#call, (long)(call))

static void *device_mmap(u64 offset, size_t size, int prot, int flags)
{
	return mmap(NULL, size, prot, flags, device, (off_t)offset);
}

static void denied_maps(void)
{
	const int rw = PROT_READ | PROT_WRITE;

	DENIED(device_mmap(WEIR_DEV_CONTROL, CONTROL_SIZE, rw, MAP_SHARED));
	DENIED(device_mmap(WEIR_DEV_CONTROL, CONTROL_SIZE, PROT_READ | PROT_EXEC, MAP_SHARED));
	DENIED(device_mmap(WEIR_DEV_CONTROL, CONTROL_SIZE, PROT_READ, MAP_PRIVATE));
	DENIED(device_mmap(WEIR_DEV_PROCESS, control_size, rw, MAP_PRIVATE));
	DENIED(device_mmap(WEIR_DEV_PROCESS, control_size + 4096, rw, MAP_SHARED));
	DENIED(device_mmap(WEIR_DEV_PROCESS + 4096, control_size - 4096, rw, MAP_SHARED));
	DENIED(device_mmap(WEIR_DEV_BUFFERS, buffers_size / 2, rw, MAP_SHARED));
	DENIED(device_mmap(WEIR_DEV_BUFFERS, buffers_size, rw, MAP_PRIVATE));
	DENIED(device_mmap(below(1ull << 50) << 12 | 1ull << 12, 4096, PROT_READ, MAP_SHARED));
}

static void denied_changes(void)
{
	char *part = buffers + below(buffers_size / 4096 - 2) * 4096;

	DENIED(munmap(part, 4096));
	DENIED(munmap((char *)process + 4096, 4096));
	DENIED(mprotect(part + 4096, 4096, PROT_READ));
	DENIED(mremap(buffers, buffers_size, buffers_size + 4096, MREMAP_MAYMOVE));
	DENIED(mremap(buffers, buffers_size, buffers_size - 4096, 0));
	DENIED(mremap(process, 0, control_size, MREMAP_MAYMOVE));
	DENIED(ftruncate(device, 0));
	DENIED(fallocate(device, 0, 0, 4096));
	DENIED(madvise(buffers, buffers_size, MADV_REMOVE));
}

/* The tracing control, and whatever else only the server may. */
static void denied_writes(void)
{
	static const char zeros[4096];
	char *at = device_control + below(CONTROL_SIZE / 8) * 8;
	struct iovec from = { (void *)zeros, 8 }, to = { at, 8 };
	int mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC), zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	struct weir_dev_serve serve = { .version = WEIR_ABI_VERSION };
	struct weir_dev_process of = { .id = below(64) };
	struct weir_dev_event event;

	DENIED(mprotect(device_control, CONTROL_SIZE, PROT_READ | PROT_WRITE));
	DENIED(pwrite(mem, zeros, 8, (off_t)(uintptr_t)at));
	DENIED(process_vm_writev(getpid(), &from, 1, &to, 1, 0));
	DENIED(read(zero, at, 8));
	DENIED(write(device, device_control + 4096, sizeof(struct weir_config)));
	DENIED(write(device, zeros, sizeof(zeros)));
	DENIED(read(device, &event, sizeof(event)));
	DENIED(ioctl(device, WEIR_IOC_SERVE, &serve));
	DENIED(ioctl(device, WEIR_IOC_PROCESS, &of));
	close(mem);
	close(zero);
}

static void device_denied(void)
{
	static void (*const all[])(void) = { denied_maps, denied_changes, denied_writes };

	all[below(3)]();
}

/* Switches of its own rings, right and wrong, and calls that are none. */
static void device_calls(void)
{
	struct weir_dev_ring ring = { .slot = some_slot(), .cpu = (unsigned int)below(nr_cpus + 1) };
	void *const elsewhere[] = { NULL, device_control, buffers + below(buffers_size), (char *)process + below(4096),
				    (void *)-8ul };
	unsigned int number = WEIR_IOC_SWITCH;

	if (device < 0)
		return;
	ring.epoch = below(4) ? epoch_of(ring.slot) : wrong(epoch_of(ring.slot));
	if (!below(4))
		ring.cpu = (unsigned int)wrong(ring.cpu);
	if (!below(4))
		ring.slot = (unsigned int)wrong(ring.slot);
	if (!below(4))
		number = _IOC(below(4), 'w', 0x82 + below(64), below(1 << 13)); /* SERVE and PROCESS: denied_writes() */
	ioctl(device, number, below(8) ? (void *)&ring : elsewhere[below(5)]);
}

static void device_pages(void)
{
	static const int advice[] = { MADV_DONTNEED, MADV_WILLNEED, MADV_COLD, MADV_PAGEOUT, MADV_POPULATE_WRITE,
				      MADV_FREE, MADV_MERGEABLE, MADV_HUGEPAGE, MADV_DONTFORK, MADV_DOFORK };
	char *at = below(4) ? ring_bytes(some_slot(), (unsigned int)below(nr_cpus + 1)) : (char *)process;
	size_t len = (1 + below(64)) * 4096;

	madvise(at, len, advice[below(sizeof(advice) / sizeof(advice[0]))]);
	if (!below(4)) {
		mlock(at, len);
		munlock(at, len);
	}
}

/* Scribbles into memory that its parent is about to let go of. */
static pid_t device_child(void)
{
	pid_t pid = fork();
	unsigned int i;

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (i = 0; i < 200; i++) {
		ring_word();
		packet_head();
		record_bytes();
	}
	_exit(0);
}

/* One region goes and comes back with what was in it, for the other one keeps the process attached. */
static void device_remap(void)
{
	pid_t child;

	if (device < 0)
		return;
	child = below(4) ? -1 : device_child();
	if (below(2)) {
		munmap(process, control_size);
		place(device_map(WEIR_DEV_PROCESS, control_size, PROT_READ | PROT_WRITE));
	} else {
		munmap(buffers, buffers_size);
		buffers = device_map(WEIR_DEV_BUFFERS, buffers_size, PROT_READ | PROT_WRITE);
	}
	if (child > 0) {
		if (below(2))
			kill(child, SIGKILL);
		waitpid(child, NULL, 0);
	}
}

/* Attaches once more: after it has let go of all, which ends what it was, or beside it. */
static void device_again(void)
{
	static unsigned int times;

	if (device < 0 || times++ == AGAIN_MAX)
		return;
	if (below(2)) {
		munmap(process, control_size);
		munmap(buffers, buffers_size);
		munmap(device_control, CONTROL_SIZE);
		DENIED(device_mmap(WEIR_DEV_PROCESS, control_size, PROT_READ | PROT_WRITE, MAP_SHARED));
	}
	close(device);
	device_attach();
}
