/* SPDX-License-Identifier: GPL-2.0-only */
/* freeze: copies of a trace's rings (freeze.c), which are then (backend_frozen.c) a snapshot's sources (snapshot.c). */
#ifndef WEIR_FREEZE_I_H
#define WEIR_FREEZE_I_H

#include "registry_i.h"

/* One source as it was. Immutable but for `data`, which goes when the snapshot does. */
struct weir_frozen {
	struct weir_source *origin; /* its classes are its; NULL: a marker's, which are made anew */
	u32 classes;
	struct weir_frozen_data *data; /* RCU; set NULL locked */
	struct weir_kept ring[];       /* by CPU; offsets into data */
};

struct weir_frozen_data {
	struct rcu_head rcu;
	uid_t uid; /* whose quota holds it */
	u8 *map;
	size_t size;
};

/* What is being frozen. */
struct weir_freeze {
	unsigned int slot;
	u64 epoch, moment, within;
	uid_t uid;
	size_t nr;
	struct weir_source *const *origin; /* nr */
	struct weir_frozen **frozen;	   /* nr; NULL: has nothing */
	u64 bytes;
	size_t next; /* ring that nobody copies yet */
};

static inline size_t weir_freeze_rings(void) /* of a source: one a CPU, and the extra one */
{
	return (size_t)weir_daemon.nr_cpus + 1;
}

int weir_freeze_sample(struct weir_freeze *freeze);
int weir_freeze_copy(struct weir_freeze *freeze, const char **why);
void weir_freeze_end(struct weir_freeze *freeze); /* what nobody took over */

/* ---- backend_frozen.c -------------------------------------------------------------------------*/

int weir_frozen_alloc(struct weir_frozen *frozen, uid_t uid, size_t size, const char **why);
void weir_frozen_free(struct weir_frozen *frozen);
void weir_frozen_release(struct weir_frozen *frozen);
u64 weir_frozen_bytes(void);

extern const struct weir_backend weir_backend_frozen;

#endif /* WEIR_FREEZE_I_H */
