// SPDX-License-Identifier: LGPL-2.1-only
/* put: numbers two digits at a time, strings eight bytes at a time while nothing in them needs
 * escaping. */
#include "weir_put.h"

#define WEIR_ONES 0x0101010101010101ull
#define WEIR_TOPS 0x8080808080808080ull

static const char weir_pairs[] = "0001020304050607080910111213141516171819"
				 "2021222324252627282930313233343536373839"
				 "4041424344454647484950515253545556575859"
				 "6061626364656667686970717273747576777879"
				 "8081828384858687888990919293949596979899";

/* `count` digits that end at `end`. */
static inline void weir_put_digits(char *end, u64 value, unsigned int count)
{
	for (; count >= 2; count -= 2) {
		memcpy(end -= 2, weir_pairs + value % 100 * 2, 2);
		value /= 100;
	}
	if (count)
		*--end = (char)('0' + value % 10);
}

static unsigned int weir_digits(u64 value)
{
	static const u64 power[] = {
		1ull,
		10ull,
		100ull,
		1000ull,
		10000ull,
		100000ull,
		1000000ull,
		10000000ull,
		100000000ull,
		1000000000ull,
		10000000000ull,
		100000000000ull,
		1000000000000ull,
		10000000000000ull,
		100000000000000ull,
		1000000000000000ull,
		10000000000000000ull,
		100000000000000000ull,
		1000000000000000000ull,
		10000000000000000000ull,
	};
	unsigned int digits;

	value |= 1; /* 0 has a digit, too, and no other number gets one more */
	digits = (64 - (unsigned int)__builtin_clzll(value)) * 1233 >> 12; /* log10(2) */
	return digits + (value >= power[digits]);
}

char *weir_put_dec(char *to, u64 value)
{
	unsigned int digits = weir_digits(value);

	weir_put_digits(to + digits, value, digits);
	return to + digits;
}

char *weir_put_signed(char *to, s64 value)
{
	if (value < 0)
		*to++ = '-';
	return weir_put_dec(to, value < 0 ? 0 - (u64)value : (u64)value);
}

char *weir_put_nine(char *to, u32 value)
{
	u32 high = value / 10000, low = value % 10000;

	to[0] = (char)('0' + high / 10000);
	high %= 10000;
	memcpy(to + 1, weir_pairs + high / 100 * 2, 2);
	memcpy(to + 3, weir_pairs + high % 100 * 2, 2);
	memcpy(to + 5, weir_pairs + low / 100 * 2, 2);
	memcpy(to + 7, weir_pairs + low % 100 * 2, 2);
	return to + 9;
}

char *weir_put_hex(char *to, u64 value)
{
	unsigned int digits = value ? (67 - (unsigned int)__builtin_clzll(value)) / 4 : 1;
	char *end = to + 2 + digits, *p = end;

	to[0] = '0';
	to[1] = 'x';
	for (; digits; digits--) {
		*--p = "0123456789abcdef"[value & 15];
		value >>= 4;
	}
	return end;
}

char *weir_put_bytes_hex(char *to, const u8 *src, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	const u8 *end = src + len;

	*to++ = '0';
	*to++ = 'x';
	for (; src < end; src++) {
		*to++ = digits[*src >> 4];
		*to++ = digits[*src & 15];
	}
	return to;
}

/* ---- strings ----------------------------------------------------------------------------------*/

/* Bytes of the UTF-8 character at `s`, 0 if there is none: no overlong form, no surrogate, nothing
 * above U+10FFFF, and no C1 control character, since terminals obey these. */
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

static char *weir_put_octal(char *to, u8 c)
{
	*to++ = '\\';
	*to++ = (char)('0' + (c >> 6));
	*to++ = (char)('0' + (c >> 3 & 7));
	*to++ = (char)('0' + (c & 7));
	return to;
}

static char *weir_put_escape(char *to, u8 c, enum weir_escape escape)
{
	if (c == '"' || c == '\\') {
		*to++ = '\\';
		*to++ = (char)c;
		return to;
	}
	if (escape == WEIR_ESCAPE_TEXT && (c == '\n' || c == '\t'))
		return weir_put(to, c == '\n' ? "\\n" : "\\t", 2);
	if (escape == WEIR_ESCAPE_TSDL && c >= 0x80)
		return weir_put(to, "\xef\xbf\xbd", 3);
	return weir_put_octal(to, c);
}

char *weir_put_character(char *to, const u8 **src, size_t len, enum weir_escape escape)
{
	const u8 *s = *src;
	size_t n = 1;

	if (weir_byte_plain(*s)) {
		*to++ = (char)*s;
	} else {
		n = *s >= 0x80 ? weir_utf8_len(s, len) : 0;
		to = n ? weir_put(to, (const char *)s, n) : weir_put_escape(to, *s, escape);
		n = n ? n : 1;
	}
	*src = s + n;
	return to;
}

/* Of eight bytes, is one other than plain? A byte below n, or equal to c, gets its top bit set;
 * some more may, but only above one that has it. */
static inline bool weir_eight_special(u64 v)
{
	u64 quote = v ^ ('"' * WEIR_ONES), slash = v ^ ('\\' * WEIR_ONES),
	    del = v ^ (0x7f * WEIR_ONES);

	return (v | ((v - 0x20 * WEIR_ONES) & ~v) | ((quote - WEIR_ONES) & ~quote) |
		((slash - WEIR_ONES) & ~slash) | ((del - WEIR_ONES) & ~del)) &
	       WEIR_TOPS;
}

char *weir_put_escaped(char *to, const u8 *src, size_t len, enum weir_escape escape)
{
	const u8 *end = src + len, *stop;
	u64 eight;

	while (src < end) {
		if (end - src >= 8) {
			memcpy(&eight, src, 8);
			if (!weir_eight_special(eight)) {
				memcpy(to, &eight, 8);
				to += 8;
				src += 8;
				continue;
			}
		}
		stop = src + min((size_t)(end - src), (size_t)8);
		while (src < stop)
			to = weir_put_character(to, &src, (size_t)(end - src), escape);
	}
	return to;
}
