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
	const char *name; /* as the program gave it */
	u8 type;	  /* enum weir_type */
};

struct weir_class {
	u16 id;
	u16 nr_fields;
	u32 fixed; /* bytes of the fields if all have a fixed size, else 0 with `variable` */
	bool variable;
	const char *name; /* provider:event */
	struct weir_field field[];
};

#define WEIR_SCHEMA_CHUNK 256u

struct weir_schemas {
	u32 count;    /* store-release after the class is in place */
	size_t bytes; /* of the log parsed so far */
	struct weir_class **chunk[(WEIR_EVENTS_MAX + WEIR_SCHEMA_CHUNK) / WEIR_SCHEMA_CHUNK];
};

int weir_schemas_parse(struct weir_schemas *schemas, const void *log, size_t bytes);
const struct weir_class *weir_schemas_class(const struct weir_schemas *schemas, u32 id);
void weir_schemas_destroy(struct weir_schemas *schemas);

/* One descriptor into `buf`; returns its size, or -EINVAL (names, types, counts out of bounds) or -ENOSPC. */
int weir_desc_write(void *buf, size_t size, const char *name, unsigned int nr_fields, const char *const *names,
		    const u8 *types);

/* ---- records ------------------------------------------------------------------------------------------*/

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
};

struct weir_record {
	const struct weir_class *class;
	u64 time;
	u32 tid;
	const u8 *fields;
	size_t size; /* bytes of the fields */
};

int weir_walk_next(struct weir_walk *walk, struct weir_record *record);

/* ---- TSDL and text: like snprintf, the length needed is returned, and no more than `size` written ---------*/

struct weir_tsdl {
	u8 uuid[16];	    /* of this source in this trace */
	u8 clock_uuid[16];  /* boot id */
	const char *clock_description;
	s64 clock_offset;   /* ns from the epoch of CLOCK_REALTIME to clock 0 */
	const char *hostname, *trace_name, *procname;
	s64 pid;
	u64 created; /* CLOCK_REALTIME seconds */
	bool tid;
};

size_t weir_tsdl_head(char *buf, size_t size, const struct weir_tsdl *tsdl);
size_t weir_tsdl_class(char *buf, size_t size, const struct weir_class *class);
size_t weir_text_class(char *buf, size_t size, const struct weir_class *class);
size_t weir_text_record(char *buf, size_t size, const struct weir_record *record);

#endif /* WEIR_SCHEMA_H */
