// SPDX-License-Identifier: GPL-2.0-only
/*
 * record_cut: what a recorder that was killed has left: streams whose last packet reaches to the
 * end of a file that is larger than it had to be, and files that have no name yet.
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

/* Finds the last packet, and where it could end. False: this is no stream of ours. */
static bool find_end(struct record_segment *seg)
{
	struct weir_packet header;
	off_t at, size = 0;

	for (at = 0; at < seg->size; at += size) {
		if (pread(seg->fd, &header, sizeof(header), at) != (ssize_t)sizeof(header) ||
		    header.magic != WEIR_CTF_MAGIC || header.packet_size % 64 ||
		    header.packet_size / 8 < sizeof(header) ||
		    header.content_size > header.packet_size ||
		    header.packet_size / 8 > (uint64_t)(seg->size - at))
			return false;
		size = (off_t)(header.packet_size / 8);
	}
	if (!size)
		return false;
	seg->last = at - size;
	size = (off_t)((header.content_size / 8 + 7) & ~7ull);
	if (size < (off_t)sizeof(header))
		size = sizeof(header);
	seg->end = seg->last + size;
	return true;
}

/* cpuN or cpuN.NR. */
static bool parse_name(struct record_segment *seg, const char *name)
{
	static const char digits[] = "0123456789";
	size_t len = strcspn(name, ".");
	bool number = len > 3 && strspn(name + 3, digits) == len - 3;

	if (strncmp(name, "cpu", 3) || len >= sizeof(seg->stream) ||
	    !(number || (len == 4 && name[3] == 'x')))
		return false;
	memcpy(seg->stream, name, len);
	if (!name[len])
		return true;
	return sscanf(name + len, ".%u", &seg->nr) == 1 &&
	       !name[len + 1 + strspn(name + len + 1, digits)];
}

/* DIR/PROCESS/FILE or DIR/CHUNK/PROCESS/FILE, beside the metadata, which is there first. */
static bool is_place(const struct FTW *at)
{
	return (at->level == 2 || at->level == 3) && !access("metadata", F_OK);
}

static int cut_file(const char *path, const struct stat *st, int type, struct FTW *at)
{
	struct record_segment seg = { .fd = -1, .dir = -1, .size = st->st_size };
	const char *name = path + at->base;
	bool unnamed = name[0] == '.';

	if (type != FTW_F || !parse_name(&seg, name + unnamed) || !is_place(at))
		return 0;
	if (unnamed)
		return unlink(name) ? errno : 0;
	seg.fd = open(name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
	seg.dir = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (seg.fd >= 0 && !find_end(&seg)) {
		close(seg.fd);
		seg.fd = -1;
	}
	record_segment_close(&seg);
	return 0;
}

/* Every stream below `dir`. A file that is none of ours is left alone. */
int record_cut(const char *dir)
{
	return -nftw(dir, cut_file, 16, FTW_PHYS | FTW_CHDIR);
}
