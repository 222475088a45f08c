// SPDX-License-Identifier: GPL-2.0-only
/* nodes_snapshot: TRACE@NAME. A trace's directory without what could be written to; mkdir and rmdir. */
#include "snapshot.h"
#include "tree_i.h"

static const struct weir_row *const weir_snapshot_rows[] = {
	&weir_row_status,
	&weir_row_trace_text,
	NULL,
};

const struct weir_row weir_row_snapshot = {
	.mode = 0555,
	.kind = WEIR_KIND_DIR,
	.ino = 8, /* a trace's */
	.children = weir_snapshot_rows,
	.find = weir_trace_find_name,
	.each = weir_trace_each,
};

/* Who makes one has to see everything that is in it. */
static int weir_snapshot_take(const struct weir_caller *caller, struct weir_trace *trace,
			      const char *name, const char **why)
{
	struct weir_source_list list;
	int err = weir_source_list(caller, trace, &list);

	if (!err && list.hidden) {
		*why = "it holds processes of others";
		err = -EACCES;
	}
	if (!err)
		err = weir_snapshot_create(trace, name, caller->uid, caller->gid, list.source,
					   list.nr, why);
	weir_source_list_put(&list);
	return err;
}

static int weir_snapshot_of(const struct weir_caller *caller, const char *name, const char *at,
			    const char **why)
{
	char of[WEIR_TRACE_NAME_MAX + 1];
	struct weir_trace *trace;
	int err = -ENOENT;

	*why = "there is no such trace";
	if ((size_t)(at - name) >= sizeof(of))
		return -ENOENT;
	memcpy(of, name, (size_t)(at - name));
	of[at - name] = 0;
	trace = weir_trace_find(of);
	if (trace && weir_caller_sees_trace(caller, trace))
		err = weir_snapshot_take(caller, trace, at + 1, why);
	weir_trace_put(trace);
	return err;
}

/* `at` is the @ in `name`. */
int weir_snapshot_mkdir(const struct weir_caller *caller, const char *name, const char *at)
{
	const char *why = NULL;
	int err;

	weir_registry_sync();
	err = weir_snapshot_of(caller, name, at, &why);
	if (err && err != -EEXIST)
		weir_error_add(caller->uid, "mkdir %s: %s%s", name, why ? why : strerror(-err),
			       err == -EINVAL ? "; accepted: TRACE@NAME, NAME as a trace's" : "");
	return err;
}

static const struct weir_row *weir_trace_row(const struct weir_trace *trace)
{
	return trace->snapshot ? &weir_row_snapshot : &weir_row_trace;
}

void weir_place_trace(struct weir_place *place, struct weir_trace *trace)
{
	*place = (struct weir_place){ .row = weir_trace_row(trace), .trace = trace };
}

/* Adds those that the caller sees to the root directory. */
void weir_snapshots_list(const struct weir_caller *caller, struct weir_names *names)
{
	struct weir_trace *snapshots[WEIR_SNAPSHOTS];
	unsigned int i, nr = weir_snapshots(snapshots);
	struct weir_place place;

	for (i = 0; i < nr; i++) {
		weir_place_trace(&place, snapshots[i]);
		if (weir_caller_sees_trace(caller, snapshots[i]))
			weir_names_add(names, place.row, &place, snapshots[i]->name);
		weir_trace_put(snapshots[i]);
	}
}
