/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * schema: what records mean. Binary descriptors (abi.h) in, event classes, TSDL and text out.
 *
 * Descriptors come from memory that a traced process can write: the caller copies the log first, then
 * parses the copy. Classes are added and never change or move, so that readers that hold a count may read
 * the first `count` classes while more are added.
 *
 * Concurrency: parse and destroy exclude each other and themselves (caller's lock); everything else may run
 * beside parse, for ids below a count loaded before.
 */
#ifndef WEIR_SCHEMA_H
#define WEIR_SCHEMA_H

#include "env.h"

struct weir_field {
	const char *name;  /* as the program gave it: any bytes */
	const char *label; /* in CTF: [A-Za-z0-9_], unique in its class (name.c) */
	const char *shown; /* what readers show: the label without its leading _ */
	u16 shown_len;
	u8 type; /* enum weir_type */
};

/* What a walk does with a field of variable size: `skip` bytes of fixed fields stand before it. */
struct weir_step {
	u16 skip;
	u8 type;
};

struct weir_class {
	u16 id;
	u16 nr_fields;
	u16 nr_steps; /* fields of variable size */
	u16 tail;     /* bytes of the fixed fields behind the last of them */
	u32 shown_len;
	u32 text_max; /* bytes of a record's text that are no values, and a bit for bools */
	const char *name;  /* provider:event, as the program gave it */
	const char *shown; /* in text: what does not print is escaped */
	struct weir_step step[WEIR_FIELDS_MAX];
	struct weir_field field[];
};

#define WEIR_SCHEMA_CHUNK 256u

struct weir_schemas {
	u32 count;    /* store-release after the class is in place */
	size_t bytes; /* of the log parsed so far */
	struct weir_class **chunk[(WEIR_EVENTS_MAX + WEIR_SCHEMA_CHUNK) / WEIR_SCHEMA_CHUNK];
};

/* The log grows: `log` is a copy of its bytes from schemas->bytes on, `bytes` that many. 0, or -EINVAL at the
 * first bad entry, -ENOMEM, -ENOSPC; classes before the failure stay, and a later call goes on there. */
int weir_schemas_parse(struct weir_schemas *schemas, const void *log, size_t bytes);
void weir_schemas_destroy(struct weir_schemas *schemas);

static inline bool weir_type_valid(u8 type)
{
	return type > WEIR_TYPE_NONE && type < WEIR_TYPE_COUNT;
}

/* Once a record, hence here. */
static inline const struct weir_class *weir_schemas_class(const struct weir_schemas *schemas, u32 id)
{
	/* class:A */
	if (id >= smp_load_acquire(&schemas->count))
		return NULL;
	return schemas->chunk[id / WEIR_SCHEMA_CHUNK][id % WEIR_SCHEMA_CHUNK];
}

/* One descriptor into `buf`; returns its size, or -EINVAL (names, types, counts out of bounds) or -ENOSPC.
 * The entry's `hash` is FNV-1a over the bytes behind struct weir_desc. Signal-safe, allocates nothing. */
int weir_desc_write(void *buf, size_t size, const char *name, unsigned int nr_fields, const char *const *names,
		    const u8 *types);

/* ---- records ----------------------------------------------------------------------------------*/

/* A walk over the records of one packet that is in private memory. */
struct weir_walk {
	const u8 *data;
	size_t offset; /* end of the last good record */
	size_t end;
	u64 time; /* of the last good record, 64 bits; start with the packet's begin */
	u64 latest; /* no record may be later */
	const struct weir_schemas *schemas;
	u32 count; /* classes that may appear */
	bool tid;  /* records carry the context {u32 tid} */
	const struct weir_class *class; /* of the last record; start with NULL */
};

struct weir_record {
	const struct weir_class *class;
	u64 time;
	u32 tid;
	const u8 *fields;
	size_t size; /* bytes of the fields */
};

/* 1: `record` is the next one; 0: the walk is exactly at `end`; -EBADMSG: what follows is no record. */
int weir_walk_next(struct weir_walk *walk, struct weir_record *record);

/* ---- TSDL and text: where there is a `size`, as snprintf: the length needed is returned, no more is written --*/

struct weir_tsdl {
	u8 uuid[16];	    /* of this source in this trace */
	u8 clock_uuid[16];  /* boot id */
	const char *clock_description;
	s64 clock_offset;   /* ns from the epoch of CLOCK_REALTIME to clock 0 */
	const char *hostname, *trace_name, *procname;
	s64 pid;
	u64 created; /* CLOCK_REALTIME seconds */
	u64 snapshot, within; /* ns: when all streams were frozen, how long before that it began; 0: no snapshot */
	bool tid;
};

#define WEIR_TSDL_CLASS_MAX 32768u /* no class needs more bytes of TSDL */

size_t weir_tsdl_head(char *buf, size_t size, const struct weir_tsdl *tsdl);
size_t weir_tsdl_class(char *buf, size_t size, const struct weir_class *class);

/* `provider:event { u32 id; str path; }`: one line without newline. */
size_t weir_text_class(char *buf, size_t size, const struct weir_class *class);
/* `provider:event: id=7 path="/index.html"`: nothing in it but printable UTF-8, no newline, no NUL. Writes at
 * most as many bytes as the first says, and returns how many. */
size_t weir_text_record_max(const struct weir_record *record);
size_t weir_text_record(char *to, const struct weir_record *record);

#endif /* WEIR_SCHEMA_H */
