// SPDX-License-Identifier: GPL-2.0-only
/* mapping: what mmap(2) and its like may do with the three regions of /dev/weir, and with what consumers map. */
#define _GNU_SOURCE
#include <sys/uio.h>

#include "device.h"

#define STRIDE 65536ul

struct rule {
	const char *what;
	uint64_t offset;
	size_t size;
	int prot, flags, open_flags, wanted;
};

static void map_rules(void)
{
	size_t control = control_size(), process = process_size(), buffers = buffers_size(STRIDE);
	const int rw = PROT_READ | PROT_WRITE;
	const struct rule rules[] = {
		{ "control: read-only", WEIR_DEV_CONTROL, control, PROT_READ, MAP_SHARED, O_RDWR, 0 },
		{ "control: of a read-only descriptor", WEIR_DEV_CONTROL, control, PROT_READ, MAP_SHARED, O_RDONLY, 0 },
		{ "control: writable", WEIR_DEV_CONTROL, control, rw, MAP_SHARED, O_RDWR, EPERM },
		{ "control: private", WEIR_DEV_CONTROL, control, PROT_READ, MAP_PRIVATE, O_RDWR, EINVAL },
		{ "control: executable", WEIR_DEV_CONTROL, control, PROT_READ | PROT_EXEC, MAP_SHARED, O_RDWR, EPERM },
		{ "control: a page less", WEIR_DEV_CONTROL, control - PAGE, PROT_READ, MAP_SHARED, O_RDWR, EINVAL },
		{ "control: a page more", WEIR_DEV_CONTROL, control + PAGE, PROT_READ, MAP_SHARED, O_RDWR, EINVAL },
		{ "control: not from its start", PAGE, control - PAGE, PROT_READ, MAP_SHARED, O_RDWR, EINVAL },
		{ "process: writable", WEIR_DEV_PROCESS, process, rw, MAP_SHARED, O_RDWR, 0 },
		{ "process: private", WEIR_DEV_PROCESS, process, rw, MAP_PRIVATE, O_RDWR, EINVAL },
		{ "process: executable", WEIR_DEV_PROCESS, process, rw | PROT_EXEC, MAP_SHARED, O_RDWR, EPERM },
		{ "process: of a read-only descriptor", WEIR_DEV_PROCESS, process, rw, MAP_SHARED, O_RDONLY, EACCES },
		{ "process: a page less", WEIR_DEV_PROCESS, process - PAGE, rw, MAP_SHARED, O_RDWR, EINVAL },
		{ "process: a page more", WEIR_DEV_PROCESS, process + PAGE, rw, MAP_SHARED, O_RDWR, EINVAL },
		{ "process: one page", WEIR_DEV_PROCESS, PAGE, rw, MAP_SHARED, O_RDWR, EINVAL },
		{ "process: not from its start", WEIR_DEV_PROCESS + PAGE, process, rw, MAP_SHARED, O_RDWR, EINVAL },
		{ "buffers: writable", WEIR_DEV_BUFFERS, buffers, rw, MAP_SHARED, O_RDWR, 0 },
		{ "buffers: private", WEIR_DEV_BUFFERS, buffers, rw, MAP_PRIVATE, O_RDWR, EINVAL },
		{ "buffers: executable", WEIR_DEV_BUFFERS, buffers, rw | PROT_EXEC, MAP_SHARED, O_RDWR, EPERM },
		{ "buffers: of a read-only descriptor", WEIR_DEV_BUFFERS, buffers, rw, MAP_SHARED, O_RDONLY, EACCES },
		{ "buffers: one ring", WEIR_DEV_BUFFERS, STRIDE, rw, MAP_SHARED, O_RDWR, EINVAL },
		{ "buffers: a page more", WEIR_DEV_BUFFERS, buffers + PAGE, rw, MAP_SHARED, O_RDWR, EINVAL },
		{ "buffers: rings of three pages", WEIR_DEV_BUFFERS, buffers_size(3 * PAGE), rw, MAP_SHARED, O_RDWR, EINVAL },
		{ "buffers: rings of one page", WEIR_DEV_BUFFERS, buffers_size(PAGE), rw, MAP_SHARED, O_RDWR, EINVAL },
		{ "buffers: the largest rings", WEIR_DEV_BUFFERS, buffers_size(1ul << WEIR_RING_SHIFT_MAX), rw, MAP_SHARED, O_RDWR, 0 },
		{ "buffers: larger rings", WEIR_DEV_BUFFERS, buffers_size(2ul << WEIR_RING_SHIFT_MAX), rw, MAP_SHARED, O_RDWR, EINVAL },
		{ "no region", 1ull << 33, PAGE, rw, MAP_SHARED, O_RDWR, EINVAL },
		{ "behind all regions", 1ull << 50, PAGE, PROT_READ, MAP_SHARED, O_RDWR, EINVAL },
	};
	const struct rule *r;
	void *at;
	int fd;

	for (r = rules; r < rules + sizeof(rules) / sizeof(rules[0]); r++) {
		fd = open(WEIR_DEVICE, r->open_flags);
		at = (void *)IS_ERRNO(r->what, mmap(NULL, r->size, r->prot, r->flags, fd, (off_t)r->offset), r->wanted);
		if (at != MAP_FAILED)
			munmap(at, r->size);
		close(fd);
	}
}

/* Whether a mapping is whole where it was, and nowhere else. */
static void is_whole(const char *what, const volatile void *at, size_t size)
{
	char line[256], wanted[64];
	int found = 0, others = 0;
	FILE *maps = fopen("/proc/self/maps", "r");

	snprintf(wanted, sizeof(wanted), "%lx-%lx ", (unsigned long)at, (unsigned long)at + size);
	while (fgets(line, sizeof(line), maps)) {
		found += !strncmp(line, wanted, strlen(wanted));
		others += strstr(line, WEIR_DEVICE) != NULL;
	}
	fclose(maps);
	ok(found == 1 && others == 3, "%s: whole, and nowhere else", what);
}

