// SPDX-License-Identifier: GPL-2.0-only
/*
 * record_segment: a stream's file that readers find whole at any moment, whatever is being written
 * and whoever is killed.
 *
 * No system call makes a file longer by a packet at once: write(2) does so page by page, and ends
 * between two when SIGKILL comes. So a file never grows. It has all of its size, a hole mostly,
 * when it gets its name, and its last packet's packet_size reaches to the end:
 *
 *     | packet | packet | last packet : padding, up to the file's size |
 *
 * More packets are written into that padding, the last of them with a packet_size that reaches to
 * the end as well. Then the one before them gets its own size: eight aligned bytes, which are all
 * there or not at all.
 *
 * When a file is full the next one follows, cpuN.1 and so on, each twice as large up to
 * RECORD_SEGMENT_MAX. They have the stream's stream_instance_id, so readers take them as one
 * stream. At its end a file is replaced by one without the padding.
 */
#define _GNU_SOURCE
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <weir/abi.h>

#include "cmd_i.h"
#include "record_i.h"

#define RECORD_SEGMENT_MIN ((off_t)1 << 20)
#define RECORD_SEGMENT_MAX ((off_t)64 << 20)

#define PACKET_SIZE offsetof(struct weir_packet, packet_size)

_Static_assert(PACKET_SIZE % 8 == 0,
	       "packets begin at multiples of eight, so this lies in one page");

/* All of it, or an error. */
int record_write(int fd, const void *data, size_t len, off_t at)
{
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		n = pwrite(fd, (const char *)data + done, len - done, at + (off_t)done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		done += (size_t)n;
	}
	return 0;
}

/* The temporary name starts with a dot: readers do not take it for a stream. */
static void file_names(const struct record_segment *seg, char name[32], char hidden[32])
{
	if (seg->nr)
		snprintf(name, 32, "%s.%u", seg->stream, seg->nr);
	else
		snprintf(name, 32, "%s", seg->stream);
	snprintf(hidden, 32, ".%s", seg->stream);
}

/* Where the last of these packets begins. */
static size_t last_packet(const char *data, size_t len)
{
	size_t at = 0, size;
	uint64_t bits;

	for (;;) {
		memcpy(&bits, data + at + PACKET_SIZE, sizeof(bits));
		size = bits / 8;
		if (size >= len - at) /* it may have been made longer by a try before this one */
			return at;
		at += size;
	}
}

static void set_size(void *packet, off_t bytes)
{
	uint64_t bits = (uint64_t)bytes * 8;

	memcpy((char *)packet + PACKET_SIZE, &bits, sizeof(bits));
}

static int store_size(int fd, off_t packet, off_t bytes)
{
	uint64_t bits = (uint64_t)bytes * 8;

	return record_write(fd, &bits, sizeof(bits), packet + (off_t)PACKET_SIZE);
}

/* ---- a file begins ----------------------------------------------------------------------------*/

/* Twice the last one's, and not less than what goes into it. */
static off_t next_size(const struct record_segment *seg, size_t len)
{
	off_t size = seg->size ? seg->size * 2 : RECORD_SEGMENT_MIN;

	if (size > RECORD_SEGMENT_MAX)
		size = RECORD_SEGMENT_MAX;
	while (size < (off_t)len)
		size *= 2;
	return size;
}

static int begin(struct record_segment *seg, char *data, size_t len)
{
	off_t size = next_size(seg, len), last = (off_t)last_packet(data, len);
	char name[32], hidden[32];
	int err, fd;

	file_names(seg, name, hidden);
	fd = openat(seg->dir, hidden, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	set_size(data + last, size - last);
	err = record_write(fd, data, len, 0);
	if (!err && (ftruncate(fd, size) || renameat(seg->dir, hidden, seg->dir, name)))
		err = -errno;
	if (err) {
		unlinkat(seg->dir, hidden, 0);
		close(fd);
		return err;
	}
	seg->fd = fd;
	seg->size = size;
	seg->last = last;
	seg->end = (off_t)len;
	return 0;
}

/* ---- it goes on -------------------------------------------------------------------------------*/

static int append(struct record_segment *seg, char *data, size_t len)
{
	off_t last = (off_t)last_packet(data, len);
	int err;

	set_size(data + last, seg->size - seg->end - last);
	err = record_write(seg->fd, data, len, seg->end);
	if (!err)
		err = store_size(seg->fd, seg->last, seg->end - seg->last);
	if (err) { /* what there was no room for takes none */
		fallocate(seg->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, seg->end,
			  seg->size - seg->end);
		return err;
	}
	seg->last = seg->end + last;
	seg->end += (off_t)len;
	return 0;
}

/* ---- it ends ----------------------------------------------------------------------------------*/

static int copy(int from, int to, off_t len)
{
	off_t at = 0, out = 0;
	ssize_t n;

	while (at < len) {
		n = copy_file_range(from, &at, to, &out, (size_t)(len - at), 0);
		if (n <= 0)
			return n ? -errno : -EIO;
	}
	return 0;
}

/* Readers have the file with the padding or the one without. Should there be no room, it keeps it.
 */
static void cut(const struct record_segment *seg)
{
	char name[32], hidden[32];
	int fd;

	file_names(seg, name, hidden);
	fd = openat(seg->dir, hidden, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return;
	if (copy(seg->fd, fd, seg->end) || store_size(fd, seg->last, seg->end - seg->last) ||
	    renameat(seg->dir, hidden, seg->dir, name))
		unlinkat(seg->dir, hidden, 0);
	close(fd);
}

/* It gets the size that it needs, unless that is nearly what it has. */
static void finish(struct record_segment *seg)
{
	if (seg->size - seg->end > seg->size / 8)
		cut(seg);
	close(seg->fd);
	seg->fd = -1;
}

/* ---- a stream ---------------------------------------------------------------------------------*/

/**
 * record_segment_open() - a stream's files are in this directory from now on
 * @seg: no file of it is open
 * @dir: the directory
 * @stream: cpuN
 *
 * There is none before the first packet.
 *
 * Return: 0 or -errno.
 */
int record_segment_open(struct record_segment *seg, int dir, const char *stream)
{
	*seg = (struct record_segment){ .fd = -1 };
	snprintf(seg->stream, sizeof(seg->stream), "%s", stream);
	seg->dir = fcntl(dir, F_DUPFD_CLOEXEC, 0);
	return seg->dir < 0 ? -errno : 0;
}

/**
 * record_segment_append() - whole packets at the end of a stream
 * @seg: the stream's file
 * @data: the packets; packet_size of the last one is changed
 * @len: their bytes
 *
 * Return: 0: readers see all of them; -errno: none.
 */
int record_segment_append(struct record_segment *seg, char *data, size_t len)
{
	if (seg->fd >= 0 && seg->size - seg->end < (off_t)len) {
		finish(seg);
		seg->nr++;
	}
	return seg->fd < 0 ? begin(seg, data, len) : append(seg, data, len);
}

/**
 * record_segment_close() - a stream has ended, or goes on elsewhere
 * @seg: its file
 */
void record_segment_close(struct record_segment *seg)
{
	if (seg->fd >= 0)
		finish(seg);
	if (seg->dir >= 0)
		close(seg->dir);
	seg->dir = -1;
}
