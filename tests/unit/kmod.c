// SPDX-License-Identifier: GPL-2.0-only
/*
 * The daemon as the kernel module's server, with a device made by hand: a file in memory whose offsets are the
 * device's regions stands for a process, a socket for the server's descriptor.
 */
#include <sys/eventfd.h>

#include "../../lib/core/weir_glob.h"
#include "daemon.h"

#define TEST_PROCESSES 8

static const char *why;

struct test_device_process {
	struct test_program program;
	struct weir_dev_process info;
	struct weir_dev_ring consumed, switched;
	int fd, ended;
};

/* Number n is process n + 1: the first is the kernel. */
static struct {
	struct test_device_process process[TEST_PROCESSES];
	unsigned int nr;
	int server[2];
	bool busy;
	u32 nr_cpus;
	u64 counter, last_server;
	struct weir_config config;
	unsigned int published;
} test_device;

/* ---- the device -------------------------------------------------------------------------------*/

static int test_device_open(void)
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, test_device.server), 0);
	return test_device.server[0];
}

static int test_device_process(struct weir_dev_process *info)
{
	struct test_device_process *process;

	if (!info->id || info->id > test_device.nr)
		return -ENOENT;
	process = &test_device.process[info->id - 1];
	*info = process->info;
	return fcntl(process->fd, F_DUPFD_CLOEXEC, 0);
}

static struct test_device_process *test_device_find(int consumer)
{
	struct stat one, other;
	unsigned int i;

	assert_int_equal(fstat(consumer, &one), 0);
	for (i = 0; i < test_device.nr; i++) {
		assert_int_equal(fstat(test_device.process[i].fd, &other), 0);
		if (one.st_ino == other.st_ino)
			return &test_device.process[i];
	}
	fail();
	return NULL;
}

static int test_device_ioctl(int fd, unsigned long request, void *arg)
{
	struct weir_dev_serve *serve = arg;

	if (request == WEIR_IOC_CONSUMED) {
		test_device_find(fd)->consumed = *(struct weir_dev_ring *)arg;
		return 0;
	}
	if (request == WEIR_IOC_SWITCH) {
		test_device_find(fd)->switched = *(struct weir_dev_ring *)arg;
		return -ENODATA;
	}
	assert_int_equal(fd, test_device.server[0]);
	if (request == WEIR_IOC_PROCESS)
		return test_device_process(arg);
	if (request != WEIR_IOC_SERVE)
		return -ENOTTY;
	if (test_device.busy)
		return -EBUSY;
	serve->nr_cpus = test_device.nr_cpus;
	serve->counter = test_device.counter;
	serve->server = test_device.last_server;
	return 0;
}

static int test_device_publish(int fd, const struct weir_config *config)
{
	assert_int_equal(fd, test_device.server[0]);
	test_device.config = *config;
	test_device.published++;
	return 0;
}

static int test_device_ended(int consumer)
{
	return fcntl(test_device_find(consumer)->ended, F_DUPFD_CLOEXEC, 0);
}

static const struct weir_device test_device_ops = {
	.open = test_device_open,
	.ioctl = test_device_ioctl,
	.publish = test_device_publish,
	.ended = test_device_ended,
};

static void test_region(int fd, void *address, size_t size, u64 offset)
{
	void **place = address;

	*place = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, (off_t)offset);
	assert_true(*place != MAP_FAILED);
}

/* A process attaches; told of if it is not the kernel. */
static struct test_device_process *test_device_add(const char *comm, pid_t pid)
{
	struct test_device_process *process = &test_device.process[test_device.nr];
	struct weir_dev_event event = { .type = WEIR_DEV_ATTACHED };

