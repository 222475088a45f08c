// SPDX-License-Identifier: GPL-2.0-only
/*
 * view: what one reader process sees of one source in one trace.
 *
 * A reader such as babeltrace2 opens every file several times and expects the same bytes, and it
 * expects metadata to know every event in the streams. So the first look-up of metadata or a stream
 * fixes, for that process, the positions of all CPUs and then the number of event classes, in this
 * order: a class is known before a record of it is published. Later look-ups are answered from
 * there, until the process has not asked for two seconds, or ten have gone, and it has no file of
 * the source open.
 *
 * A view without open files never hides what is there by now: a look-up that it would answer with
 * "no such file" makes a new one.
 */
#include "tree_i.h"

#define WEIR_VIEW_BUCKETS 4096u
#define WEIR_VIEW_IDLE_MS 2000u
#define WEIR_VIEW_AGE_MS 10000u

struct weir_view_cpu {
	unsigned int cpu;
	struct weir_ring_view ring;
};

struct weir_view {
	struct list_head bucket; /* empty when it has been replaced */
	pid_t process;
	struct weir_trace *trace;
	struct weir_source *source;
	uid_t uid; /* whose quota holds `charged`: who asked first */
	u64 charged;
	u64 epoch;
	u64 made, used;	    /* ms */
	unsigned int refs;  /* users, and the table */
	unsigned int opens; /* files */
	u64 latest;
	u64 metadata; /* size; 0: not known yet */
	u32 count;
	unsigned int nr;
	struct weir_view_cpu cpu[];
};

static struct list_head weir_views[WEIR_VIEW_BUCKETS];
static pthread_mutex_t weir_views_lock = PTHREAD_MUTEX_INITIALIZER;

void weir_view_init(void)
{
	unsigned int i;

	for (i = 0; i < WEIR_VIEW_BUCKETS; i++)
		INIT_LIST_HEAD(&weir_views[i]);
}

static struct list_head *weir_view_bucket(pid_t process, const struct weir_trace *trace,
					  const struct weir_source *source)
{
	u64 hash = (u64)process << 32 ^ trace->serial << 20 ^ source->serial;

	return &weir_views[hash * 0x9e3779b97f4a7c15ull >> 52];
}

static bool weir_view_holds(const struct weir_view *view, u64 now)
{
	return view->epoch == READ_ONCE(view->trace->epoch) && !READ_ONCE(view->trace->gone) &&
	       (view->opens ||
		(now - view->used < WEIR_VIEW_IDLE_MS && now - view->made < WEIR_VIEW_AGE_MS));
}

static void weir_view_free(struct weir_view *view)
{
	weir_source_put(view->source);
	weir_trace_put(view->trace);
	weir_quota_give(view->uid, WEIR_QUOTA_COPIES, view->charged);
	free(view);
}

/* Takes a view out of the table; true if the caller is to free it. Under the lock. */
static bool weir_view_drop(struct weir_view *view)
{
	list_del(&view->bucket);
	INIT_LIST_HEAD(&view->bucket);
	return !--view->refs;
}

void weir_view_put(struct weir_view *view)
{
	bool last;

	pthread_mutex_lock(&weir_views_lock);
	last = !--view->refs;
	pthread_mutex_unlock(&weir_views_lock);
	if (last)
		weir_view_free(view);
}

/* Under the lock. */
static struct weir_view *weir_view_look(struct list_head *bucket, pid_t process,
					const struct weir_trace *trace,
					const struct weir_source *source)
{
	struct weir_view *view;

	list_for_each_entry(view, bucket, bucket) {
		if (view->process == process && view->trace == trace && view->source == source)
			return view;
	}
	return NULL;
}

static struct weir_view *weir_view_make(pid_t process, struct weir_trace *trace,
					struct weir_source *source)
{
	struct weir_view *view =
		calloc(1, sizeof(*view) + (weir_daemon.nr_cpus + 1) * sizeof(view->cpu[0]));
	struct weir_view *small;
	struct weir_state state;
	unsigned int cpu;

