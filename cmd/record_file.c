// SPDX-License-Identifier: GPL-2.0-only
/*
 * record_file: where packets go. DIR/[CHUNK/]PROCESS/{metadata,cpuN}: a CTF directory a process and
 * chunk, which readers may read at any moment:
 *
 *  - metadata is in place before the first packet, and replaced by rename(2) before a packet that
 * needs more;
 *  - a stream's files are whole packets all of the time (record_segment.c);
 *  - nothing is ever added to a file of an earlier run.
 *
 * When there is no room left, the writing thread waits for some with its packets in its hands, and
 * leaves its streams unread: what is lost then is lost in the rings, where it is counted.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd_i.h"
#include "record_i.h"

#define RECORD_RETRY_MS 100

/* ---- chunks: under the recorder's lock --------------------------------------------------------*/

static void chunk_name(char name[24], uint64_t chunk)
{
	snprintf(name, 24, "%06llu", (unsigned long long)chunk);
}

static void remove_tree(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct dirent *entry;
	DIR *list = fd < 0 ? NULL : fdopendir(fd);

	while (list && (entry = readdir(list))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (unlinkat(fd, entry->d_name, 0) && (errno == EISDIR || errno == EPERM))
			remove_tree(fd, entry->d_name);
	}
	if (list)
		closedir(list);
	unlinkat(dir, name, AT_REMOVEDIR);
}

static void drop_oldest(struct recorder *rec)
{
	char name[24];

	chunk_name(name, rec->oldest++);
	rec->total -= rec->chunk_bytes[0];
	memmove(rec->chunk_bytes, rec->chunk_bytes + 1,
		(size_t)(rec->chunk - rec->oldest + 1) * sizeof(*rec->chunk_bytes));
	remove_tree(rec->out, name);
}

static int next_chunk(struct recorder *rec)
{
	uint64_t nr = rec->chunk - rec->oldest + 2, *bytes;

	bytes = realloc(rec->chunk_bytes, (size_t)nr * sizeof(*bytes));
	if (!bytes)
		return -ENOMEM;
	bytes[nr - 1] = 0;
	rec->chunk_bytes = bytes;
	rec->chunk++;
	return 0;
}

/* Where the next `len` bytes go. */
static int choose_chunk(struct recorder *rec, size_t len, uint64_t *chunk)
{
	uint64_t *bytes;
	int err = 0;

	*chunk = 0;
	if (!rec->rotate)
		return 0;
	pthread_mutex_lock(&rec->lock);
	bytes = &rec->chunk_bytes[rec->chunk - rec->oldest];
	if (*bytes && *bytes + len > rec->rotate)
		err = next_chunk(rec);
	if (!err) {
		rec->chunk_bytes[rec->chunk - rec->oldest] += len;
		rec->total += len;
		while (rec->max && rec->total > rec->max && rec->oldest < rec->chunk)
			drop_oldest(rec);
		*chunk = rec->chunk;
	}
	pthread_mutex_unlock(&rec->lock);
	return err;
}

/* A stream that another one was ahead of has gone with it to the chunk `to`. */
static void rebook(struct recorder *rec, size_t len, uint64_t from, uint64_t to)
{
	pthread_mutex_lock(&rec->lock);
	if (from >= rec->oldest)
		rec->chunk_bytes[from - rec->oldest] -= len;
	else
		rec->total += len; /* went with its chunk */
	if (to >= rec->oldest)
		rec->chunk_bytes[to - rec->oldest] += len;
	else
		rec->total -= len;
	pthread_mutex_unlock(&rec->lock);
}

static bool chunk_is_gone(struct recorder *rec, uint64_t chunk)
{
	bool gone;

	pthread_mutex_lock(&rec->lock);
	gone = rec->rotate && chunk < rec->oldest;
	pthread_mutex_unlock(&rec->lock);
	return gone;
}

/* ---- metadata: under the process's lock -------------------------------------------------------*/

static char *read_whole(int dir, const char *name, size_t size)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	char *data = fd < 0 ? NULL : malloc(size + 1);
	size_t got = 0;
	ssize_t n = 1;

	while (data && got < size && (n = read(fd, data + got, size - got)) > 0)
		got += (size_t)n;
	if (fd >= 0)
		close(fd);
	if (data && got < size) {
		free(data);
		data = NULL;
	}
	return data;
}

/* Whether it describes packets of this uuid. A process without packets so far has any. */
static bool metadata_knows(const char *data, size_t size, const uint8_t *uuid)
{
	char text[64];

	if (!uuid)
		return true;
	snprintf(text, sizeof(text),
		 "uuid = \"%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x\"",
		 uuid[0], uuid[1], uuid[2], uuid[3], uuid[4], uuid[5], uuid[6], uuid[7], uuid[8],
		 uuid[9], uuid[10], uuid[11], uuid[12], uuid[13], uuid[14], uuid[15]);
	return memmem(data, size, text, strlen(text));
}

