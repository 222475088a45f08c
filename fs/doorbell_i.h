/* SPDX-License-Identifier: GPL-2.0-only */
/* doorbell: what the daemon's workers answer its own thread (bell.c), and the thread's life (doorbell.c). */
#ifndef WEIR_DOORBELL_I_H
#define WEIR_DOORBELL_I_H

#include "tree_i.h"

/* False: an ordinary look-up. True: *err is 0, and `entry` set, or -errno. */
bool weir_doorbell_lookup(const struct weir_caller *caller, fuse_ino_t parent, const char *name,
			  struct fuse_entry_param *entry, int *err);
/* Of directories that users cannot make or remove: -EPERM to everybody else. */
int weir_doorbell_mkdir(const struct weir_caller *caller, fuse_ino_t parent, const char *name,
			struct fuse_entry_param *entry);
int weir_doorbell_rmdir(const struct weir_caller *caller, fuse_ino_t parent, const char *name);

/* ---- bell.c, for the thread -------------------------------------------------------------------*/

enum weir_bell_what {
	WEIR_BELL_NOTHING,
	WEIR_BELL_CREATE,
	WEIR_BELL_DELETE,
	WEIR_BELL_MODIFY,
};

int weir_bell_open(const char *mountpoint); /* before the thread */
void weir_bell_begin(void);		    /* the caller is the thread */
void weir_bell(enum weir_bell_what what, struct weir_trace *trace, struct weir_source *source);
void weir_bell_cut(void); /* the connection, if the thread is in the kernel for ever */

/* ---- doorbell.c -------------------------------------------------------------------------------*/

int weir_doorbell_start(const char *mountpoint);
void weir_doorbell_stop(void);

/* drain.c: after the session's loop, requests are answered until the daemon's own threads, which may wait for
 * an answer, have ended. */
int weir_drain_start(struct fuse_session *session);
void weir_drain_stop(void);

#endif /* WEIR_DOORBELL_I_H */
