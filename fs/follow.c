// SPDX-License-Identifier: GPL-2.0-only
/*
 * follow: live/text. A reader has a place of its own in every ring, and takes nothing away.
 *
 * Records of different rings are merged by time. The clock is read, then all rings are sampled, then what
 * is older than that reading is printed. So causes come before effects: whoever read the clock for a
 * printed record did so before the sampling, and what had been recorded by then was sampled. Events that
 * know nothing of each other are by time, too, unless a writer lost its CPU between its clock and its
 * commit, for longer than WEIR_FOLLOW_LATE_NS: its line comes late, as do those of a process that is
 * being attached.
 *
 * Of what was overwritten before this reader got to it, and of events that were lost, a line that starts
 * with # tells.
 *
 * A read that finds nothing waits in waiter.c, as those of streams do.
 */
#include "follow.h"
#include "live.h"
#include "text_i.h"

#define WEIR_FOLLOW_LATE_NS 5000000u /* most writers that lost their CPU have it back */
#define WEIR_FOLLOW_WINDOW 16384u
#define WEIR_FOLLOW_LINES (256u << 10) /* bytes that are rendered at once, and a line */

struct weir_follow_cpu {
	struct weir_text_stream text;
	bool queued; /* in the heap */
	u64 lost;
};

struct weir_follow_source {
	struct weir_source *source;
	unsigned int queued;		 /* of its streams */
	struct weir_follow_cpu *cpu[]; /* NULL: nothing was there yet */
};

struct weir_follow {
	struct weir_wait wait;
	unsigned int refs; /* the open file, the waiters' list */
	struct weir_caller caller;
	struct weir_trace *trace;
	struct weir_source *source; /* NULL: all of the trace */
	u64 charged;

	pthread_mutex_t lock;
	struct weir_follow_source **sources; /* by serial */
	size_t nr;
	unsigned int cpus; /* streams */
	struct weir_text_heap heap;
	u64 horizon;	/* what is older may be printed */
	bool over;	/* nothing more will come */
	struct weir_buf out;
	size_t start; /* what of it was read */
};

/* ---- streams: under the follower's lock -------------------------------------------------------*/

static int weir_follow_charge(struct weir_follow *follow)
{
	return weir_quota_hold(follow->caller.uid, WEIR_QUOTA_COPIES, &follow->charged,
			       sizeof(*follow) + WEIR_FOLLOW_LINES +
				       follow->nr * (sizeof(struct weir_follow_source) +
						     (weir_daemon.nr_cpus + 1) * sizeof(void *)) +
				       follow->cpus * (sizeof(struct weir_follow_cpu) +
						       WEIR_FOLLOW_WINDOW));
}

static int weir_follow_add_cpu(struct weir_follow *follow, struct weir_follow_source *known,
			       const struct weir_state *state)
{
	size_t room = (follow->cpus + 1) * sizeof(*follow->heap.next);
	struct weir_text_next *next = realloc(follow->heap.next, room);
	struct weir_follow_cpu *cpu;
	int err;

	if (!next)
		return -ENOMEM;
	follow->heap.next = next;
	cpu = calloc(1, sizeof(*cpu));
	if (!cpu)
		return -ENOMEM;
	cpu->text.place = (struct weir_place){ .row = &weir_row_cpu,
					       .trace = follow->trace,
					       .source = known->source,
					       .state = *state };
	weir_trace_get(follow->trace);
	weir_source_get(known->source);
	err = weir_text_stream_init(&cpu->text, follow->caller.uid, false, WEIR_FOLLOW_WINDOW);
	if (err) {
		weir_text_stream_end(&cpu->text);
		free(cpu);
		return err;
	}
	weir_text_stream_rewind(&cpu->text);
	cpu->text.follow = true;
	known->cpu[state->cpu] = cpu;
	follow->cpus++;
	return weir_follow_charge(follow);
}

static void weir_follow_lost(struct weir_follow *follow, struct weir_follow_cpu *cpu)
{
	u64 lost = cpu->text.place.state.ring.lost;

	if (lost > cpu->lost)
		weir_buf_printf(&follow->out, "#%.*s: %llu events lost\n",
				(int)cpu->text.label_len - 1, cpu->text.label, lost - cpu->lost);
	cpu->lost = lost;
}

/* The stream is at its next record, if it has one. */
static void weir_follow_queue(struct weir_follow *follow, struct weir_follow_source *known,
			      struct weir_follow_cpu *cpu)
{
	weir_follow_lost(follow, cpu);
	if (cpu->queued)
		return;
	cpu->queued = weir_text_stream_next(&cpu->text);
	weir_text_skipped(&follow->out, &cpu->text);
	if (!cpu->queued)
		return;
	known->queued++;
	weir_text_heap_add(&follow->heap, &cpu->text);
}

