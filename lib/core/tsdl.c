// SPDX-License-Identifier: LGPL-2.1-only
/*
 * tsdl: the metadata of a trace, CTF 1.8.
 *
 * Only a reader writes it, and each byte that a program chose passes weir_out_escaped() or stands in a label:
 * a program cannot write metadata. What it looks like was tried with babeltrace 1 and 2 and Trace Compass.
 */
#include "name_i.h"

/* 2116: with any time that a machine can count, still inside 63 bits. */
#define WEIR_CLOCK_OFFSET_MAX (1ll << 62)

static const char weir_tsdl_types[] =
	"/* CTF 1.8 */\n\n"
	"typealias integer { size = 8;  align = 8; signed = false; } := u8;\n"
	"typealias integer { size = 16; align = 8; signed = false; } := u16;\n"
	"typealias integer { size = 32; align = 8; signed = false; } := u32;\n"
	"typealias integer { size = 64; align = 8; signed = false; } := u64;\n"
	"typealias integer { size = 8;  align = 8; signed = true; } := i8;\n"
	"typealias integer { size = 16; align = 8; signed = true; } := i16;\n"
	"typealias integer { size = 32; align = 8; signed = true; } := i32;\n"
	"typealias integer { size = 64; align = 8; signed = true; } := i64;\n"
	"typealias integer { size = 64; align = 8; signed = false; base = 16; } := ptr;\n"
	"typealias integer { size = 8;  align = 8; signed = false; base = 16; } := byte;\n"
	"typealias integer { size = 8;  align = 8; signed = false; encoding = UTF8; } := utf8;\n"
	"typealias floating_point { exp_dig = 8;  mant_dig = 24; align = 8; } := f32;\n"
	"typealias floating_point { exp_dig = 11; mant_dig = 53; align = 8; } := f64;\n"
	"typealias string { encoding = UTF8; } := str;\n";

static const char weir_tsdl_packet_header[] = "\tbyte_order = le;\n"
					      "\tpacket.header := struct {\n"
					      "\t\tu32 magic;\n"
					      "\t\tu8  uuid[16];\n"
					      "\t\tu32 stream_id;\n"
					      "\t\tu64 stream_instance_id;\n"
					      "\t};\n"
					      "};\n";

static const char weir_tsdl_stream[] =
	"\ntypealias integer { size = 64; align = 8; signed = false; map = clock.weir.value; } := time64;\n"
	"typealias integer { size = 48; align = 1; signed = false; map = clock.weir.value; } := time48;\n"
	"\nstream {\n"
	"\tid = 0;\n"
	"\tpacket.context := struct {\n"
	"\t\ttime64 timestamp_begin;\n"
	"\t\ttime64 timestamp_end;\n"
	"\t\tu64 content_size;\n"
	"\t\tu64 packet_size;\n"
	"\t\tu64 packet_seq_num;\n"
	"\t\tu64 events_discarded;\n"
	"\t\tu32 cpu_id;\n"
	"\t};\n"
	"\tevent.header := struct {\n"
	"\t\tu16 id;\n"
	"\t\ttime48 timestamp;\n"
	"\t} align(64);\n";

static const char weir_tsdl_tid[] = "\tevent.context := struct {\n"
				    "\t\tu32 _tid;\n"
				    "\t};\n";

/* The types in TSDL; of the counted ones an element's. */
static const char *const weir_tsdl_type[WEIR_TYPE_COUNT] = {
	[WEIR_TYPE_U8] = "u8",	 [WEIR_TYPE_U16] = "u16",    [WEIR_TYPE_U32] = "u32",
	[WEIR_TYPE_U64] = "u64", [WEIR_TYPE_I8] = "i8",	     [WEIR_TYPE_I16] = "i16",
	[WEIR_TYPE_I32] = "i32", [WEIR_TYPE_I64] = "i64",    [WEIR_TYPE_F32] = "f32",
	[WEIR_TYPE_F64] = "f64", [WEIR_TYPE_BOOL] = "u8",    [WEIR_TYPE_PTR] = "ptr",
	[WEIR_TYPE_STR] = "str", [WEIR_TYPE_BYTES] = "byte", [WEIR_TYPE_TEXT] = "utf8",
};

static void weir_tsdl_string(struct weir_out *out, const char *key, const char *value)
{
	weir_out_byte(out, '\t');
	weir_out_str(out, key);
	weir_out_str(out, " = \"");
	weir_out_escaped(out, (const u8 *)value, strlen(value), WEIR_ESCAPE_TSDL);
	weir_out_str(out, "\";\n");
}

static void weir_tsdl_int(struct weir_out *out, const char *key, s64 value)
{
	weir_out_byte(out, '\t');
	weir_out_str(out, key);
	weir_out_str(out, " = ");
	weir_out_signed(out, value);
	weir_out_str(out, ";\n");
}

static void weir_tsdl_uuid(struct weir_out *out, const u8 uuid[16])
{
	static const char digits[] = "0123456789abcdef";
	unsigned int i;

	weir_out_str(out, "\tuuid = \"");
	for (i = 0; i < 16; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			weir_out_byte(out, '-');
		weir_out_byte(out, digits[uuid[i] >> 4]);
		weir_out_byte(out, digits[uuid[i] & 15]);
	}
	weir_out_str(out, "\";\n");
}

static void weir_tsdl_digits(struct weir_out *out, u64 value, unsigned int width)
{
	char digits[4];
	unsigned int i;

	for (i = width; i-- > 0; value /= 10)
		digits[i] = (char)('0' + value % 10);
	weir_out_bytes(out, digits, width);
}

