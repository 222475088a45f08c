// SPDX-License-Identifier: GPL-2.0-only
/*
 * trace: what happens to a trace from mkdir to rmdir. Each change is made under the registry's lock, and
 * published to the programs before the lock is released.
 *
 * An epoch is never used twice: create, clear and a new geometry take a new counter, so what programs have
 * recorded before belongs to no trace from that moment on.
 */
#include <time.h>

#include "live.h"
#include "news.h"
#include "registry_i.h"
#include "snapshot.h"

#define WEIR_SUBBUF_SHIFT_DEFAULT 18u /* 256K */
#define WEIR_COUNT_SHIFT_DEFAULT 2u
#define WEIR_GEOMETRY_MASK 0xffffull

void weir_trace_publish(struct weir_trace *trace)
{
	weir_control_slot(trace);
	weir_control_publish();
	weir_news_tell(trace, NULL);
	weir_news_hurry();
}

u64 weir_trace_new_epoch(u64 bits)
{
	return weir_control_counter() << WEIR_EPOCH_COUNTER_SHIFT | (bits & WEIR_GEOMETRY_MASK);
}

/* ---- create -----------------------------------------------------------------------------------*/

int weir_trace_check_name(const char *name, const char **why)
{
	const char *p;

	*why = "a trace's name has letters, digits, dot, underscore and minus, and does not start with a dot";
	if (!*name || *name == '.')
		return -EINVAL;
	for (p = name; *p; p++) {
		if (*p == '@')
			*why = "TRACE@NAME is a snapshot; a trace's name has no @";
		if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ||
		      *p == '.' || *p == '_' || *p == '-'))
			return -EINVAL;
	}
	*why = "a trace's name has at most 63 bytes";
	return p - name > WEIR_TRACE_NAME_MAX ? -ENAMETOOLONG : 0;
}

struct weir_trace *weir_trace_new(const char *name, uid_t uid, gid_t gid, bool all)
{
	struct weir_trace *trace = weir_alloc(sizeof(*trace));

	if (!trace)
		return NULL;
	trace->switches = weir_alloc(((size_t)weir_daemon.nr_cpus + 1) * sizeof(*trace->switches));
	if (!trace->switches) {
		weir_free(trace);
		return NULL;
	}
	strcpy(trace->name, name);
	trace->owner = trace->seen_by = uid;
	trace->group = gid;
	trace->all = all;
	trace->max_bytes = WEIR_MAX_BYTES_DEFAULT;
	strcpy(trace->rules, "*\n");
	strcpy(trace->processes, "all");
	clock_gettime(CLOCK_REALTIME, &trace->created);
	CDS_INIT_LIST_HEAD(&trace->images);
	weir_ref_init(&trace->ref);
	return trace;
}

/* The first free slot, or -EEXIST, -ENOSPC. */
static int weir_trace_slot(const char *name)
{
	int i, slot = -ENOSPC;

	for (i = (int)WEIR_SLOTS - 1; i >= 0; i--) {
		if (!weir_registry.traces[i])
			slot = i;
		else if (!strcmp(weir_registry.traces[i]->name, name))
			return -EEXIST;
	}
	return slot;
}

static int weir_trace_add(struct weir_trace *trace, const char **why)
{
	int slot = weir_trace_slot(trace->name);

	if (slot < 0) {
		*why = slot == -EEXIST ? "a trace of that name exists" : "there are 16 traces, which is all";
		return slot;
	}
	if (weir_quota_take(trace->owner, WEIR_QUOTA_TRACES, 1)) {
		*why = "a user who is not root has four traces";
		return -EDQUOT;
	}
	trace->slot = (unsigned int)slot;
	trace->serial = ++weir_registry.serial;
	trace->epoch = weir_trace_new_epoch(weir_epoch_make(0, WEIR_SUBBUF_SHIFT_DEFAULT,
							    WEIR_COUNT_SHIFT_DEFAULT, WEIR_EPOCH_TID));
	weir_rcu_store(weir_registry.traces[slot], trace);
	weir_trace_publish(trace);
	return 0;
}

/**
 * weir_trace_create() - a new trace, disabled
 * @name: [A-Za-z0-9._-], at most 63 bytes, not starting with a dot
 * @uid: its owner
 * @gid: group of its directory
 * @all: whether it records every user's processes
 * @why: on error, a sentence
 *
 * Return: 0; -EINVAL, -ENAMETOOLONG the name; -EEXIST; -ENOSPC the 17th; -EDQUOT the owner's fifth; -ENOMEM.
 */
int weir_trace_create(const char *name, uid_t uid, gid_t gid, bool all, const char **why)
{
	struct weir_trace *trace;
	int err = weir_trace_check_name(name, why);

	if (err)
		return err;
	trace = weir_trace_new(name, uid, gid, all);
	if (!trace) {
		*why = "no memory";
		return -ENOMEM;
	}
	pthread_mutex_lock(&weir_registry.lock);
	err = weir_trace_add(trace, why);
	pthread_mutex_unlock(&weir_registry.lock);
	if (err)
		weir_trace_put(trace);
	return err;
}

