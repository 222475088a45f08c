/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * backend: who holds a source's memory. One struct of functions a kind of source: a live process whose memory
 * is shared (backend_shm.c; by memfds or by the kernel module), the daemon's own marker, a process that has ended
 * and was compacted to what it held (frozen.c).
 *
 * Every function may be called from any thread at any time while the caller holds a reference to the source,
 * trusts nothing that a process can write, never blocks on the traced process, and never takes the registry's
 * lock.
 */
#ifndef WEIR_BACKEND_H
#define WEIR_BACKEND_H

#include "../lib/core/weir_ring.h"

struct weir_source;

struct weir_backend {
	const char *name;
	/* One moment of a ring, as weir_ring_sample(): 0, or -ENODATA if it holds nothing of `epoch`. */
	int (*sample)(struct weir_source *source, unsigned int slot, unsigned int cpu, u64 epoch,
		      struct weir_ring_view *view);
	/* Copies ring bytes [position, position + len) by the relay read wrapper. 0 or -errno. */
	int (*read)(struct weir_source *source, unsigned int slot, unsigned int cpu, u64 epoch, u64 position,
		    void *dst, size_t len);
	/* After reading: the lowest position that still held while the copy was made; ~0 if none did. */
	u64 (*valid_from)(struct weir_source *source, unsigned int slot, unsigned int cpu,
			  const struct weir_ring_view *view);
	/* A live reader has taken all below `position` for good: published for the writer's discard check. */
	void (*consume)(struct weir_source *source, unsigned int slot, unsigned int cpu, u64 epoch, u64 position);
	/* Counts the switches that the program has asked for (weir_switch()); a sample that comes later sees what
	 * it wrote before. NULL: it cannot ask. */
	u64 (*switches)(struct weir_source *source);
	/* Makes a packet of what was written on this CPU before the call, and returns when that has happened. NULL:
	 * live readers cut the open sub-buffer at position, which needs nobody's help. 0 or -errno. */
	int (*switch_cpu)(struct weir_source *source, unsigned int slot, unsigned int cpu, u64 epoch);
	/* A new descriptor that becomes readable, by an edge, with each packet of the ring that is sealed after the call.
	 * NULL, -errno: nobody tells, positions have to be looked at. */
	int (*wake)(struct weir_source *source, unsigned int slot, unsigned int cpu, u64 epoch);
	/* Parses what was added to the schema log; returns the number of classes. */
	u32 (*schemas)(struct weir_source *source);
	/* Last reference is gone. */
	void (*destroy)(struct weir_source *source);
};

#endif /* WEIR_BACKEND_H */
