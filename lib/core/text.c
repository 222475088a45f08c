// SPDX-License-Identifier: LGPL-2.1-only
/*
 * text: records and classes for people and grep, a line each.
 *
 * A record comes from weir_walk_next(), so its fields are known to lie inside record->size.
 * Whatever bytes they hold, a line stays one line and a terminal obeys none of them.
 */
#include "out_i.h"
#include "weir_schema.h"

/* Between a value and its text. Both pointers, so that they stay in registers. */
struct weir_text_at {
	char *to;
	const u8 *from;
};

/* Prints the value; behind it and its text when it returns. */
typedef struct weir_text_at weir_text_fn(struct weir_text_at at);

#define WEIR_TEXT_NUMBER(name, type, put)                                                   \
	static struct weir_text_at name(struct weir_text_at at)                             \
	{                                                                                   \
		type value;                                                                 \
                                                                                            \
		memcpy(&value, at.from, sizeof(value));                                     \
		return (struct weir_text_at){ put(at.to, value), at.from + sizeof(value) }; \
	}

WEIR_TEXT_NUMBER(weir_text_u8, u8, weir_put_dec)
WEIR_TEXT_NUMBER(weir_text_u16, u16, weir_put_dec)
WEIR_TEXT_NUMBER(weir_text_u32, u32, weir_put_dec)
WEIR_TEXT_NUMBER(weir_text_u64, u64, weir_put_dec)
WEIR_TEXT_NUMBER(weir_text_i8, s8, weir_put_signed)
WEIR_TEXT_NUMBER(weir_text_i16, s16, weir_put_signed)
WEIR_TEXT_NUMBER(weir_text_i32, s32, weir_put_signed)
WEIR_TEXT_NUMBER(weir_text_i64, s64, weir_put_signed)
WEIR_TEXT_NUMBER(weir_text_ptr, u64, weir_put_hex)

/*
 * A number of few digits behind the point, which most are, is n / 10^places: if the division gives
 * it back, n and no other number of at most `most` digits is what %g prints. NULL: it is not one of
 * these.
 */
static char *weir_put_decimal(char *to, double value, double most, bool (*same)(double a, double b))
{
	double size = value < 0 ? -value : value, power = 1;
	unsigned int places;
	char *point;
	u64 n;

	if (!(size >= 0.001 && size < most))
		return NULL;
	for (places = 0; places < 7 && size * power < most; places++, power *= 10) {
		n = (u64)(size * power + 0.5);
		if (!same((double)n / power, size))
			continue;
		if (value < 0)
			*to++ = '-';
		to = weir_put_dec(to, n / (u64)power);
		if (!places)
			return to;
		point = to;
		to = weir_put_dec(to, n % (u64)power + (u64)power); /* a 1 where the point goes */
		*point = '.';
		return to;
	}
	return NULL;
}

static bool weir_same_float(double a, double b)
{
	return (float)a == (float)b;
}

static bool weir_same_double(double a, double b)
{
	return a == b;
}

static char *weir_put_f32(char *to, u32 bits)
{
	char text[WEIR_FLOAT_TEXT], *end;
	float value;

	memcpy(&value, &bits, sizeof(value));
	end = weir_put_decimal(to, (double)value, 1e6, weir_same_float);
	return end ? end : weir_put(to, text, weir_float_text(text, bits));
}

static char *weir_put_f64(char *to, u64 bits)
{
	char text[WEIR_FLOAT_TEXT], *end;
	double value;

	memcpy(&value, &bits, sizeof(value));
	end = weir_put_decimal(to, value, 1e15, weir_same_double);
	return end ? end : weir_put(to, text, weir_double_text(text, bits));
}

WEIR_TEXT_NUMBER(weir_text_f32, u32, weir_put_f32)
WEIR_TEXT_NUMBER(weir_text_f64, u64, weir_put_f64)

static char *weir_put_bool(char *to, u8 value)
{
	return value ? weir_put(to, "true", 4) : weir_put(to, "false", 5);
}

WEIR_TEXT_NUMBER(weir_text_bool, u8, weir_put_bool)

static char *weir_put_quoted(char *to, const u8 *p, size_t len)
{
	*to++ = '"';
	to = weir_put_escaped(to, p, len, WEIR_ESCAPE_TEXT);
	*to++ = '"';
	return to;
}

static struct weir_text_at weir_text_str(struct weir_text_at at)
{
	size_t len = strlen((const char *)at.from);

	return (struct weir_text_at){ weir_put_quoted(at.to, at.from, len), at.from + len + 1 };
}

static u16 weir_text_len(const u8 *p)
{
	u16 len;

	memcpy(&len, p, sizeof(len));
	return len;
}

static struct weir_text_at weir_text_text(struct weir_text_at at)
{
	u16 len = weir_text_len(at.from);

	at.from += sizeof(len);
	return (struct weir_text_at){ weir_put_quoted(at.to, at.from, len), at.from + len };
}

static struct weir_text_at weir_text_bytes(struct weir_text_at at)
{
	u16 len = weir_text_len(at.from);

	at.from += sizeof(len);
	return (struct weir_text_at){ weir_put_bytes_hex(at.to, at.from, len), at.from + len };
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

/* What a byte of any field becomes at most: every number's text fits in four times its size, a
 * string's quotes in its NUL or length. Of a bool one byte more: `false`. */
#define WEIR_TEXT_GROWTH 4u

/**
 * weir_text_record_max() - how long a record's text is at most.
 * @record: as weir_walk_next() gave it
 *
 * Return: bytes, several times what most need.
 */
size_t weir_text_record_max(const struct weir_record *record)
{
	const struct weir_class *class = record->class;

	return class->text_max + record->size * WEIR_TEXT_GROWTH;
}

/**
 * weir_text_record() - render a record as `provider:event: id=7 path="/index.html"`.
 * @to: where to: room for weir_text_record_max() bytes
 * @record: as weir_walk_next() gave it
 *
 * Return: the length. No NUL is added.
 */
size_t weir_text_record(char *to, const struct weir_record *record)
{
	const struct weir_class *class = record->class;
	const struct weir_field *field = class->field, *last = field + class->nr_fields;
	struct weir_text_at at = { to, record->fields };

	at.to = weir_put(at.to, class->shown, class->shown_len);
	*at.to++ = ':';
	for (; field < last; field++) {
		*at.to++ = ' ';
		at.to = weir_put(at.to, field->shown, field->shown_len);
		*at.to++ = '=';
		at = weir_text_type[field->type].print(at);
	}
	return (size_t)(at.to - to);
}
