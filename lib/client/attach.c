// SPDX-License-Identifier: LGPL-2.1-only
/*
 * attach: the three mappings of the RFC "Userspace tracing memory mappings" (2008-01-23), shared memory
 * flavour, and the one message that tells the daemon of them. The kernel module's flavour: device.c.
 *
 * The buffers are reserved once, at one address for the life of the process. When the process attaches again
 * (after fork; to another daemon) fresh memory is mapped over the old in one step. Other threads may be inside
 * an append then. That is safe: the fresh ring has epoch 0, an append that passed its compares on the old
 * memory stores nothing but bytes, claim and position, and the next append resets the ring before it is used:
 * it runs on the same CPU, so it has aborted the other one first.
 *
 * After the message no descriptor is kept. Nothing is waited for.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "client_i.h"
#include "raw.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8u
#endif

#define WEIR_STRIDE_SHIFT_MIN 20u

/* ---- memory -----------------------------------------------------------------------------------*/

/* Making a file larger than RLIMIT_FSIZE would end the program by SIGXFSZ. */
static bool weir_size_allowed(size_t size)
{
	struct rlimit limit;

	return !getrlimit(RLIMIT_FSIZE, &limit) && (limit.rlim_cur == RLIM_INFINITY || size <= limit.rlim_cur);
}

/* A memfd of a size that nobody can change: the daemon insists, for its own mapping must not fault. */
static int weir_memfd(const char *name, size_t size)
{
	int fd;

	if (!weir_size_allowed(size))
		return -EFBIG;
	fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
	if (fd < 0 && errno == EINVAL) /* before Linux 6.3 */
		fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)size) || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)) {
		int err = -errno;

		weir_sys_close(fd);
		return err;
	}
	return fd;
}

static size_t weir_buffers_size(void)
{
	return WEIR_SLOTS * ((size_t)weir_client_state.nr_cpus + 1) << weir_client_state.stride_shift;
}

/* Address space for 16 slots x CPUs of the largest rings; where that is limited (RLIMIT_AS, RLIMIT_FSIZE), of
 * smaller ones. */
