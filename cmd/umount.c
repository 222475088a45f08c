// SPDX-License-Identifier: GPL-2.0-only
/*
 * weir umount: root asks the kernel, everybody else asks fusermount3, which knows whose mount it
 * is.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <time.h>
#include <unistd.h>

#include "cmd_i.h"

/* Undoes the octal escapes of /proc/self/mounts. */
static void unescape(char *s)
{
	char *out = s;

	for (; *s; s++) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] && s[3]) {
			*out++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 3;
		} else {
			*out++ = *s;
		}
	}
	*out = '\0';
}

/* Is the topmost mount at `path` one of ours? Its daemon may be gone, so no file is asked. */
static bool is_weir(const char *path)
{
	FILE *mounts = fopen("/proc/self/mounts", "re");
	bool found = false;
	char *line = NULL;
	size_t size = 0;

	while (mounts && getline(&line, &size, mounts) > 0) {
		char *rest = line;
		char *type;
		char *point;

		strsep(&rest, " ");
		point = strsep(&rest, " ");
		type = strsep(&rest, " ");
		if (!point || !type)
			continue;
		unescape(point);
		if (!strcmp(point, path))
			found = !strcmp(type, "fuse.weir");
	}
	free(line);
	if (mounts)
		fclose(mounts);
	return found;
}

/* The mount point's real name without asking the mount itself: a dead one answers ENOTCONN. */
static char *real_name(const char *path)
{
	char *copy = strdup(path), *slash, *dir, *name = NULL;
	size_t len = copy ? strlen(copy) : 0;

	while (len > 1 && copy[len - 1] == '/')
		copy[--len] = '\0';
	slash = copy ? strrchr(copy, '/') : NULL;
	if (slash && slash[1] && strcmp(slash + 1, ".") && strcmp(slash + 1, "..")) {
		*slash = '\0';
		dir = realpath(slash == copy ? "/" : copy, NULL);
		if (dir && asprintf(&name, "%s/%s", strcmp(dir, "/") ? dir : "", slash + 1) < 0)
			name = NULL;
		free(dir);
	} else {
		name = realpath(path, NULL);
	}
	free(copy);
	return name;
}

/* The daemon itself uses the mount for moments, to tell inotify what has happened: that is no reason to fail. */
static int unmount(const char *name)
{
	const struct timespec moment = { .tv_nsec = 20000000 };
	int try, ret;

	for (try = 0; (ret = umount2(name, UMOUNT_NOFOLLOW)) && errno == EBUSY && try < 10; try++)
		nanosleep(&moment, NULL);
	return ret;
}

int weir_umount_main(int argc, char **argv)
{
	int ret = weir_names(argc, argv, 0, 1, "umount [MOUNTPOINT]\n");
	const char *path;
	char *name;

	if (ret >= 0)
		return ret;
	ret = 0;
	path = argv[optind] ?: weir_mountpoint();
	name = real_name(path);
	if (!name)
		return weir_fail("%s", path);
	if (!is_weir(name)) {
		ret = weir_fail_why(path, "no trace file system is mounted here");
	} else if (geteuid() == 0) {
		if (unmount(name))
			ret = weir_fail("%s", path);
	} else {
		execlp("fusermount3", "fusermount3", "-u", name, NULL);
		ret = weir_fail("fusermount3");
	}
	free(name);
	return ret;
}
