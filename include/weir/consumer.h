/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * weir consumer: whole sub-buffers of one ring, read in place, through the kernel module's stream descriptor.
 *
 * After the RFC "Userspace tracing memory mappings" (M. Desnoyers, 2008-01-23): "the daemon already uses ioctl on the
 * file to get the buffer offset to read". The ring is mapped read-only, GET says where the oldest sub-buffer that was
 * not consumed is, PUT says that it is consumed.
 *
 * A stream's descriptor comes of a process's (WEIR_IOC_STREAM), which only the server of /dev/weir gets
 * (WEIR_IOC_PROCESS): there is one, the daemon where one runs. Whoever is not the server is given descriptors by it, over
 * fork(2) or SCM_RIGHTS. The daemon gives none: beside it, live/cpuN of the tree are consumed.
 *
 *             beside GET, PUT of the same descriptor       beside the writer
 *   get       a lock; the last GET is the one that counts  takes nothing away from it
 *   put       a lock; of another GET's: EINVAL             discard mode: room for it
 *   snapshot  none needed                                  none needed
 *   switch    none needed                                  it is interrupted, at most
 *
 * A consumer that dies between GET and PUT has consumed nothing: GET by whoever else has the descriptor gives the same
 * sub-buffer again. With the last descriptor the module forgets how far it was; another stream of the ring
 * begins with the oldest sub-buffer that is still there, and packet_seq_num tells what was seen before.
 *
 * What is in a ring was written by the traced process: check it before use. All functions may sleep and change errno;
 * of one descriptor's callers the module takes one after the other.
 */
#ifndef WEIR_CONSUMER_H
#define WEIR_CONSUMER_H

#include <errno.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <weir/abi.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * weir_consumer_stream() - a descriptor of one ring of a process
 * @process: a process's descriptor
 * @slot: of the trace
 * @cpu: whose ring; the number of CPUs: the one that is shared by threads without restartable sequences
 * @epoch: of the trace, as its slot has it
 *
 * read(2), splice(2), poll(2) and all below work on it. EPOLLHUP: the process or the trace has ended.
 *
 * Return: the descriptor, close-on-exec; -EINVAL no such ring; -ESTALE the slot has another epoch; -EBUSY the ring has a
 * stream; -errno.
 */
static inline int weir_consumer_stream(int process, __u32 slot, __u32 cpu, __u64 epoch)
{
	struct weir_dev_ring ring = { slot, cpu, epoch, 0 };
	int fd = ioctl(process, WEIR_IOC_STREAM, &ring);

	return fd < 0 ? -errno : fd;
}

/**
 * weir_consumer_map() - a stream's ring, to be read
 * @stream: the stream's descriptor
 * @epoch: that it was made with
 *
 * weir_epoch_ring_size(@epoch) bytes, for munmap(2). The mapping outlives the descriptor.
 *
 * Return: the ring; NULL: errno tells.
 */
static inline const void *weir_consumer_map(int stream, __u64 epoch)
{
	void *ring = mmap(NULL, weir_epoch_ring_size(epoch), PROT_READ, MAP_SHARED, stream, 0);

	return ring == MAP_FAILED ? NULL : ring;
}

/**
 * weir_consumer_get() - the oldest whole sub-buffer that was not consumed
 * @stream: the stream's descriptor
 * @subbuf: filled in: @offset in the mapping, bytes from @begin to @end, events @lost so far
 *
 * One sub-buffer lies in one piece. Of a process that has ended the last one is shorter. In overwrite mode it may be
 * overwritten while it is read: weir_consumer_put() knows.
 *
 * Return: 0; -EAGAIN none is whole: poll(2) waits; -EBUSY read(2) is within one; -errno.
 */
static inline int weir_consumer_get(int stream, struct weir_dev_subbuf *subbuf)
{
	return ioctl(stream, WEIR_IOC_SUBBUF_GET, subbuf) ? -errno : 0;
}

/**
 * weir_consumer_put() - it is consumed
 * @stream: the stream's descriptor
 * @subbuf: as weir_consumer_get() filled it in
 *
 * Return: 0; -ESTALE it was overwritten meanwhile, or the trace is gone: what was read does not count; -EINVAL it is not
 * the one of the last GET; -errno.
 */
static inline int weir_consumer_put(int stream, const struct weir_dev_subbuf *subbuf)
{
	return ioctl(stream, WEIR_IOC_SUBBUF_PUT, subbuf) ? -errno : 0;
}

/**
 * weir_consumer_snapshot() - what the ring holds at one moment, the open packet included
 * @stream: the stream's descriptor
 * @subbuf: filled in; empty (@begin equals @end) where nothing is
 *
 * Consumes nothing.
 *
 * Return: 0; -EIO the process has damaged its control words; -errno.
 */
static inline int weir_consumer_snapshot(int stream, struct weir_dev_subbuf *subbuf)
{
	return ioctl(stream, WEIR_IOC_SUBBUF_SNAPSHOT, subbuf) ? -errno : 0;
}

/**
 * weir_consumer_switch() - end the open packet, so that GET gives it
 * @stream: the stream's descriptor
 * @position: filled in: where the ring stood; NULL
 *
 * Return: 0; -ENOSPC discard mode, and no room for the next; -EOPNOTSUPP of a ring that is no CPU's; -errno.
 */
static inline int weir_consumer_switch(int stream, __u64 *position)
{
	struct weir_dev_ring ring = { 0, 0, 0, 0 };
	int err = ioctl(stream, WEIR_IOC_SWITCH, &ring) ? -errno : 0;

	if (position)
		*position = ring.position;
	return err;
}

#ifdef __cplusplus
}
#endif

#endif /* WEIR_CONSUMER_H */