/* The civil date of days since 1970, after Howard Hinnant's days_from_civil: eras of 400 years that begin in
 * March. Years up to 9999. */
static void weir_tsdl_date(struct weir_out *out, u64 days)
{
	u64 z = days + 719468, era = z / 146097, doe = z % 146097;
	u64 yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	u64 doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;

	weir_tsdl_digits(out, yoe + era * 400 + (mp >= 10), 4);
	weir_tsdl_digits(out, mp < 10 ? mp + 3 : mp - 9, 2);
	weir_tsdl_digits(out, doy - (153 * mp + 2) / 5 + 1, 2);
}

static void weir_tsdl_created(struct weir_out *out, u64 seconds)
{
	u64 time = min(seconds, 253402300799ull); /* 9999-12-31T23:59:59 */

	weir_out_str(out, "\ttrace_creation_datetime = \"");
	weir_tsdl_date(out, time / 86400);
	weir_out_byte(out, 'T');
	weir_tsdl_digits(out, time / 3600 % 24, 2);
	weir_tsdl_digits(out, time / 60 % 60, 2);
	weir_tsdl_digits(out, time % 60, 2);
	weir_out_str(out, "+0000\";\n");
}

static void weir_tsdl_env(struct weir_out *out, const struct weir_tsdl *tsdl)
{
	weir_out_str(out, "\nenv {\n");
	weir_tsdl_string(out, "hostname", tsdl->hostname);
	weir_tsdl_string(out, "domain", "weir");
	weir_tsdl_string(out, "tracer_name", "weir");
	weir_tsdl_int(out, "tracer_major", 0);
	weir_tsdl_int(out, "tracer_minor", 1);
	weir_tsdl_int(out, "tracer_patch", 0);
	weir_tsdl_string(out, "trace_name", tsdl->trace_name);
	weir_tsdl_string(out, "procname", tsdl->procname);
	weir_tsdl_int(out, "vpid", tsdl->pid);
	weir_tsdl_created(out, tsdl->created);
	if (tsdl->snapshot) {
		weir_tsdl_int(out, "snapshot_time_ns", (s64)tsdl->snapshot);
		weir_tsdl_int(out, "snapshot_within_ns", (s64)tsdl->within);
	}
	weir_out_str(out, "};\n");
}

static void weir_tsdl_clock(struct weir_out *out, const struct weir_tsdl *tsdl)
{
	s64 offset = tsdl->clock_offset;

	weir_out_str(out, "\nclock {\n");
	weir_tsdl_string(out, "name", "weir");
	weir_tsdl_uuid(out, tsdl->clock_uuid);
	weir_tsdl_string(out, "description", tsdl->clock_description);
	weir_tsdl_int(out, "freq", 1000000000);
	weir_tsdl_int(out, "precision", 1);
	weir_tsdl_int(out, "offset", offset < 0 ? 0 : min(offset, WEIR_CLOCK_OFFSET_MAX));
	weir_out_str(out, "\tabsolute = TRUE;\n};\n");
}

/**
 * weir_tsdl_head() - render everything but the events.
 * @buf: where to
 * @size: bytes there; may be 0
 * @tsdl: what to say; strings may hold any bytes, the offset is bounded to what readers can add up
 *
 * Return: the length needed without NUL, as snprintf().
 */
size_t weir_tsdl_head(char *buf, size_t size, const struct weir_tsdl *tsdl)
{
	struct weir_out out = { buf, size, 0 };

	weir_out_str(&out, weir_tsdl_types);
	weir_out_str(&out, "\ntrace {\n\tmajor = 1;\n\tminor = 8;\n");
	weir_tsdl_uuid(&out, tsdl->uuid);
	weir_out_str(&out, weir_tsdl_packet_header);
	weir_tsdl_env(&out, tsdl);
	weir_tsdl_clock(&out, tsdl);
	weir_out_str(&out, weir_tsdl_stream);
	if (tsdl->tid)
		weir_out_str(&out, weir_tsdl_tid);
	weir_out_str(&out, "};\n");
	return weir_out_end(&out);
}

static void weir_tsdl_field(struct weir_out *out, const struct weir_field *field)
{
	char length[WEIR_LENGTH_MAX];

	if (weir_type_counted(field->type)) {
		weir_name_length(length, field->label);
		weir_out_str(out, "\t\tu16 ");
		weir_out_str(out, length);
		weir_out_str(out, ";\n");
	}
	weir_out_str(out, "\t\t");
	weir_out_str(out, weir_tsdl_type[field->type]);
	weir_out_byte(out, ' ');
	weir_out_str(out, field->label);
	if (weir_type_counted(field->type)) {
		weir_out_str(out, "[ ");
		weir_out_str(out, length);
		weir_out_str(out, " ]");
	}
	weir_out_str(out, ";\n");
}

/**
 * weir_tsdl_class() - render one event.
 * @buf: where to
 * @size: bytes there; may be 0
 * @class: the event's class
 *
 * Return: the length needed without NUL, as snprintf(); below WEIR_TSDL_CLASS_MAX.
 */
size_t weir_tsdl_class(char *buf, size_t size, const struct weir_class *class)
{
	struct weir_out out = { buf, size, 0 };
	unsigned int i;

	weir_out_str(&out, "\nevent {\n");
	weir_tsdl_string(&out, "name", class->name);
	weir_tsdl_int(&out, "id", class->id);
	weir_tsdl_int(&out, "stream_id", 0);
	weir_out_str(&out, "\tfields := struct {\n");
	for (i = 0; i < class->nr_fields; i++)
		weir_tsdl_field(&out, &class->field[i]);
	weir_out_str(&out, "\t};\n};\n");
	return weir_out_end(&out);
}