	process->fd = memfd_create("weir-test", MFD_CLOEXEC);
	assert_int_equal(ftruncate(process->fd, (off_t)(WEIR_DEV_BUFFERS + test_buffers_size(TEST_STRIDE))), 0);
	process->ended = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	process->program.stride = TEST_STRIDE;
	test_region(process->fd, &process->program.process, test_control_size(), WEIR_DEV_PROCESS);
	test_region(process->fd, &process->program.bytes, test_buffers_size(TEST_STRIDE), WEIR_DEV_BUFFERS);
	process->program.process->schema_offset = weir_schema_offset(weir_daemon.nr_cpus);
	process->info = (struct weir_dev_process){ .id = ++test_device.nr,
						   .ring_stride = TEST_STRIDE,
						   .pid = pid,
						   .uid = geteuid(),
						   .gid = getegid() };
	snprintf(process->info.comm, sizeof(process->info.comm), "%s", comm);
	event.id = process->info.id;
	if (process->info.id != WEIR_DEV_KERNEL_ID) {
		test_describe(&process->program, "test:number");
		assert_int_equal(send(test_device.server[1], &event, sizeof(event), 0), sizeof(event));
	}
	return process;
}

static void test_device_end(struct test_device_process *process)
{
	eventfd_write(process->ended, 1);
}

static int test_device_start(void **state)
{
	struct test_device_process *kernel;

	(void)state;
	test_dir_make();
	memset(&test_device, 0, sizeof(test_device));
	weir_device = &test_device_ops;
	weir_daemon.backend = "auto";
	weir_daemon.nr_cpus = test_device.nr_cpus = (u32)sysconf(_SC_NPROCESSORS_CONF);
	kernel = test_device_add("kernel", 0);
	kernel->info.uid = kernel->info.gid = 0;
	test_describe(&kernel->program, "kernel:sched_switch");
	test_describe(&kernel->program, "kernel:sched_wakeup");
	test_describe(&kernel->program, "kernel:irq_entry");
	test_device.counter = 1ull << 40;
	test_device.last_server = 41;
	return 0;
}

static int test_device_stop(void **state)
{
	unsigned int i;

	(void)state;
	weir_registry_stop();
	test_dir_remove();
	for (i = 0; i < test_device.nr; i++) {
		munmap(test_device.process[i].program.process, test_control_size());
		munmap(test_device.process[i].program.bytes, test_buffers_size(TEST_STRIDE));
		close(test_device.process[i].fd);
		close(test_device.process[i].ended);
	}
	close(test_device.server[1]);
	return 0;
}

static void test_serve(void)
{
	assert_int_equal(weir_registry_init(test_dir, "monotonic"), 0);
	assert_string_equal(weir_daemon.backend, "kmod");
	assert_int_equal(weir_registry_start(), 0);
}

static struct weir_trace *test_enabled(const char *name, uid_t uid, bool all)
{
	struct weir_trace *trace = test_trace(name, uid, all);

	assert_int_equal(weir_trace_set_geometry(trace, 12 | 1 << 5, &why), 0);
	assert_int_equal(weir_trace_set_enabled(trace, true), 0);
	return trace;
}

static void test_holds(struct weir_source *source, struct weir_trace *trace, u64 from, u64 count)
{
	struct weir_ring_view view;
	u64 record[2], n;

	assert_int_equal(weir_source_sample(source, trace, 0, &view), 0);
	assert_int_equal(view.end - view.begin, WEIR_PACKET_FIRST + count * 16);
	for (n = 0; n < count; n++) {
		assert_int_equal(source->backend->read(source, trace->slot, 0, view.epoch,
						       view.begin + WEIR_PACKET_FIRST + n * 16, record, 16), 0);
		assert_int_equal(record[1], from + n);
	}
	assert_int_equal(source->backend->valid_from(source, trace->slot, 0, &view), view.begin);
}

/* ---- the server -------------------------------------------------------------------------------*/