/* A replacement of a part is refused by mm/, which has its own opinion of the errno. */
static void is_not_replaced(const char *what, char *at)
{
	void *got = mmap(at, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	ok(got == MAP_FAILED && (errno == ENOMEM || errno == EINVAL), "%s: no part is replaced", what);
}

static void change_rules(const char *what, char *at, size_t size, bool writable)
{
	char *free_range = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	char text[96];

#define RULE(text_, call, wanted) (snprintf(text, sizeof(text), "%s: %s", what, text_), IS_ERRNO(text, call, wanted))
	RULE("munmap of the first page", munmap(at, PAGE), EINVAL);
	RULE("munmap of the last page", munmap(at + size - PAGE, PAGE), EINVAL);
	RULE("munmap of a page inside", munmap(at + PAGE, PAGE), EINVAL);
	is_not_replaced(what, at + PAGE);
	RULE("mprotect of a part", mprotect(at, PAGE, PROT_NONE), EINVAL);
	RULE("mprotect to executable", mprotect(at, size, PROT_READ | PROT_EXEC), EACCES);
	if (!writable)
		RULE("mprotect to writable", mprotect(at, size, PROT_READ | PROT_WRITE), EACCES);
	RULE("mremap to elsewhere", mremap(at, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, free_range), EINVAL);
	RULE("mremap that leaves the old", mremap(at, size, size, MREMAP_MAYMOVE | MREMAP_DONTUNMAP), EINVAL);
	RULE("mremap to larger", mremap(at, size, size + PAGE, MREMAP_MAYMOVE), EFAULT);
	RULE("mremap to smaller", mremap(at, size, size - PAGE, 0), EINVAL);
	RULE("mremap of nothing, a second one", mremap(at, 0, size, MREMAP_MAYMOVE), EFAULT);
	RULE("MADV_REMOVE", madvise(at, size, MADV_REMOVE) ? -1 : 0, writable ? ENODEV : EACCES);
	RULE("MADV_FREE", madvise(at, size, MADV_FREE), EINVAL);
#undef RULE
	is_whole(what, at, size);
	munmap(free_range, size);
}

/* Writing what is not writable by other ways than storing. */
static void write_rules(const char *what, char *at)
{
	struct iovec local = { "weir", 4 }, remote = { at, 4 };
	int mem = open("/proc/self/mem", O_RDWR), fds[2];
	char text[96];

	snprintf(text, sizeof(text), "%s: /proc/self/mem", what);
	IS_ERRNO(text, pwrite(mem, "weir", 4, (off_t)(uintptr_t)at), EIO);
	close(mem);
	snprintf(text, sizeof(text), "%s: process_vm_writev", what);
	IS_ERRNO(text, process_vm_writev(getpid(), &local, 1, &remote, 1, 0), EFAULT);
	if (pipe(fds) || write(fds[1], "weir", 4) != 4)
		bail("pipe");
	snprintf(text, sizeof(text), "%s: read(2) into it", what);
	IS_ERRNO(text, read(fds[0], at, 4), EFAULT);
	close(fds[0]);
	close(fds[1]);
}

static void consumer_rules(void)
{
	struct weir_dev_process p;
	struct attach a;
	int consumer;
	char *at;

	if (attach(&a, STRIDE))
		bail("attach");
	consumer = next_process(getpid(), &p);
	ok(consumer >= 0, "a consumer's descriptor");
	is_u64("it says the stride", p.ring_stride, STRIDE);
	is_u64("and the process", p.pid, getpid());
	IS_ERRNO("consumer: process, writable", region(consumer, WEIR_DEV_PROCESS, process_size(), PROT_WRITE), EACCES);
	IS_ERRNO("consumer: buffers, writable", region(consumer, WEIR_DEV_BUFFERS, buffers_size(STRIDE), PROT_WRITE), EACCES);
	IS_ERRNO("consumer: buffers, of another size", region(consumer, WEIR_DEV_BUFFERS, STRIDE, PROT_READ), EINVAL);
	IS_ERRNO("consumer: control", region(consumer, WEIR_DEV_CONTROL, control_size(), PROT_READ), EINVAL);
	IS_ERRNO("consumer: private", mmap(NULL, process_size(), PROT_READ, MAP_PRIVATE, consumer, WEIR_DEV_PROCESS), EINVAL);
	at = region(consumer, WEIR_DEV_BUFFERS, buffers_size(STRIDE), PROT_READ);
	ok(at != MAP_FAILED, "consumer: buffers");
	IS_ERRNO("consumer: mprotect to writable", mprotect(at, buffers_size(STRIDE), PROT_READ | PROT_WRITE), EACCES);
	IS_ERRNO("consumer: munmap of a part", munmap(at, PAGE), EINVAL);
	write_rules("consumer: buffers", at);
	munmap(at, buffers_size(STRIDE));
	close(consumer);
	detach(&a);
}

int main(void)
{
	struct attach a;
	struct weir_dev_process p;

	serve();
	map_rules();
	/* of those that were mapped, the server hears, too */
	close(server_fd);
	serve();
	if (attach(&a, STRIDE))
		bail("attach");
	close(next_process(getpid(), &p));
	change_rules("control", (char *)a.control, control_size(), false);
	change_rules("process", (char *)a.process, process_size(), true);
	change_rules("buffers", (char *)a.buffers, buffers_size(STRIDE), true);
	write_rules("control", (char *)a.control);
	detach(&a);
	close(server_fd);
	serve();
	consumer_rules();
	close(server_fd);
	return tap_end();
}