static int weir_follow_sample(struct weir_follow *follow, struct weir_follow_source *known)
{
	struct weir_source *source = known->source;
	u64 epoch = READ_ONCE(follow->trace->epoch);
	struct weir_state state[weir_daemon.nr_cpus + 1];
	bool there[weir_daemon.nr_cpus + 1];
	unsigned int i;
	u32 count;
	int err = 0;

	for (i = 0; i <= weir_daemon.nr_cpus; i++) {
		state[i] = (struct weir_state){ .cpu = i };
		there[i] = !source->backend->sample(source, follow->trace->slot, i, epoch,
						    &state[i].ring) &&
			   !weir_state_fix(&state[i]);
	}
	count = source->backend->schemas(source);
	for (i = 0; !err && i <= weir_daemon.nr_cpus; i++) {
		if (!there[i])
			continue;
		state[i].count = count;
		state[i].latest = weir_clock_now();
		if (!known->cpu[i])
			err = weir_follow_add_cpu(follow, known, &state[i]);
		else
			weir_text_stream_more(&known->cpu[i]->text, &state[i]);
		if (!err)
			weir_follow_queue(follow, known, known->cpu[i]);
	}
	return err;
}

/* ---- sources ----------------------------------------------------------------------------------*/

static int weir_follow_insert(struct weir_follow *follow, size_t at, struct weir_source *source)
{
	size_t cpus = weir_daemon.nr_cpus + 1;
	struct weir_follow_source **sources, *known;

	sources = realloc(follow->sources, (follow->nr + 1) * sizeof(*sources));
	if (!sources)
		return -ENOMEM;
	follow->sources = sources;
	known = calloc(1, sizeof(*known) + cpus * sizeof(known->cpu[0]));
	if (!known)
		return -ENOMEM;
	known->source = source;
	weir_source_get(source);
	memmove(sources + at + 1, sources + at, (follow->nr - at) * sizeof(*sources));
	sources[at] = known;
	follow->nr++;
	return 0;
}

static void weir_follow_free_source(struct weir_follow *follow, struct weir_follow_source *known)
{
	unsigned int i;

	for (i = 0; i <= weir_daemon.nr_cpus; i++) {
		if (!known->cpu[i])
			continue;
		weir_text_stream_end(&known->cpu[i]->text);
		free(known->cpu[i]);
		follow->cpus--;
	}
	weir_source_put(known->source);
	free(known);
}

/* The list is by serial, too. Those that have gone from it stay until they are printed. */
static int weir_follow_merge(struct weir_follow *follow, const struct weir_source_list *list)
{
	size_t i = 0, at = 0;
	int err = 0;

	while (!err && (i < list->nr || at < follow->nr)) {
		struct weir_follow_source *known = at < follow->nr ? follow->sources[at] : NULL;
		struct weir_source *source = i < list->nr ? list->source[i] : NULL;

		if (known && (!source || known->source->serial < source->serial)) {
			if (known->queued) {
				at++;
				continue;
			}
			follow->nr--;
			memmove(follow->sources + at, follow->sources + at + 1,
				(follow->nr - at) * sizeof(*follow->sources));
			weir_follow_free_source(follow, known);
			continue;
		}
		if (!known || known->source != source)
			err = weir_follow_insert(follow, at, source);
		if (!err)
			err = weir_follow_sample(follow, follow->sources[at]);
		at++;
		i++;
	}
	return err;
}

/* Everything is sampled after `horizon` was taken. */
static int weir_follow_look(struct weir_follow *follow)
{
	bool gone = READ_ONCE(follow->trace->gone);
	bool over = gone || (follow->source && READ_ONCE(follow->source->ended));
	u64 horizon = over ? ~0ull : weir_clock_now() - WEIR_FOLLOW_LATE_NS;
	struct weir_source_list list = { 0 };
	size_t i;
	int err = 0;

	if (follow->source || gone) { /* a trace that is gone lists nothing */
		for (i = 0; !err && i < follow->nr; i++)
			err = weir_follow_sample(follow, follow->sources[i]);
	} else {
		err = weir_source_list(&follow->caller, follow->trace, &list);
		if (!err)
			err = weir_follow_merge(follow, &list);
		weir_source_list_put(&list);
	}
	if (!err)
		err = weir_follow_charge(follow);
	follow->horizon = horizon;
	follow->over = over;
	return err;
}

/* ---- lines ------------------------------------------------------------------------------------*/

static struct weir_follow_source *weir_follow_owner(struct weir_follow *follow, u64 serial)
{
	size_t low = 0, high = follow->nr, at;

	while (high - low > 1) {
		at = low + (high - low) / 2;
		if (follow->sources[at]->source->serial <= serial)
			low = at;
		else
			high = at;
	}
	return follow->sources[low];
}

static void weir_follow_render(struct weir_follow *follow, size_t want)
{
	struct weir_text_heap *heap = &follow->heap;
	struct weir_text_stream *stream;
	struct weir_follow_cpu *cpu;

	want = min(want, (size_t)WEIR_FOLLOW_LINES);
	while (heap->nr && heap->next[0].time <= follow->horizon && !follow->out.error &&
	       follow->out.len - follow->start < want) {
		stream = heap->next[0].stream;
		if (weir_text_step(heap, &follow->out))
			continue;
		cpu = container_of(stream, struct weir_follow_cpu, text);
		cpu->queued = false;
		weir_follow_owner(follow, stream->place.source->serial)->queued--;
	}
}