/* Numbers go on above the module's, the file and the module have the same config, and at the end nothing. */
static void test_publish(void **state)
{
	struct weir_control *file;
	struct weir_trace *trace;
	int fd;

	(void)state;
	test_serve();
	assert_int_equal(test_device.config.server, 42);
	assert_true(test_device.config.flags & WEIR_CONFIG_DEVICE);
	assert_int_equal(test_device.config.nr_cpus, test_device.nr_cpus);
	trace = test_enabled("a", 0, true);
	assert_true(trace->epoch >> WEIR_EPOCH_COUNTER_SHIFT > 1ull << 40);
	assert_int_equal(test_device.config.slot[trace->slot].epoch, trace->epoch);
	fd = open(test_path("control"), O_RDONLY | O_CLOEXEC);
	file = mmap(NULL, sizeof(*file), PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	assert_true(file != MAP_FAILED);
	assert_memory_equal(&file->copy[0], &test_device.config, sizeof(test_device.config));
	weir_trace_put(trace);
	weir_registry_stop();
	assert_false(test_device.config.flags & WEIR_CONFIG_DEVICE);
	assert_false(file->copy[file->sequence & 1].flags & WEIR_CONFIG_DEVICE);
	assert_int_equal(test_device.config.slot[0].epoch, 0);
	munmap(file, sizeof(*file));
}

/* Where the module has a server, or is made for other CPUs: shared memory, unless the module was asked for. */
static void test_fall_back(void **state)
{
	(void)state;
	test_device.busy = true;
	assert_int_equal(weir_registry_init(test_dir, "monotonic"), 0);
	assert_string_equal(weir_daemon.backend, "shm");
	assert_int_equal(weir_registry_start(), 0);
	weir_registry_stop();
	assert_int_equal(test_device.published, 0);
	close(test_device.server[1]);
	weir_daemon.backend = "kmod";
	assert_int_equal(weir_registry_init(test_dir, "monotonic"), -EBUSY);
	close(test_device.server[1]);
	test_device.busy = false;
	test_device.nr_cpus++;
	weir_daemon.backend = "kmod";
	assert_int_equal(weir_registry_init(test_dir, "monotonic"), -EINVAL);
}

/* ---- processes --------------------------------------------------------------------------------*/

static void test_process(void **state)
{
	struct test_device_process *process;
	struct weir_source *source;
	struct weir_trace *trace;
	unsigned int before;

	(void)state;
	test_serve();
	trace = test_enabled("a", 0, true);
	before = test_fds();
	process = test_device_add("dev", getpid());
	weir_registry_sync();
	source = test_find("dev", getpid(), "");
	assert_non_null(source);
	assert_int_equal(source->uid, geteuid());
	assert_false(weir_source_in(source, trace));
	test_emit(&process->program, trace->slot, 0, trace->epoch, 5, 30);
	assert_true(weir_source_in(source, trace));
	assert_int_equal(source->backend->schemas(source), 1);
	test_holds(source, trace, 5, 30);
	source->backend->consume(source, trace->slot, 0, trace->epoch, 88);
	assert_int_equal(process->consumed.position, 88);
	assert_int_equal(process->consumed.epoch, trace->epoch);
	assert_int_equal(source->backend->switch_cpu(source, trace->slot, 1, trace->epoch), 0);
	assert_int_equal(process->switched.slot, trace->slot);
	assert_int_equal(process->switched.cpu, 1);
	test_device_end(process);
	test_wait(READ_ONCE(source->ended));
	test_holds(source, trace, 5, 30);
	weir_rcu_barrier();
	assert_int_equal(test_fds(), before + 2); /* the test's own: memory and end */
	weir_source_put(source);
	weir_trace_put(trace);
}

/* One by the device and one by the socket are two processes of one trace; a second one of a pid ends the first. */
static void test_beside(void **state)
{
	struct weir_source *source[2];
	struct test_program program;
	struct weir_trace *trace;

	(void)state;
	test_serve();
	trace = test_enabled("a", 0, true);
	test_device_add("dev", getppid());
	test_program_make(&program);
	test_attach(&program, "memfd");
	weir_registry_sync();
	source[0] = test_find("dev", getppid(), "");
	source[1] = test_find("memfd", getpid(), "");
	assert_non_null(source[0]);
	assert_non_null(source[1]);
	weir_source_put(source[0]);
	test_device_add("again", getpid());
	weir_registry_sync();
	assert_true(READ_ONCE(source[1]->ended));
	weir_source_put(source[1]);
	source[0] = test_find("again", getpid(), "");
	assert_non_null(source[0]);
	weir_source_put(source[0]);
	weir_trace_put(trace);
	test_program_free(&program);
}

/* Whatever it writes into its memory. */
static void test_hostile(void **state)
{
	u64 random = 88172645463325252ull, *words, size = test_control_size() / 8;
	struct test_device_process *process;
	struct weir_ring_view view;
	struct weir_source *source;
	struct weir_trace *trace;
	u8 bytes[256];
	int i;

	(void)state;
	test_serve();
	trace = test_enabled("a", 0, true);
	process = test_device_add("dev", getpid());
	weir_registry_sync();
	source = test_find("dev", getpid(), "");
	words = (u64 *)process->program.process;
	for (i = 0; i < 20000; i++) {
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		words[i % 2 ? random % size : WEIR_RINGS_OFFSET / 8 + random % 8] = i % 3 ? random : random % 8192;
		if (i % 16 == 7)
			test_ring(&process->program, trace->slot, 0)->epoch = trace->epoch;
		if (weir_source_sample(source, trace, 0, &view))
			continue;
		assert_true(view.begin <= view.end && view.end - view.begin <= weir_epoch_ring_size(trace->epoch));
		source->backend->read(source, trace->slot, 0, view.epoch, view.begin, bytes, sizeof(bytes));
		source->backend->schemas(source);
	}
	weir_source_put(source);
	weir_trace_put(trace);
}

/* ---- the kernel -------------------------------------------------------------------------------*/

static u64 test_mask(struct weir_trace *trace, const char *rules)
{
	assert_int_equal(weir_trace_set_rules(trace, rules, false, &why), 0);
	return test_device.config.slot[trace->slot].kernel;
}

static void test_kernel_rules(void **state)
{
	struct weir_trace *all, *own;

	(void)state;
	test_serve();
	all = test_enabled("all", 0, true);
	own = test_enabled("own", 4711, false);
	assert_int_equal(test_device.config.slot[all->slot].kernel, 0);
	assert_int_equal(test_mask(all, "*\n"), 0);
	assert_int_equal(test_mask(all, "*:sched_*\n"), 0);
	assert_int_equal(test_mask(all, "*\nkernel:sched_switch\n"), 1);
	assert_int_equal(test_mask(all, "kernel:*\n"), 7);
	assert_int_equal(test_mask(all, "kernel:*\n!*:sched_wakeup\n"), 5);
	assert_int_equal(test_mask(all, "!kernel:*\nkernel:irq_*\n"), 4);
	assert_int_equal(test_mask(all, "kernel:*\n!*\n"), 0);
	assert_int_equal(test_mask(own, "kernel:*\n"), 0);

	/* a module brings one more */
	assert_int_equal(test_mask(all, "kernel:*\n"), 7);
	test_describe(&test_device.process[0].program, "kernel:late");
	weir_registry_sweep();
	assert_int_equal(test_device.config.slot[all->slot].kernel, 15);
	weir_trace_put(all);
	weir_trace_put(own);
}

static void test_kernel_source(void **state)
{
	struct test_program *kernel = &test_device.process[0].program;
	struct weir_source *source;
	struct weir_trace *trace;

	(void)state;
	test_serve();
	trace = test_enabled("a", 0, true);
	source = weir_source_find("kernel");
	assert_non_null(source);
	assert_true(weir_source_is_kernel(source));
	assert_int_equal(source->dir_uid, 0);
	assert_null(weir_trace_source(trace, "kernel"));
	test_emit(kernel, trace->slot, 0, trace->epoch, 1, 3);
	weir_source_put(source);
	source = weir_trace_source(trace, "kernel");
	assert_non_null(source);
	test_holds(source, trace, 1, 3);
	weir_source_put(source);
	weir_trace_put(trace);
}

#define test_device(fn) cmocka_unit_test_setup_teardown(fn, test_device_start, test_device_stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test_device(test_publish), test_device(test_fall_back), test_device(test_process),	    test_device(test_beside),
		test_device(test_hostile), test_device(test_kernel_rules), test_device(test_kernel_source),
	};

	return test_run(tests);
}
