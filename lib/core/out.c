// SPDX-License-Identifier: LGPL-2.1-only
/* out: what put.c writes, with the length counted and bounded. */
#include "out_i.h"

void weir_out_dec(struct weir_out *out, u64 value)
{
	char digits[WEIR_DEC_MAX];

	weir_out_bytes(out, digits, (size_t)(weir_put_dec(digits, value) - digits));
}

void weir_out_signed(struct weir_out *out, s64 value)
{
	char digits[WEIR_DEC_MAX + 1];

	weir_out_bytes(out, digits, (size_t)(weir_put_signed(digits, value) - digits));
}

void weir_out_escaped(struct weir_out *out, const u8 *s, size_t len, enum weir_escape escape)
{
	char text[WEIR_ESCAPED_MAX];
	const u8 *end = s + len;

	while (s < end)
		weir_out_bytes(out, text,
			       (size_t)(weir_put_character(text, &s, (size_t)(end - s), escape) - text));
}
