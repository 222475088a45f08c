// SPDX-License-Identifier: GPL-2.0-only
/*
 * dump_flat: a flattened dump, as QEMU and makedumpfile -F write through pipes: pieces, each with the place where it
 * belongs. Put together in a file without a name, as makedumpfile -R does. Numbers are big-endian.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crash_i.h"

#define WEIR_FLAT_HEADER 4096u
#define WEIR_FLAT_MAX (1ull << 46) /* bytes of a dump */
#define WEIR_FLAT_CHUNK (1u << 16)

struct weir_flat_piece {
	u64 offset; /* all bits: the end */
	u64 size;
};

static int weir_flat_write(int fd, const u8 *src, size_t len, u64 offset)
{
	while (len) {
		ssize_t n = pwrite(fd, src, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		src += n;
		offset += (u64)n;
		len -= (size_t)n;
	}
	return 0;
}

static int weir_flat_copy(int from, u64 at, int to, const struct weir_flat_piece *piece)
{
	static u8 chunk[WEIR_FLAT_CHUNK];
	u64 done, len;
	int err = 0;

	for (done = 0; !err && done < piece->size; done += len) {
		len = min(piece->size - done, (u64)sizeof(chunk));
		err = weir_dump_pread(from, chunk, len, at + done);
		if (!err)
			err = weir_flat_write(to, chunk, len, piece->offset + done);
	}
	return err;
}

/* Until the end, or until the file is cut: what is there by then is looked at. */
static int weir_flat_pieces(int from, int to)
{
	struct weir_flat_piece piece;
	u64 at = WEIR_FLAT_HEADER;
	int err;

	while (!(err = weir_dump_pread(from, &piece, sizeof(piece), at))) {
		piece.offset = be64toh(piece.offset);
		piece.size = be64toh(piece.size);
		if (piece.offset == ~0ull)
			return 0;
		if (piece.offset > WEIR_FLAT_MAX || piece.size > WEIR_FLAT_MAX - piece.offset)
			return -EINVAL;
		at += sizeof(piece);
		err = weir_flat_copy(from, at, to, &piece);
		if (err)
			break;
		at += piece.size;
	}
	return err == -ENODATA ? 0 : err;
}

int weir_dump_unflatten(struct weir_dump *dump, const char *dir)
{
	char signature[16];
	int fd, err;

	err = weir_dump_pread(dump->fd, signature, sizeof(signature), 0);
	if (err || memcmp(signature, "makedumpfile\0\0\0", sizeof(signature)))
		return -EMEDIUMTYPE;
	fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	err = weir_flat_pieces(dump->fd, fd);
	if (err) {
		close(fd);
		return err;
	}
	close(dump->fd);
	dump->fd = fd;
	return 0;
}
