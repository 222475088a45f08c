/* SPDX-License-Identifier: GPL-2.0-only */
/* text, inside: one stream's records (text_stream.c), and all of them merged (text.c). */
#ifndef WEIR_TEXT_I_H
#define WEIR_TEXT_I_H

#include "../lib/core/weir_packet.h"
#include "tree_i.h"

/* One stream, at its next record. */
struct weir_text_stream {
	struct weir_place place;
	struct weir_packet_stream packet; /* as it was before the packet at `position` */
	u8 uuid[16];
	u64 position;  /* of the packet that the window is from */
	size_t resume; /* where in the packet the next window starts; 0: at its first record */
	u64 resume_time;
	u64 skipped;		/* bytes that were overwritten, not told yet */
	struct weir_copy *copy; /* all of it, taken at the open; else NULL, and a window is used */
	u8 *window;
	size_t window_size;
	struct weir_walk walk;
	struct weir_record record;
};

/* Where whole sub-buffers are read to. All streams of a text share it. */
struct weir_text_scratch {
	u8 *data;
	size_t size;
};

int weir_text_stream_init(struct weir_text_stream *stream, uid_t uid, bool copy);
void weir_text_stream_end(struct weir_text_stream *stream);
void weir_text_stream_rewind(struct weir_text_stream *stream);
bool weir_text_stream_next(struct weir_text_scratch *scratch, struct weir_text_stream *stream);

#endif /* WEIR_TEXT_I_H */
