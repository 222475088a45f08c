// SPDX-License-Identifier: GPL-2.0-only
/*
 * registry: the sets of traces and sources. Look-ups, references, joining and leaving; what traces do is in
 * trace.c, what sources do in source.c, where processes' sources come from in process.c.
 */
#include "news.h"
#include "registry_i.h"
#include "snapshot.h"

char weir_rcu_period;

#ifdef __SANITIZE_THREAD__
/* What liburcu does inside is ordered in ways that the sanitizer cannot see. */
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
	return "called_from_lib:liburcu-memb.so\ncalled_from_lib:liburcu-cds.so\n";
}
#endif

struct weir_registry weir_registry = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.sources = CDS_LIST_HEAD_INIT(weir_registry.sources),
};

/* ---- traces -----------------------------------------------------------------------------------*/

static void weir_trace_reclaim(struct rcu_head *head)
{
	struct weir_trace *trace = container_of(head, struct weir_trace, rcu);

	weir_rcu_reclaim();
	if (trace->snapshot)
		weir_snapshot_free(trace->snapshot);
	weir_free(trace->switches);
	weir_free(trace);
	weir_rcu_reclaimed();
}

/**
 * weir_trace_get() - one more reference, beside one that is held
 * @trace: the trace
 */
void weir_trace_get(struct weir_trace *trace)
{
	__atomic_fetch_add(&trace->ref.refcount, 1, __ATOMIC_RELAXED);
}

/**
 * weir_trace_put() - a reference comes back
 * @trace: the trace; NULL is allowed
 */
void weir_trace_put(struct weir_trace *trace)
{
	if (trace && weir_ref_put(&trace->ref))
		weir_rcu_call(&trace->rcu, weir_trace_reclaim);
}

/**
 * weir_trace_find() - the trace, or snapshot, of a name
 * @name: exactly
 *
 * Return: the trace with a reference, or NULL.
 */
struct weir_trace *weir_trace_find(const char *name)
{
	struct weir_trace *trace, *found = NULL;
	unsigned int i;

	weir_rcu_lock();
	for (i = 0; i < WEIR_SLOTS && !found; i++) {
		trace = weir_rcu_load(weir_registry.traces[i]);
		if (trace && !strcmp(trace->name, name) && weir_ref_get(&trace->ref))
			found = trace;
	}
	weir_rcu_unlock();
	return found ? found : weir_snapshot_find(name);
}

/**
 * weir_traces() - all traces, no snapshots
 * @traces: filled in, by slot
 *
 * Return: how many; each with a reference.
 */
unsigned int weir_traces(struct weir_trace *traces[WEIR_SLOTS])
{
	struct weir_trace *trace;
	unsigned int i, count = 0;

	weir_rcu_lock();
	for (i = 0; i < WEIR_SLOTS; i++) {
		trace = weir_rcu_load(weir_registry.traces[i]);
		if (trace && weir_ref_get(&trace->ref))
			traces[count++] = trace;
	}
	weir_rcu_unlock();
	return count;
}

/* ---- sources ----------------------------------------------------------------------------------*/

static void weir_source_reclaim(struct rcu_head *head)
{
	struct weir_source *source = container_of(head, struct weir_source, rcu);

	weir_rcu_reclaim();
	source->backend->destroy(source);
	weir_schemas_destroy(&source->schemas);
	weir_free(source);
	weir_rcu_reclaimed();
}

/**
 * weir_source_get() - one more reference, beside one that is held
 * @source: the source
 */
void weir_source_get(struct weir_source *source)
{
	__atomic_fetch_add(&source->ref.refcount, 1, __ATOMIC_RELAXED);
}

/**
 * weir_source_put() - a reference comes back
 * @source: the source; NULL is allowed
 */
void weir_source_put(struct weir_source *source)
{
	if (source && weir_ref_put(&source->ref))
		weir_rcu_call(&source->rcu, weir_source_reclaim);
}

/* FNV-1a */
static unsigned long weir_name_hash(const char *name)
{
	unsigned long hash = 14695981039346656037ul;

	while (*name)
		hash = (hash ^ (unsigned char)*name++) * 1099511628211ul;
	return hash ^ hash >> 29;
}

static int weir_name_match(struct cds_lfht_node *node, const void *name)
{
	struct weir_source *source = container_of(node, struct weir_source, by_name);

	weir_tsan_acquire(node); /* follow:A, inside liburcu */
	return !strcmp(source->name, name);
}