/* 1: there are lines; 0: not yet; -ENODATA: there never will be; -errno. */
static int weir_follow_fill(struct weir_wait *wait, size_t want)
{
	struct weir_follow *follow = container_of(wait, struct weir_follow, wait);
	int err;

	if (follow->out.len == follow->start) {
		follow->out.len = follow->start = 0;
		if (follow->out.size > 2 * WEIR_FOLLOW_LINES)
			weir_buf_free(&follow->out);
		weir_follow_render(follow, want);
	}
	if (!follow->out.len && !follow->out.error) {
		err = weir_follow_look(follow);
		if (err)
			return err;
		weir_follow_render(follow, want);
	}
	if (follow->out.error)
		return follow->out.error;
	if (follow->out.len)
		return 1;
	return follow->over && !follow->heap.nr ? -ENODATA : 0;
}

/* What the kernel splits it goes on asking for as long as it is given all, and the reader would wait with what it
 * has: see weir_live_portion(). What the kernel did not take was not read. */
static void weir_follow_reply(struct weir_wait *wait, fuse_req_t req, size_t len, int err)
{
	struct weir_follow *follow = container_of(wait, struct weir_follow, wait);
	size_t there = follow->out.len - follow->start, n = min(there, len);

	if (err == -ENODATA || !len) {
		fuse_reply_buf(req, NULL, 0);
	} else if (err < 0) {
		fuse_reply_err(req, -err);
	} else {
		if (n == len && len > WEIR_READ_MAX - 4096)
			n--;
		if (!fuse_reply_buf(req, follow->out.data + follow->start, n))
			follow->start += n;
	}
}

void weir_follow_read(struct weir_follow *follow, fuse_req_t req, size_t len, bool nonblock)
{
	weir_answer_read(&follow->wait, follow->caller.uid, req, len, nonblock);
}

/* ---- waiting ----------------------------------------------------------------------------------*/

static void weir_follow_put(struct weir_follow *follow)
{
	size_t i;

	if (__atomic_sub_fetch(&follow->refs, 1, __ATOMIC_ACQ_REL)) /* put:C */
		return;
	for (i = 0; i < follow->nr; i++)
		weir_follow_free_source(follow, follow->sources[i]);
	weir_quota_give(follow->caller.uid, WEIR_QUOTA_COPIES, follow->charged);
	free(follow->sources);
	free(follow->heap.next);
	weir_buf_free(&follow->out);
	if (follow->source)
		weir_source_put(follow->source);
	weir_trace_put(follow->trace);
	pthread_mutex_destroy(&follow->lock);
	free(follow);
}

static void weir_follow_wait_get(struct weir_wait *wait)
{
	__atomic_add_fetch(&container_of(wait, struct weir_follow, wait)->refs, 1, __ATOMIC_RELAXED);
}

static void weir_follow_wait_put(struct weir_wait *wait)
{
	weir_follow_put(container_of(wait, struct weir_follow, wait));
}

static pthread_mutex_t *weir_follow_lock(struct weir_wait *wait)
{
	return &container_of(wait, struct weir_follow, wait)->lock;
}

struct weir_wait *weir_follow_wait(struct weir_follow *follow)
{
	return &follow->wait;
}

/* ---- open and close ---------------------------------------------------------------------------*/

static const struct weir_wait_kind weir_follow_kind = {
	.serve = weir_answer_serve,
	.get = weir_follow_wait_get,
	.put = weir_follow_wait_put,
	.lock = weir_follow_lock,
	.fill = weir_follow_fill,
	.reply = weir_follow_reply,
	.one = true,
};

/* Every source must be readable, as for text; those that come later are, or are left out. */
static int weir_follow_allowed(const struct weir_follow *follow)
{
	struct weir_source_list list;
	int err;

	err = weir_source_list(&follow->caller, follow->trace, &list);
	if (!err && list.hidden && !follow->trace->all)
		err = -EACCES;
	weir_source_list_put(&list);
	return err;
}

int weir_follow_open(const struct weir_caller *caller, const struct weir_place *place,
		     struct weir_follow **opened)
{
	struct weir_follow *follow = calloc(1, sizeof(*follow));
	int err;

	if (!follow)
		return -ENOMEM;
	weir_wait_init(&follow->wait, &weir_follow_kind);
	pthread_mutex_init(&follow->lock, NULL);
	follow->refs = 1;
	follow->caller = *caller;
	follow->trace = place->trace;
	follow->source = place->source;
	weir_trace_get(follow->trace);
	if (follow->source)
		weir_source_get(follow->source);
	err = weir_follow_charge(follow);
	if (!err)
		err = follow->source ? weir_follow_insert(follow, 0, follow->source)
				     : weir_follow_allowed(follow);
	if (err) {
		weir_follow_put(follow);
		return err;
	}
	*opened = follow;
	return 0;
}

void weir_follow_close(struct weir_follow *follow)
{
	weir_waiter_poll(&follow->wait, NULL);
	weir_follow_put(follow);
}
