// SPDX-License-Identifier: GPL-2.0-only
/* mountpoint: a directory to mount on, whatever an earlier daemon left there. */
#include <sys/mount.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#include "tree_i.h"

#define WEIR_FUSE_MAGIC 0x65735546

/* A mount whose daemon has died is in the way of everybody. */
static int weir_mountpoint_detach(const char *path)
{
	int status;
	pid_t pid;

	if (!geteuid())
		return umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) ? -errno : 0;
	pid = fork();
	if (!pid) {
		execlp("fusermount3", "fusermount3", "-u", "-z", "--", path, (char *)NULL);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return -errno;
	return status ? -ENOTCONN : 0;
}

static bool weir_mountpoint_taken(const char *path)
{
	char version[4096];
	struct statfs fs;

	snprintf(version, sizeof(version), "%s/.weir/version", path);
	return !statfs(path, &fs) && fs.f_type == WEIR_FUSE_MAGIC && !access(version, F_OK);
}

/* 0 or -errno: -EBUSY: weir is mounted there already. Root's mount point is made if it is
 * missing. */
int weir_mountpoint_prepare(const char *path)
{
	struct statfs fs;
	struct stat st;
	int err, tries;

	for (tries = 0; tries < 16; tries++) {
		/* a daemon that has died still has its root's attributes in the kernel's cache, not those of statfs() */
		if (!statfs(path, &fs) && !stat(path, &st))
			break;
		if (errno == ENOENT && !geteuid()) {
			if (mkdir(path, 0755) && errno != EEXIST)
				return -errno;
		} else if (errno == ENOTCONN) {
			err = weir_mountpoint_detach(path);
			if (err)
				return err;
		} else {
			return -errno;
		}
	}
	if (tries == 16)
		return -ENOTCONN;
	if (!S_ISDIR(st.st_mode))
		return -ENOTDIR;
	return weir_mountpoint_taken(path) ? -EBUSY : 0;
}
