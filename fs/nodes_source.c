// SPDX-License-Identifier: GPL-2.0-only
/*
 * nodes_source: a process's directory in a trace: cpuN, metadata, text. A CTF trace: beside
 * metadata nothing but streams is listed.
 */
#include "tree_i.h"

bool weir_name_cpu(const char *name, unsigned int *cpu)
{
	char check[16];

	if (!strcmp(name, "cpux")) {
		*cpu = weir_daemon.nr_cpus;
		return true;
	}
	if (sscanf(name, "cpu%u", cpu) != 1 || *cpu >= weir_daemon.nr_cpus)
		return false;
	snprintf(check, sizeof(check), "cpu%u", *cpu);
	return !strcmp(check, name);
}

static int weir_source_find_name(const struct weir_caller *caller, const struct weir_place *dir,
				 const char *name, struct weir_place *place)
{
	unsigned int cpu;
	int err = -ENOENT;

	*place = (struct weir_place){ .trace = dir->trace, .source = dir->source };
	if (!strcmp(name, weir_row_metadata.name)) {
		place->row = &weir_row_metadata;
		err = weir_view_metadata(caller, dir->trace, dir->source, &place->state);
	} else if (weir_name_cpu(name, &cpu)) {
		place->row = &weir_row_cpu;
		err = weir_view_cpu(caller, dir->trace, dir->source, cpu, &place->state);
	}
	if (err)
		return err;
	weir_trace_get(place->trace);
	weir_source_get(place->source);
	return 0;
}

/* metadata last: a copy then knows every event that it holds. */
static int weir_source_each(const struct weir_caller *caller, const struct weir_place *dir,
			    struct weir_names *names)
{
	struct weir_view *view = weir_view_get(caller, dir->trace, dir->source);
	struct weir_place place = *dir;
	char name[16];
	int cpu;

	if (!view)
		return -ENOMEM;
	for (cpu = weir_view_next(view, 0); cpu >= 0; cpu = weir_view_next(view, cpu + 1)) {
		place.state.cpu = cpu;
		snprintf(name, sizeof(name), (u32)cpu < weir_daemon.nr_cpus ? "cpu%d" : "cpux",
			 cpu);
		weir_names_add(names, &weir_row_cpu, &place, name);
	}
	weir_view_put(view);
	weir_names_add(names, &weir_row_metadata, dir, weir_row_metadata.name);
	return 0;
}

const struct weir_row weir_row_source_text = {
	.name = "text",
	.mode = 0440,
	.kind = WEIR_KIND_TEXT,
	.ino = 11,
	.unlisted = true,
};

const struct weir_row weir_row_metadata = {
	.name = "metadata",
	.mode = 0440,
	.kind = WEIR_KIND_DATA,
	.ino = 10,
	.fill = weir_metadata_fill,
};

const struct weir_row weir_row_cpu = {
	.mode = 0440,
	.kind = WEIR_KIND_DATA,
	.ino = 1024,
	.fill = weir_stream_fill,
};

static const struct weir_row *const weir_frozen_rows[] = { &weir_row_source_text, NULL };

static const struct weir_row *const weir_source_rows[] = { &weir_row_source_text, &weir_row_live,
							   NULL };

const struct weir_row weir_row_source = {
	.mode = 0550,
	.kind = WEIR_KIND_DIR,
	.ino = 9,
	.children = weir_source_rows,
	.find = weir_source_find_name,
	.each = weir_source_each,
};

/* In a snapshot, where nothing is live. */
const struct weir_row weir_row_frozen = {
	.mode = 0550,
	.kind = WEIR_KIND_DIR,
	.ino = 9,
	.children = weir_frozen_rows,
	.find = weir_source_find_name,
	.each = weir_source_each,
};
