/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * name: labels of fields, for schema.c and tsdl.c.
 */
#ifndef WEIR_NAME_I_H
#define WEIR_NAME_I_H

#include "out_i.h"
#include "weir_schema.h"

#define WEIR_NAME_NONE "field"		     /* of a name without a letter */
#define WEIR_LABEL_MAX (WEIR_NAME_MAX + 8)   /* _NAME_99 and the NUL */
#define WEIR_LENGTH_MAX (WEIR_LABEL_MAX + 8) /* _LABEL_length */

/* isalnum() would follow the locale. */
static inline bool weir_name_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_';
}

/* The type is a u16 length and as many bytes. */
static inline bool weir_type_counted(u8 type)
{
	return type == WEIR_TYPE_BYTES || type == WEIR_TYPE_TEXT;
}

/* Bytes that a label of the name needs at most, with the NUL. */
static inline size_t weir_name_label_size(const char *name)
{
	size_t len = strlen(name);

	return max(len, sizeof(WEIR_NAME_NONE)) + WEIR_LABEL_MAX - WEIR_NAME_MAX;
}

/* The label of a field that follows the `nr` fields at `before`; returns its length. */
size_t weir_name_label(char label[WEIR_LABEL_MAX], const struct weir_field *before, unsigned int nr,
		       const char *name, u8 type);

/* The label of the length of the field with this label. */
void weir_name_length(char length[WEIR_LENGTH_MAX], const char *label);

#endif /* WEIR_NAME_I_H */
