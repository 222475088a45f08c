/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * registry: which traces and sources exist. The tree (ops.c, nodes_*.c) reads it, the attach thread and
 * control files change it.
 *
 * Look-ups run under RCU (liburcu, memb flavour) and take a reference; every change is made under one mutex
 * inside registry.c; call_rcu frees. A trace or a source that was removed stays whole for those who hold a
 * reference; `gone` tells.
 *
 *                    find, each    get, put    create, remove, set
 *   find, each       allowed       allowed     allowed
 *   create, ...      allowed       allowed     excluded (mutex inside)
 *
 * Every thread that calls anything here is registered with liburcu (urcu_memb_register_thread).
 */
#ifndef WEIR_REGISTRY_H
#define WEIR_REGISTRY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>
#include "../lib/core/weir_ring.h" /* env.h's list before liburcu's */
#include "../lib/core/weir_schema.h"
#include "backend.h"

#include <urcu/ref.h>
#include <urcu/urcu-memb.h>
#include <urcu/rculfhash.h>
#include <urcu/rculist.h>

#define WEIR_TRACE_NAME_MAX 63

struct weir_snapshot;

struct weir_trace {
	struct urcu_ref ref;
	struct rcu_head rcu;
	unsigned int slot;
	char name[2 * (WEIR_TRACE_NAME_MAX + 1)]; /* TRACE or TRACE@NAME */
	struct weir_snapshot *snapshot; /* NULL: a trace */
	u64 moment;			/* of a snapshot; 0: a trace, of which all is now */
	uid_t owner, seen_by;		/* seen_by: the owner of what a snapshot is of */
	gid_t group;
	bool all; /* records every user's processes */
	struct timespec created; /* CLOCK_REALTIME */
	uint64_t serial; /* never used twice: inode numbers, keys */
	/* written under the registry's mutex, read with READ_ONCE */
	u64 epoch; /* with the geometry */
	bool enabled;
	bool gone;
	bool used; /* was enabled since its creation or the last clear: geometry is EBUSY */
	u64 max_bytes;
	u32 switch_interval; /* ms, 0: never */
	char rules[WEIR_RULES_SIZE];	     /* copy out with weir_trace_text() */
	char processes[WEIR_PROCESSES_SIZE];
	/* of the registry, under its mutex */
	struct weir_source *marker;   /* NULL until something is marked */
	struct cds_list_head images;  /* what ended sources hold here, in the order in which they ended */
	u64 dead_bytes;
	u64 hidden_bytes; /* of dead_bytes; see frozen.c */
	u64 dropped;
	/* anybody's */
	u32 *switches; /* asked for by control/switch, a CPU each, the extra ring's last; never goes */
	u64 listed; /* when its sources were listed last, CLOCK_MONOTONIC, s */
};

struct weir_source {
	struct urcu_ref ref;
	struct rcu_head rcu;
	struct cds_lfht_node by_name;
	struct cds_list_head by_serial;
	uint64_t serial; /* never used twice, ascending with time */
	char name[48];	 /* <comm>-<pid>[.N], [A-Za-z0-9._-] only */
	char comm[16];	 /* as given, NUL-terminated */
	pid_t pid;
	uid_t uid; /* whose process it is: which traces record it, quotas */
	uid_t dir_uid; /* as /proc/PID is owned */
	gid_t dir_gid;
	bool ended;
	bool gone;
	u64 shown[WEIR_SLOTS]; /* the epoch in which there was something in it */
	u64 since, looked;     /* ms, of the doorbell's thread: first and last seen */
	struct timespec attached; /* CLOCK_REALTIME */
	const struct weir_backend *backend; /* never changes; what is behind it does when the process ends */
	void *private; /* of the backend */
	struct weir_schemas schemas;
	u8 uuid[16]; /* random; weir_source_uuid() gives the one for a trace */
};

/* ---- traces. Errors are -errno and, for callers that pass `why`, a sentence for .weir/errors ----------------*/

int weir_trace_create(const char *name, uid_t uid, gid_t gid, bool all, const char **why);
int weir_trace_remove(struct weir_trace *trace);
void weir_trace_left(const struct weir_trace *trace);
struct weir_trace *weir_trace_find(const char *name); /* with a reference, or NULL */
unsigned int weir_traces(struct weir_trace *traces[WEIR_SLOTS]); /* with references, by slot */
void weir_trace_get(struct weir_trace *trace);
void weir_trace_put(struct weir_trace *trace);

int weir_trace_set_enabled(struct weir_trace *trace, bool enabled);
/* The low 16 bits of an epoch: shifts of 0 keep their value, flags are taken as they are. -EBUSY when the
 * trace is enabled or holds events, -EINVAL out of bounds. */
