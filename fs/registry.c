// SPDX-License-Identifier: GPL-2.0-only
/*
 * registry: the sets of traces and sources. Look-ups, references, joining and leaving; what traces do is in
 * trace.c, where processes' sources come from in process.c.
 */
#include <sys/random.h>
#include <time.h>

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

/**
 * weir_source_new() - a source that nobody can find yet
 * @comm: the process's name for itself, NUL-terminated
 * @pid: as the daemon sees it
 * @uid: whose it is
 * @backend: who holds its memory
 * @private: the backend's; on failure still the caller's
 *
 * Return: the source with one reference, which weir_source_add() hands to the registry; NULL: no memory.
 */
struct weir_source *weir_source_new(const char *comm, pid_t pid, uid_t uid, const struct weir_backend *backend,
				    void *private)
{
	struct weir_source *source = weir_alloc(sizeof(*source));

	if (!source)
		return NULL;
	if (getrandom(source->uuid, sizeof(source->uuid), 0) != (ssize_t)sizeof(source->uuid)) {
		weir_free(source);
		return NULL;
	}
	strncpy(source->comm, comm, sizeof(source->comm) - 1);
	source->pid = pid;
	source->uid = uid;
	source->dir_uid = uid;
	source->backend = backend;
	source->private = private;
	clock_gettime(CLOCK_REALTIME, &source->attached);
	weir_ref_init(&source->ref);
	return source;
}

static bool weir_name_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
	       c == '_' || c == '-';
}

/**
 * weir_source_plain_name() - name a source <comm>-<pid>
 * @source: its name is set
 *
 * A name never starts with a dot, which hides it, nor with a minus, which makes an option of it.
 */
void weir_source_plain_name(struct weir_source *source)
{
	char *p;

	snprintf(source->name, sizeof(source->name), "%s-%d", source->comm[0] ? source->comm : "_",
		 (int)source->pid);
	for (p = source->name; *p; p++)
		if (!weir_name_byte(*p) || (p == source->name && (*p == '.' || *p == '-')))
			*p = '_';
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

/* ---- a source in a trace ----------------------------------------------------------------------*/

/**
 * weir_source_sample() - one moment of a ring
 * @source: whose
 * @trace: the ring of this trace
 * @cpu: its number, the extra ring's included
 * @view: filled in
 *
 * Return: 0; -ENODATA nothing of this trace; -EIO damaged.
 */
int weir_source_sample(struct weir_source *source, struct weir_trace *trace, unsigned int cpu,
		       struct weir_ring_view *view)
{
	return source->backend->sample(source, trace->slot, cpu, READ_ONCE(trace->epoch), view);
}

/* There is something in it. Who finds that first tells. */
static void weir_source_show(struct weir_source *source, struct weir_trace *trace, u64 epoch)
{
	if (__atomic_exchange_n(&source->shown[trace->slot], epoch, __ATOMIC_RELAXED) != epoch)
		weir_news_tell(trace, source);
}

/**
 * weir_source_in() - does a source belong to a trace?
 * @source: the source
 * @trace: the trace
 *
 * Return: whether the trace records this source's user and there are records or losses of it.
 */
bool weir_source_in(struct weir_source *source, struct weir_trace *trace)
{
	u64 epoch = READ_ONCE(trace->epoch);
	struct weir_ring_view view;
	unsigned int cpu;

	if (trace->snapshot)
		return weir_snapshot_has(trace->snapshot, source);
	if (!trace->all && source->uid != trace->owner)
		return false;
	if (READ_ONCE(source->ended))
		return weir_image_there(source, trace, true);
	if (READ_ONCE(source->shown[trace->slot]) == epoch)
		return true;
	for (cpu = 0; cpu <= weir_daemon.nr_cpus; cpu++)
		if (!weir_source_sample(source, trace, cpu, &view) && (view.end > view.begin || view.lost)) {
			weir_source_show(source, trace, view.epoch);
			return true;
		}
	return false;
}

bool weir_source_found(struct weir_source *source, struct weir_trace *trace)
{
	return weir_source_in(source, trace) ||
	       (READ_ONCE(source->ended) && weir_image_there(source, trace, false));
}

/* splitmix64's finalizer */
static u64 weir_mix(u64 x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

/**
 * weir_source_uuid() - a CTF trace's uuid: another one for every source, trace and epoch
 * @source: has a random one
 * @trace: the trace
 * @epoch: of the trace
 * @uuid: filled in
 */
void weir_source_uuid(const struct weir_source *source, const struct weir_trace *trace, u64 epoch, u8 uuid[16])
{
	u64 half[2];

	memcpy(half, source->uuid, sizeof(half));
	half[0] = weir_mix(half[0] ^ weir_mix(epoch));
	half[1] = weir_mix(half[1] + weir_mix(epoch + trace->serial));
	memcpy(uuid, half, sizeof(half));
	uuid[6] = (u8)((uuid[6] & 0x0f) | 0x40);
	uuid[8] = (u8)((uuid[8] & 0x3f) | 0x80);
}
