// SPDX-License-Identifier: LGPL-2.1-only
/*
 * device: attaching by the kernel module, as abi.h says: open /dev/weir, map the three regions over the places
 * where memfds would be, close. The module knows who maps, so there is no message. Whatever fails, memfds and the
 * socket are left (attach.c).
 *
 * The tracing control that sites watch has one address for the life of the process, since every object has a copy
 * of it. At first it is the file's. Once attached by the device it is the module's, which also changes when the
 * daemon dies; the file is kept at another address meanwhile (a mapping of length 0 that is moved is copied), and
 * comes back when the module is served by nobody, or by another daemon than the file's.
 *
 * Nothing of the module's can be moved, split or protected in part. So the new process region is mapped twice: at
 * any address, where a refusal hurts nobody and it is filled, then, after the buffers, over the old one.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "client_i.h"
#include "raw.h"

#define WEIR_CONTROL_SIZE ((sizeof(struct weir_control) + 4095) & ~(size_t)4095)

static int weir_device_open(void)
{
	int fd = weir_sys_open(WEIR_DEVICE, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return -errno;
	if (!fstat(fd, &st) && S_ISCHR(st.st_mode) && st.st_uid == 0)
		return fd;
	weir_sys_close(fd);
	return -EPERM;
}

/* ---- the tracing control ----------------------------------------------------------------------*/

/* Whose it is; 0: nobody's. The latch as in reload.c. */
static u64 weir_control_server(const struct weir_control *control)
{
	u64 sequence, server;
	int tries;

	for (tries = 0; tries < 3; tries++) {
		sequence = smp_load_acquire(&control->sequence); /* read:A */
		server = READ_ONCE(control->copy[sequence & 1].server);
		smp_rmb(); /* read:B */
		if (READ_ONCE(control->sequence) == sequence)
			return server;
	}
	return 0;
}

/**
 * weir_device_served() - may the module's tracing control be watched?
 * @server: as read there
 *
 * Context: client.lock, while it is watched.
 * Return: whether its server is there, and is the one that publishes the control file as well.
 */
bool weir_device_served(u64 server)
{
	return server && server == weir_control_server(weir_client_state.file);
}

static int weir_device_check(int fd, u64 server)
{
	struct weir_control *control = mmap(NULL, WEIR_CONTROL_SIZE, PROT_READ, MAP_SHARED, fd, WEIR_DEV_CONTROL);
	int err = 0;

	if (control == MAP_FAILED)
		return -errno;
	if (control->magic != WEIR_CONTROL_MAGIC || control->version != WEIR_ABI_VERSION)
		err = -EINVAL;
	else if (weir_control_server(control) != server)
		err = -ENOTCONN;
	munmap(control, WEIR_CONTROL_SIZE);
	return err;
}

static int weir_device_watch(int fd)
{
	struct weir_client_state *c = &weir_client_state;
	void *control = (void *)(uintptr_t)c->control, *file = (void *)(uintptr_t)c->file;

	if (!file) {
		file = mremap(control, 0, WEIR_CONTROL_SIZE, MREMAP_MAYMOVE);
		if (file == MAP_FAILED)
			return -errno;
		c->file = file;
	}
	c->device = true;
	return mmap(control, WEIR_CONTROL_SIZE, PROT_READ, MAP_SHARED | MAP_FIXED, fd, WEIR_DEV_CONTROL) == MAP_FAILED ?
		       -errno :
		       0;
}

/**
 * weir_device_leave() - watch the file's tracing control again
 *
 * Where even that cannot be mapped, one that says nothing: this process has no memory left.
 *
 * Context: client.lock; a fork child.
 */
void weir_device_leave(void)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
	struct weir_client_state *c = &weir_client_state;
	void *control = (void *)(uintptr_t)c->control;

	if (!c->device)
		return;
	c->device = false;
	if (mremap((void *)(uintptr_t)c->file, 0, WEIR_CONTROL_SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, control) ==
	    MAP_FAILED)
		mmap(control, WEIR_CONTROL_SIZE, PROT_READ, flags, -1, 0);
}

/* ---- the process's regions --------------------------------------------------------------------*/

static int weir_device_map(int fd, const struct weir_config *config)
{
	const int prot = PROT_READ | PROT_WRITE, flags = MAP_SHARED | MAP_NORESERVE;
	struct weir_client_state *c = &weir_client_state;
	int buffers_prot = weir_client_accesses() ? prot : PROT_NONE, err = 0;
	void *process;

	process = mmap(NULL, c->process_size, prot, flags, fd, (off_t)WEIR_DEV_PROCESS);
	if (process == MAP_FAILED)
		return -errno;
	weir_fill_process(process, config);
	if (mmap(c->buffers, c->buffers_size, buffers_prot, flags | MAP_FIXED, fd, (off_t)WEIR_DEV_BUFFERS) ==
	    MAP_FAILED)
		err = -errno;
	if (!err && !c->process) {
		weir_client_place(process);
		return 0;
	}
	if (!err &&
	    mmap(c->process, c->process_size, prot, flags | MAP_FIXED, fd, (off_t)WEIR_DEV_PROCESS) == MAP_FAILED)
		err = -errno;
	munmap(process, c->process_size);
	return err;
}

/**
 * weir_device_attach() - attach by the module
 * @config: as read from the tracing control; the addresses are reserved
 *
 * Context: client.lock; any, also a fork child and signal handlers. No descriptor is kept.
 *
 * Return: 0; -errno: what was there may be gone, attach by memfds.
 */
int weir_device_attach(const struct weir_config *config)
{
	struct weir_client_state *c = &weir_client_state;
	int fd = weir_device_open(), err;

	if (fd < 0)
		return fd;
	err = weir_device_check(fd, config->server);
	if (!err)
		err = weir_device_map(fd, config);
	if (!err)
		err = weir_device_watch(fd);
	weir_sys_close(fd);
	if (err)
		return err;
	c->whole = true;
	if (weir_client_accesses())
		weir_client_accessible();
	return 0;
}
