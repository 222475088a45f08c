// SPDX-License-Identifier: GPL-2.0-only
/*
 * doorbell: inotify for what happens without anybody's system call.
 *
 * The kernel reports what is done through a mount, not what a daemon does. So a thread does through the mount what
 * has happened already (bell.c): directories of processes come and go, metadata knows more event types.
 *
 * Directories that users make and remove (traces, snapshots) the kernel reports itself.
 *
 * What is to be rung follows from the table of what was announced, and from what is there now: news.h says where
 * to look, this thread looks. So what came and went in between is no event, and nothing is reported twice.
 *
 * When does a directory come? With its process's first event, of which nobody tells: the writer makes no system
 * call. Who lists the trace finds it and tells; so does the end of the process; and this thread looks at positions
 * of processes that run and are not seen in every trace that records them. It does so while there is such a trace,
 * an eighth as rarely as the process has been attached and the traces have been as they are: at most every 10 ms,
 * at least once a second. A new process or a new trace is seen at once, an old daemon idles. Whether anybody
 * watches cannot be known, and is not asked.
 */
#include <signal.h>

#include "doorbell_i.h"
#include "news.h"
#include "tree_i.h"

#define WEIR_LOOK_MIN_MS 10u
#define WEIR_LOOK_MAX_MS 1000u
#define WEIR_LOOK_AGE 8u
#define WEIR_ANNOUNCED_BUCKETS 4096u

/* A directory that was announced. Of the thread alone. */
struct weir_announced {
	struct list_head bucket;
	struct weir_trace *trace;
	struct weir_source *source;
	u64 epoch;
	u32 classes; /* in metadata */
};

static struct list_head weir_announced[WEIR_ANNOUNCED_BUCKETS];

static struct {
	pthread_t thread;
	bool started;
	u64 changed, looked, look; /* ms: what is recorded; positions, last and next time */
} weir_doorbell;

/* ---- what was announced -----------------------------------------------------------------------*/

static struct list_head *weir_announced_bucket(const struct weir_trace *trace,
					       const struct weir_source *source)
{
	u64 hash = trace->serial << 32 ^ source->serial;

	return &weir_announced[hash * 0x9e3779b97f4a7c15ull >> 52];
}

static struct weir_announced *weir_announced_find(const struct weir_trace *trace,
						  const struct weir_source *source)
{
	struct weir_announced *entry;

	list_for_each_entry(entry, weir_announced_bucket(trace, source), bucket) {
		if (entry->trace == trace && entry->source == source)
			return entry;
	}
	return NULL;
}

static void weir_announced_free(struct weir_announced *entry)
{
	list_del(&entry->bucket);
	weir_source_put(entry->source);
	weir_trace_put(entry->trace);
	free(entry);
}

/* Without memory for it, it is not announced: it could not be said later that it has gone. */
static void weir_announce(struct weir_trace *trace, struct weir_source *source, u64 epoch)
{
	struct weir_announced *entry = malloc(sizeof(*entry));

	if (!entry)
		return;
	*entry = (struct weir_announced){
		.trace = trace,
		.source = source,
		.epoch = epoch,
		.classes = source->backend->schemas(source),
	};
	weir_trace_get(trace);
	weir_source_get(source);
	list_add(&entry->bucket, weir_announced_bucket(trace, source));
	weir_bell(WEIR_BELL_CREATE, trace, source);
}

static void weir_announce_more(struct weir_announced *entry)
{
	u32 classes = entry->source->backend->schemas(entry->source);

	if (classes == entry->classes)
		return;
	entry->classes = classes;
	weir_bell(WEIR_BELL_MODIFY, entry->trace, entry->source);
}

/* Looks at one directory, and rings if it is not as it was announced. */
static void weir_doorbell_pair(struct weir_trace *trace, struct weir_source *source)
{
	struct weir_announced *entry = weir_announced_find(trace, source);
	u64 epoch = READ_ONCE(trace->epoch);
	bool there = entry ? weir_source_found(source, trace) : weir_source_in(source, trace);

	if (READ_ONCE(trace->gone)) { /* everything below it went with it */
		if (entry)
			weir_announced_free(entry);
		return;
	}
	if (entry && (!there || entry->epoch != epoch)) {
		weir_bell(WEIR_BELL_DELETE, trace, source);
		weir_announced_free(entry);
		entry = NULL;
	}
	if (entry)
		weir_announce_more(entry);
	else if (there)
		weir_announce(trace, source, epoch);
}

/* All that were announced, in one trace or in all; or, at the end, nothing but memory. */
static void weir_doorbell_again(const struct weir_trace *trace, bool end)
{
	struct weir_announced *entry, *next;
	unsigned int i;

	for (i = 0; i < WEIR_ANNOUNCED_BUCKETS; i++) {
		list_for_each_entry_safe(entry, next, &weir_announced[i], bucket) {
			if (end)
				weir_announced_free(entry);
			else if (!trace || entry->trace == trace)
				weir_doorbell_pair(entry->trace, entry->source);
		}
	}
}

/* ---- looking ----------------------------------------------------------------------------------*/

struct weir_look {
	struct weir_trace *traces[WEIR_SLOTS];
	unsigned int nr;
	u64 now;
};

