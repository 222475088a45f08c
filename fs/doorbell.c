// SPDX-License-Identifier: GPL-2.0-only
/*
 * doorbell: inotify for what happens without anybody's system call.
 *
 * The kernel reports what is done through a mount, not what a daemon does. So a thread does through the mount what
 * has happened already, and the daemon, which knows it by its thread id, answers accordingly:
 *
 *   a process's directory has come    its look-up finds nothing, and mkdir() finds it      IN_CREATE
 *   it has gone                       its look-up still finds it, and rmdir() does not     IN_DELETE
 *   metadata knows more event types   utimensat() of its mtime, which changes nothing      IN_MODIFY
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
 *
 * No lock is held while the kernel is called; workers never call it. The thread must not keep a descriptor of the
 * mount, which could not be unmounted then: it opens the mount point, and compares its device, for each ring.
 */
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>

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
	char mountpoint[PATH_MAX];
	dev_t device;
	u64 changed, looked, look; /* ms: what is recorded; positions, last and next time */
} weir_doorbell;

/* What is being rung: set by the thread, read by workers that answer it. */
static struct {
	pthread_mutex_t lock;
	pid_t thread;
	enum weir_bell_what {
		WEIR_BELL_NOTHING,
		WEIR_BELL_CREATE,
		WEIR_BELL_DELETE,
		WEIR_BELL_MODIFY,
	} what;
	struct weir_trace *trace;
	struct weir_source *source;
} weir_ringing = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* ---- answering: workers -----------------------------------------------------------------------*/

/* Is this our own thread, about what it rings? `place` is set then, with references. */
static enum weir_bell_what weir_doorbell_about(const struct weir_caller *caller, fuse_ino_t parent,
					       const char *name, struct weir_place *place)
{
	enum weir_bell_what what = WEIR_BELL_NOTHING;
	const struct weir_place *dir;

	if (caller->pid != __atomic_load_n(&weir_ringing.thread, __ATOMIC_RELAXED))
		return what;
	dir = weir_node_place(parent);
	pthread_mutex_lock(&weir_ringing.lock);
	if (weir_ringing.what && dir->trace == weir_ringing.trace && !dir->source &&
	    !strcmp(name, weir_ringing.source->name)) {
		what = weir_ringing.what;
		*place = (struct weir_place){ .row = &weir_row_source,
					      .trace = weir_ringing.trace,
					      .source = weir_ringing.source };
		weir_trace_get(place->trace);
		weir_source_get(place->source);
	}
	pthread_mutex_unlock(&weir_ringing.lock);
	return what;
}

bool weir_doorbell_lookup(const struct weir_caller *caller, fuse_ino_t parent, const char *name,
			  struct fuse_entry_param *entry, int *err)
{
	struct weir_place place;

	switch (weir_doorbell_about(caller, parent, name, &place)) {
	case WEIR_BELL_CREATE:
		weir_place_put(&place);
		*err = -ENOENT;
		return true;
	case WEIR_BELL_DELETE:
		*err = weir_node_enter(&place, parent, entry);
		return true;
	case WEIR_BELL_MODIFY:
		weir_place_put(&place);
		return false;
	default:
		return false;
	}
}

int weir_doorbell_mkdir(const struct weir_caller *caller, fuse_ino_t parent, const char *name,
			struct fuse_entry_param *entry)
{
	struct weir_place place;

	switch (weir_doorbell_about(caller, parent, name, &place)) {
	case WEIR_BELL_NOTHING:
		return -EPERM;
	case WEIR_BELL_CREATE:
		return weir_node_enter(&place, parent, entry);
	default:
		weir_place_put(&place);
		return -EPERM;
	}
}

/* The kernel's inode of a directory that was removed stays dead: should the place come back, it is
 * another node. */
int weir_doorbell_rmdir(const struct weir_caller *caller, fuse_ino_t parent, const char *name)
{
	struct weir_place place;
	enum weir_bell_what what = weir_doorbell_about(caller, parent, name, &place);

	if (what == WEIR_BELL_DELETE)
		weir_node_retire(&place);
	if (what)
		weir_place_put(&place);
	return what == WEIR_BELL_DELETE ? 0 : -EPERM;
}

/* ---- ringing ----------------------------------------------------------------------------------*/

static int weir_doorbell_device(int fd, dev_t *device)
{
	struct statx st;

	/* asks nothing of the daemon */
	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &st))
		return -errno;
	*device = makedev(st.stx_dev_major, st.stx_dev_minor);
	return 0;
}

/* The mount's root, if it is still ours. */
static int weir_doorbell_root(void)
{
	int fd = open(weir_doorbell.mountpoint, O_PATH | O_DIRECTORY | O_CLOEXEC);
	dev_t device;

	if (fd < 0)
		return -errno;
	if (!weir_doorbell_device(fd, &device) && device == weir_doorbell.device)
		return fd;
	close(fd);
	return -ESTALE;
}

static int weir_bell_do(int root, enum weir_bell_what what, const struct weir_trace *trace,
			const struct weir_source *source)
{
	static const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT },
						  { .tv_nsec = UTIME_NOW } };
	char path[sizeof(trace->name) + sizeof(source->name) + sizeof("//metadata")];

	snprintf(path, sizeof(path), "%s/%s%s", trace->name, source->name,
		 what == WEIR_BELL_MODIFY ? "/metadata" : "");
	switch (what) {
	case WEIR_BELL_CREATE:
		return mkdirat(root, path, 0550);
	case WEIR_BELL_DELETE:
		return unlinkat(root, path, AT_REMOVEDIR);
	default:
		return utimensat(root, path, times, AT_SYMLINK_NOFOLLOW);
	}
}

static void weir_bell_set(enum weir_bell_what what, struct weir_trace *trace,
			  struct weir_source *source)
{
	pthread_mutex_lock(&weir_ringing.lock);
	weir_ringing.what = what;
	weir_ringing.trace = trace;
	weir_ringing.source = source;
	pthread_mutex_unlock(&weir_ringing.lock);
}

/* A ring that fails is not repeated: the mount, or the trace, is not there any more. */
static void weir_bell(enum weir_bell_what what, struct weir_trace *trace,
		      struct weir_source *source)
{
	int root = weir_doorbell_root();

	if (root < 0)
		return;
	weir_bell_set(what, trace, source);
	weir_bell_do(root, what, trace, source);
	weir_bell_set(WEIR_BELL_NOTHING, NULL, NULL);
	close(root);
}

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
	urcu_memb_register_thread();
	__atomic_store_n(&weir_ringing.thread, gettid(), __ATOMIC_RELAXED);
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
	int fd, err;

	for (i = 0; i < WEIR_ANNOUNCED_BUCKETS; i++)
		INIT_LIST_HEAD(&weir_announced[i]);
	if (strlen(mountpoint) >= sizeof(weir_doorbell.mountpoint))
		return -ENAMETOOLONG;
	strcpy(weir_doorbell.mountpoint, mountpoint);
	fd = open(mountpoint, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	err = weir_doorbell_device(fd, &weir_doorbell.device);
	close(fd);
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
		umount2(weir_doorbell.mountpoint, MNT_FORCE | MNT_DETACH);
		pthread_join(weir_doorbell.thread, NULL);
	}
	weir_doorbell.started = false;
	weir_news_close();
}
