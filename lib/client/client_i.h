/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * client: what libweir's files share.
 *
 *   site.c      the event path: staged fields -> ring append
 *   fallback.c  the locked ring of threads without rseq
 *   stage.c     strings and sequences, larger stages
 *   reload.c    a generation changed: match sites against the traces' rules
 *   rules.c     globs, rules, which processes
 *   sites.c     the list of sites, their descriptors
 *   attach.c    the three mappings; the one message to the daemon
 *   device.c    the same by the kernel module
 *   lock.c      client.lock
 *   start.c     finding the tracing control; fork
 *   vfork.S     vfork that marks the child
 *
 * Who may change what:
 *
 *                      event path   reload     add, remove   attach
 *   site->match, slot  read         lock       lock          lock
 *   client.slot[]      read         lock       -             lock
 *   rings, stages      write        -          -             remapped, see attach.c
 *   the rest           read         lock       lock          lock
 *
 * `lock` is client.lock. The event path only tries it: whoever does not get it goes on with the old match.
 */
#ifndef WEIR_CLIENT_I_H
#define WEIR_CLIENT_I_H

#include <stdbool.h>
#include <sys/types.h>
#include <weir/trace.h>
#include "weir_ring.h"

/* One trace slot, as the event path sees it. The masks follow from the epoch and change with it. */
struct weir_client_slot {
	u64 epoch;
	u64 subbuf_mask;
	u64 ring_mask;
	struct weir_ring *ring; /* of CPU 0 */
	char *data;		/* of CPU 0; CPU n's begins n << stride_shift further */
} __attribute__((aligned(64)));

struct weir_client_state {
	/* read on the event path, changed only while nothing is recorded or at an attach */
	u64 clock_base, clock_mult; /* mult 0: CLOCK_MONOTONIC */
	u32 nr_cpus;
	u32 stride_shift;
	struct weir_client_slot slot[WEIR_SLOTS];

	/* under the extra ring's lock */
	struct weir_relay relay[WEIR_SLOTS]; /* the extra ring's bytes */

	/* under the lock */
	const struct weir_control *control; /* NULL: weir is not here, or disabled */
	const struct weir_control *file;    /* the control file, once `control` was the module's */
	struct weir_process *process;
	size_t process_size;
	char *buffers;
	size_t buffers_size;
	u64 server;	/* attached to; 0: none */
	u32 uid;	/* then */
	u64 generation; /* matched */
	size_t accessible[WEIR_SLOTS]; /* bytes of each of a slot's buffers */
	bool whole;	/* the module's buffers: accessible all or none */
	bool device;	/* `control` is the module's */
	bool described; /* all sites that were listed before there was a log */
	size_t schema_bytes; /* committed; the shared word is for readers only */
	struct weir_site *sites;
	bool debug;
	char comm[16];
	char rundir[108];
};

/* Wiped to 0 in a fork child, also if the fork went past pthread_atfork. A page of its own. */
struct weir_client_alive {
	u32 alive;   /* 1 */
	u32 nr_cpus; /* once there are rings, while alive: the event path looks once for both */
} __attribute__((aligned(4096)));
extern struct weir_client_alive weir_client_alive __attribute__((visibility("hidden")));

/* One a thread. A vfork child runs on its parent's. The alignment leaves room for a depth: see fallback.c. */
union weir_client_thread {
	struct {
		u32 tid;     /* 0: not known yet */
		u32 vforked; /* depth; vfork.S adds to it */
	};
	u64 word;
} __attribute__((aligned(64)));

/* By its word: nothing special, its tid known, not a vfork child's. (A thread whose tid is not known may vfork.) */
static inline bool weir_thread_is_plain(u64 word)
{
	return word - 1 < 0x7fffffffu; /* tids are smaller, a depth is larger */
}

#define WEIR_LOCAL __attribute__((visibility("hidden")))

extern struct weir_client weir_client_2 __attribute__((visibility("default")));
extern struct weir_client_state weir_client_state WEIR_LOCAL;
extern __thread union weir_client_thread weir_client_thread WEIR_LOCAL
	__attribute__((tls_model("initial-exec")));

u64 weir_signals_block(void);
void weir_signals_restore(u64 before);
bool weir_client_trylock(void);
bool weir_client_lock(void);
void weir_client_unlock(void);
void weir_client_lock_forked(void);
void weir_client_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

void weir_client_init(void);
int weir_client_attach(const struct weir_config *config);
void weir_client_detach(void);
void weir_client_accessible(void);
bool weir_client_accesses(void);
void weir_client_place(struct weir_process *process);
void weir_fill_process(struct weir_process *process, const struct weir_config *config);
int weir_device_attach(const struct weir_config *config);
bool weir_device_served(u64 server);
void weir_device_leave(void);
void weir_client_forked(void);
bool weir_client_read_config(struct weir_config *config, u32 *slots);

void weir_client_reload(void);
void weir_client_unmatch(void);
void weir_client_retry_now(void);
void weir_client_rematch(struct weir_site *site);
void weir_client_forget(struct weir_site *site);
int weir_client_refresh(struct weir_site *site);

void weir_client_add(struct weir_site **first, struct weir_site **last);
void weir_client_remove(struct weir_site **first, struct weir_site **last);
void weir_client_list(struct weir_site *site);
void weir_schema_add(struct weir_site *site);
size_t weir_site_name(const struct weir_site *site);

void weir_client_emit(struct weir_site *site, char *stage, char *end);
void weir_client_finish(struct weir_site *site, struct weir_cursor *cursor);
void weir_client_emit_tsc(struct weir_site *site, char *stage, char *end);
void weir_client_finish_tsc(struct weir_site *site, struct weir_cursor *cursor);
void weir_client_string(struct weir_cursor *cursor, const char *s);
void weir_client_bytes(struct weir_cursor *cursor, const void *p, size_t n);
void weir_client_switch(void);
void weir_stage_release(struct weir_cursor *cursor);
void weir_stages_forked(void);
void weir_fallback_append(unsigned int slot, u64 epoch, u32 id, const char *body, size_t len);
void weir_fallback_forked(void);
int weir_fallback_init(void);
void weir_fallback_vforked(void) WEIR_LOCAL;
u32 weir_client_tid(void);
u64 weir_client_clock(void);

#endif /* WEIR_CLIENT_I_H */