static int weir_reserve(u32 nr_cpus)
{
	struct weir_client_state *c = &weir_client_state;
	unsigned int n;
	void *p = MAP_FAILED;

	c->nr_cpus = nr_cpus;
	for (c->stride_shift = WEIR_RING_SHIFT_MAX; c->stride_shift >= WEIR_STRIDE_SHIFT_MIN; c->stride_shift--) {
		if (!weir_size_allowed(weir_buffers_size()))
			continue;
		p = mmap(NULL, weir_buffers_size(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (p != MAP_FAILED)
			break;
	}
	if (p == MAP_FAILED)
		return -ENOMEM;
	c->buffers = p;
	c->buffers_size = weir_buffers_size();
	c->process_size = weir_schema_offset(nr_cpus) + WEIR_SCHEMA_SIZE;
	for (n = 0; n < WEIR_SLOTS; n++)
		c->slot[n].data = c->buffers + ((size_t)n * (nr_cpus + 1) << c->stride_shift);
	return 0;
}

void weir_fill_process(struct weir_process *process, const struct weir_config *config)
{
	const struct weir_process *old = weir_client_state.process;

	process->magic = WEIR_PROCESS_MAGIC;
	process->version = WEIR_ABI_VERSION;
	process->nr_cpus = config->nr_cpus;
	process->ring_stride = 1ull << weir_client_state.stride_shift;
	process->schema_offset = weir_schema_offset(config->nr_cpus);
	process->schema_size = WEIR_SCHEMA_SIZE;
	process->server = config->server;
	memcpy(process->comm, weir_client_state.comm, sizeof(weir_client_state.comm));
	if (old) {
		memcpy((char *)process + process->schema_offset, (const char *)old + process->schema_offset,
		       weir_client_state.schema_bytes);
		process->schema_bytes = weir_client_state.schema_bytes;
	}
}

/* The first one: it stays where it is. A fork in between finds none. */
void weir_client_place(struct weir_process *process)
{
	struct weir_client_state *c = &weir_client_state;
	unsigned int n;

	for (n = 0; n < WEIR_SLOTS; n++)
		c->slot[n].ring = (struct weir_ring *)((char *)process + WEIR_RINGS_OFFSET) +
				  weir_ring_index(c->nr_cpus, n, 0);
	__atomic_store_n(&c->process, process, __ATOMIC_RELEASE);
}

/* Is any of the buffers accessible? */
bool weir_client_accesses(void)
{
	size_t any = 0;
	unsigned int n;

	for (n = 0; n < WEIR_SLOTS; n++)
		any |= weir_client_state.accessible[n];
	return any;
}

/* All of them are. */
void weir_client_accessible(void)
{
	unsigned int n;

	for (n = 0; n < WEIR_SLOTS; n++)
		weir_client_state.accessible[n] = (size_t)1 << weir_client_state.stride_shift;
}

/* All of them are, but only some were meant to be. Nobody appends to the rest. */
static void weir_buffers_protect(void)
{
	struct weir_client_state *c = &weir_client_state;
	char *at = c->buffers, *rest = at, *end = at + c->buffers_size;
	size_t used;
	u32 i;

	for (i = 0; at < end; i++, at += (size_t)1 << c->stride_shift) {
		used = c->accessible[i / (c->nr_cpus + 1)];
		if (used && at > rest)
			mprotect(rest, (size_t)(at - rest), PROT_NONE);
		if (used)
			rest = at + used;
	}
	if (end > rest)
		mprotect(rest, (size_t)(end - rest), PROT_NONE);
}

/*
 * The buffers over what was there. Those in use stay accessible throughout, so for a moment all are: after
 * mlockall(MCL_FUTURE) the kernel would at once populate every page of a mapping that is accessible when it is made,
 * gigabytes. Hence elsewhere first, inaccessible, then not locked, then accessible, still one mapping, for only one can
 * be moved; where there is not address space enough, straight.
 */
static int weir_map_buffers(int fd)
{
	const int flags = MAP_SHARED | MAP_NORESERVE, prot = PROT_READ | PROT_WRITE;
	struct weir_client_state *c = &weir_client_state;
	const size_t size = c->buffers_size;
	void *new;

	if (!weir_client_accesses())
		return mmap(c->buffers, size, PROT_NONE, flags | MAP_FIXED, fd, 0) == MAP_FAILED ? -ENOMEM : 0;
	new = mmap(NULL, size, PROT_NONE, flags, fd, 0);
	if (new != MAP_FAILED && (munlock(new, size) || mprotect(new, size, prot) ||
				  mremap(new, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, c->buffers) == MAP_FAILED)) {
		munmap(new, size);
		new = MAP_FAILED;
	}
	if (new == MAP_FAILED && mmap(c->buffers, size, prot, flags | MAP_FIXED, fd, 0) == MAP_FAILED)
		return -ENOMEM;
	weir_buffers_protect();
	return 0;
}

/* Maps the two over what was there, the buffers first. An append between the two steps puts bytes into the new
 * buffers and its position into the old ring, which only a daemon that is gone would read; in a fork child, whose
 * parent's ring it would be, nothing else runs: see weir_client_forked(). */
static int weir_map(int control_fd, int buffers_fd, const struct weir_config *config)
{
	struct weir_client_state *c = &weir_client_state;
	struct weir_process *process;
	int err;

	process = mmap(NULL, c->process_size, PROT_READ | PROT_WRITE, MAP_SHARED, control_fd, 0);
	if (process == MAP_FAILED)
		return -errno;
	weir_fill_process(process, config);
	err = weir_map_buffers(buffers_fd);
	if (err) {
		munmap(process, c->process_size);
		return err;
	}
	madvise(c->buffers, c->buffers_size, MADV_DONTDUMP);
	c->whole = false;
	if (!c->process) {
		weir_client_place(process);
	} else if (mremap(process, c->process_size, c->process_size, MREMAP_MAYMOVE | MREMAP_FIXED, c->process) ==
		   MAP_FAILED) {
		/* nothing may be left there */
		if (mmap(c->process, c->process_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, control_fd, 0) ==
		    MAP_FAILED)
			err = -errno;
		munmap(process, c->process_size);
	}
	if (err)
		return err;
	madvise(c->process, c->process_size, MADV_DONTDUMP);
	return 0;
}

/**
 * weir_client_detach() - let go of a parent's memory
 *
 * A fork child that could not attach has no rings of its own, and must not be able to write its parent's: it may
 * be less trusted than that by now. Private memory takes the place of all of it. An append that a signal handler
 * interrupted before the fork finds epoch 0 there. The log is kept, for the next try.
 *
 * Context: a fork child, as weir_client_forked().
 */
void weir_client_detach(void)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, prot = PROT_READ | PROT_WRITE;
	struct weir_client_state *c = &weir_client_state;
	size_t log = weir_schema_offset(c->nr_cpus);
	char *process = mmap(NULL, c->process_size, prot, flags, -1, 0);

	weir_device_leave();
	if (weir_client_accesses() &&
	    mmap(c->buffers, c->buffers_size, prot, flags | MAP_FIXED, -1, 0) != MAP_FAILED)
		weir_buffers_protect();
	else
		mmap(c->buffers, c->buffers_size, PROT_NONE, flags | MAP_FIXED, -1, 0);
	c->whole = false;
	if (process == MAP_FAILED)
		return;
	memcpy(process + log, (const char *)c->process + log, c->schema_bytes);
	mremap(process, c->process_size, c->process_size, MREMAP_MAYMOVE | MREMAP_FIXED, c->process);
}

/* ---- the message ------------------------------------------------------------------------------*/

static bool weir_peer_is_trusted(int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) && (peer.uid == 0 || peer.uid == geteuid());
}

