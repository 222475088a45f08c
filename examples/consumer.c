// SPDX-License-Identifier: LGPL-2.1-only
/*
 * consumer: the kernel's events, whole sub-buffers taken in place from the module's rings into
 * files.
 *
 *   consumer DIR SUBBUFS         # as root; ends when it has taken so many
 *
 * Only the server of /dev/weir gets descriptors of processes and their rings, and there is one. So
 * this is a small server for a machine without the daemon: beside the daemon it ends with EBUSY,
 * and live/cpuN of the tree are the way. Its one trace is in discard mode: nothing is overwritten
 * while it is read.
 *
 * A sub-buffer is written first and then given back: killed in between, it has not been consumed.
 * DIR/cpuN are packets (struct weir_packet) as the kernel made them, without metadata.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weir/consumer.h>

#define SUBBUF_SHIFT 16 /* 64 KiB, */
#define COUNT_SHIFT 3	/* eight of them */

struct stream {
	int fd, file;
	const char *ring;
	off_t size;
};

static struct weir_dev_serve served = { .version = WEIR_ABI_VERSION };
static struct weir_config config;
static int server;
static struct stream *streams; /* of every CPU */
static struct pollfd *polled;

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void serve(void)
{
	server = open(WEIR_DEVICE, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (server < 0 || ioctl(server, WEIR_IOC_SERVE, &served))
		die(WEIR_DEVICE);
	config.server = served.server + 1;
	config.nr_cpus = served.nr_cpus;
	config.nr_slots = WEIR_SLOTS;
	config.clock.type = WEIR_CLOCK_MONOTONIC;
	config.counter = served.counter + 1;
	config.flags = WEIR_CONFIG_DEVICE;
	config.slot[0].epoch =
		weir_epoch_make(config.counter, SUBBUF_SHIFT, COUNT_SHIFT, WEIR_EPOCH_DISCARD);
	config.slot[0].flags = WEIR_SLOT_ENABLED | WEIR_SLOT_ALL;
	config.slot[0].kernel = ~0ull; /* all of its events */
	if (write(server, &config, sizeof(config)) != (ssize_t)sizeof(config))
		die("publish");
}

static void open_stream(int process, unsigned int cpu, const char *dir)
{
	struct stream *stream = &streams[cpu];
	char path[4096];

	stream->fd = weir_consumer_stream(process, 0, cpu, config.slot[0].epoch);
	if (stream->fd < 0) {
		errno = -stream->fd;
		die("stream");
	}
	snprintf(path, sizeof(path), "%s/cpu%u", dir, cpu);
	stream->ring = weir_consumer_map(stream->fd, config.slot[0].epoch);
	stream->file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (!stream->ring || stream->file < 0)
		die(path);
	polled[cpu] = (struct pollfd){ .fd = stream->fd, .events = POLLIN };
}

static void open_streams(const char *dir)
{
	struct weir_dev_process kernel = { .id = WEIR_DEV_KERNEL_ID };
	int process = ioctl(server, WEIR_IOC_PROCESS, &kernel);
	unsigned int cpu;

	streams = calloc(served.nr_cpus, sizeof(*streams));
	polled = calloc(served.nr_cpus, sizeof(*polled));
	if (process < 0 || !streams || !polled)
		die("the kernel's rings");
	for (cpu = 0; cpu < served.nr_cpus; cpu++)
		open_stream(process, cpu, dir);
	close(process); /* its streams stay */
}

/* The oldest sub-buffer into the file. 0; -EAGAIN: none is whole; -errno. */
static int consume(struct stream *stream)
{
	struct weir_dev_subbuf subbuf;
	int err = weir_consumer_get(stream->fd, &subbuf);
	size_t size;

	if (err)
		return err;
	size = subbuf.end - subbuf.begin;
	errno = EIO; /* less than all of it */
	if (pwrite(stream->file, stream->ring + subbuf.offset, size, stream->size) != (ssize_t)size)
		return -errno;
	err = weir_consumer_put(stream->fd, &subbuf);
	if (!err)
		stream->size += (off_t)size;
	return err;
}

int main(int argc, char **argv)
{
	unsigned long left = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
	unsigned int cpu;
	int err;

	if (!left) {
		fprintf(stderr, "usage: consumer DIR SUBBUFS\n");
		return 2;
	}
	serve();
	open_streams(argv[1]);
	while (left) {
		if (poll(polled, served.nr_cpus, -1) < 0)
			die("poll");
		for (cpu = 0; cpu < served.nr_cpus && left; cpu++) {
			err = polled[cpu].revents ? consume(&streams[cpu]) : -EAGAIN;
			if (err && err != -EAGAIN) {
				errno = -err;
				die("consume");
			}
			left -= !err;
		}
	}
	return 0; /* what is open is closed, and the trace has gone with its server */
}