static u64 weir_look_period(const struct weir_source *source, u64 now)
{
	u64 since = max(source->since, weir_doorbell.changed);
	u64 period = max((now - since) / WEIR_LOOK_AGE, (u64)WEIR_LOOK_MIN_MS);

	return min(period, (u64)WEIR_LOOK_MAX_MS);
}

/* Finding it tells of it; so do event types that are new. */
static int weir_look_at(struct weir_source *source, void *arg)
{
	const struct weir_look *look = arg;
	bool in = false;
	unsigned int i;
	u64 due;

	if (READ_ONCE(source->ended))
		return 0;
	if (!source->since)
		source->since = look->now;
	due = source->looked + weir_look_period(source, look->now);
	if (due <= look->now) {
		source->looked = look->now;
		for (i = 0; i < look->nr; i++)
			in |= weir_source_in(source, look->traces[i]);
		if (in)
			source->backend->schemas(source);
		due = look->now + weir_look_period(source, look->now);
	}
	weir_doorbell.look = min(weir_doorbell.look, due);
	return 0;
}

/* Traces that have never been enabled hold nothing. */
static void weir_look_traces(struct weir_look *look)
{
	unsigned int i, nr = weir_traces(look->traces);

	for (i = 0; i < nr; i++) {
		if (READ_ONCE(look->traces[i]->used))
			look->traces[look->nr++] = look->traces[i];
		else
			weir_trace_put(look->traces[i]);
	}
}

static void weir_doorbell_look(void)
{
	struct weir_look look = { .now = weir_now_ms() };

	weir_doorbell.looked = look.now;
	weir_doorbell.look = ~0ull;
	weir_look_traces(&look);
	if (look.nr)
		weir_sources_each(weir_look_at, &look);
	while (look.nr)
		weir_trace_put(look.traces[--look.nr]);
}

/* Something new: soon, but not more often than ever. */
static void weir_doorbell_hurry(void)
{
	weir_doorbell.changed = weir_now_ms();
	weir_doorbell.look =
		min(weir_doorbell.look, weir_doorbell.looked + (u64)WEIR_LOOK_MIN_MS);
}

/* ---- the thread -------------------------------------------------------------------------------*/

static void weir_doorbell_source(struct weir_source *source)
{
	struct weir_trace *traces[WEIR_SLOTS];
	unsigned int nr;

	for (nr = weir_traces(traces); nr; weir_trace_put(traces[nr]))
		weir_doorbell_pair(traces[--nr], source);
}

static void weir_doorbell_item(struct weir_news *news)
{
	if (news->trace && news->source)
		weir_doorbell_pair(news->trace, news->source);
	else if (news->trace)
		weir_doorbell_again(news->trace, false);
	else
		weir_doorbell_source(news->source);
	weir_news_free(news);
}

/* Everything: what was announced, and what was not. Who was left out for want of memory is looked at when
 * something happens to it. */
static void weir_doorbell_all(void)
{
	const struct weir_caller self = { .uid = weir_daemon.uid };
	struct weir_source_list list;
	size_t i;

	weir_doorbell_again(NULL, false);
	weir_source_list(&self, NULL, &list);
	for (i = 0; i < list.nr; i++)
		weir_doorbell_source(list.source[i]);
	weir_source_list_put(&list);
}

static void *weir_doorbell_run(void *unused)
{
	enum weir_news_what what;
	struct weir_news *news;

	(void)unused;
	weir_daemon_background();
	urcu_memb_register_thread();
	weir_bell_begin();
	do {
		what = weir_news_take(&news, weir_doorbell.look);
		if (what == WEIR_NEWS_ITEM)
			weir_doorbell_item(news);
		else if (what == WEIR_NEWS_ALL)
			weir_doorbell_all();
		else if (what == WEIR_NEWS_HURRY)
			weir_doorbell_hurry();
		if (weir_now_ms() >= weir_doorbell.look)
			weir_doorbell_look();
	} while (what != WEIR_NEWS_STOP);
	weir_doorbell_again(NULL, true);
	urcu_memb_unregister_thread();
	return NULL;
}

/**
 * weir_doorbell_start() - from now on there are events
 * @mountpoint: absolute; the mount is there, but need not answer yet
 *
 * Return: 0 or -errno.
 */
int weir_doorbell_start(const char *mountpoint)
{
	sigset_t all, old;
	unsigned int i;
	int err;

	for (i = 0; i < WEIR_ANNOUNCED_BUCKETS; i++)
		INIT_LIST_HEAD(&weir_announced[i]);
	err = weir_bell_open(mountpoint);
	if (err)
		return err;
	weir_doorbell.look = ~0ull;
	weir_news_open();
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(&weir_doorbell.thread, NULL, weir_doorbell_run, NULL);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	weir_doorbell.started = !err;
	return -err;
}

/* Ends the thread. Should it be in the kernel for ever, the connection is cut. */
void weir_doorbell_stop(void)
{
	struct timespec until;

	if (!weir_doorbell.started)
		return;
	weir_news_stop();
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 5;
	if (pthread_timedjoin_np(weir_doorbell.thread, NULL, &until)) {
		weir_bell_cut();
		pthread_join(weir_doorbell.thread, NULL);
	}
	weir_doorbell.started = false;
	weir_news_close();
}
