/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * put: text written where there is room for all that it can become. A line of text is little else,
 * and millions of them are asked for: no length is checked here, the caller has asked what is
 * needed at most.
 *
 * Every function writes at `to` and returns what follows the last byte. No NUL is added.
 */
#ifndef WEIR_PUT_H
#define WEIR_PUT_H

#include "env.h"

#define WEIR_DEC_MAX 20u /* bytes of a number; 21 with its sign */
#define WEIR_HEX_MAX 18u
#define WEIR_ESCAPED_MAX 4u /* bytes that one byte of a string becomes */

char *weir_put_dec(char *to, u64 value);
char *weir_put_signed(char *to, s64 value);
char *weir_put_hex(char *to, u64 value);  /* with 0x */
char *weir_put_nine(char *to, u32 value); /* below 10^9, nine digits: a fraction of a second */
char *weir_put_bytes_hex(char *to, const u8 *src, size_t len);

/* How what does not print is shown. Quote, backslash and control bytes are escaped either way. */
enum weir_escape {
	WEIR_ESCAPE_TEXT, /* newline and tab as \n \t; bytes that are no UTF-8 in octal */
	WEIR_ESCAPE_TSDL, /* octal only; bytes that are no UTF-8 become U+FFFD, lest a reader chokes
			   */
};

/* One character of the `len` bytes at *src, which moves behind it: WEIR_ESCAPED_MAX bytes are
 * enough. */
char *weir_put_character(char *to, const u8 **src, size_t len, enum weir_escape escape);
char *weir_put_escaped(char *to, const u8 *src, size_t len, enum weir_escape escape);

/* Short strings, mostly: a call would take longer than the copy. */
static inline char *weir_put(char *to, const char *src, size_t len)
{
	if (len > 16)
		memcpy(to, src, len);
	else if (len >= 8) {
		memcpy(to, src, 8);
		memcpy(to + len - 8, src + len - 8, 8);
	} else if (len >= 4) {
		memcpy(to, src, 4);
		memcpy(to + len - 4, src + len - 4, 4);
	} else if (len) {
		to[0] = src[0];
		to[len / 2] = src[len / 2];
		to[len - 1] = src[len - 1];
	}
	return to + len;
}

#endif /* WEIR_PUT_H */
