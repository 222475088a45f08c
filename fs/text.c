// SPDX-License-Identifier: GPL-2.0-only
/*
 * text: the records of all streams, merged by time, one a line. Rendered while it is read, so a
 * text of any length costs a window a stream. Sub-buffers that the writer has taken in the meantime
 * are skipped, and a line that starts with # says so. What is small is copied when the text is
 * opened, and waits for its reader.
 */
#include "text_i.h"

#define WEIR_TEXT_COPY (32ull << 20) /* bytes of streams that are copied */
#define WEIR_LINE_MAX 4096u	     /* first guess at a line's length */

/* Kept before where a reader has come to: shells and others read blocks and seek back to behind the
 * line that they take. */
#define WEIR_TEXT_BEHIND 8192u

/*
 * What one request renders beyond its own bytes. A reader may seek forward as far as it likes, and
 * everything up to there has to be rendered; whoever did that in one request would have a worker
 * for itself all that time, a few of them all workers, and neither could be killed. So a request
 * that has come this far keeps its place and is "interrupted": programs read on after EINTR, and
 * other requests get their turn in between. Reading from begin to end never gets there.
 */
#define WEIR_TEXT_AHEAD (8u << 20)
#define WEIR_TEXT_NOWHERE (~0ull) /* nothing is rendered: wherever one reads, it starts anew */

/* What windows may take, a text; with many streams each gets less. */
#define WEIR_TEXT_WINDOWS (16u << 20)
#define WEIR_TEXT_WINDOW (32u << 10)

struct weir_text {
	struct weir_text_stream *stream;
	unsigned int nr;
	struct weir_text_heap heap;
	struct weir_buf out;  /* rendered; its first byte is at `offset` of the file */
	struct weir_buf kept; /* between requests, what of it is still of use */
	u64 offset;
	u64 replied; /* up to where it was read */
	uid_t uid;   /* whose quota holds what is charged */
	u64 charged, charged_kept;
	int error; /* for the next read */
};

static void weir_text_start(struct weir_text *text)
{
	struct weir_text_stream *stream;
	unsigned int i;

	text->heap.nr = 0;
	text->offset = 0;
	text->out.len = 0;
	for (i = 0; i < text->nr; i++) {
		stream = &text->stream[i];
		weir_text_stream_rewind(stream);
		if (weir_text_stream_next(stream))
			weir_text_heap_add(&text->heap, stream);
		else
			weir_text_skipped(&text->out, stream);
	}
}

/* Renders the next line; false at the end. */
static bool weir_text_render(struct weir_text *text)
{
	if (!text->heap.nr)
		return false;
	weir_text_step(&text->heap, &text->out);
	return true;
}

/* ---- where lines are rendered -----------------------------------------------------------------*/

/*
 * A request renders into one of a few buffers that are kept, so that it finds its pages there. What
 * an open text holds between requests is small, and in a piece of its own.
 */
#define WEIR_TEXT_SPARES 4
#define WEIR_TEXT_SPARE_MAX (4u << 20)
static struct weir_buf weir_text_spare[WEIR_TEXT_SPARES];
static unsigned int weir_text_spares;
static pthread_mutex_t weir_text_spares_lock = PTHREAD_MUTEX_INITIALIZER;

static void weir_text_take(struct weir_text *text)
{
	pthread_mutex_lock(&weir_text_spares_lock);
	if (weir_text_spares)
		text->out = weir_text_spare[--weir_text_spares];
	pthread_mutex_unlock(&weir_text_spares_lock);
	text->out.len = 0;
	weir_buf_put(&text->out, text->kept.data, text->kept.len);
}

static void weir_text_give(struct weir_text *text)
{
	pthread_mutex_lock(&weir_text_spares_lock);
	if (weir_text_spares < WEIR_TEXT_SPARES && text->out.size <= WEIR_TEXT_SPARE_MAX &&
	    !text->out.error) {
		weir_text_spare[weir_text_spares++] = text->out;
		memset(&text->out, 0, sizeof(text->out));
	}
	pthread_mutex_unlock(&weir_text_spares_lock);
	weir_buf_free(&text->out);
}

void weir_text_free_spares(void)
{
	while (weir_text_spares)
		weir_buf_free(&weir_text_spare[--weir_text_spares]);
}

static int weir_text_lost(struct weir_text *text, int err)
{
	text->out.len = 0;
	text->offset = WEIR_TEXT_NOWHERE;
	return err;
}

/* Renders until `end` is there, or the text's end; what lies far before `offset` is dropped. */
static int weir_text_reach(struct weir_text *text, u64 offset, u64 end)
{
	u64 rendered = 0, most = WEIR_TEXT_AHEAD + end - offset;
	size_t before, len;

	while (text->offset + text->out.len < end) {
		before = min(offset - text->offset, (u64)text->out.len);
		if (before > 2 * WEIR_TEXT_BEHIND) {
			before -= WEIR_TEXT_BEHIND;
			text->out.len -= before;
			memmove(text->out.data, text->out.data + before, text->out.len);
			text->offset += before;
		}
		if (rendered > most)
			return -EINTR;
		len = text->out.len;
		if (!weir_text_render(text))
			break;
		if (text->out.error)
			return weir_text_lost(text, text->out.error);
		rendered += text->out.len - len;
	}
	return 0;
}

/*
 * Bytes of the text at `offset`: a pointer that holds until weir_text_replied(). Reading on is what
 * it is made for; for a reader that seeks forward what lies between is rendered, for one that seeks
 * back all of it anew.
 */
