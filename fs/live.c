// SPDX-License-Identifier: GPL-2.0-only
/* live: streams that are consumed, and what a read(2) of one is given. See live.h. */
#include "live.h"

#define WEIR_LIVE_BUCKETS 1024u

static struct list_head weir_lives[WEIR_LIVE_BUCKETS];
static pthread_mutex_t weir_lives_lock = PTHREAD_MUTEX_INITIALIZER;

static const struct weir_wait_kind weir_live_kind;

void weir_live_init(void)
{
	unsigned int i;

	for (i = 0; i < WEIR_LIVE_BUCKETS; i++)
		INIT_LIST_HEAD(&weir_lives[i]);
}

/* ---- the table: under its lock ----------------------------------------------------------------*/

static struct list_head *weir_live_bucket(const struct weir_trace *trace,
					  const struct weir_source *source, unsigned int cpu)
{
	u64 hash = trace->serial << 40 ^ source->serial << 12 ^ cpu;

	return &weir_lives[hash * 0x9e3779b97f4a7c15ull >> 54];
}

static struct weir_live *weir_live_look(const struct weir_trace *trace,
					const struct weir_source *source, unsigned int cpu)
{
	struct weir_live *live;

	list_for_each_entry (live, weir_live_bucket(trace, source, cpu), bucket) {
		if (live->trace == trace && live->source == source && live->cpu == cpu)
			return live;
	}
	return NULL;
}

static struct weir_live *weir_live_new(const struct weir_place *place, uid_t uid, int *error)
{
	struct weir_live *live;
	u64 charged = 0;

	*error = weir_quota_hold(uid, WEIR_QUOTA_COPIES, &charged, sizeof(*live));
	if (*error)
		return NULL;
	live = calloc(1, sizeof(*live));
	if (!live) {
		weir_quota_give(uid, WEIR_QUOTA_COPIES, charged);
		*error = -ENOMEM;
		return NULL;
	}
	live->maker = uid;
	live->charged = charged;
	live->refs = 1;
	live->trace = place->trace;
	live->source = place->source;
	live->cpu = place->state.cpu;
	live->wake = -1;
	pthread_mutex_init(&live->lock, NULL);
	weir_wait_init(&live->wait, &weir_live_kind);
	weir_wait_init(&live->opening, &weir_live_opening_kind);
	weir_trace_get(live->trace);
	weir_source_get(live->source);
	list_add(&live->bucket, weir_live_bucket(live->trace, live->source, live->cpu));
	return live;
}

/* ---- life -------------------------------------------------------------------------------------*/

void weir_live_get(struct weir_live *live)
{
	__atomic_add_fetch(&live->refs, 1, __ATOMIC_RELAXED);
}

void weir_live_put(struct weir_live *live)
{
	if (__atomic_sub_fetch(&live->refs, 1, __ATOMIC_ACQ_REL)) /* put:C */
		return;
	weir_live_drop_batch(live);
	weir_live_wake_drop(live);
	weir_quota_give(live->maker, WEIR_QUOTA_COPIES, live->charged);
	weir_source_put(live->source);
	weir_trace_put(live->trace);
	pthread_mutex_destroy(&live->lock);
	free(live);
}

/* NULL: nobody has read it so far. The caller gets a reference. */
struct weir_live *weir_live_find(const struct weir_trace *trace, const struct weir_source *source,
				 unsigned int cpu)
{
	struct weir_live *live;

	pthread_mutex_lock(&weir_lives_lock);
	live = weir_live_look(trace, source, cpu);
	if (live)
		weir_live_get(live);
	pthread_mutex_unlock(&weir_lives_lock);
	return live;
}

bool weir_live_busy(struct weir_live *live)
{
	bool busy;

	pthread_mutex_lock(&weir_lives_lock);
	busy = live->open;
	pthread_mutex_unlock(&weir_lives_lock);
	return busy;
}

/**
 * weir_live_open() - become the reader of a stream
 * @caller: who opens
 * @place: trace, source and CPU
 * @opened: set
 *
 * Return: 0; -EBUSY it has a reader; -EDQUOT; -ENOMEM.
 */
int weir_live_open(const struct weir_caller *caller, const struct weir_place *place,
		   struct weir_live **opened)
{
	pid_t process = weir_caller_process(caller);
	struct weir_live *live;
	int err = 0;

	pthread_mutex_lock(&weir_lives_lock);
	live = weir_live_look(place->trace, place->source, place->state.cpu);
	if (live && live->open)
		err = -EBUSY;
	else if (!live)
		live = weir_live_new(place, caller->uid, &err);
	if (!err) {
		live->open = true;
		weir_live_get(live);
	}
	pthread_mutex_unlock(&weir_lives_lock);
	if (err)
		return err;
	pthread_mutex_lock(&live->lock);
	live->reader = caller->uid;
	live->process = process;
	live->told = 0;
	pthread_mutex_unlock(&live->lock);
	*opened = live;
	return 0;
}