int weir_trace_set_geometry(struct weir_trace *trace, u64 epoch_bits, const char **why);
int weir_trace_set_rules(struct weir_trace *trace, const char *rules, bool append, const char **why);
int weir_trace_set_processes(struct weir_trace *trace, const char *words, const char **why);
int weir_trace_set_max_bytes(struct weir_trace *trace, u64 bytes);
int weir_trace_clear(struct weir_trace *trace);
void weir_trace_text(struct weir_trace *trace, char rules[WEIR_RULES_SIZE], char processes[WEIR_PROCESSES_SIZE]);
u64 weir_trace_dead_bytes(struct weir_trace *trace); /* held by ended sources */
u64 weir_trace_dropped(struct weir_trace *trace);    /* ended sources dropped for max_bytes */

/* One line of text, without newline, becomes marker:print. -EBADF while the trace is not enabled (as ftrace's
 * trace_marker), -EMSGSIZE longer than a sub-buffer, -ENOSPC discard mode and full (counted as lost),
 * -EDQUOT no memory left to the owner. `pid`: of the writing thread, also the context. */
int weir_trace_mark(struct weir_trace *trace, const char *text, size_t len, pid_t pid);

/* ---- sources ----------------------------------------------------------------------------------*/

struct weir_source *weir_source_find(const char *name); /* a process; with a reference, or NULL */
/* The source `name` as seen in a trace: a process that the trace records, or the trace's own marker-0 (every
 * trace has one of that name; weir_source_find() knows none of them). With a reference, or NULL. */
struct weir_source *weir_trace_source(struct weir_trace *trace, const char *name);
/* Calls fn for every source, the markers included, in order of serial, under rcu_read_lock, until it returns
 * non-zero; returns that. The registry holds a reference during the call. fn must not block. */
int weir_sources_each(int (*fn)(struct weir_source *source, void *arg), void *arg);
void weir_source_get(struct weir_source *source);
void weir_source_put(struct weir_source *source);

/* Its sources are about to be listed: who is listed now can be looked up for a while. */
void weir_trace_list(struct weir_trace *trace);
/* Does `trace` record processes of this source's user, and is there anything (records or losses)? Once there was, it
 * stays, whatever becomes of the words in the process's memory: readers list first and look up later. */
bool weir_source_in(struct weir_source *source, struct weir_trace *trace);
/* Would its name be found in the trace? Also one that is not listed any more. */
bool weir_source_found(struct weir_source *source, struct weir_trace *trace);
int weir_source_sample(struct weir_source *source, struct weir_trace *trace, unsigned int cpu,
		       struct weir_ring_view *view);
void weir_source_uuid(const struct weir_source *source, const struct weir_trace *trace, u64 epoch, u8 uuid[16]);

/* ---- the daemon's constants, set before any thread starts -------------------------------------*/

struct weir_daemon {
	char rundir[256];
	char hostname[65];
	u32 nr_cpus; /* possible CPUs; rings are numbered 0 .. nr_cpus, the last is `cpux` */
	struct weir_clock clock;
	const char *clock_name; /* "tsc" | "monotonic" */
	const char *backend; /* "auto", "shm" or "kmod" is asked for; weir_registry_init() makes it what is used */
	s64 clock_offset;
	u8 clock_uuid[16]; /* boot id */
	gid_t tracing;	   /* group `tracing`, or (gid_t)-1 */
	uid_t uid;	   /* of the daemon */
};
extern struct weir_daemon weir_daemon;

void weir_daemon_background(void);

bool weir_source_is_kernel(const struct weir_source *source);

u64 weir_clock_now(void); /* ns, as records carry */
u64 weir_now_ms(void);	  /* CLOCK_MONOTONIC */

/* A line in .weir/errors, for this user. */
void weir_error_add(uid_t uid, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Quotas a uid, root exempt; see quota.c. take returns 0 or -EDQUOT. */
enum weir_quota {
	WEIR_QUOTA_TRACES,
	WEIR_QUOTA_SNAPSHOTS,
	WEIR_QUOTA_SNAPSHOT_BYTES,
	WEIR_QUOTA_PROCESSES,	/* attached */
	WEIR_QUOTA_BYTES,	/* held for ended processes, for markers, and for event types of all processes */
	WEIR_QUOTA_COPIES,	/* bytes of open copies, and whatever else readers make us hold */
	WEIR_QUOTA_CONNECTIONS, /* descriptors of those that have not said anything yet, or are not closed yet */
	WEIR_QUOTA_COUNT
};
int weir_quota_take(uid_t uid, enum weir_quota what, u64 amount);
void weir_quota_give(uid_t uid, enum weir_quota what, u64 amount);
int weir_quota_hold(uid_t uid, enum weir_quota what, u64 *held, u64 amount);

/* Life: init opens the control file and the socket (errors printed as `weir: WHAT: WHY`), start runs the
 * attach thread, stop ends it, marks all slots free and removes the socket. */
int weir_registry_init(const char *rundir, const char *clock);
int weir_registry_start(void);
/* Who has attached before this call is known after it, even if it has ended by now. Waits for the attach thread,
 * which waits for nobody. */
void weir_registry_sync(void);
/* What was kept for readers only goes; once a second. */
void weir_registry_sweep(void);
void weir_registry_stop(void);

#endif /* WEIR_REGISTRY_H */