int weir_text_read(struct weir_text *text, u64 offset, size_t len, const char **data, size_t *got)
{
	int err = text->error;

	text->error = 0;
	weir_text_take(text);
	if (err)
		return err;
	if (offset < text->offset)
		weir_text_start(text);
	text->replied = offset;
	err = weir_text_reach(text, offset, offset + len);
	if (err)
		return err;
	*got = 0;
	if (offset < text->offset + text->out.len) {
		*data = text->out.data + (offset - text->offset);
		*got = min(len, (size_t)(text->offset + text->out.len - offset));
	}
	text->replied = offset + *got;
	return 0;
}

/* Keeps what is rendered from `before` on. */
static int weir_text_keep(struct weir_text *text, size_t before)
{
	if (text->kept.size > 4 * WEIR_TEXT_BEHIND)
		weir_buf_free(&text->kept);
	text->kept.len = 0;
	weir_buf_put(&text->kept, text->out.data + before, text->out.len - before);
	text->offset += before;
	return text->kept.error ? text->kept.error
				: weir_quota_hold(text->uid, WEIR_QUOTA_COPIES, &text->charged_kept,
						  text->kept.size);
}

/* The bytes are sent, or there were none: an idle reader costs what is behind it and the rest of a
 * line. */
void weir_text_replied(struct weir_text *text)
{
	size_t before;
	int err = 0;

	if (text->offset != WEIR_TEXT_NOWHERE) {
		before = min(text->replied - text->offset, (u64)text->out.len);
		err = weir_text_keep(text, before - min(before, (size_t)WEIR_TEXT_BEHIND));
	}
	if (err) {
		text->error = err;
		text->offset = WEIR_TEXT_NOWHERE;
	}
	if (text->offset == WEIR_TEXT_NOWHERE) {
		weir_buf_free(&text->kept);
		weir_quota_hold(text->uid, WEIR_QUOTA_COPIES, &text->charged_kept, 0);
	}
	weir_text_give(text);
}

/* ---- open and close ---------------------------------------------------------------------------*/

static int weir_text_add(struct weir_text *text, struct weir_trace *trace,
			 struct weir_source *source)
{
	struct weir_view *view = weir_view_now(trace, source);
	struct weir_text_stream *stream;
	struct weir_state state;
	int cpu;

	if (!view)
		return -ENOMEM;
	for (cpu = weir_view_next(view, 0); cpu >= 0; cpu = weir_view_next(view, cpu + 1)) {
		if (!weir_view_state(view, cpu, &state) || state.ring.begin == state.ring.end)
			continue;
		stream = realloc(text->stream, (text->nr + 1) * sizeof(*stream));
		if (!stream)
			break;
		text->stream = stream;
		stream += text->nr++;
		memset(stream, 0, sizeof(*stream));
		stream->place = (struct weir_place){
			.row = &weir_row_cpu, .trace = trace, .source = source, .state = state
		};
		weir_trace_get(trace);
		weir_source_get(source);
	}
	weir_view_put(view);
	return cpu >= 0 ? -ENOMEM : 0;
}

static int weir_text_memory(struct weir_text *text)
{
	unsigned int i;
	u64 charge = text->nr * (sizeof(*text->stream) + sizeof(*text->heap.next)), copies = 0;
	size_t window = min(WEIR_TEXT_WINDOWS / (text->nr + 1), WEIR_TEXT_WINDOW);
	int err;

	for (i = 0; i < text->nr; i++) {
		struct weir_text_stream *stream = &text->stream[i];

		err = weir_text_stream_init(stream, text->uid,
					    copies + stream->place.state.size <= WEIR_TEXT_COPY,
					    window);
		if (err)
			return err;
		if (stream->copy)
			copies += stream->place.state.size;
		else
			charge += stream->window_size;
	}
	err = weir_quota_take(text->uid, WEIR_QUOTA_COPIES, charge);
	if (err)
		return err;
	text->charged = charge;
	text->heap.next = calloc(text->nr + 1, sizeof(*text->heap.next));
	return text->heap.next ? 0 : -ENOMEM;
}

/* Every source of the trace, each of which the caller must be allowed to read; in a trace of all
 * users' processes, those that it may read. */
static int weir_text_sources(struct weir_text *text, const struct weir_caller *caller,
			     struct weir_trace *trace)
{
	struct weir_source_list list;
	size_t i;
	int err;

	err = weir_source_list(caller, trace, &list);
	if (!err && list.hidden && !trace->all)
		err = -EACCES;
	for (i = 0; !err && i < list.nr; i++)
		err = weir_text_add(text, trace, list.source[i]);
	weir_source_list_put(&list);
	return err;
}

int weir_text_open(const struct weir_caller *caller, const struct weir_place *place,
		   struct weir_text **opened)
{
	struct weir_text *text = calloc(1, sizeof(*text));
	int err;

	if (!text)
		return -ENOMEM;
	text->uid = caller->uid;
	if (place->source)
		err = weir_text_add(text, place->trace, place->source);
	else
		err = weir_text_sources(text, caller, place->trace);
	if (!err)
		err = weir_text_memory(text);
	if (err) {
		weir_text_close(text);
		return err;
	}
	text->offset = WEIR_TEXT_NOWHERE; /* the first read starts it */
	*opened = text;
	return 0;
}

void weir_text_close(struct weir_text *text)
{
	unsigned int i;

	for (i = 0; i < text->nr; i++)
		weir_text_stream_end(&text->stream[i]);
	weir_quota_give(text->uid, WEIR_QUOTA_COPIES, text->charged + text->charged_kept);
	weir_buf_free(&text->kept);
	free(text->stream);
	free(text->heap.next);
	free(text);
}
