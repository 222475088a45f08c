/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * snapshot: what a trace held at one moment. TRACE@NAME is a struct weir_trace that is in no slot, has `snapshot`
 * set, and never changes; its sources are its own, in no list but its own, of a backend that holds copies. So
 * everything that reads traces reads snapshots.
 */
#ifndef WEIR_SNAPSHOT_H
#define WEIR_SNAPSHOT_H

#include "registry.h"

#define WEIR_SNAPSHOTS 64u /* there are no more at a time */

struct weir_snapshot {
	struct cds_list_head list; /* RCU: of all */
	struct weir_trace *trace;  /* of which this is a part */
	u64 moment, within;	   /* ns: when it was all sampled, and how long that took */
	unsigned int nr;
	struct weir_source *source[]; /* by age; a reference each */
};

/* Freezes sources of a trace, each with a reference, as trace `trace`@`name` of this owner. 0, or -errno and why:
 * -EINVAL, -ENAMETOOLONG the name; -EEXIST; -ENOSPC no more, or too large; -ENOMEM. Takes as long as copying does. */
int weir_snapshot_create(struct weir_trace *trace, const char *name, uid_t uid, gid_t gid,
			 struct weir_source *const *sources, size_t nr, const char **why);
struct weir_trace *weir_snapshot_find(const char *name);		     /* with a reference, or NULL */
unsigned int weir_snapshots(struct weir_trace *snapshots[WEIR_SNAPSHOTS]); /* with references, by age */
u64 weir_snapshot_bytes(void);						     /* of all */

/* ---- for the registry -------------------------------------------------------------------------*/

bool weir_snapshot_has(const struct weir_snapshot *snapshot, const struct weir_source *source);
struct weir_source *weir_snapshot_source(const struct weir_snapshot *snapshot, const char *name); /* with a reference */
void weir_snapshot_drop(struct weir_trace *trace); /* locked; its memory goes */
void weir_snapshots_drop(void);			   /* locked; at the end */
void weir_snapshot_free(struct weir_snapshot *snapshot); /* the last reference to the trace is gone */

#endif /* WEIR_SNAPSHOT_H */