	if (!view)
		return NULL;
	view->epoch = READ_ONCE(trace->epoch);
	for (cpu = 0; cpu <= weir_daemon.nr_cpus; cpu++) {
		if (source->backend->sample(source, trace->slot, cpu, view->epoch, &state.ring) ||
		    weir_state_fix(&state))
			continue;
		view->cpu[view->nr].cpu = cpu;
		view->cpu[view->nr++].ring = state.ring;
	}
	view->count = source->backend->schemas(source);
	view->latest = trace->moment ? trace->moment : weir_clock_now();
	view->process = process;
	view->trace = trace;
	view->source = source;
	view->made = view->used = weir_now_ms();
	view->refs = 2;
	INIT_LIST_HEAD(&view->bucket);
	small = realloc(view, sizeof(*view) + view->nr * sizeof(view->cpu[0]));
	if (small) {
		view = small;
		INIT_LIST_HEAD(&view->bucket);
	}
	weir_trace_get(trace);
	weir_source_get(source);
	return view;
}

/* The view that answers a look-up, with a reference; under the lock. */
static struct weir_view *weir_view_use(struct weir_view *view, const struct weir_view *stale)
{
	u64 now = weir_now_ms();

	if (!view || view == stale || !weir_view_holds(view, now))
		return NULL;
	view->used = now;
	view->refs++;
	return view;
}

/* Charges a view to who asked for it; frees it if that cannot be. */
static struct weir_view *weir_view_charge(struct weir_view *view, uid_t uid)
{
	if (!view)
		return NULL;
	view->uid = uid;
	if (!weir_quota_hold(uid, WEIR_QUOTA_COPIES, &view->charged,
			     sizeof(*view) + view->nr * sizeof(view->cpu[0])))
		return view;
	weir_view_free(view);
	return NULL;
}

/* The caller's view, made if there is none, or if there is only `stale`. With a reference; NULL:
 * no memory, or no more of it for this user. */
static struct weir_view *weir_view_find(const struct weir_caller *caller, struct weir_trace *trace,
					struct weir_source *source, const struct weir_view *stale)
{
	pid_t process = weir_caller_process(caller);
	struct list_head *bucket = weir_view_bucket(process, trace, source);
	struct weir_view *view, *made, *old;

	pthread_mutex_lock(&weir_views_lock);
	view = weir_view_use(weir_view_look(bucket, process, trace, source), stale);
	pthread_mutex_unlock(&weir_views_lock);
	if (view)
		return view;
	made = weir_view_charge(weir_view_make(process, trace, source), caller->uid);
	if (!made)
		return NULL;
	pthread_mutex_lock(&weir_views_lock);
	old = weir_view_look(bucket, process, trace, source);
	view = weir_view_use(old, stale); /* another thread of the process was as quick */
	if (view) {
		old = made;
	} else {
		view = made;
		list_add(&made->bucket, bucket);
		if (old && !weir_view_drop(old))
			old = NULL;
	}
	pthread_mutex_unlock(&weir_views_lock);
	if (old)
		weir_view_free(old);
	return view;
}

/* A view of now that nobody else is given. */
struct weir_view *weir_view_now(struct weir_trace *trace, struct weir_source *source)
{
	struct weir_view *view = weir_view_make(0, trace, source);

	if (view)
		view->refs = 1;
	return view;
}

struct weir_view *weir_view_get(const struct weir_caller *caller, struct weir_trace *trace,
				struct weir_source *source)
{
	return weir_view_find(caller, trace, source, NULL);
}

int weir_view_next(const struct weir_view *view, unsigned int cpu)
{
	unsigned int i;

	for (i = 0; i < view->nr; i++) {
		if (view->cpu[i].cpu >= cpu)
			return (int)view->cpu[i].cpu;
	}
	return -1;
}

