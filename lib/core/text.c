// SPDX-License-Identifier: LGPL-2.1-only
/*
 * text: records and classes for people and grep, a line each.
 *
 * A record comes from weir_walk_next(), so its fields are known to lie inside record->size. Whatever bytes
 * they hold, a line stays one line and a terminal obeys none of them.
 */
#include "out_i.h"
#include "weir_schema.h"

/* Prints the value at `p` and returns what follows it. */
typedef const u8 *weir_text_fn(struct weir_out *out, const u8 *p);

#define WEIR_TEXT_NUMBER(name, type, print)                      \
	static const u8 *name(struct weir_out *out, const u8 *p) \
	{                                                        \
		type value;                                      \
                                                                 \
		memcpy(&value, p, sizeof(value));                \
		print(out, value);                               \
		return p + sizeof(value);                        \
	}

WEIR_TEXT_NUMBER(weir_text_u8, u8, weir_out_dec)
WEIR_TEXT_NUMBER(weir_text_u16, u16, weir_out_dec)
WEIR_TEXT_NUMBER(weir_text_u32, u32, weir_out_dec)
WEIR_TEXT_NUMBER(weir_text_u64, u64, weir_out_dec)
WEIR_TEXT_NUMBER(weir_text_i8, s8, weir_out_signed)
WEIR_TEXT_NUMBER(weir_text_i16, s16, weir_out_signed)
WEIR_TEXT_NUMBER(weir_text_i32, s32, weir_out_signed)
WEIR_TEXT_NUMBER(weir_text_i64, s64, weir_out_signed)
WEIR_TEXT_NUMBER(weir_text_ptr, u64, weir_out_hex)

static const u8 *weir_text_f32(struct weir_out *out, const u8 *p)
{
	char text[WEIR_FLOAT_TEXT];
	u32 bits;

	memcpy(&bits, p, sizeof(bits));
	weir_out_bytes(out, text, weir_float_text(text, bits));
	return p + sizeof(bits);
}

static const u8 *weir_text_f64(struct weir_out *out, const u8 *p)
{
	char text[WEIR_FLOAT_TEXT];
	u64 bits;

	memcpy(&bits, p, sizeof(bits));
	weir_out_bytes(out, text, weir_double_text(text, bits));
	return p + sizeof(bits);
}

static const u8 *weir_text_bool(struct weir_out *out, const u8 *p)
{
	weir_out_str(out, *p ? "true" : "false");
	return p + 1;
}

static void weir_text_quoted(struct weir_out *out, const u8 *p, size_t len)
{
	weir_out_byte(out, '"');
	weir_out_escaped(out, p, len, WEIR_ESCAPE_TEXT);
	weir_out_byte(out, '"');
}

static const u8 *weir_text_str(struct weir_out *out, const u8 *p)
{
	size_t len = strlen((const char *)p);

	weir_text_quoted(out, p, len);
	return p + len + 1;
}

static const u8 *weir_text_text(struct weir_out *out, const u8 *p)
{
	u16 len;

	memcpy(&len, p, sizeof(len));
	weir_text_quoted(out, p + sizeof(len), len);
	return p + sizeof(len) + len;
}

static const u8 *weir_text_bytes(struct weir_out *out, const u8 *p)
{
	static const char digits[] = "0123456789abcdef";
	const u8 *end;
	u16 len;

	memcpy(&len, p, sizeof(len));
	p += sizeof(len);
	weir_out_bytes(out, "0x", 2);
	for (end = p + len; p < end; p++) {
		char hex[2] = { digits[*p >> 4], digits[*p & 15] };

		weir_out_bytes(out, hex, sizeof(hex));
	}
	return p;
}

static const struct weir_text_type {
	const char *name;
	weir_text_fn *print;
} weir_text_type[WEIR_TYPE_COUNT] = {
	[WEIR_TYPE_U8] = { "u8", weir_text_u8 },
	[WEIR_TYPE_U16] = { "u16", weir_text_u16 },
	[WEIR_TYPE_U32] = { "u32", weir_text_u32 },
	[WEIR_TYPE_U64] = { "u64", weir_text_u64 },
	[WEIR_TYPE_I8] = { "i8", weir_text_i8 },
	[WEIR_TYPE_I16] = { "i16", weir_text_i16 },
	[WEIR_TYPE_I32] = { "i32", weir_text_i32 },
	[WEIR_TYPE_I64] = { "i64", weir_text_i64 },
	[WEIR_TYPE_F32] = { "f32", weir_text_f32 },
	[WEIR_TYPE_F64] = { "f64", weir_text_f64 },
	[WEIR_TYPE_BOOL] = { "bool", weir_text_bool },
	[WEIR_TYPE_PTR] = { "ptr", weir_text_ptr },
	[WEIR_TYPE_STR] = { "str", weir_text_str },
	[WEIR_TYPE_BYTES] = { "bytes", weir_text_bytes },
	[WEIR_TYPE_TEXT] = { "text", weir_text_text },
};

/**
 * weir_text_class() - render a class as `provider:event { u32 id; str path; }`.
 * @buf: where to
 * @size: bytes there; may be 0
 * @class: the class
 *
 * Return: the length needed without NUL, as snprintf().
 */
size_t weir_text_class(char *buf, size_t size, const struct weir_class *class)
{
	struct weir_out out = { buf, size, 0 };
	unsigned int i;

	weir_out_bytes(&out, class->shown, class->shown_len);
	weir_out_str(&out, " {");
	for (i = 0; i < class->nr_fields; i++) {
		weir_out_byte(&out, ' ');
		weir_out_str(&out, weir_text_type[class->field[i].type].name);
		weir_out_byte(&out, ' ');
		weir_out_bytes(&out, class->field[i].shown, class->field[i].shown_len);
		weir_out_byte(&out, ';');
	}
	weir_out_str(&out, " }");
	return weir_out_end(&out);
}

/**
 * weir_text_record() - render a record as `provider:event: id=7 path="/index.html"`.
 * @buf: where to
 * @size: bytes there; may be 0
 * @record: as weir_walk_next() gave it
 *
 * Return: the length needed without NUL, as snprintf().
 */
size_t weir_text_record(char *buf, size_t size, const struct weir_record *record)
{
	const struct weir_class *class = record->class;
	const struct weir_field *field = class->field, *last = field + class->nr_fields;
	struct weir_out out = { buf, size, 0 };
	const u8 *p = record->fields;

	weir_out_bytes(&out, class->shown, class->shown_len);
	weir_out_byte(&out, ':');
	for (; field < last; field++) {
		weir_out_byte(&out, ' ');
		weir_out_bytes(&out, field->shown, field->shown_len);
		weir_out_byte(&out, '=');
		p = weir_text_type[field->type].print(&out, p);
	}
	return weir_out_end(&out);
}
