// SPDX-License-Identifier: GPL-2.0-only
/*
 * files: small files of the mount, read and written whole.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd_i.h"

int weir_open_mount(void)
{
	const char *path = weir_mountpoint();
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0) {
		if (errno == ENOTCONN)
			weir_fail_why(path, "its daemon is gone (weir mount starts one again)");
		else
			weir_fail("%s", path);
		return -1;
	}
	if (faccessat(fd, ".weir/version", R_OK, 0)) {
		weir_fail_why(path, "no trace file system is mounted here (weir mount)");
		close(fd);
		return -1;
	}
	return fd;
}

static char *read_all(int fd)
{
	size_t size = 4096, used = 0;
	char *text = malloc(size);

	while (text) {
		ssize_t n = read(fd, text + used, size - used - 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			free(text);
			return NULL;
		}
		used += (size_t)n;
		text[used] = '\0';
		if (!n)
			break;
		if (used + 1 == size) {
			char *more = realloc(text, size *= 2);

			if (!more)
				free(text);
			text = more;
		}
	}
	if (text && used && text[used - 1] == '\n')
		text[used - 1] = '\0';
	return text;
}

char *weir_read_file(int dir, const char *path)
{
	int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	char *text;
	int err;

	if (fd < 0)
		return NULL;
	text = read_all(fd);
	err = errno;
	close(fd);
	errno = err;
	return text;
}

int weir_write_file(int dir, const char *path, const char *text)
{
	int fd = openat(dir, path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	int err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		err = -errno;
	if (close(fd) && !err)
		err = -errno;
	return err;
}

/* .weir/errors: a line each, `DATE TIME uid UID: WHAT: WHY`, the last is the newest. */
int weir_fail_rejected(int mount, const char *what, int err)
{
	const bool told = err == -EINVAL || err == -EBUSY || err == -ENOSPC || err == -EDQUOT;
	char *text = told ? weir_read_file(mount, ".weir/errors") : NULL;
	char *line = text ? strrchr(text, '\n') : NULL;
	char *why = strstr(line ? line : text ? text : "", ": ");

	if (why && strstr(why, what))
		fprintf(stderr, "weir: %s\n", why + 2);
	else
		weir_fail_why(what, strerror(-err));
	free(text);
	return 1;
}
