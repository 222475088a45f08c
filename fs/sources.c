// SPDX-License-Identifier: GPL-2.0-only
/* sources: those of a trace, or all, that a caller may see; taken in one moment, with
 * references. */
#include "snapshot.h"
#include "tree_i.h"

struct weir_source_query {
	const struct weir_caller *caller;
	bool privileged;
	struct weir_trace *trace;
	struct weir_source_list *list;
};

static int weir_source_list_add(struct weir_source *source, void *arg)
{
	struct weir_source_query *query = arg;
	struct weir_source_list *list = query->list;
	struct weir_source **grown;

	if (query->trace && !query->trace->snapshot && !weir_source_in(source, query->trace))
		return 0;
	if (!query->privileged && !weir_caller_sees_source(query->caller, query->trace, source)) {
		list->hidden++;
		return 0;
	}
	if (list->nr == list->size) {
		grown = realloc(list->source, (list->size * 2 + 16) * sizeof(*grown));
		if (!grown)
			return list->error = -ENOMEM;
		list->source = grown;
		list->size = list->size * 2 + 16;
	}
	weir_source_get(source);
	list->source[list->nr++] = source;
	return 0;
}

int weir_source_list(const struct weir_caller *caller, struct weir_trace *trace,
		     struct weir_source_list *list)
{
	struct weir_source_query query = {
		.caller = caller,
		.privileged = weir_caller_privileged(caller),
		.trace = trace,
		.list = list,
	};
	unsigned int i;

	memset(list, 0, sizeof(*list));
	if (trace && trace->snapshot) {
		for (i = 0; i < trace->snapshot->nr && !list->error; i++)
			weir_source_list_add(trace->snapshot->source[i], &query);
	} else {
		weir_sources_each(weir_source_list_add, &query);
	}
	return list->error;
}

void weir_source_list_put(struct weir_source_list *list)
{
	size_t i;

	for (i = 0; i < list->nr; i++)
		weir_source_put(list->source[i]);
	free(list->source);
}
