// SPDX-License-Identifier: GPL-2.0-only
/* dump: which kind of dump a file is. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "crash_i.h"

int weir_dump_pread(int fd, void *dst, size_t len, u64 offset)
{
	while (len) {
		ssize_t n = pread(fd, dst, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -ENODATA;
		dst = (char *)dst + n;
		offset += (u64)n;
		len -= (size_t)n;
	}
	return 0;
}

static int weir_dump_kind(struct weir_dump *dump, const char *dir, const char **why)
{
	int err = weir_dump_elf(dump);

	if (err != -EMEDIUMTYPE)
		return err;
	err = weir_dump_unflatten(dump, dir);
	if (!err)
		err = weir_dump_elf(dump);
	else if (err != -EMEDIUMTYPE)
		*why = "a flattened dump that cannot be put together";
	return err == -EMEDIUMTYPE ? weir_dump_kdump(dump, why) : err;
}

int weir_dump_open(struct weir_dump *dump, const char *path, const char *dir, const char **why)
{
	int err;

	*why = NULL;
	memset(dump, 0, sizeof(*dump));
	dump->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (dump->fd < 0)
		return -errno;
	err = weir_dump_kind(dump, dir, why);
	if (err)
		close(dump->fd);
	return err;
}

void weir_dump_close(struct weir_dump *dump)
{
	dump->close(dump);
	close(dump->fd);
}
