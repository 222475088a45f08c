// SPDX-License-Identifier: GPL-2.0-only
/*
 * record_stream: a thread a CPU, which moves packets from the live/cpuN of all processes into
 * files. It waits for all of them at once; a stream whose process or trace has ended says so, and
 * is closed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <weir/abi.h>

#include "cmd_i.h"
#include "record_i.h"

#define RECORD_BUFFER (2u << 20) /* grows to the largest packet */
#define RECORD_READ (1u << 20)
#define RECORD_TURN 16 /* reads of a stream before the others have their turn */

struct record_thread {
	pthread_t id;
	struct recorder *rec;
	int epoll;
	char *data; /* what was read, and is not stored yet: of one stream, while it has its turn */
	size_t size, len;
	pthread_mutex_t lock; /* of the list: the main thread adds */
	struct record_stream *streams;
};

/* ---- packets ----------------------------------------------------------------------------------*/

/* The packet at `data`: its size; 0 if it is not whole yet; more than there can be if it is none.
 */
static size_t packet_size(const char *data, size_t len, struct weir_packet *header)
{
	if (len < sizeof(*header))
		return 0;
	memcpy(header, data, sizeof(*header));
	if (header->magic != WEIR_CTF_MAGIC || header->packet_size / 8 < sizeof(*header))
		return ~(size_t)0;
	return header->packet_size / 8;
}

static void count_packet(struct recorder *rec, struct record_stream *stream,
			 const struct weir_packet *header)
{
	record_count(&rec->packets, 1);
	record_count(&rec->lost, header->events_discarded - stream->discarded);
	if (stream->begun && header->packet_seq_num > stream->seq + 1)
		record_count(&rec->missed, header->packet_seq_num - stream->seq - 1);
	stream->begun = true;
	stream->discarded = header->events_discarded;
	stream->seq = header->packet_seq_num;
}

/* Bytes of whole packets of one uuid in the buffer, counted; -EIO: these are no packets. */
static ssize_t whole_packets(struct record_thread *thread, struct record_stream *stream)
{
	struct weir_packet header;
	size_t at = 0, size;

	while ((size = packet_size(thread->data + at, thread->len - at, &header))) {
		if (size == ~(size_t)0)
			return -EIO;
		if (size > thread->len - at || (at && memcmp(header.uuid, stream->uuid, 16)))
			break;
		if (memcmp(header.uuid, stream->uuid, 16)) { /* the first, or the trace was cleared */
			memcpy(stream->uuid, header.uuid, 16);
			stream->begun = false;
			stream->discarded = 0;
			stream->fresh = true;
		}
		count_packet(thread->rec, stream, &header);
		at += size;
	}
	return (ssize_t)at;
}

/* ---- one stream -------------------------------------------------------------------------------*/

/* A buffer begins at a page: the kernel copies into it by pages. */
static char *new_buffer(size_t size)
{
	void *data;

	return posix_memalign(&data, 4096, size) ? NULL : data;
}

static int reserve(struct record_thread *thread)
{
	char *data;

	if (thread->size - thread->len >= RECORD_READ)
		return 0;
	data = new_buffer(thread->size * 2);
	if (!data)
		return -ENOMEM;
	memcpy(data, thread->data, thread->len);
	free(thread->data);
	thread->data = data;
	thread->size *= 2;
	return 0;
}

/* One read, and what is whole of it into the file. 1: there may be more; 0: the end; -EAGAIN, or
 * -errno. */
static int move(struct record_thread *thread, struct record_stream *stream)
{
	ssize_t n, whole;
	int err = reserve(thread);

	if (err)
		return err;
	n = read(stream->fd, thread->data + thread->len, RECORD_READ);
	if (n < 0)
		return errno == EINTR ? 1 : -errno;
	if (!n)
		return thread->len ? -EIO : 0;
	thread->len += (size_t)n;
	stream->after_stop += record_stopped(thread->rec) ? (uint64_t)n : 0;
	whole = whole_packets(thread, stream);
	if (whole <= 0)
		return whole ? (int)whole : 1;
	err = record_store(thread->rec, stream, thread->data, (size_t)whole);
	if (err && err != -ESTALE)
		return err;
	record_count(&thread->rec->bytes, err ? 0 : (uint64_t)whole);
	thread->len -= (size_t)whole;
	memmove(thread->data, thread->data + whole, thread->len);
	return 1;
}

static void close_stream(struct record_thread *thread, struct record_stream *stream)
{
	struct record_stream **p;

	pthread_mutex_lock(&thread->lock);
	for (p = &thread->streams; *p != stream; p = &(*p)->next)
		;
	*p = stream->next;
	pthread_mutex_unlock(&thread->lock);
	close(stream->fd);
	record_segment_close(&stream->file);
	__atomic_sub_fetch(&stream->process->streams, 1, __ATOMIC_RELEASE); /* close:B */
	free(stream);
	__atomic_sub_fetch(&thread->rec->open, 1, __ATOMIC_RELEASE); /* close:B */
}

