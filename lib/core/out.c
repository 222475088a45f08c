// SPDX-License-Identifier: LGPL-2.1-only
/*
 * out: numbers and escaped strings. Hand-made since a line of text is little else, and millions of them are
 * asked for.
 */
#include "out_i.h"

void weir_out_dec(struct weir_out *out, u64 value)
{
	char digits[20], *p = digits + sizeof(digits);

	do {
		*--p = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	weir_out_bytes(out, p, (size_t)(digits + sizeof(digits) - p));
}

void weir_out_signed(struct weir_out *out, s64 value)
{
	if (value < 0)
		weir_out_byte(out, '-');
	weir_out_dec(out, value < 0 ? 0 - (u64)value : (u64)value);
}

void weir_out_hex(struct weir_out *out, u64 value)
{
	char digits[18], *p = digits + sizeof(digits);

	do {
		*--p = "0123456789abcdef"[value & 15];
		value >>= 4;
	} while (value);
	*--p = 'x';
	*--p = '0';
	weir_out_bytes(out, p, (size_t)(digits + sizeof(digits) - p));
}

/* Bytes of the UTF-8 character at `s`, 0 if there is none: no overlong form, no surrogate, nothing above
 * U+10FFFF, and no C1 control character, since terminals obey these. */
static size_t weir_utf8_len(const u8 *s, size_t len)
{
	static const u32 lowest[] = { 0, 0, 0xa0, 0x800, 0x10000 };
	size_t i, n = s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;
	u32 code = s[0] & (0x7fu >> n);

	if (!n || n > len)
		return 0;
	for (i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (s[i] & 0x3f);
	}
	return code < lowest[n] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000) ? 0 : n;
}

static bool weir_byte_plain(u8 c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

static void weir_out_escape(struct weir_out *out, u8 c, enum weir_escape escape)
{
	if (c == '"' || c == '\\') {
		weir_out_byte(out, '\\');
		weir_out_byte(out, (char)c);
	} else if (escape == WEIR_ESCAPE_TEXT && (c == '\n' || c == '\t')) {
		weir_out_str(out, c == '\n' ? "\\n" : "\\t");
	} else if (escape == WEIR_ESCAPE_TSDL && c >= 0x80) {
		weir_out_str(out, "\xef\xbf\xbd");
	} else {
		weir_out_octal(out, c);
	}
}

void weir_out_escaped(struct weir_out *out, const u8 *s, size_t len, enum weir_escape escape)
{
	size_t i = 0, n;

	while (i < len) {
		for (n = 0; i + n < len && weir_byte_plain(s[i + n]);)
			n++;
		if (!n && s[i] >= 0x80)
			n = weir_utf8_len(s + i, len - i);
		if (n)
			weir_out_bytes(out, (const char *)s + i, n);
		else
			weir_out_escape(out, s[i++], escape);
		i += n;
	}
}
