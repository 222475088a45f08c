// SPDX-License-Identifier: LGPL-2.1-only
/*
 * desc: a descriptor of a class of events, as a writer puts it into a schema log. schema.c reads it.
 */
#include "weir_schema.h"

/* FNV-1a */
static u32 weir_desc_hash(const u8 *p, size_t len)
{
	u32 hash = 2166136261u;

	while (len--)
		hash = (hash ^ *p++) * 16777619u;
	return hash;
}

/* Bytes of the name with its NUL, 0 if it is too short or too long. */
static size_t weir_desc_name_size(const char *name)
{
	size_t len = strnlen(name, WEIR_NAME_MAX + 1);

	return len >= 1 && len <= WEIR_NAME_MAX ? len + 1 : 0;
}

static int weir_desc_size(const char *name, unsigned int nr_fields, const char *const *names,
			  const u8 *types)
{
	size_t size, part = weir_desc_name_size(name);
	unsigned int i;

	if (!part || nr_fields > WEIR_FIELDS_MAX)
		return -EINVAL;
	size = sizeof(struct weir_desc) + part;
	for (i = 0; i < nr_fields; i++) {
		part = weir_desc_name_size(names[i]);
		if (!part || !weir_type_valid(types[i]))
			return -EINVAL;
		size += 1 + part;
	}
	return (int)((size + 7) & ~(size_t)7);
}

int weir_desc_write(void *buf, size_t size, const char *name, unsigned int nr_fields,
		    const char *const *names, const u8 *types)
{
	int need = weir_desc_size(name, nr_fields, names, types);
	struct weir_desc desc = { .nr_fields = (u16)nr_fields };
	u8 *p = (u8 *)buf + sizeof(desc);
	unsigned int i;

	if (need < 0)
		return need;
	if ((size_t)need > size)
		return -ENOSPC;
	memset(buf, 0, (size_t)need);
	memcpy(p, name, strlen(name));
	p += strlen(name) + 1;
	for (i = 0; i < nr_fields; i++) {
		*p++ = types[i];
		memcpy(p, names[i], strlen(names[i]));
		p += strlen(names[i]) + 1;
	}
	desc.size = (u16)need;
	desc.hash = weir_desc_hash((u8 *)buf + sizeof(desc), (size_t)need - sizeof(desc));
	memcpy(buf, &desc, sizeof(desc));
	return need;
}
