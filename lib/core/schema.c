// SPDX-License-Identifier: LGPL-2.1-only
/*
 * schema: descriptors written by programs (desc.c), parsed by readers.
 *
 * The log is hostile: the caller gives a private copy, and here nothing of it is used before it is bounded.
 */
#include "name_i.h"

static const u8 weir_type_size[WEIR_TYPE_COUNT] = {
	[WEIR_TYPE_U8] = 1,  [WEIR_TYPE_U16] = 2, [WEIR_TYPE_U32] = 4,	[WEIR_TYPE_U64] = 8,
	[WEIR_TYPE_I8] = 1,  [WEIR_TYPE_I16] = 2, [WEIR_TYPE_I32] = 4,	[WEIR_TYPE_I64] = 8,
	[WEIR_TYPE_F32] = 4, [WEIR_TYPE_F64] = 8, [WEIR_TYPE_BOOL] = 1, [WEIR_TYPE_PTR] = 8,
};

/* An entry of the log, bounded: pointers into the caller's copy. */
struct weir_entry {
	const char *name;
	unsigned int nr_fields;
	const char *names[WEIR_FIELDS_MAX];
	u8 types[WEIR_FIELDS_MAX];
};

/* The name at *p, which moves behind it; NULL if it does not end before `end`. */
static const char *weir_entry_name(const u8 **p, const u8 *end)
{
	const u8 *start = *p, *nul = memchr(start, 0, (size_t)(end - start));

	if (!nul || nul == start || nul - start > WEIR_NAME_MAX)
		return NULL;
	*p = nul + 1;
	return (const char *)start;
}

/* Bytes of the entry at `log`, or -EINVAL. */
static int weir_entry_read(struct weir_entry *entry, const u8 *log, size_t bytes)
{
	struct weir_desc desc;
	const u8 *p = log + sizeof(desc), *end;
	unsigned int i;

	if (bytes < sizeof(desc))
		return -EINVAL;
	memcpy(&desc, log, sizeof(desc));
	if (desc.size < sizeof(desc) || desc.size % 8 || desc.size > bytes ||
	    desc.nr_fields > WEIR_FIELDS_MAX)
		return -EINVAL;
	end = log + desc.size;
	entry->nr_fields = desc.nr_fields;
	entry->name = weir_entry_name(&p, end);
	if (!entry->name)
		return -EINVAL;
	for (i = 0; i < desc.nr_fields; i++) {
		if (p == end || !weir_type_valid(*p))
			return -EINVAL;
		entry->types[i] = *p++;
		entry->names[i] = weir_entry_name(&p, end);
		if (!entry->names[i])
			return -EINVAL;
	}
	return desc.size;
}

static size_t weir_class_shown(struct weir_out *out, const char *name)
{
	weir_out_escaped(out, (const u8 *)name, strlen(name), WEIR_ESCAPE_TEXT);
	return weir_out_end(out);
}

/* Bytes that a class's strings need at most. */
static size_t weir_class_strings(const struct weir_entry *entry)
{
	struct weir_out none = { NULL, 0, 0 };
	size_t size = strlen(entry->name) + 1 + weir_class_shown(&none, entry->name) + 1;
	unsigned int i;

	for (i = 0; i < entry->nr_fields; i++)
		size += strlen(entry->names[i]) + 1 + weir_name_label_size(entry->names[i]);
	return size;
}

static const char *weir_string_put(char **p, const char *s)
{
	char *start = *p;
	size_t size = strlen(s) + 1;

	memcpy(start, s, size);
	*p += size;
	return start;
}

static void weir_class_fields(struct weir_class *class, const struct weir_entry *entry, char *p)
{
	char label[WEIR_LABEL_MAX];
	unsigned int i;

	for (i = 0; i < entry->nr_fields; i++) {
		struct weir_field *field = &class->field[i];
		u8 type = entry->types[i];
		size_t len = weir_name_label(label, class->field, i, entry->names[i], type);

		field->type = type;
		field->name = weir_string_put(&p, entry->names[i]);
		field->label = weir_string_put(&p, label);
		field->shown = field->label + (label[0] == '_');
		field->shown_len = (u16)(len - (label[0] == '_'));
		class->text_max += field->shown_len + (u32)sizeof(" =") - 1 + (type == WEIR_TYPE_BOOL);
		if (weir_type_size[type]) {
			class->tail += weir_type_size[type];
		} else {
			class->step[class->nr_steps++] = (struct weir_step){ class->tail, type };
			class->tail = 0;
		}
	}
}

static struct weir_class *weir_class_make(u32 id, const struct weir_entry *entry)
{
	size_t head = sizeof(struct weir_class) + entry->nr_fields * sizeof(struct weir_field);
	size_t strings = weir_class_strings(entry);
	struct weir_class *class = weir_alloc(head + strings);
	struct weir_out out;
	char *p;

	if (!class)
		return NULL;
	p = (char *)class + head;
	class->id = (u16)id;
	class->nr_fields = (u16)entry->nr_fields;
	class->name = weir_string_put(&p, entry->name);
	class->shown = p;
	out = (struct weir_out){ p, strings, 0 };
	class->shown_len = (u32)weir_class_shown(&out, entry->name);
	class->text_max = class->shown_len + 1;
	weir_class_fields(class, entry, p + class->shown_len + 1);
	return class;
}

static int weir_schemas_add(struct weir_schemas *schemas, const struct weir_entry *entry)
{
	u32 id = schemas->count;
	struct weir_class ***chunk = &schemas->chunk[id / WEIR_SCHEMA_CHUNK];
	struct weir_class *class;

	if (id >= WEIR_EVENTS_MAX)
		return -ENOSPC;
	if (!*chunk)
		*chunk = weir_alloc(WEIR_SCHEMA_CHUNK * sizeof(**chunk));
	if (!*chunk)
		return -ENOMEM;
	class = weir_class_make(id, entry);
	if (!class)
		return -ENOMEM;
	(*chunk)[id % WEIR_SCHEMA_CHUNK] = class;
	/* add:A / class:A   the class and its place in the chunk before the count that makes them visible */
	smp_store_release(&schemas->count, id + 1);
	return 0;
}

int weir_schemas_parse(struct weir_schemas *schemas, const void *log, size_t bytes)
{
	const u8 *p = log;
	struct weir_entry entry;
	int size, err;

	while (bytes) {
		size = weir_entry_read(&entry, p, bytes);
		if (size < 0)
			return size;
		err = weir_schemas_add(schemas, &entry);
		if (err)
			return err;
		p += size;
		bytes -= (size_t)size;
		schemas->bytes += (size_t)size;
	}
	return 0;
}

void weir_schemas_destroy(struct weir_schemas *schemas)
{
	u32 i;

	for (i = 0; i < schemas->count; i++)
		weir_free(schemas->chunk[i / WEIR_SCHEMA_CHUNK][i % WEIR_SCHEMA_CHUNK]);
	for (i = 0; i < ARRAY_SIZE(schemas->chunk); i++)
		weir_free(schemas->chunk[i]);
	memset(schemas, 0, sizeof(*schemas));
}
