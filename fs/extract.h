/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * extract: what a process recorded, written to disk as CTF directories without a daemon, from wherever its memory
 * can be read: a dump of the machine, another process's address space.
 *
 * Nothing that is read is trusted. What cannot be read is zeros, is counted, and costs the packets in which it is.
 */
#ifndef WEIR_EXTRACT_H
#define WEIR_EXTRACT_H

#include "../lib/core/weir_ring.h"

struct weir_extract_source;

/* Where memory comes from. Each fills `dst` and returns how many of its bytes could not be read: those are 0. */
struct weir_extract_ops {
	/* The region WEIR_DEV_PROCESS: struct weir_process, the rings' control words, the schema log. */
	size_t (*process)(void *priv, u64 offset, void *dst, size_t len);
	/* A ring's bytes. */
	size_t (*ring)(void *priv, unsigned int slot, unsigned int cpu, u64 offset, void *dst, size_t len);
	/* The epoch for which the ring's memory was made; NULL: as the ring itself says. */
	u64 (*epoch)(void *priv, unsigned int slot, unsigned int cpu);
};

struct weir_extract_source {
	const struct weir_extract_ops *ops;
	void *priv;
	const char *comm; /* any bytes, 15 at most */
	pid_t pid;
	uid_t uid;
	bool kernel;
	u64 ring_stride; /* no ring is larger */
	u64 latest;	 /* no record is later; 0: not known */
};

/* What came of it; sums. */
struct weir_extract_count {
	u64 directories, streams, bytes;
	u64 missing; /* bytes that could not be read */
	u64 damaged; /* packets that were cut, rings and schema logs that contradict themselves */
};

/*
 * Writes <dir>/slotN/<comm>-<pid> for every slot in which the source has something of the epoch `epochs`[slot] (0: of
 * the newest that any of its rings has). weir_daemon says the number of CPUs, the clock and the host. 0, or -errno
 * of the first thing that could not be written.
 */
int weir_extract(const struct weir_extract_source *from, const u64 epochs[WEIR_SLOTS], const char *dir,
		 struct weir_extract_count *count);

#endif /* WEIR_EXTRACT_H */
