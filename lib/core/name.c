// SPDX-License-Identifier: LGPL-2.1-only
/*
 * name: field names as CTF readers can take them.
 *
 * A field may be named by any C expression (`req->id`). CTF knows [A-Za-z0-9_]; readers strip one leading _,
 * so each label gets one, and any keyword can be a name. Bool, Complex and Imaginary alone stay bare: with a _
 * they are keywords. A field of variable length has a second label, of its length. Labels of a class that
 * babeltrace2 takes for equal make it give up, hence the suffixes.
 */
#include "name_i.h"

static bool weir_name_keyword(const char *label)
{
	return !strcmp(label, "_Bool") || !strcmp(label, "_Complex") ||
	       !strcmp(label, "_Imaginary");
}

/* What is no name becomes one _ between names: req->id is req_id, (x) is x. */
static void weir_name_words(struct weir_out *out, const char *name)
{
	size_t start = out->len;
	bool apart = false;

	for (; *name; name++) {
		if (!weir_name_byte(*name)) {
			apart = true;
			continue;
		}
		if (apart && out->len > start)
			weir_out_byte(out, '_');
		apart = false;
		weir_out_byte(out, *name);
	}
	if (out->len == start)
		weir_out_str(out, WEIR_NAME_NONE);
}

static size_t weir_name_make(char label[WEIR_LABEL_MAX], const char *name, unsigned int number)
{
	struct weir_out out = { label, WEIR_LABEL_MAX, 0 };

	weir_out_byte(&out, '_');
	weir_name_words(&out, name);
	if (number > 1) {
		weir_out_byte(&out, '_');
		weir_out_dec(&out, number);
	}
	weir_out_end(&out);
	if (!weir_name_keyword(label))
		return out.len;
	memmove(label, label + 1, out.len);
	return out.len - 1;
}

static const char *weir_name_shown(const char *label)
{
	return label + (label[0] == '_');
}

/* babeltrace2 compares a new label, and what it will show of it, with what it shows of those before. */
static bool weir_name_clash(const char *before, const char *label)
{
	const char *shown = weir_name_shown(before);

	return !strcmp(shown, label) || !strcmp(shown, weir_name_shown(label));
}

static bool weir_name_taken(const struct weir_field *field, unsigned int nr, const char *label)
{
	char length[WEIR_LENGTH_MAX];
	unsigned int i;

	for (i = 0; i < nr; i++) {
		if (weir_name_clash(field[i].label, label))
			return true;
		if (!weir_type_counted(field[i].type))
			continue;
		weir_name_length(length, field[i].label);
		if (weir_name_clash(length, label))
			return true;
	}
	return false;
}

void weir_name_length(char length[WEIR_LENGTH_MAX], const char *label)
{
	struct weir_out out = { length, WEIR_LENGTH_MAX, 0 };

	weir_out_byte(&out, '_');
	weir_out_str(&out, label);
	weir_out_str(&out, "_length");
	weir_out_end(&out);
}

/* Ends soon: each label before stands in the way of a few numbers at most. */
size_t weir_name_label(char label[WEIR_LABEL_MAX], const struct weir_field *before, unsigned int nr,
		       const char *name, u8 type)
{
	char length[WEIR_LENGTH_MAX];
	unsigned int number = 0;
	size_t len;

	do {
		len = weir_name_make(label, name, ++number);
		weir_name_length(length, label);
	} while (weir_name_taken(before, nr, label) ||
		 (weir_type_counted(type) && weir_name_taken(before, nr, length)));
	return len;
}