bool weir_view_state(const struct weir_view *view, unsigned int cpu, struct weir_state *state)
{
	unsigned int i;

	for (i = 0; i < view->nr && view->cpu[i].cpu != cpu; i++)
		;
	if (i == view->nr)
		return false;
	*state = (struct weir_state){
		.ring = view->cpu[i].ring, .count = view->count, .cpu = cpu, .latest = view->latest
	};
	return !weir_state_fix(state);
}

int weir_view_cpu(const struct weir_caller *caller, struct weir_trace *trace,
		  struct weir_source *source, unsigned int cpu, struct weir_state *state)
{
	struct weir_view *view = weir_view_get(caller, trace, source), *fresh;
	bool found;

	if (!view)
		return -ENOMEM;
	found = weir_view_state(view, cpu, state);
	if (!found && !READ_ONCE(view->opens)) {
		fresh = weir_view_find(caller, trace, source, view);
		weir_view_put(view);
		if (!fresh)
			return -ENOMEM;
		view = fresh;
		found = weir_view_state(view, cpu, state);
	}
	weir_view_put(view);
	return found ? 0 : -ENOENT;
}

int weir_view_metadata(const struct weir_caller *caller, struct weir_trace *trace,
		       struct weir_source *source, struct weir_state *state)
{
	struct weir_view *view = weir_view_get(caller, trace, source);
	u64 size;

	if (!view)
		return -ENOMEM;
	size = READ_ONCE(view->metadata);
	if (!size) {
		size = weir_metadata_size(trace, source, view->epoch, view->count);
		WRITE_ONCE(view->metadata, size);
	}
	*state = (struct weir_state){ .ring.epoch = view->epoch,
				      .count = view->count,
				      .latest = view->latest,
				      .size = size };
	weir_view_put(view);
	return 0;
}

/* A file was opened: its process keeps its view. NULL if it has none. */
struct weir_view *weir_view_open(const struct weir_caller *caller, const struct weir_place *place)
{
	pid_t process = weir_caller_process(caller);
	struct weir_view *view;

	pthread_mutex_lock(&weir_views_lock);
	view = weir_view_look(weir_view_bucket(process, place->trace, place->source), process,
			      place->trace, place->source);
	if (view) {
		view->opens++;
		view->refs++;
	}
	pthread_mutex_unlock(&weir_views_lock);
	return view;
}

void weir_view_close(struct weir_view *view)
{
	pthread_mutex_lock(&weir_views_lock);
	view->opens--;
	view->used = weir_now_ms();
	pthread_mutex_unlock(&weir_views_lock);
	weir_view_put(view);
}

/* The process was given records of `count` event classes: metadata that it looks up from now on is to know
 * them. While it has files open, they and what it sees belong together. */
void weir_view_outdated(pid_t process, struct weir_trace *trace, struct weir_source *source, u32 count)
{
	struct weir_view *view, *old = NULL;

	pthread_mutex_lock(&weir_views_lock);
	view = weir_view_look(weir_view_bucket(process, trace, source), process, trace, source);
	if (view && view->count < count && !view->opens && weir_view_drop(view))
		old = view;
	pthread_mutex_unlock(&weir_views_lock);
	if (old)
		weir_view_free(old);
}

/* Frees what has expired; at the end, `all`. */
void weir_view_sweep(bool all)
{
	struct weir_view *view, *next, *dead = NULL;
	u64 now = weir_now_ms();
	unsigned int i;

	for (i = 0; i < WEIR_VIEW_BUCKETS; i++) {
		pthread_mutex_lock(&weir_views_lock);
		list_for_each_entry_safe(view, next, &weir_views[i], bucket) {
			if ((!all && weir_view_holds(view, now)) || !weir_view_drop(view))
				continue;
			view->bucket.next = (struct list_head *)dead;
			dead = view;
		}
		pthread_mutex_unlock(&weir_views_lock);
		while (dead) {
			view = dead;
			dead = (struct weir_view *)view->bucket.next;
			weir_view_free(view);
		}
	}
}
