// SPDX-License-Identifier: GPL-2.0-only
/*
 * snapshot: from mkdir TRACE@NAME to its rmdir. What takes time happens before anybody can see it, nothing locked;
 * joining is one step under the registry's lock, so that nothing is ever half there. It holds no slot, and nothing
 * of its trace but the event classes of its sources.
 */
#include <time.h>

#include "freeze_i.h"
#include "snapshot.h"

static struct cds_list_head weir_snapshot_list = CDS_LIST_HEAD_INIT(weir_snapshot_list); /* RCU */
static unsigned int weir_snapshot_count;						  /* locked */

/* ---- finding ----------------------------------------------------------------------------------*/

struct weir_trace *weir_snapshot_find(const char *name)
{
	struct weir_trace *trace, *found = NULL;
	struct cds_list_head *pos;

	weir_rcu_lock();
	for (pos = weir_rcu_load(weir_snapshot_list.next); !found && pos != &weir_snapshot_list;
	     pos = weir_rcu_load(pos->next)) {
		trace = container_of(pos, struct weir_snapshot, list)->trace;
		if (!strcmp(trace->name, name) && weir_ref_get(&trace->ref))
			found = trace;
	}
	weir_rcu_unlock();
	return found;
}

unsigned int weir_snapshots(struct weir_trace *snapshots[WEIR_SNAPSHOTS])
{
	struct weir_trace *trace;
	struct cds_list_head *pos;
	unsigned int count = 0;

	weir_rcu_lock();
	for (pos = weir_rcu_load(weir_snapshot_list.next); count < WEIR_SNAPSHOTS && pos != &weir_snapshot_list;
	     pos = weir_rcu_load(pos->next)) {
		trace = container_of(pos, struct weir_snapshot, list)->trace;
		if (weir_ref_get(&trace->ref))
			snapshots[count++] = trace;
	}
	weir_rcu_unlock();
	return count;
}

u64 weir_snapshot_bytes(void)
{
	return weir_frozen_bytes();
}

bool weir_snapshot_has(const struct weir_snapshot *snapshot, const struct weir_source *source)
{
	unsigned int i;

	for (i = 0; i < snapshot->nr; i++)
		if (snapshot->source[i] == source)
			return true;
	return false;
}

struct weir_source *weir_snapshot_source(const struct weir_snapshot *snapshot, const char *name)
{
	unsigned int i;

	for (i = 0; i < snapshot->nr; i++)
		if (!strcmp(snapshot->source[i]->name, name)) {
			weir_source_get(snapshot->source[i]);
			return snapshot->source[i];
		}
	return NULL;
}

/* ---- making one -------------------------------------------------------------------------------*/

/* Classes never move once they are counted, so pointers to them may be shared. */
static void weir_snapshot_classes(struct weir_source *source, struct weir_source *origin, u32 count)
{
	size_t i;

	for (i = 0; i * WEIR_SCHEMA_CHUNK < count; i++)
		source->schemas.chunk[i] = origin->schemas.chunk[i];
	source->schemas.count = count;
}

/* A source that is as its origin was; takes over what was frozen. NULL: no memory. */
static struct weir_source *weir_snapshot_clone(struct weir_source *origin, struct weir_frozen *frozen)
{
	struct weir_source *source =
		weir_source_new(origin->comm, origin->pid, origin->uid, &weir_backend_frozen, frozen);

	if (!source)
		return NULL;
	strcpy(source->name, origin->name);
	source->dir_uid = origin->dir_uid;
	source->dir_gid = origin->dir_gid;
	source->attached = origin->attached;
	source->ended = true;
	if (strcmp(origin->name, WEIR_MARKER_NAME)) {
		weir_source_get(origin);
		frozen->origin = origin;
		weir_snapshot_classes(source, origin, frozen->classes);
	} else if (weir_marker_describe(source)) {
		frozen->classes = 0;
	}
	return source;
}

static int weir_snapshot_sources(struct weir_snapshot *snapshot, struct weir_freeze *freeze)
{
	struct weir_source *source;
	size_t i;

	for (i = 0; i < freeze->nr; i++) {
		if (!freeze->frozen[i])
			continue;
		source = weir_snapshot_clone(freeze->origin[i], freeze->frozen[i]);
		if (!source)
			return -ENOMEM;
		freeze->frozen[i] = NULL;
		snapshot->source[snapshot->nr++] = source;
	}
	return 0;
}

static struct weir_trace *weir_snapshot_new(struct weir_trace *of, struct weir_freeze *freeze, const char *name,
					    uid_t uid, gid_t gid)
{
	struct weir_snapshot *snapshot =
		weir_alloc(sizeof(*snapshot) + freeze->nr * sizeof(snapshot->source[0]));
	struct weir_trace *trace = weir_trace_new(name, uid, gid, of->all);

	if (!trace || !snapshot) {
		weir_free(snapshot);
		weir_trace_put(trace);
		return NULL;
	}
	trace->snapshot = snapshot;
	trace->slot = WEIR_SLOTS; /* none */
	trace->seen_by = of->owner;
	trace->epoch = freeze->epoch;
	trace->moment = freeze->moment;
	trace->used = true;
	trace->dropped = READ_ONCE(of->dropped);
	snapshot->trace = trace;
	snapshot->moment = freeze->moment;
	snapshot->within = freeze->within;
	return trace;
}

