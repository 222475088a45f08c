// SPDX-License-Identifier: GPL-2.0-only
/* available_events: what the processes that a trace records, and the kernel, can emit. Each event once, sorted. */
#include "tree_i.h"

static int weir_line_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The lines of `text` in order, each once. */
static void weir_lines_sort(char *text, size_t len, struct weir_buf *out)
{
	char *p, *end = text + len, **line;
	size_t nr = 0, i;

	for (p = text; p < end; p++)
		nr += *p == '\n';
	line = calloc(nr + 1, sizeof(*line));
	if (!line) {
		out->error = -ENOMEM;
		return;
	}
	for (p = text, i = 0; i < nr; i++) {
		line[i] = p;
		p = memchr(p, '\n', end - p);
		*p++ = 0;
	}
	qsort(line, nr, sizeof(*line), weir_line_compare);
	for (i = 0; i < nr; i++) {
		if (!i || strcmp(line[i], line[i - 1]))
			weir_buf_printf(out, "%s\n", line[i]);
	}
	free(line);
}

static void weir_classes_print(struct weir_buf *out, struct weir_source *source)
{
	u32 id, count = source->backend->schemas(source);
	const struct weir_class *class;
	size_t len;
	char *room;

	for (id = 0; id < count; id++) {
		class = weir_schemas_class(&source->schemas, id);
		len = class ? weir_text_class(NULL, 0, class) : 0;
		room = len ? weir_buf_room(out, len + 1) : NULL;
		if (!room)
			continue;
		weir_text_class(room, len + 1, class);
		room[len] = '\n';
		out->len += len + 1;
	}
}

int weir_available_events_show(const struct weir_caller *caller, const struct weir_place *place,
			       struct weir_buf *out)
{
	const struct weir_trace *trace = place->trace;
	struct weir_source_list list;
	struct weir_buf lines = { 0 };
	size_t i;
	int err;

	err = weir_source_list(caller, NULL, &list);
	for (i = 0; i < list.nr; i++) {
		const struct weir_source *source = list.source[i];

		if ((source->pid || weir_source_is_kernel(source)) && (trace->all || source->uid == trace->owner))
			weir_classes_print(&lines, list.source[i]);
	}
	weir_source_list_put(&list);
	weir_lines_sort(lines.data, lines.len, out);
	err = err ? err : lines.error;
	weir_buf_free(&lines);
	return err;
}