/* ---- remove, clear ----------------------------------------------------------------------------*/

/**
 * weir_trace_drop() - a trace that is in no slot any more lets go of what it has
 * @trace: the trace; the registry's reference goes
 *
 * Context: locked.
 */
void weir_trace_drop(struct weir_trace *trace)
{
	struct weir_source *marker = trace->marker;

	weir_images_drop(trace);
	weir_rcu_store(trace->marker, NULL);
	if (marker)
		weir_source_drop(marker);
	weir_quota_give(trace->owner, WEIR_QUOTA_TRACES, 1);
	weir_trace_put(trace);
}

/**
 * weir_trace_remove() - a trace goes, with everything that only it holds
 * @trace: the trace; the caller's reference stays
 *
 * Return: 0, -ENOENT it is gone already.
 */
int weir_trace_remove(struct weir_trace *trace)
{
	int err = -ENOENT;

	pthread_mutex_lock(&weir_registry.lock);
	if (!trace->gone && trace->snapshot) {
		WRITE_ONCE(trace->gone, true);
		weir_snapshot_drop(trace);
		err = 0;
	} else if (!trace->gone) {
		WRITE_ONCE(trace->gone, true);
		WRITE_ONCE(trace->enabled, false);
		if (weir_live_any(trace)) /* they read the rest: the module keeps rings of a slot's epoch */
			weir_control_slot(trace);
		else
			weir_control_free_slot(trace->slot);
		weir_control_publish();
		weir_rcu_store(weir_registry.traces[trace->slot], NULL);
		weir_news_tell(trace, NULL);
		weir_trace_drop(trace);
		err = 0;
	}
	pthread_mutex_unlock(&weir_registry.lock);
	weir_wakeup_kick(); /* readers see the end */
	return err;
}

/**
 * weir_trace_left() - a trace is gone, and nobody reads its live streams any more
 * @trace: the trace
 *
 * Its slot is free since it went; if no other trace has it, what programs and the module keep of it goes now.
 */
void weir_trace_left(const struct weir_trace *trace)
{
	pthread_mutex_lock(&weir_registry.lock);
	if (!weir_registry.traces[trace->slot] &&
	    weir_control_config()->slot[trace->slot].epoch == trace->epoch) {
		weir_control_free_slot(trace->slot);
		weir_control_publish();
	}
	pthread_mutex_unlock(&weir_registry.lock);
}

static int weir_trace_clear_locked(struct weir_trace *trace)
{
	WRITE_ONCE(trace->epoch, weir_trace_new_epoch(trace->epoch));
	WRITE_ONCE(trace->used, trace->enabled);
	weir_trace_publish(trace);
	weir_images_drop(trace);
	WRITE_ONCE(trace->dropped, 0);
	weir_wakeup_kick(); /* streams go on with the new epoch */
	return 0;
}

/**
 * weir_trace_clear() - drop what is buffered, of ended processes too
 * @trace: the trace
 *
 * Return: 0, -ENOENT it is gone.
 */
int weir_trace_clear(struct weir_trace *trace)
{
	return weir_trace_locked(trace, weir_trace_clear_locked(trace));
}

/* ---- marker -----------------------------------------------------------------------------------*/

/* The trace's marker with a reference, made on the first line. */
static int weir_trace_marker_locked(struct weir_trace *trace, struct weir_source **marker, u64 *epoch)
{
	int err;

	if (!trace->enabled)
		return -EBADF;
	if (!trace->marker) {
		err = weir_marker_new(trace, marker);
		if (err)
			return err;
		weir_source_add(*marker);
		weir_rcu_store(trace->marker, *marker);
	}
	*marker = trace->marker;
	weir_source_get(*marker);
	*epoch = trace->epoch;
	return 0;
}

/**
 * weir_trace_mark() - one line becomes the event marker:print
 * @trace: the trace
 * @text: without newline; ends at a NUL if there is one
 * @len: its bytes
 * @pid: of the writing thread
 *
 * A trace that was cleared in between is asked for its new epoch.
 *
 * Return: 0; -EBADF not enabled; -EMSGSIZE; -ENOSPC discard mode and full; -EDQUOT; -ENOENT; -ENOMEM.
 */
int weir_trace_mark(struct weir_trace *trace, const char *text, size_t len, pid_t pid)
{
	struct weir_source *marker;
	u64 epoch;
	int err;

	do {
		err = weir_trace_locked(trace, weir_trace_marker_locked(trace, &marker, &epoch));
		if (err)
			return err;
		err = weir_marker_append(marker, epoch, text, len, pid);
		weir_source_in(marker, trace); /* tells of the first line */
		weir_source_put(marker);
	} while (err == -ESTALE);
	return err;
}