static int weir_snapshot_exists(const char *name)
{
	struct weir_trace *trace = weir_snapshot_find(name);

	weir_trace_put(trace);
	return trace ? -EEXIST : 0;
}

/* It is complete; from now on it is there. */
static int weir_snapshot_join(struct weir_trace *trace, const char **why)
{
	struct weir_snapshot *snapshot = trace->snapshot;
	unsigned int i;

	*why = "a snapshot of that name exists";
	if (weir_snapshot_exists(trace->name))
		return -EEXIST;
	*why = "there are 64 snapshots, which is all";
	if (weir_snapshot_count == WEIR_SNAPSHOTS)
		return -ENOSPC;
	*why = "a user who is not root has 16 snapshots";
	if (weir_quota_take(trace->owner, WEIR_QUOTA_SNAPSHOTS, 1))
		return -ENOSPC;
	trace->serial = ++weir_registry.serial;
	for (i = 0; i < snapshot->nr; i++)
		snapshot->source[i]->serial = ++weir_registry.serial;
	weir_rcu_list_add_tail(&snapshot->list, &weir_snapshot_list);
	weir_snapshot_count++;
	return 0;
}

static int weir_snapshot_make(struct weir_trace *of, struct weir_freeze *freeze, const char *name, uid_t uid,
			      gid_t gid, const char **why)
{
	struct weir_trace *trace;
	int err;

	err = weir_freeze_sample(freeze);
	err = err ? err : weir_freeze_copy(freeze, why);
	if (err)
		return err;
	trace = weir_snapshot_new(of, freeze, name, uid, gid);
	err = trace ? weir_snapshot_sources(trace->snapshot, freeze) : -ENOMEM;
	if (!err) {
		pthread_mutex_lock(&weir_registry.lock);
		err = weir_snapshot_join(trace, why);
		pthread_mutex_unlock(&weir_registry.lock);
	}
	if (err)
		weir_trace_put(trace);
	return err;
}

/**
 * weir_snapshot_create() - freeze a trace
 * @of: the trace
 * @name: of the snapshot, behind the @
 * @uid: who owns it
 * @gid: group of its directory
 * @sources: what of the trace it holds
 * @nr: how many
 * @why: on error, a sentence
 *
 * Context: any thread, nothing locked.
 * Return: 0; -EINVAL, -ENAMETOOLONG the name; -EEXIST; -ENOSPC; -ENOMEM.
 */
int weir_snapshot_create(struct weir_trace *of, const char *name, uid_t uid, gid_t gid,
			 struct weir_source *const *sources, size_t nr, const char **why)
{
	struct weir_freeze freeze = {
		.slot = of->slot,
		.epoch = READ_ONCE(of->epoch),
		.uid = uid,
		.nr = nr,
		.origin = sources,
	};
	char full[sizeof(of->name)];
	int err = weir_trace_check_name(name, why);

	if (err)
		return err;
	snprintf(full, sizeof(full), "%.*s@%.*s", WEIR_TRACE_NAME_MAX, of->name, WEIR_TRACE_NAME_MAX, name);
	*why = "a snapshot of that name exists";
	err = weir_snapshot_exists(full);
	if (err)
		return err;
	*why = "no memory";
	err = weir_snapshot_make(of, &freeze, full, uid, gid, why);
	weir_freeze_end(&freeze);
	return err;
}

/* ---- and removing it --------------------------------------------------------------------------*/

void weir_snapshot_drop(struct weir_trace *trace)
{
	struct weir_snapshot *snapshot = trace->snapshot;
	unsigned int i;

	weir_rcu_list_del(&snapshot->list);
	weir_snapshot_count--;
	weir_quota_give(trace->owner, WEIR_QUOTA_SNAPSHOTS, 1);
	for (i = 0; i < snapshot->nr; i++) {
		WRITE_ONCE(snapshot->source[i]->gone, true);
		weir_frozen_release(snapshot->source[i]->private);
	}
	weir_trace_put(trace);
}

void weir_snapshots_drop(void)
{
	struct weir_trace *trace;

	while (!cds_list_empty(&weir_snapshot_list)) {
		trace = cds_list_first_entry(&weir_snapshot_list, struct weir_snapshot, list)->trace;
		WRITE_ONCE(trace->gone, true);
		weir_snapshot_drop(trace);
	}
}

void weir_snapshot_free(struct weir_snapshot *snapshot)
{
	unsigned int i;

	for (i = 0; i < snapshot->nr; i++)
		weir_source_put(snapshot->source[i]);
	weir_free(snapshot);
}