static struct weir_source *weir_source_lookup(const char *name)
{
	struct cds_lfht_iter iter;
	struct cds_lfht_node *node;

	cds_lfht_lookup(weir_registry.by_name, weir_name_hash(name), weir_name_match, name, &iter);
	node = cds_lfht_iter_get_node(&iter);
	return node ? container_of(node, struct weir_source, by_name) : NULL;
}

/**
 * weir_source_find() - the process's source of a name
 * @name: exactly
 *
 * Return: the source with a reference, or NULL.
 */
struct weir_source *weir_source_find(const char *name)
{
	struct weir_source *source;

	weir_rcu_lock();
	source = weir_source_lookup(name);
	if (source && !weir_ref_get(&source->ref))
		source = NULL;
	weir_rcu_unlock();
	return source;
}

/**
 * weir_trace_source() - the source of a name, as a trace sees it
 * @trace: the trace
 * @name: exactly
 *
 * Return: the source with a reference, or NULL.
 */
struct weir_source *weir_trace_source(struct weir_trace *trace, const char *name)
{
	struct weir_source *source;

	if (trace->snapshot)
		return weir_snapshot_source(trace->snapshot, name);
	if (strcmp(name, WEIR_MARKER_NAME)) {
		source = weir_source_find(name);
	} else {
		weir_rcu_lock();
		source = weir_rcu_load(trace->marker);
		if (source && !weir_ref_get(&source->ref))
			source = NULL;
		weir_rcu_unlock();
	}
	if (source && !weir_source_found(source, trace)) {
		weir_source_put(source);
		source = NULL;
	}
	return source;
}

/**
 * weir_sources_each() - visit all sources in order of serial
 * @fn: called under RCU with a source that is referenced meanwhile; non-zero ends the walk
 * @arg: for fn
 *
 * Return: what fn returned last, 0 if there was none.
 */
int weir_sources_each(int (*fn)(struct weir_source *source, void *arg), void *arg)
{
	struct cds_list_head *pos;
	int ret = 0;

	weir_rcu_lock();
	for (pos = weir_rcu_load(weir_registry.sources.next); !ret && pos != &weir_registry.sources;
	     pos = weir_rcu_load(pos->next)) {
		struct weir_source *source = container_of(pos, struct weir_source, by_serial);

		if (!weir_ref_get(&source->ref))
			continue;
		ret = fn(source, arg);
		weir_source_put(source);
	}
	weir_rcu_unlock();
	return ret;
}

/* The marker's is taken in every trace. */
static void weir_source_name(struct weir_source *source)
{
	size_t room = sizeof(source->name), len;
	unsigned int n = 0;
	char *p;

	weir_source_plain_name(source);
	len = strlen(source->name);
	p = source->name + len;
	while (weir_source_lookup(source->name) || !strcmp(source->name, WEIR_MARKER_NAME))
		snprintf(p, room - len, ".%u", ++n);
}

/**
 * weir_source_add() - a source joins
 * @source: new; its name, unless it has one (a marker's, the kernel's), is chosen here
 *
 * Context: locked.
 */
void weir_source_add(struct weir_source *source)
{
	weir_rcu_lock();
	source->serial = ++weir_registry.serial;
	if (strcmp(source->name, WEIR_MARKER_NAME)) {
		if (!source->name[0])
			weir_source_name(source);
		cds_lfht_node_init(&source->by_name);
		weir_tsan_release(&source->by_name); /* publish:A, inside liburcu */
		cds_lfht_add(weir_registry.by_name, weir_name_hash(source->name), &source->by_name);
	}
	weir_rcu_list_add_tail(&source->by_serial, &weir_registry.sources);
	weir_rcu_unlock();
	weir_news_hurry();
}

/**
 * weir_source_drop() - a source leaves; the registry's reference with it
 * @source: one that was added
 *
 * Context: locked.
 */
void weir_source_drop(struct weir_source *source)
{
	WRITE_ONCE(source->gone, true);
	weir_rcu_lock();
	if (strcmp(source->name, WEIR_MARKER_NAME))
		cds_lfht_del(weir_registry.by_name, &source->by_name);
	weir_rcu_list_del(&source->by_serial);
	weir_rcu_unlock();
	weir_source_put(source);
}
