// SPDX-License-Identifier: GPL-2.0-only
/*
 * record_cut: what a recorder that was killed has left. SIGKILL may end a write(2) after some of
 * its pages, and a file that ends inside a packet is no CTF stream: what follows its last whole
 * packet is cut off.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <weir/abi.h>

#include "cmd_i.h"
#include "record_i.h"

static bool cut_quiet;

/* The end of the last whole packet; -1: this is no stream. */
static off_t whole(int fd, off_t size)
{
	struct weir_packet header;
	off_t at = 0;

	while (size - at >= (off_t)sizeof(header)) {
		if (pread(fd, &header, sizeof(header), at) != (ssize_t)sizeof(header))
			break;
		if (header.magic != WEIR_CTF_MAGIC || header.packet_size % 64 ||
		    header.packet_size / 8 < sizeof(header))
			return at ? at : -1;
		if (header.packet_size / 8 > (uint64_t)(size - at))
			break;
		at += (off_t)(header.packet_size / 8);
	}
	return at;
}

static int cut_file(const char *path, const struct stat *st, int type, struct FTW *at)
{
	const char *name = path + at->base;
	off_t end;
	int fd, err = 0;

	if (type != FTW_F || strncmp(name, "cpu", 3))
		return 0;
	fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return 0;
	end = whole(fd, st->st_size);
	if (end >= 0 && end < st->st_size) {
		err = ftruncate(fd, end) ? errno : 0;
		if (!err && !cut_quiet)
			fprintf(stderr, "weir: %s: ended inside a packet: cut to %lld bytes\n",
				path, (long long)end);
	}
	close(fd);
	return err;
}

/* Every stream below `dir`. A file that is none of ours is left alone. */
int record_cut(const char *dir, bool quiet)
{
	cut_quiet = quiet;
	return -nftw(dir, cut_file, 16, FTW_PHYS);
}
