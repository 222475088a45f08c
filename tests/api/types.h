/* SPDX-License-Identifier: GPL-2.0-only */
/* Every type once, extremes included: compiled as C and as C++ by tests/api/flags.sh. */
#ifndef TYPES_H
#define TYPES_H

#include <stdbool.h>
#include <stdint.h>
#include <stddef.h>
#include <weir/trace.h>

enum colour { RED, BLUE = 7 };

struct request {
	int id;
	char name[8];
	enum colour colour;
};

struct bits {
	unsigned int four : 4, rest : 28;
	signed int five : 5;
	bool flag : 1;
	unsigned char seven : 7;
	unsigned long long forty : 40;
	signed long long sixty : 60;
	unsigned long long all : 64;
};

static void trace_types(const struct request *req, char *path)
{
	char c = 'A';
	signed char sc = -128;
	unsigned char uc = 255;
	short s = -32768;
	unsigned short us = 65535;
	int i = -2147483647 - 1;
	unsigned int u = 4294967295u;
	long l = -9223372036854775807L - 1;
	unsigned long ul = 18446744073709551615ul;
	long long ll = -1;
	unsigned long long ull = 1ull << 63;
	bool yes = true;
	float f = 0.5f;
	double d = -2.25;
	void *p = (void *)(uintptr_t)0x1234;
	const struct request *null = NULL;
	const struct bits bits = { 9, 0xfffffff, -3, 1, 127, 0xffffffffff, -5, ~0ull };

	weir_trace(api, none);
	weir_trace(api, integers, c, sc, uc, s, us, i, u, l, ul, ll, ull);
	weir_trace(api, others, yes, f, d, p, null, path, req->id, req->name, req->colour, "lit, (x)");
	weir_trace(api, bits, bits.four, bits.rest, bits.five, bits.flag, bits.seven, bits.forty, bits.sixty, bits.all,
		   bits.four + 1);
	weir_trace(api, sixteen, i, i, i, i, i, i, i, i, i, i, i, i, i, i, i, u);
	weir_trace_fields(api, given, weir_u8(a, 44), weir_u16(b, 4464), weir_u32(c, -1), weir_u64(d, -1),
			  weir_i8(e, -1), weir_i16(f, -2), weir_i32(g, -3), weir_i64(h, -4), weir_f32(k, 1.5),
			  weir_f64(l, 2.5), weir_bool(m, 2), weir_ptr(n, p), weir_str(o, path),
			  weir_bytes(q, "\1\253\377", 3), weir_text(r, "hello", 5));
	if (weir_enabled(api, none))
		weir_trace(api, guarded);
	if (weir_enabled(off, none))
		weir_trace(api, wrong);
	weir_trace(off, none, i);
}

#endif /* TYPES_H */