static bool knows(const struct record_process *process, const uint8_t *uuid)
{
	return process->metadata && metadata_knows(process->metadata, process->size, uuid);
}

/**
 * record_metadata() - a process's metadata, read again if it has grown or is another
 * @rec: the recorder
 * @process: the process
 * @uuid: of packets that were read; NULL: there are none yet
 *
 * What is there after a packet was read knows all events in it, unless the trace was cleared in
 * between. By name: the process's directory goes with `clear`, and another comes with its next
 * event.
 *
 * Context: the process's lock.
 * Return: 0; -ESTALE the trace has been cleared since, and these packets with it; -errno.
 */
int record_metadata(const struct recorder *rec, struct record_process *process, const uint8_t *uuid)
{
	bool known = knows(process, uuid);
	char path[sizeof(process->name) + sizeof("/metadata")];
	const char *name = path;
	int dir = rec->trace;
	struct stat st;
	char *data;

	snprintf(path, sizeof(path), "%s/metadata", process->name);
	if (fstatat(dir, path, &st, 0)) { /* the trace is gone: what is open there is still found */
		dir = process->tree;
		name = "metadata";
		if (fstatat(dir, name, &st, 0))
			return known ? 0 : process->metadata ? -ESTALE : -errno;
	}
	if (known && (size_t)st.st_size == process->size)
		return 0;
	data = read_whole(dir, name, (size_t)st.st_size);
	if (!data)
		return known ? 0 : process->metadata ? -ESTALE : -EIO;
	if (!metadata_knows(data, (size_t)st.st_size, uuid)) {
		free(data);
		return known && dir != rec->trace ? 0 : -ESTALE;
	}
	free(process->metadata);
	process->metadata = data;
	process->size = (size_t)st.st_size;
	process->written = false;
	return 0;
}