static int weir_send(int fd, int control_fd, int buffers_fd)
{
	struct weir_attach attach = {
		.magic = WEIR_ATTACH_MAGIC,
		.version = WEIR_ABI_VERSION,
		.nr_cpus = weir_client_state.nr_cpus,
		.ring_stride = 1ull << weir_client_state.stride_shift,
	};
	struct iovec iov = { &attach, sizeof(attach) };
	union {
		char buf[CMSG_SPACE(2 * sizeof(int))];
		struct cmsghdr align;
	} cmsg = { .align = { .cmsg_len = CMSG_LEN(2 * sizeof(int)),
			      .cmsg_level = SOL_SOCKET,
			      .cmsg_type = SCM_RIGHTS } };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = cmsg.buf,
		.msg_controllen = sizeof(cmsg.buf),
	};
	int fds[2] = { control_fd, buffers_fd };

	memcpy(attach.comm, weir_client_state.comm, sizeof(weir_client_state.comm));
	memcpy(CMSG_DATA(&cmsg.align), fds, sizeof(fds));
	return weir_sys_sendmsg(fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)sizeof(attach) ? 0 : -errno;
}

static int weir_tell_daemon(int control_fd, int buffers_fd)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd, err;

	if (snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/socket", weir_client_state.rundir) >=
	    (int)sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (weir_sys_connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
		err = -errno;
	else if (!weir_peer_is_trusted(fd))
		err = -EPERM;
	else
		err = weir_send(fd, control_fd, buffers_fd);
	weir_sys_close(fd);
	return err;
}

/* ---- attach -----------------------------------------------------------------------------------*/

/* Sites that were listed before there was a log. */
static void weir_describe_all(void)
{
	struct weir_site *site;

	for (site = weir_client_state.sites; site; site = site->next)
		weir_schema_add(site);
}

/* Memory is in place, but nothing of this config has been recorded yet. */
static void weir_client_begin(const struct weir_config *config)
{
	struct weir_client_state *c = &weir_client_state;

	if (!c->described)
		weir_describe_all();
	c->described = true;
	/* other threads may read one old and one new: their records have an epoch that only the last daemon reads */
	WRITE_ONCE(c->clock_base, config->clock.base);
	WRITE_ONCE(c->clock_mult, config->clock.type == WEIR_CLOCK_TSC ? config->clock.mult : 0);
	WRITE_ONCE(weir_client_2.emit, c->clock_mult ? weir_client_emit_tsc : weir_client_emit);
	WRITE_ONCE(weir_client_2.finish, c->clock_mult ? weir_client_finish_tsc : weir_client_finish);
	WRITE_ONCE(weir_client_alive.nr_cpus, READ_ONCE(weir_client_alive.alive) ? c->nr_cpus : 0);
}

static int weir_attach_memfds(const struct weir_config *config)
{
	struct weir_client_state *c = &weir_client_state;
	int control_fd, buffers_fd, err;

	control_fd = weir_memfd("weir-control", c->process_size);
	if (control_fd < 0)
		return control_fd;
	buffers_fd = weir_memfd("weir-buffers", c->buffers_size);
	if (buffers_fd < 0) {
		err = buffers_fd;
		goto close_control;
	}
	err = weir_map(control_fd, buffers_fd, config);
	if (err)
		goto close_buffers;
	weir_client_begin(config);
	err = weir_tell_daemon(control_fd, buffers_fd);
close_buffers:
	weir_sys_close(buffers_fd);
close_control:
	weir_sys_close(control_fd);
	return err;
}

static int weir_attach_device(const struct weir_config *config)
{
	int err;

	if (!(config->flags & WEIR_CONFIG_DEVICE))
		return -ENODEV;
	err = weir_device_attach(config);
	if (err)
		weir_client_debug("%s: cannot attach: %s; by shared memory then", WEIR_DEVICE, strerror(-err));
	else
		weir_client_begin(config);
	return err;
}

/**
 * weir_client_attach() - make the buffers, and tell the daemon
 * @config: as read from the tracing control
 *
 * Context: client.lock; any, also a fork child and signal handlers. System calls: two memfds, their mappings,
 * one message; or the device and its mappings.
 *
 * Return: 0, or -errno: nobody reads, so nothing must be recorded.
 */
int weir_client_attach(const struct weir_config *config)
{
	struct weir_client_state *c = &weir_client_state;
	int err = 0;

	c->server = 0;
	c->uid = geteuid(); /* as the daemon will see in SO_PEERCRED */
	if (!config->server || (c->buffers && config->nr_cpus != c->nr_cpus))
		return -ENOTCONN;
	if (!c->buffers)
		err = weir_reserve(config->nr_cpus);
	if (!err && weir_attach_device(config)) {
		weir_device_leave();
		err = weir_attach_memfds(config);
	}
	if (err)
		weir_client_debug("%s: cannot attach: %s", c->rundir, strerror(-err));
	else
		c->server = config->server;
	return err;
}
