// SPDX-License-Identifier: GPL-2.0-only
/*
 * bell: how it is rung. The doorbell's thread does through the mount what has happened already; workers, who know it by its
 * thread id, answer it accordingly:
 *
 *   a process's directory has come    its look-up finds nothing, and mkdir() finds it      IN_CREATE
 *   it has gone                       its look-up still finds it, and rmdir() does not     IN_DELETE
 *   metadata knows more event types   utimensat() of its mtime, which changes nothing      IN_MODIFY
 *
 * No lock is held while the kernel is called; workers never call it. The thread must not keep a descriptor of the
 * mount, which could not be unmounted then: it opens the mount point, and compares its device, for each ring.
 */
#include <fcntl.h>
#include <limits.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>

#include "doorbell_i.h"

static struct {
	char path[PATH_MAX];
	dev_t device;
} weir_bell_mount;

/* What is being rung: set by the thread, read by workers that answer it. */
static struct {
	pthread_mutex_t lock;
	pid_t thread;
	enum weir_bell_what what;
	struct weir_trace *trace;
	struct weir_source *source;
} weir_ringing = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* ---- ringing ----------------------------------------------------------------------------------*/

static int weir_bell_device(int fd, dev_t *device)
{
	struct statx st;

	/* asks nothing of the daemon */
	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &st))
		return -errno;
	*device = makedev(st.stx_dev_major, st.stx_dev_minor);
	return 0;
}

/* The mount's root, if it is still ours. */
static int weir_bell_root(void)
{
	int fd = open(weir_bell_mount.path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	dev_t device;

	if (fd < 0)
		return -errno;
	if (!weir_bell_device(fd, &device) && device == weir_bell_mount.device)
		return fd;
	close(fd);
	return -ESTALE;
}

static int weir_bell_do(int root, enum weir_bell_what what, const struct weir_trace *trace,
			const struct weir_source *source)
{
	static const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT },
						  { .tv_nsec = UTIME_NOW } };
	char path[sizeof(trace->name) + sizeof(source->name) + sizeof("//metadata")];

	snprintf(path, sizeof(path), "%s/%s%s", trace->name, source->name,
		 what == WEIR_BELL_MODIFY ? "/metadata" : "");
	switch (what) {
	case WEIR_BELL_CREATE:
		return mkdirat(root, path, 0550);
	case WEIR_BELL_DELETE:
		return unlinkat(root, path, AT_REMOVEDIR);
	default:
		return utimensat(root, path, times, AT_SYMLINK_NOFOLLOW);
	}
}

static void weir_bell_set(enum weir_bell_what what, struct weir_trace *trace,
			  struct weir_source *source)
{
	pthread_mutex_lock(&weir_ringing.lock);
	weir_ringing.what = what;
	weir_ringing.trace = trace;
	weir_ringing.source = source;
	pthread_mutex_unlock(&weir_ringing.lock);
}

/* A ring that fails is not repeated: the mount, or the trace, is not there any more. */
void weir_bell(enum weir_bell_what what, struct weir_trace *trace, struct weir_source *source)
{
	int root = weir_bell_root();

	if (root < 0)
		return;
	weir_bell_set(what, trace, source);
	weir_bell_do(root, what, trace, source);
	weir_bell_set(WEIR_BELL_NOTHING, NULL, NULL);
	close(root);
}

/* ---- answering: workers -----------------------------------------------------------------------*/

/* Is this our own thread, about what it rings? `place` is set then, with references. */
static enum weir_bell_what weir_bell_about(const struct weir_caller *caller, fuse_ino_t parent, const char *name,
					   struct weir_place *place)
{
	enum weir_bell_what what = WEIR_BELL_NOTHING;
	const struct weir_place *dir;

	if (caller->pid != __atomic_load_n(&weir_ringing.thread, __ATOMIC_RELAXED))
		return what;
	dir = weir_node_place(parent);
	pthread_mutex_lock(&weir_ringing.lock);
	if (weir_ringing.what && dir->trace == weir_ringing.trace && !dir->source &&
	    !strcmp(name, weir_ringing.source->name)) {
		what = weir_ringing.what;
		*place = (struct weir_place){ .row = &weir_row_source,
					      .trace = weir_ringing.trace,
					      .source = weir_ringing.source };
		weir_trace_get(place->trace);
		weir_source_get(place->source);
	}
	pthread_mutex_unlock(&weir_ringing.lock);
	return what;
}

bool weir_doorbell_lookup(const struct weir_caller *caller, fuse_ino_t parent, const char *name,
			  struct fuse_entry_param *entry, int *err)
{
	struct weir_place place;

	switch (weir_bell_about(caller, parent, name, &place)) {
	case WEIR_BELL_CREATE:
		weir_place_put(&place);
		*err = -ENOENT;
		return true;
	case WEIR_BELL_DELETE:
		*err = weir_node_enter(&place, parent, entry);
		return true;
	case WEIR_BELL_MODIFY:
		weir_place_put(&place);
		return false;
	default:
		return false;
	}
}

int weir_doorbell_mkdir(const struct weir_caller *caller, fuse_ino_t parent, const char *name,
			struct fuse_entry_param *entry)
{
	struct weir_place place;

	switch (weir_bell_about(caller, parent, name, &place)) {
	case WEIR_BELL_NOTHING:
		return -EPERM;
	case WEIR_BELL_CREATE:
		return weir_node_enter(&place, parent, entry);
	default:
		weir_place_put(&place);
		return -EPERM;
	}
}

/* The kernel's inode of a directory that was removed stays dead: should the place come back, it is
 * another node. */
int weir_doorbell_rmdir(const struct weir_caller *caller, fuse_ino_t parent, const char *name)
{
	struct weir_place place;
	enum weir_bell_what what = weir_bell_about(caller, parent, name, &place);

	if (what == WEIR_BELL_DELETE)
		weir_node_retire(&place);
	if (what)
		weir_place_put(&place);
	return what == WEIR_BELL_DELETE ? 0 : -EPERM;
}

/* ---- life -------------------------------------------------------------------------------------*/

/* 0 or -errno. */
int weir_bell_open(const char *mountpoint)
{
	int fd, err;

	if (strlen(mountpoint) >= sizeof(weir_bell_mount.path))
		return -ENAMETOOLONG;
	strcpy(weir_bell_mount.path, mountpoint);
	fd = open(mountpoint, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = weir_bell_device(fd, &weir_bell_mount.device);
	close(fd);
	return err;
}

void weir_bell_begin(void)
{
	__atomic_store_n(&weir_ringing.thread, gettid(), __ATOMIC_RELAXED);
}

void weir_bell_cut(void)
{
	umount2(weir_bell_mount.path, MNT_FORCE | MNT_DETACH);
}
