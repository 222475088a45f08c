// SPDX-License-Identifier: LGPL-2.1-only
/*
 * attach: the three mappings of the RFC "Userspace tracing memory mappings" (2008-01-23), shared memory
 * flavour, and the one message that tells the daemon of them.
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
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "client_i.h"
#include "raw.h"
#include "rules_i.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8u
#endif

#define WEIR_STRIDE_SHIFT_MIN 20u

static char weir_comm[16];

void weir_client_debug(const char *fmt, ...)
{
	char line[256];
	va_list ap;
	int n;

	if (!weir_client_state.debug)
		return;
	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line) - 1, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	n = n < (int)sizeof(line) - 1 ? n : (int)sizeof(line) - 2;
	line[n] = '\n';
	dprintf(STDERR_FILENO, "weir: %.*s", n + 1, line);
}

/* ---- memory -------------------------------------------------------------------------------------------*/

/* A memfd of a size that nobody can change: the daemon insists, for its own mapping must not fault. */
static int weir_memfd(const char *name, size_t size)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);

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

/* Address space for 16 slots x CPUs of the largest rings; where that is limited (RLIMIT_AS), of smaller ones. */
static int weir_reserve(u32 nr_cpus)
{
	struct weir_client_state *c = &weir_client_state;
	unsigned int n;
	void *p = MAP_FAILED;

	c->nr_cpus = nr_cpus;
	for (c->stride_shift = WEIR_RING_SHIFT_MAX; c->stride_shift >= WEIR_STRIDE_SHIFT_MIN; c->stride_shift--) {
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

static void weir_fill_process(struct weir_process *process, const struct weir_config *config)
{
	const struct weir_process *old = weir_client_state.process;

	process->magic = WEIR_PROCESS_MAGIC;
	process->version = WEIR_ABI_VERSION;
	process->nr_cpus = config->nr_cpus;
	process->ring_stride = 1ull << weir_client_state.stride_shift;
	process->schema_offset = weir_schema_offset(config->nr_cpus);
	process->schema_size = WEIR_SCHEMA_SIZE;
	process->server = config->server;
	memcpy(process->comm, weir_comm, sizeof(weir_comm));
	if (old) {
		memcpy((char *)process + process->schema_offset, (const char *)old + old->schema_offset,
		       old->schema_bytes);
		process->schema_bytes = old->schema_bytes;
	}
}

/* Maps the two over what was there. Slots in use stay accessible throughout. */
static int weir_map(int control_fd, int buffers_fd, const struct weir_config *config)
{
	struct weir_client_state *c = &weir_client_state;
	int prot = c->mapped ? PROT_READ | PROT_WRITE : PROT_NONE;
	struct weir_process *process;
	unsigned int n;

	process = mmap(NULL, c->process_size, PROT_READ | PROT_WRITE, MAP_SHARED, control_fd, 0);
	if (process == MAP_FAILED)
		return -errno;
	weir_fill_process(process, config);
	if (mmap(c->buffers, c->buffers_size, prot, MAP_SHARED | MAP_FIXED | MAP_NORESERVE, buffers_fd, 0) ==
	    MAP_FAILED) {
		munmap(process, c->process_size);
		return -ENOMEM;
	}
	madvise(c->buffers, c->buffers_size, MADV_DONTDUMP);
	if (c->mapped)
		c->mapped = (1u << WEIR_SLOTS) - 1;
	if (c->process) {
		if (mremap(process, c->process_size, c->process_size, MREMAP_MAYMOVE | MREMAP_FIXED, c->process) ==
		    MAP_FAILED)
			return -errno;
	} else {
		c->process = process;
	}
	madvise(c->process, c->process_size, MADV_DONTDUMP);
	for (n = 0; n < WEIR_SLOTS; n++)
		c->slot[n].ring = (struct weir_ring *)((char *)c->process + WEIR_RINGS_OFFSET) +
				  weir_ring_index(c->nr_cpus, n, 0);
	return 0;
}

/* ---- the message --------------------------------------------------------------------------------------*/

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

	memcpy(attach.comm, weir_comm, sizeof(weir_comm));
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

/* ---- attach -------------------------------------------------------------------------------------------*/

/* Sites that were listed before there was a log. */
static void weir_describe_all(void)
{
	struct weir_site *site;

	for (site = weir_client_state.sites; site; site = site->next)
		weir_schema_add(site);
}

/**
 * weir_client_attach() - make the buffers, and tell the daemon
 * @config: as read from the tracing control
 *
 * Context: client.lock; any, also a fork child and signal handlers. System calls: two memfds, their mappings,
 * one message.
 *
 * Return: 0, or -errno: nobody reads, so nothing must be recorded.
 */
int weir_client_attach(const struct weir_config *config)
{
	struct weir_client_state *c = &weir_client_state;
	bool first = !c->process;
	int control_fd, buffers_fd = -1, err = 0;

	c->server = 0;
	c->uid = geteuid(); /* as the daemon will see in SO_PEERCRED */
	if (!config->server || (c->buffers && config->nr_cpus != c->nr_cpus))
		return -ENOTCONN;
	if (!c->buffers)
		err = weir_reserve(config->nr_cpus);
	if (err)
		goto out;
	control_fd = weir_memfd("weir-control", c->process_size);
	if (control_fd < 0) {
		err = control_fd;
		goto out;
	}
	buffers_fd = weir_memfd("weir-buffers", c->buffers_size);
	if (buffers_fd < 0) {
		err = buffers_fd;
		goto close_control;
	}
	err = weir_map(control_fd, buffers_fd, config);
	if (err)
		goto close_buffers;
	if (first)
		weir_describe_all();
	c->clock_base = config->clock.base;
	c->clock_mult = config->clock.type == WEIR_CLOCK_TSC ? config->clock.mult : 0;
	err = weir_tell_daemon(control_fd, buffers_fd);
	if (!err)
		c->server = config->server;
close_buffers:
	weir_sys_close(buffers_fd);
close_control:
	weir_sys_close(control_fd);
out:
	if (err)
		weir_client_debug("%s: cannot attach: %s", c->rundir, strerror(-err));
	return err;
}

/* ---- start and fork -----------------------------------------------------------------------------------*/

u32 weir_client_alive[1024] = { 0 };

static bool weir_forks_wipe;

/* Nothing is left to do if a signal handler has traced in the child before. */
static void weir_fork_child(void)
{
	if (!weir_forks_wipe || !READ_ONCE(weir_client_alive[0]))
		weir_client_forked();
}

static void weir_watch_forks(void)
{
	/* Fails where the page is not anonymous memory: then pthread_atfork alone has to do. */
	weir_forks_wipe = !madvise(weir_client_alive, sizeof(weir_client_alive), MADV_WIPEONFORK);
	weir_client_alive[0] = 1;
	pthread_atfork(NULL, NULL, weir_fork_child);
}

/**
 * weir_client_forked() - in a fork child: attach anew
 *
 * The only thread there is. Locks that others held are free; sites and log are whole at any instant (see
 * sites.c); until the new memory is mapped the child shares its parent's rings, which is safe. While it is
 * being mapped it is not: a record whose bytes go to the child's buffers, but whose position to its parent's ring,
 * would tear the parent's stream. So no signal handler runs meanwhile.
 *
 * Context: pthread_atfork, or the first event if the fork went past it.
 */
void weir_client_forked(void)
{
	sigset_t all, before;
	int saved = errno;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	weir_client_alive[0] = 1;
	weir_client_thread.word = 0;
	weir_fallback_forked();
	weir_client_unlock();
	weir_rules_forked(getpid());
	if (weir_client_state.server && weir_client_trylock()) {
		weir_client_state.server = 0;
		weir_client_reload();
		weir_client_unlock();
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	errno = saved;
}

/* Waits: for constructors only. A child that was forked past pthread_atfork may find it held for ever. */
void weir_client_lock(void)
{
	if (!READ_ONCE(weir_client_alive[0]))
		weir_client_forked();
	while (!weir_client_trylock())
		sched_yield();
}

static const struct weir_control *weir_map_control(const char *dir, bool mine)
{
	char path[sizeof(weir_client_state.rundir) + 16];
	struct weir_control *control = NULL;
	struct stat st;
	int fd;

	snprintf(path, sizeof(path), "%s/control", dir);
	fd = weir_sys_open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return NULL;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size >= (off_t)sizeof(*control) &&
	    (st.st_uid == geteuid() || (st.st_uid == 0 && !mine))) {
		control = mmap(NULL, sizeof(*control), PROT_READ, MAP_SHARED, fd, 0);
		if (control == MAP_FAILED)
			control = NULL;
	} else {
		weir_client_debug("%s: not trusted: wrong owner, kind or size", path);
	}
	weir_sys_close(fd);
	if (control && (control->magic != WEIR_CONTROL_MAGIC || control->version != WEIR_ABI_VERSION)) {
		weir_client_debug("%s: another version of weir", path);
		munmap(control, sizeof(*control));
		control = NULL;
	}
	return control;
}

/* $WEIR_RUNDIR; else a mount of the user's own; else the system's. Set-user-ID programs see the last only. */
static const struct weir_control *weir_find_control(void)
{
	char *dir = weir_client_state.rundir, *env = secure_getenv("WEIR_RUNDIR");
	const size_t size = sizeof(weir_client_state.rundir);
	const struct weir_control *control;

	if (env) {
		snprintf(dir, size, "%s", env);
		return weir_map_control(dir, false);
	}
	env = secure_getenv("XDG_RUNTIME_DIR");
	if (env && snprintf(dir, size, "%s/weir", env) < (int)size) {
		control = weir_map_control(dir, true);
		if (control)
			return control;
	}
	snprintf(dir, size, "/run/weir");
	return weir_map_control(dir, false);
}

static void *weir_extra_populate(void *priv, size_t offset)
{
	const struct weir_client_slot *slot = priv;

	(void)offset; /* one frame: the whole ring */
	return slot->data + ((size_t)weir_client_state.nr_cpus << weir_client_state.stride_shift);
}

static void weir_extra_release(void *priv, void *page)
{
	(void)priv;
	(void)page;
}

static int weir_extra_write(void *priv, void *page, size_t offset, const void *src, size_t len)
{
	(void)priv;
	memcpy((char *)page + offset, src, len);
	return 0;
}

static void *weir_extra_address(void *priv, void *page)
{
	(void)priv;
	return page;
}

static const struct weir_relay_ops weir_extra_ops = {
	.populate = weir_extra_populate,
	.release = weir_extra_release,
	.write = weir_extra_write,
	.address = weir_extra_address,
};

struct weir_client weir_client_1 = {
	.version = WEIR_ABI_VERSION,
	.size = sizeof(struct weir_client),
	.generation = &(const __u64){ 0 },
	.add = weir_client_add,
	.remove = weir_client_remove,
	.refresh = weir_client_refresh,
	.emit = weir_client_emit,
	.finish = weir_client_finish,
	.string = weir_client_string,
	.bytes = weir_client_bytes,
};

/**
 * weir_client_init() - map the tracing control; attach if a daemon is there
 *
 * Context: the first constructor that comes here, of libweir or of a traced object.
 */
void weir_client_init(void)
{
	static int done;
	struct weir_client_state *c = &weir_client_state;
	const struct weir_control *control;
	const char *env;
	unsigned int n;
	int saved = errno;

	if (__atomic_exchange_n(&done, 1, __ATOMIC_RELAXED))
		return;
	c->debug = secure_getenv("WEIR_DEBUG") != NULL;
	env = secure_getenv("WEIR_DISABLE");
	if (env && !strcmp(env, "1")) {
		weir_client_debug("disabled by WEIR_DISABLE");
		return;
	}
	control = weir_find_control();
	if (!control) {
		weir_client_debug("%s/control: nothing to map: no daemon was ever started, or not trusted", c->rundir);
		errno = saved;
		return;
	}
	for (n = 0; n < WEIR_SLOTS; n++)
		if (weir_relay_init(&c->relay[n], (size_t)1 << WEIR_RING_SHIFT_MAX, WEIR_RING_SHIFT_MAX,
				    WEIR_SUBBUF_SHIFT_MIN, &weir_extra_ops, &c->slot[n]))
			return;
	prctl(PR_GET_NAME, weir_comm);
	env = secure_getenv("WEIR_RUN");
	weir_rules_init(getpid(), env ? (pid_t)strtol(env, NULL, 10) : 0, weir_comm);
	weir_watch_forks();
	c->control = control;
	weir_client_1.generation = &control->generation;
	if (READ_ONCE(control->generation) && weir_client_trylock()) {
		weir_client_reload();
		weir_client_unlock();
	}
	errno = saved;
}

__attribute__((constructor(101))) static void weir_client_start(void)
{
	weir_client_init();
}