/* A stream has its turn. It ends inside no packet: of a large one the rest is waited for. */
static void turn(struct record_thread *thread, struct record_stream *stream)
{
	struct recorder *rec = thread->rec;
	int more = 1, left = RECORD_TURN;

	while (more > 0 && (left-- > 0 || thread->len))
		more = move(thread, stream);
	if (more == -EAGAIN && thread->len)
		more = -EIO; /* a piece of a packet comes with the next read */
	thread->len = 0;
	if (more > 0 && record_stopped(rec) && stream->after_stop > rec->stop_bytes)
		more = 0;
	if (more == -EAGAIN ? record_stopped(rec) : more <= 0)
		close_stream(thread, stream);
	if (more < 0 && more != -EAGAIN && more != -ECANCELED)
		record_fail(rec, -more);
}

/* ---- the thread -------------------------------------------------------------------------------*/

/* All that is there is taken, from whoever has something; then all is closed. */
static void drain(struct record_thread *thread)
{
	struct record_stream *stream;

	for (;;) {
		pthread_mutex_lock(&thread->lock);
		stream = thread->streams;
		pthread_mutex_unlock(&thread->lock);
		if (!stream)
			break;
		turn(thread, stream);
	}
}

static void *run(void *arg)
{
	struct record_thread *thread = arg;
	struct epoll_event events[64];
	int i, n;

	while (!record_stopped(thread->rec)) {
		n = epoll_wait(thread->epoll, events, ARRAY_SIZE(events), -1);
		for (i = 0; i < n && !record_stopped(thread->rec); i++)
			if (events[i].data.ptr)
				turn(thread, events[i].data.ptr);
	}
	drain(thread);
	return NULL;
}

static void free_thread(struct record_thread *thread)
{
	if (thread->epoll >= 0)
		close(thread->epoll);
	pthread_mutex_destroy(&thread->lock);
	free(thread->data);
	free(thread);
}

static int start_thread(struct recorder *rec, unsigned int cpu)
{
	struct record_thread *thread = calloc(1, sizeof(*thread));
	struct epoll_event wake = { .events = EPOLLIN };
	int err;

	if (!thread)
		return -ENOMEM;
	thread->rec = rec;
	thread->size = RECORD_BUFFER;
	thread->data = new_buffer(thread->size);
	thread->epoll = epoll_create1(EPOLL_CLOEXEC);
	pthread_mutex_init(&thread->lock, NULL);
	err = thread->data ? 0 : -ENOMEM;
	if (!err &&
	    (thread->epoll < 0 || epoll_ctl(thread->epoll, EPOLL_CTL_ADD, rec->wake, &wake)))
		err = -errno;
	if (!err)
		err = -pthread_create(&thread->id, NULL, run, thread);
	if (err) {
		free_thread(thread);
		return err;
	}
	rec->thread[cpu] = thread;
	return 0;
}

static int open_stream(struct record_stream *stream)
{
	char path[32];

	snprintf(path, sizeof(path), "live/%s", stream->name);
	stream->fd = openat(stream->process->tree, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	return stream->fd < 0 ? -errno : 0;
}

/**
 * record_stream_add() - a stream is recorded from now on
 * @rec: the recorder
 * @process: whose it is
 * @name: cpuN
 * @cpu: which of the process's streams this is
 *
 * Context: the main thread.
 * Return: 0; -EBUSY somebody else reads it; -errno.
 */
int record_stream_add(struct recorder *rec, struct record_process *process, const char *name,
		      unsigned int cpu)
{
	struct record_stream *stream = calloc(1, sizeof(*stream));
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = stream };
	struct record_thread *thread;
	int err = stream ? 0 : -ENOMEM;

	if (!err && !rec->thread[cpu])
		err = start_thread(rec, cpu);
	if (err) {
		free(stream);
		return err;
	}
	thread = rec->thread[cpu];
	stream->process = process;
	stream->file.dir = stream->file.fd = -1;
	snprintf(stream->name, sizeof(stream->name), "%s", name);
	err = open_stream(stream);
	if (err) {
		free(stream);
		return err;
	}
	__atomic_add_fetch(&rec->open, 1, __ATOMIC_RELAXED);
	__atomic_add_fetch(&process->streams, 1, __ATOMIC_RELAXED);
	pthread_mutex_lock(&thread->lock);
	stream->next = thread->streams;
	thread->streams = stream;
	pthread_mutex_unlock(&thread->lock);
	if (epoll_ctl(thread->epoll, EPOLL_CTL_ADD, stream->fd, &event)) {
		err = -errno;
		close_stream(thread, stream);
	}
	return err;
}

/* After record_stop(). */
void record_threads_join(struct recorder *rec)
{
	unsigned int cpu;

	for (cpu = 0; cpu < RECORD_CPUS; cpu++) {
		if (!rec->thread[cpu])
			continue;
		pthread_join(rec->thread[cpu]->id, NULL);
		free_thread(rec->thread[cpu]);
	}
}
