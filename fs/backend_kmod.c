// SPDX-License-Identifier: GPL-2.0-only
/*
 * backend_kmod: the kernel module's server. The daemon publishes its config to the module, too, and the module
 * tells of processes that attached by /dev/weir. From then on such a process is one that shares its memory
 * (backend_shm.c): its consumer's descriptor takes the place of both memfds and of the pidfd, and who it is the
 * module knows.
 *
 * The control file and the socket stay: programs that cannot open the device attach by memfds as before.
 *
 * The kernel's own rings are a source of this kind, too: the directory `kernel`. Which of its events a trace
 * records is decided here, since the module knows no globs: bit n of struct weir_slot.kernel is event n of the
 * kernel's schema log.
 */
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../lib/core/weir_glob.h"
#include "registry_i.h"

/* ---- the device -------------------------------------------------------------------------------*/

static int weir_device_open(void)
{
	int fd = open(WEIR_DEVICE, O_RDWR | O_CLOEXEC | O_NONBLOCK);

	return fd < 0 ? -errno : fd;
}

static int weir_device_ioctl(int fd, unsigned long request, void *arg)
{
	int ret = ioctl(fd, request, arg);

	return ret < 0 ? -errno : ret;
}

static int weir_device_publish(int fd, const struct weir_config *config)
{
	ssize_t n;

	do
		n = write(fd, config, sizeof(*config));
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

/* Another descriptor, for the watch closes what it watches, and readers need the memory for longer. */
static int weir_device_ended(int consumer)
{
	int fd = fcntl(consumer, F_DUPFD_CLOEXEC, 0);

	return fd < 0 ? -errno : fd;
}

static const struct weir_device weir_device_kmod = {
	.open = weir_device_open,
	.ioctl = weir_device_ioctl,
	.publish = weir_device_publish,
	.ended = weir_device_ended,
};

const struct weir_device *weir_device = &weir_device_kmod;

#define WEIR_KMOD_BATCH 4096

static void weir_kmod_event(struct weir_watch *watch);

static struct {
	struct weir_watch server; /* -1: the module is not used */
	bool busy;		  /* an event was taken and not dealt with; any thread reads it */
	struct weir_source *kernel; /* locked */
	u32 kernel_events;	    /* of which the slots know; locked */
} weir_kmod = { .server = { weir_kmod_event, -1 } };

/* ---- the server -------------------------------------------------------------------------------*/

static int weir_kmod_serve(int fd, struct weir_config *config)
{
	struct weir_dev_serve serve = { .version = WEIR_ABI_VERSION };
	int err = weir_device->ioctl(fd, WEIR_IOC_SERVE, &serve);

	if (err)
		return err;
	if (serve.nr_cpus != weir_daemon.nr_cpus)
		return -EINVAL;
	config->counter = max(config->counter, serve.counter);
	config->server = max(config->server, serve.server + 1);
	config->flags |= WEIR_CONFIG_DEVICE;
	return 0;
}

/**
 * weir_kmod_open() - become the module's server
 * @config: the private config, before it is published; says so on success, and continues above the module's numbers
 *
 * Return: 0; -ENOENT the module is not loaded; -EBUSY it has a server; -EACCES, -EPERM; -EINVAL another version.
 */
int weir_kmod_open(struct weir_config *config)
{
	int fd = weir_device->open(), err;

	if (fd < 0)
		return fd;
	err = weir_kmod_serve(fd, config);
	if (err)
		close(fd);
	else
		weir_kmod.server.fd = fd;
	return err;
}

/**
 * weir_kmod_publish() - let the module's processes see the config
 * @config: whole
 *
 * Context: locked, or before threads start. Before the file's copy is written: a program that reads there of the
 * device finds it served.
 */
void weir_kmod_publish(const struct weir_config *config)
{
	int err = weir_kmod.server.fd < 0 ? 0 : weir_device->publish(weir_kmod.server.fd, config);

	if (err)
		weir_error_add(weir_daemon.uid, "module: %s", err == -ENOMEM ? "no memory for the kernel's events" : strerror(-err));
}

/* The module tells its processes that nobody serves them, and whoever has no consumer is forgotten. */
void weir_kmod_close(void)
{
	if (weir_kmod.server.fd >= 0)
		close(weir_kmod.server.fd);
	weir_kmod.server.fd = -1;
}

/* ---- processes --------------------------------------------------------------------------------*/

static int weir_kmod_map(struct weir_hello *hello, struct weir_shm **shm)
{
	struct weir_shm_memory memory = {
		.control = hello->control,
		.buffers = hello->control,
		.control_base = WEIR_DEV_PROCESS,
		.buffers_base = WEIR_DEV_BUFFERS,
		.map_size = weir_schema_offset(weir_daemon.nr_cpus) + WEIR_SCHEMA_SIZE,
		.stride = hello->attach.ring_stride,
	};
	int err;

	memory.map = mmap(NULL, memory.map_size, PROT_READ, MAP_SHARED, hello->control, (off_t)WEIR_DEV_PROCESS);
	if (memory.map == MAP_FAILED)
		return -errno;
	err = weir_shm_new(&memory, shm);
	if (err)
		munmap(memory.map, memory.map_size);
	else
		hello->control = -1;
	return err;
}

/* What the message of a client of the socket says, said by the module. */
static int weir_kmod_hello(u64 id, struct weir_hello *hello)
{
	struct weir_dev_process process = { .id = id };
	int fd = weir_device->ioctl(weir_kmod.server.fd, WEIR_IOC_PROCESS, &process);

	if (fd < 0)
		return fd;
	*hello = (struct weir_hello){
		.attach = { .ring_stride = process.ring_stride },
		.control = fd,
		.buffers = -1,
		.pidfd = weir_device->ended(fd),
		.peer = { process.pid, process.uid, process.gid },
		.open = weir_kmod_map,
		.backend = &weir_backend_kmod,
		.kernel = id == WEIR_DEV_KERNEL_ID,
	};
	memcpy(hello->attach.comm, process.comm, sizeof(process.comm));
	return 0;
}

/* One that is gone already without having been consumed is gone. */
static void weir_kmod_attach(u64 id)
{
	struct weir_hello hello;

	if (weir_kmod_hello(id, &hello))
		return;
	weir_process_attach(&hello);
	if (hello.control >= 0)
		close(hello.control);
	if (hello.pidfd >= 0)
		close(hello.pidfd);
}

/* False: there is none. */
static bool weir_kmod_event_one(void)
{
	struct weir_dev_event event;
	ssize_t n;

	__atomic_store_n(&weir_kmod.busy, true, __ATOMIC_SEQ_CST); /* accept:A */
	n = read(weir_kmod.server.fd, &event, sizeof(event));
	if (n == (ssize_t)sizeof(event) && event.type == WEIR_DEV_ATTACHED && event.id != WEIR_DEV_KERNEL_ID)
		weir_kmod_attach(event.id);
	__atomic_store_n(&weir_kmod.busy, false, __ATOMIC_SEQ_CST); /* accept:B: the process is added */
	return n == (ssize_t)sizeof(event);
}

/**
 * weir_kmod_waiting() - may there be a process of which the module told, and that was not dealt with?
 *
 * Context: any thread. The orders as in connection.c.
 */
bool weir_kmod_waiting(void)
{
	struct pollfd queue = { .fd = weir_kmod.server.fd, .events = POLLIN };

	return queue.fd >= 0 && (poll(&queue, 1, 0) > 0 ||
				 __atomic_load_n(&weir_kmod.busy, __ATOMIC_SEQ_CST)); /* waiting:A */
}

/* With the last read, which finds nothing, the module knows that all was dealt with. Who attaches all the time
 * does not keep us here. */
void weir_kmod_drain(void)
{
	int left = WEIR_KMOD_BATCH;

	while (weir_kmod.server.fd >= 0 && left-- && weir_kmod_event_one())
		;
}

static void weir_kmod_event(struct weir_watch *watch)
{
	(void)watch;
	weir_kmod_drain();
}

/* ---- the kernel's events ----------------------------------------------------------------------*/

/**
 * weir_kmod_events() - which events of the kernel does a trace record?
 * @trace: only one that records every user's processes records any
 *
 * Context: locked.
 * Return: for struct weir_slot.kernel.
 */
u64 weir_kmod_events(const struct weir_trace *trace)
{
	struct weir_source *kernel = weir_kmod.kernel;
	u32 id, count = kernel && trace->all ? kernel->backend->schemas(kernel) : 0;
	const struct weir_class *class;
	u64 events = 0;

	for (id = 0; id < count; id++) {
		class = weir_schemas_class(&kernel->schemas, id);
		if (class && weir_rules_match_kernel(trace->rules, class->name, strlen(class->name)))
			events |= 1ull << min(id, WEIR_KERNEL_REST);
	}
	return events;
}

/* A module may bring events of its own at any time. Locked; once a second. */
void weir_kmod_sweep(void)
{
	struct weir_source *kernel = weir_kmod.kernel;
	u32 count = kernel ? kernel->backend->schemas(kernel) : 0;
	unsigned int i;

	if (count == weir_kmod.kernel_events)
		return;
	weir_kmod.kernel_events = count;
	for (i = 0; i < WEIR_SLOTS; i++)
		if (weir_registry.traces[i])
			weir_control_slot(weir_registry.traces[i]);
	weir_control_publish();
}

bool weir_source_is_kernel(const struct weir_source *source)
{
	return source == READ_ONCE(weir_kmod.kernel);
}

/**
 * weir_kmod_join() - the kernel's source is in the registry
 * @source: stays until weir_kmod_stop()
 *
 * Context: locked.
 */
void weir_kmod_join(struct weir_source *source)
{
	WRITE_ONCE(weir_kmod.kernel, source);
	weir_kmod_sweep();
}

/**
 * weir_kmod_start() - the kernel's rings become a source, and processes are listened for
 *
 * Context: the attach thread does not run yet.
 * Return: 0 or -errno.
 */
int weir_kmod_start(void)
{
	if (weir_kmod.server.fd < 0)
		return 0;
	weir_kmod_attach(WEIR_DEV_KERNEL_ID);
	return weir_watch_add(&weir_kmod.server);
}

/* Context: the attach thread has ended, its descriptors are still there. */
void weir_kmod_stop(void)
{
	pthread_mutex_lock(&weir_registry.lock);
	WRITE_ONCE(weir_kmod.kernel, NULL);
	weir_kmod.kernel_events = 0;
	pthread_mutex_unlock(&weir_registry.lock);
}
