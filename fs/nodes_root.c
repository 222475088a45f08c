// SPDX-License-Identifier: GPL-2.0-only
/* nodes_root: the root directory, whose entries are traces, and .weir, which is about the file
 * system. */
#include "tree_i.h"

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "0.1.0"
#endif

/* ---- .weir ------------------------------------------------------------------------------------*/

static int weir_version_show(const struct weir_caller *caller, const struct weir_place *place,
			     struct weir_buf *out)
{
	(void)caller;
	(void)place;
	weir_buf_printf(out, "%s\n", PACKAGE_VERSION);
	return 0;
}

static int weir_backend_show(const struct weir_caller *caller, const struct weir_place *place,
			     struct weir_buf *out)
{
	(void)caller;
	(void)place;
	weir_buf_printf(out, "%s\n", weir_daemon.backend);
	return 0;
}

static int weir_clock_show(const struct weir_caller *caller, const struct weir_place *place,
			   struct weir_buf *out)
{
	(void)caller;
	(void)place;
	weir_buf_printf(out, "%s\n", weir_daemon.clock_name);
	return 0;
}

/* How many of the caller's traces hold something of a source, and how many bytes. */
static void weir_process_sum(const struct weir_caller *caller, struct weir_source *source,
			     struct weir_trace *const *traces, unsigned int nr, unsigned int *in,
			     u64 *bytes)
{
	struct weir_ring_view ring;
	unsigned int i, cpu;

	*in = 0;
	*bytes = 0;
	for (i = 0; i < nr; i++) {
		if (!weir_caller_sees_trace(caller, traces[i]) ||
		    !weir_source_in(source, traces[i]))
			continue;
		++*in;
		for (cpu = 0; cpu <= weir_daemon.nr_cpus; cpu++) {
			if (!weir_source_sample(source, traces[i], cpu, &ring))
				*bytes += ring.end - ring.begin;
		}
	}
}

static int weir_processes_show(const struct weir_caller *caller, const struct weir_place *place,
			       struct weir_buf *out)
{
	struct weir_trace *traces[WEIR_SLOTS];
	struct weir_source_list list;
	unsigned int nr, in;
	u64 bytes;
	size_t i;
	int err;

	(void)place;
	err = weir_source_list(caller, NULL, &list);
	nr = weir_traces(traces);
	weir_buf_printf(out, "pid uid comm traces bytes\n");
	for (i = 0; i < list.nr; i++) {
		struct weir_source *source = list.source[i];

		if (!source->pid || READ_ONCE(source->ended))
			continue;
		weir_process_sum(caller, source, traces, nr, &in, &bytes);
		weir_buf_printf(out, "%d %u %.*s %u %llu\n", source->pid, source->uid,
				(int)(strrchr(source->name, '-') - source->name), source->name, in,
				bytes);
	}
	while (nr)
		weir_trace_put(traces[--nr]);
	weir_source_list_put(&list);
	return err;
}

#define WEIR_DOT_ROW(NAME, INO)                          \
	static const struct weir_row weir_row_##NAME = { \
		.name = #NAME,                           \
		.mode = 0444,                            \
		.kind = WEIR_KIND_CONTROL,               \
		.ino = INO,                              \
		.show = weir_##NAME##_show,              \
	}

WEIR_DOT_ROW(version, 3);
WEIR_DOT_ROW(backend, 4);
WEIR_DOT_ROW(clock, 5);
WEIR_DOT_ROW(processes, 6);
WEIR_DOT_ROW(errors, 7);

static const struct weir_row *const weir_dot_rows[] = {
	&weir_row_version,   &weir_row_backend, &weir_row_clock,
	&weir_row_processes, &weir_row_errors,	NULL,
};

const struct weir_row weir_row_dot = {
	.name = ".weir",
	.mode = 0555,
	.kind = WEIR_KIND_DIR,
	.ino = 2,
	.children = weir_dot_rows,
};

/* ---- the root directory -----------------------------------------------------------------------*/

static int weir_root_find(const struct weir_caller *caller, const struct weir_place *dir,
			  const char *name, struct weir_place *place)
{
	struct weir_trace *trace = weir_trace_find(name);

	(void)dir;
	if (trace && !weir_caller_sees_trace(caller, trace)) {
		weir_trace_put(trace);
		trace = NULL;
	}
	if (!trace)
		return -ENOENT;
	weir_place_trace(place, trace);
	return 0;
}

static int weir_root_each(const struct weir_caller *caller, const struct weir_place *dir,
			  struct weir_names *names)
{
	struct weir_trace *traces[WEIR_SLOTS];
	unsigned int i, nr = weir_traces(traces);

	(void)dir;
	for (i = 0; i < nr; i++) {
		const struct weir_place place = { .row = &weir_row_trace, .trace = traces[i] };

		if (weir_caller_sees_trace(caller, traces[i]))
			weir_names_add(names, &weir_row_trace, &place, traces[i]->name);
		weir_trace_put(traces[i]);
	}
	weir_snapshots_list(caller, names);
	return 0;
}

static const struct weir_row *const weir_root_rows[] = { &weir_row_dot, NULL };

const struct weir_row weir_row_root = {
	.name = "",
	.mode = 01777,
	.kind = WEIR_KIND_DIR,
	.ino = 1,
	.children = weir_root_rows,
	.find = weir_root_find,
	.each = weir_root_each,
};

/* ---- mkdir and rmdir --------------------------------------------------------------------------*/

int weir_root_mkdir(const struct weir_caller *caller, const char *name)
{
	const char *why = NULL, *at = strchr(name, '@');
	int err;

	if (at)
		return weir_snapshot_mkdir(caller, name, at);
	err = weir_trace_create(name, caller->uid, caller->gid, weir_caller_tracing(caller), &why);
	if (err == -EINVAL)
		weir_error_add(
			caller->uid,
			"mkdir %s: %s; accepted: 1 to %d of A-Z a-z 0-9 . _ -, not starting with .",
			name, why ? why : "not a name", WEIR_TRACE_NAME_MAX);
	else if (err && err != -EEXIST)
		weir_error_add(caller->uid, "mkdir %s: %s", name, why ? why : strerror(-err));
	return err;
}

/* The root directory is sticky: who made a trace, and root, may remove it. */
int weir_root_rmdir(const struct weir_caller *caller, const char *name)
{
	struct weir_trace *trace = weir_trace_find(name);
	int err;

	if (!trace)
		return strcmp(name, weir_row_dot.name) ? -ENOENT : -EPERM;
	if (!weir_caller_sees_trace(caller, trace))
		err = -ENOENT;
	else if (caller->uid && caller->uid != trace->owner && caller->uid != weir_daemon.uid)
		err = -EPERM;
	else
		err = weir_trace_remove(trace);
	weir_trace_put(trace);
	return err;
}
