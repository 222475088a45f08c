/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * out: bytes appended to a caller's buffer with snprintf's rules. `len` counts on when the buffer is full.
 */
#ifndef WEIR_OUT_I_H
#define WEIR_OUT_I_H

#include "weir_put.h"

struct weir_out {
	char *buf;
	size_t size;
	size_t len;
};

static inline void weir_out_byte(struct weir_out *out, char c)
{
	if (likely(out->len < out->size))
		out->buf[out->len] = c;
	out->len++;
}

static inline void weir_out_bytes(struct weir_out *out, const char *src, size_t len)
{
	if (likely(out->len < out->size))
		memcpy(out->buf + out->len, src, min(len, out->size - out->len));
	out->len += len;
}

static inline void weir_out_str(struct weir_out *out, const char *s)
{
	weir_out_bytes(out, s, strlen(s));
}

/* Ends the text inside the buffer; returns the length needed, without the NUL. */
static inline size_t weir_out_end(struct weir_out *out)
{
	if (out->size)
		out->buf[min(out->len, out->size - 1)] = '\0';
	return out->len;
}

void weir_out_dec(struct weir_out *out, u64 value);
void weir_out_signed(struct weir_out *out, s64 value);

void weir_out_escaped(struct weir_out *out, const u8 *s, size_t len, enum weir_escape escape);

#endif /* WEIR_OUT_I_H */