/* The name starts with a dot, so readers do not take it for a stream. */
static int write_metadata(struct record_process *process)
{
	int fd = openat(process->out, ".metadata", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	int err;

	if (fd < 0)
		return -errno;
	err = record_write(fd, process->metadata, process->size, 0);
	if (close(fd) && !err)
		err = -errno;
	if (!err && renameat(process->out, ".metadata", process->out, "metadata"))
		err = -errno;
	if (err)
		unlinkat(process->out, ".metadata", 0);
	process->written = !err;
	return err;
}

/* ---- directories ------------------------------------------------------------------------------*/

/* A name that was not there: another process had the same one, or another recorder wrote here. */
static int make_directory(struct record_process *process, int parent)
{
	unsigned int i;

	snprintf(process->out_name, sizeof(process->out_name), "%s", process->name);
	for (i = 1; mkdirat(parent, process->out_name, 0755); i++) {
		if (errno != EEXIST)
			return -errno;
		snprintf(process->out_name, sizeof(process->out_name), "%s.%u", process->name, i);
	}
	return 0;
}

static int open_directory(struct recorder *rec, struct record_process *process, uint64_t chunk)
{
	char name[24];
	int parent = rec->out, err;

	if (rec->rotate) {
		chunk_name(name, chunk);
		if (mkdirat(rec->out, name, 0755) && errno != EEXIST)
			return -errno;
		parent = openat(rec->out, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (parent < 0)
			return -errno;
	}
	err = make_directory(process, parent);
	if (!err) {
		if (process->out >= 0)
			close(process->out);
		process->out =
			openat(parent, process->out_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		err = process->out < 0 ? -errno : 0;
	}
	if (parent != rec->out)
		close(parent);
	if (err)
		return err;
	process->chunk = chunk;
	process->written = false;
	return 0;
}

/* The process's directory in the chunk, with metadata that knows the packets. Chunks may have gone
 * on meanwhile; never back. A directory has one uuid: what comes after `clear` goes to the next. */
static int prepare(struct recorder *rec, struct record_stream *stream, uint64_t chunk)
{
	struct record_process *process = stream->process;
	struct record_segment old = { .dir = -1, .fd = -1 };
	bool cleared;
	int err;

	pthread_mutex_lock(&process->lock);
	cleared = memcmp(process->uuid, stream->uuid, sizeof(process->uuid));
	err = record_metadata(rec, process, stream->uuid);
	if (!err && (process->out < 0 || chunk > process->chunk || cleared))
		err = open_directory(rec, process, chunk);
	if (!err)
		memcpy(process->uuid, stream->uuid, sizeof(process->uuid));
	if (!err && !process->written)
		err = write_metadata(process);
	if (!err && (stream->file.dir < 0 || stream->chunk != process->chunk || stream->fresh)) {
		old = stream->file;
		err = record_segment_open(&stream->file, process->out, stream->name);
		stream->chunk = process->chunk;
		stream->fresh = err;
	}
	pthread_mutex_unlock(&process->lock);
	record_segment_close(&old);
	return err;
}

/* ---- packets ----------------------------------------------------------------------------------*/

static void wait_for_room(struct recorder *rec)
{
	struct pollfd wake = { .fd = rec->wake, .events = POLLIN };

	if (!__atomic_exchange_n(&rec->told, true, __ATOMIC_RELAXED))
		fprintf(stderr, "%sweir: %s: no room left: waiting for some\n",
			rec->terminal ? "\r\33[K" : "", rec->dir);
	poll(&wake, 1, RECORD_RETRY_MS);
}

static bool no_room(int err)
{
	return err == -ENOSPC || err == -EDQUOT;
}

/**
 * record_store() - puts whole packets at the end of a stream's file
 * @rec: the recorder
 * @stream: the stream
 * @data: the packets; packet_size of the last one is changed
 * @len: their bytes
 *
 * Waits while there is no room, until the recorder is stopped.
 *
 * Return: 0; -ESTALE the trace was cleared before they were stored: they are no more; -ECANCELED
 * there was no room to the end, counted; -errno.
 */
int record_store(struct recorder *rec, struct record_stream *stream, char *data, size_t len)
{
	uint64_t chunk;
	int err = choose_chunk(rec, len, &chunk);
	bool stuck = false;

	while (!err) {
		err = prepare(rec, stream, chunk);
		if (!err && rec->rotate && stream->chunk != chunk) {
			rebook(rec, len, chunk, stream->chunk);
			chunk = stream->chunk;
		}
		if (!err)
			err = record_segment_append(&stream->file, data, len);
		if (err == -ENOENT && chunk_is_gone(rec, chunk)) { /* others were that fast */
			err = choose_chunk(rec, 0, &chunk);
			continue;
		}
		if (!no_room(err))
			break;
		if (!stuck)
			record_count(&rec->stuck, 1);
		stuck = true;
		if (record_stopped(rec)) {
			record_count(&rec->unsaved, len);
			err = -ECANCELED;
		} else {
			wait_for_room(rec);
			err = 0;
		}
	}
	if (stuck)
		__atomic_sub_fetch(&rec->stuck, 1, __ATOMIC_RELAXED);
	return err;
}

/* ---- DIR --------------------------------------------------------------------------------------*/

static uint64_t tree_bytes(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *list = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	uint64_t bytes = 0;
	struct stat st;

	while (list && (entry = readdir(list))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..") ||
		    fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW))
			continue;
		bytes += S_ISDIR(st.st_mode) ? tree_bytes(fd, entry->d_name)
					     : (uint64_t)st.st_blocks * 512;
	}
	if (list)
		closedir(list);
	return bytes;
}

/* The chunks of earlier runs count, and go first. */
static int find_chunks(struct recorder *rec)
{
	int fd = openat(rec->out, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *list = fd < 0 ? NULL : fdopendir(fd);
	uint64_t first = UINT64_MAX, last = 0, chunk;
	struct dirent *entry;
	char name[24];

	if (!list)
		return -errno;
	while ((entry = readdir(list))) {
		chunk = strtoull(entry->d_name, NULL, 10);
		chunk_name(name, chunk);
		if (strcmp(name, entry->d_name))
			continue;
		first = chunk < first ? chunk : first;
		last = chunk > last ? chunk : last;
	}
	closedir(list);
	rec->oldest = first == UINT64_MAX ? 0 : first;
	rec->chunk = first == UINT64_MAX ? 0 : last + 1;
	rec->chunk_bytes =
		calloc((size_t)(rec->chunk - rec->oldest + 1), sizeof(*rec->chunk_bytes));
	if (!rec->chunk_bytes)
		return -ENOMEM;
	for (chunk = rec->oldest; chunk < rec->chunk; chunk++) {
		chunk_name(name, chunk);
		rec->chunk_bytes[chunk - rec->oldest] = tree_bytes(rec->out, name);
		rec->total += rec->chunk_bytes[chunk - rec->oldest];
	}
	return 0;
}

int record_out_open(struct recorder *rec)
{
	int err = 0;

	if (mkdir(rec->dir, 0755) && errno != EEXIST)
		return -errno;
	rec->out = open(rec->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (rec->out < 0)
		return -errno;
	/* what another recorder writes here just now would be taken for what a killed one has left */
	if (flock(rec->out, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK)
		return -EBUSY;
	err = record_cut(rec->dir);
	if (rec->max && (!rec->rotate || rec->rotate > rec->max))
		rec->rotate = rec->max / 8 ? rec->max / 8 : 1;
	return err || !rec->rotate ? err : find_chunks(rec);
}
