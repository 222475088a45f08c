// SPDX-License-Identifier: GPL-2.0-only
/*
 * inotify MOUNT: what a watcher of the mount is told, a line each, until it is killed:
 *
 *   watch PATH                  from now on this directory is watched; "." is the mount itself
 *   create PATH, delete PATH, modify PATH      of what is in a watched directory
 *   overflow                    something was missed
 *
 * Directories are watched as they come, two levels deep.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#define WATCHES 65536

static const char *mnt;
static char *watched[WATCHES]; /* by watch descriptor: path, with a slash behind it, or "" */
static int fd;

static void watch(const char *path)
{
	char full[PATH_MAX], *dir;
	int wd;

	snprintf(full, sizeof(full), "%s/%s", mnt, path);
	wd = inotify_add_watch(fd, full, IN_CREATE | IN_DELETE | IN_MODIFY | IN_ONLYDIR);
	if (wd < 0 && errno == ENOENT) /* gone already */
		return;
	if (wd < 0 || wd >= WATCHES || asprintf(&dir, "%s%s", path, *path ? "/" : "") < 0) {
		perror(path);
		exit(1);
	}
	free(watched[wd]);
	watched[wd] = dir;
	printf("watch %s\n", *path ? path : ".");
}

static void told(const struct inotify_event *event)
{
	char path[PATH_MAX];

	if (event->mask & IN_Q_OVERFLOW) {
		printf("overflow\n");
		return;
	}
	if (!event->len || !watched[event->wd])
		return;
	snprintf(path, sizeof(path), "%s%s", watched[event->wd], event->name);
	if (event->mask & IN_DELETE)
		printf("delete %s\n", path);
	if (event->mask & IN_MODIFY)
		printf("modify %s\n", path);
	if (event->mask & IN_CREATE) {
		printf("create %s\n", path);
		if (!(event->mask & IN_ISDIR))
			printf("which is no directory\n");
		else
			watch(path);
	}
}

int main(int argc, char **argv)
{
	static char buf[1 << 20] __attribute__((aligned(8)));
	ssize_t len, at;

	if (argc != 2)
		return 2;
	mnt = argv[1];
	setvbuf(stdout, NULL, _IOLBF, 0);
	fd = inotify_init1(IN_CLOEXEC);
	if (fd < 0)
		return 1;
	watch("");
	while ((len = read(fd, buf, sizeof(buf))) > 0) {
		for (at = 0; at < len;) {
			const struct inotify_event *event = (void *)(buf + at);

			told(event);
			at += (ssize_t)(sizeof(*event) + event->len);
		}
	}
	return 1;
}
