/* SPDX-License-Identifier: GPL-2.0-only */
/* text, inside: one stream's records (text_stream.c), a record's line (text_line.c), and all of
 * them merged (text.c). */
#ifndef WEIR_TEXT_I_H
#define WEIR_TEXT_I_H

#include "../lib/core/weir_packet.h"
#include "tree_i.h"

/* One stream, at its next record. */
struct weir_text_stream {
	struct weir_place place;
	struct weir_packet_stream packet; /* as it was before the packet at `position` */
	u64 position;			  /* of the packet that is being read */
	size_t content;			  /* where its records end; 0: not begun */
	size_t base;			  /* where in the packet the window starts */
	u64 skipped;			  /* bytes that were overwritten, not told yet */
	struct weir_copy *copy; /* all of it, taken at the open; else NULL, and a window is used */
	u8 *window;
	size_t window_size;
	struct weir_walk walk; /* over the window, or the copy's packet */
	struct weir_record record;
	bool follow;  /* the ring goes on: */
	bool open;    /* the packet may get more records, */
	bool drained; /* and has none for now */
	char label[80]; /* ` SOURCE CPU ` */
	unsigned int label_len;
};

int weir_text_stream_init(struct weir_text_stream *stream, uid_t uid, bool copy, size_t window);
void weir_text_stream_end(struct weir_text_stream *stream);
void weir_text_stream_rewind(struct weir_text_stream *stream);
bool weir_text_stream_next(struct weir_text_stream *stream);

void weir_text_stream_more(struct weir_text_stream *stream, const struct weir_state *state);

struct weir_text_next {
	u64 time; /* of the stream's next record */
	struct weir_text_stream *stream;
};

/* Streams by the time of their next record. The caller has room for all of them. */
struct weir_text_heap {
	struct weir_text_next *next;
	unsigned int nr;
};

void weir_text_heap_add(struct weir_text_heap *heap, struct weir_text_stream *stream);
bool weir_text_step(struct weir_text_heap *heap, struct weir_buf *out);

void weir_text_label(struct weir_text_stream *stream);
void weir_text_line(struct weir_buf *out, const struct weir_text_stream *stream);
void weir_text_skipped(struct weir_buf *out, struct weir_text_stream *stream);

#endif /* WEIR_TEXT_I_H */