/* Does anybody read a stream of this trace? */
bool weir_live_any(const struct weir_trace *trace)
{
	struct weir_live *live;
	bool any = false;
	unsigned int i;

	pthread_mutex_lock(&weir_lives_lock);
	for (i = 0; i < WEIR_LIVE_BUCKETS && !any; i++) {
		list_for_each_entry (live, &weir_lives[i], bucket)
			any |= live->open && live->trace == trace;
	}
	pthread_mutex_unlock(&weir_lives_lock);
	return any;
}

/* What was made ahead and not read to its end will be made again. */
void weir_live_close(struct weir_live *live)
{
	weir_waiter_poll(&live->wait, NULL);
	pthread_mutex_lock(&live->lock);
	weir_live_drop_batch(live);
	weir_live_wake_drop(live);
	live->made = live->done;
	live->empty = 0;
	pthread_mutex_unlock(&live->lock);
	pthread_mutex_lock(&weir_lives_lock);
	live->open = false;
	pthread_mutex_unlock(&weir_lives_lock);
	if (READ_ONCE(live->trace->gone) && !weir_live_any(live->trace))
		weir_trace_left(live->trace);
	weir_live_put(live);
}

/* A state is worth to be kept while there may be more to read; at the end, nothing is. */
static bool weir_live_is_over(const struct weir_live *live)
{
	return !live->open && (READ_ONCE(live->trace->gone) || READ_ONCE(live->source->gone));
}

void weir_live_sweep(bool all)
{
	struct list_head over;
	struct weir_live *live, *next;
	unsigned int i;

	INIT_LIST_HEAD(&over);
	pthread_mutex_lock(&weir_lives_lock);
	for (i = 0; i < WEIR_LIVE_BUCKETS; i++) {
		list_for_each_entry_safe (live, next, &weir_lives[i], bucket) {
			if (!all && !weir_live_is_over(live))
				continue;
			list_del(&live->bucket);
			list_add(&live->bucket, &over);
		}
	}
	pthread_mutex_unlock(&weir_lives_lock);
	list_for_each_entry_safe (live, next, &over, bucket)
		weir_live_put(live);
}

/* Bytes of the ring that live readers have taken, in the trace's epoch: for status. */
u64 weir_live_consumed(const struct weir_source *source, const struct weir_trace *trace,
		       unsigned int cpu)
{
	struct weir_live *live = weir_live_find(trace, source, cpu);
	u64 bytes = 0;

	if (!live)
		return 0;
	pthread_mutex_lock(&live->lock);
	if (live->done.epoch == READ_ONCE(trace->epoch))
		bytes = live->done.bytes;
	pthread_mutex_unlock(&live->lock);
	weir_live_put(live);
	return bytes;
}

/* ---- reading: under the stream's lock ---------------------------------------------------------*/

/* The reader has got so much. Whole packets are taken; the writer may have their room. */
static void weir_live_took(struct weir_live *live, size_t len)
{
	struct weir_live_batch *batch = live->batch;
	const struct weir_backend *backend = live->source->backend;

	batch->start += len;
	while (batch->at < batch->nr && batch->packet[batch->at].end <= batch->start)
		live->done = batch->packet[batch->at++].state;
	if (batch->start == batch->end)
		live->done = live->made;
	if (live->done.position == live->published || !backend->consume)
		return;
	live->published = live->done.position;
	backend->consume(live->source, live->trace->slot, live->cpu, live->done.epoch,
			 live->done.position);
}

/* Its metadata is to know the events that it has got. */
static void weir_live_tell(struct weir_live *live)
{
	if (live->told >= live->count)
		return;
	live->told = live->count;
	weir_view_outdated(live->process, live->trace, live->source, live->count);
}

/* `err`: what weir_live_fill() said, not 0. A reply that the kernel did not take was not read. */
static void weir_live_reply(struct weir_wait *wait, fuse_req_t req, size_t len, int err)
{
	struct weir_live *live = container_of(wait, struct weir_live, wait);
	size_t n;

	if (err == -ENODATA || !len) {
		fuse_reply_buf(req, NULL, 0);
	} else if (err < 0) {
		fuse_reply_err(req, -err);
	} else {
		weir_live_tell(live);
		n = weir_live_portion(live->batch, len);
		if (!fuse_reply_buf(req, (char *)live->batch->data + live->batch->start, n))
			weir_live_took(live, n);
	}
}

void weir_live_read(struct weir_live *live, fuse_req_t req, size_t len, bool nonblock)
{
	weir_answer_read(&live->wait, live->reader, req, len, nonblock);
}

static pthread_mutex_t *weir_live_wait_lock(struct weir_wait *wait)
{
	return &container_of(wait, struct weir_live, wait)->lock;
}

static int weir_live_wait_fill(struct weir_wait *wait, size_t want)
{
	(void)want;
	return weir_live_fill(container_of(wait, struct weir_live, wait));
}

static void weir_live_wait_get(struct weir_wait *wait)
{
	weir_live_get(container_of(wait, struct weir_live, wait));
}

static void weir_live_wait_put(struct weir_wait *wait)
{
	weir_live_put(container_of(wait, struct weir_live, wait));
}

static const struct weir_wait_kind weir_live_kind = {
	.serve = weir_answer_serve,
	.get = weir_live_wait_get,
	.put = weir_live_wait_put,
	.lock = weir_live_wait_lock,
	.fill = weir_live_wait_fill,
	.reply = weir_live_reply,
};
