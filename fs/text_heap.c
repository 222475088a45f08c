// SPDX-License-Identifier: GPL-2.0-only
/* text_heap: streams by the time of their next record, and the line of the first. */
#include "text_i.h"

static bool weir_text_before(const struct weir_text_next *a, const struct weir_text_next *b)
{
	return a->time != b->time ? a->time < b->time : a->stream < b->stream;
}

static void weir_text_sift_down(struct weir_text_heap *heap)
{
	struct weir_text_next *next = heap->next, moved = next[0];
	unsigned int at = 0, child;

	while ((child = at * 2 + 1) < heap->nr) {
		if (child + 1 < heap->nr && weir_text_before(&next[child + 1], &next[child]))
			child++;
		if (!weir_text_before(&next[child], &moved))
			break;
		next[at] = next[child];
		at = child;
	}
	next[at] = moved;
}

/* The stream has a record. */
void weir_text_heap_add(struct weir_text_heap *heap, struct weir_text_stream *stream)
{
	struct weir_text_next added = { stream->record.time, stream };
	unsigned int at = heap->nr++;

	for (; at && weir_text_before(&added, &heap->next[(at - 1) / 2]); at = (at - 1) / 2)
		heap->next[at] = heap->next[(at - 1) / 2];
	heap->next[at] = added;
}

/* Renders the line that is next, and finds its stream's next record; false: that has none now, and
 * is out of the heap. */
bool weir_text_step(struct weir_text_heap *heap, struct weir_buf *out)
{
	struct weir_text_stream *stream = heap->next[0].stream;
	bool more;

	if (unlikely(stream->skipped))
		weir_text_skipped(out, stream);
	weir_text_line(out, stream);
	more = weir_text_stream_next(stream);
	if (more) {
		heap->next[0].time = stream->record.time;
	} else {
		weir_text_skipped(out, stream);
		heap->next[0] = heap->next[--heap->nr];
	}
	if (heap->nr)
		weir_text_sift_down(heap);
	return more;
}
