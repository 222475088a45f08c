// SPDX-License-Identifier: GPL-2.0-only
/* nodes_live: a source's directory live/: a consuming stream a CPU, whether there is something in
 * it yet or not. */
#include "live.h"

/* The marker has one ring. */
static bool weir_live_has(const struct weir_source *source, unsigned int cpu)
{
	return !cpu || strcmp(source->backend->name, "marker");
}

static int weir_live_find_name(const struct weir_caller *caller, const struct weir_place *dir,
			       const char *name, struct weir_place *place)
{
	unsigned int cpu;

	(void)caller;
	if (!weir_name_cpu(name, &cpu) || !weir_live_has(dir->source, cpu))
		return -ENOENT;
	*place = (struct weir_place){ .row = &weir_row_live_cpu,
				      .trace = dir->trace,
				      .source = dir->source,
				      .state.cpu = cpu };
	weir_trace_get(place->trace);
	weir_source_get(place->source);
	return 0;
}

static int weir_live_each(const struct weir_caller *caller, const struct weir_place *dir,
			  struct weir_names *names)
{
	struct weir_place place = *dir;
	char name[16] = "cpux";
	u32 cpu;

	(void)caller;
	for (cpu = 0; cpu <= weir_daemon.nr_cpus; cpu++) {
		if (!weir_live_has(dir->source, cpu))
			continue;
		place.state.cpu = cpu;
		if (cpu < weir_daemon.nr_cpus)
			snprintf(name, sizeof(name), "cpu%u", cpu);
		else
			strcpy(name, "cpux");
		weir_names_add(names, &weir_row_live_cpu, &place, name);
	}
	return 0;
}

const struct weir_row weir_row_live_cpu = {
	.mode = 0400,
	.kind = WEIR_KIND_STREAM,
	.ino = 4608,
};

static const struct weir_row weir_row_live_text = {
	.name = "text",
	.mode = 0440,
	.kind = WEIR_KIND_FOLLOW,
	.ino = 19,
	.unlisted = true,
};

static const struct weir_row *const weir_live_rows[] = { &weir_row_live_text, NULL };

/* Found by name only, so that who copies or searches a tree does not wait in it, and consumes
 * nothing. */
const struct weir_row weir_row_live = {
	.name = "live",
	.mode = 0550,
	.kind = WEIR_KIND_DIR,
	.ino = 16,
	.unlisted = true,
	.children = weir_live_rows,
	.find = weir_live_find_name,
	.each = weir_live_each,
};

static const struct weir_row weir_row_trace_live_text = {
	.name = "text",
	.mode = 0444,
	.kind = WEIR_KIND_FOLLOW,
	.ino = 18,
	.unlisted = true,
};

static const struct weir_row *const weir_trace_live_rows[] = { &weir_row_trace_live_text, NULL };

/* The trace's: text alone, since streams are of a process. */
const struct weir_row weir_row_trace_live = {
	.name = "live",
	.mode = 0555,
	.kind = WEIR_KIND_DIR,
	.ino = 17,
	.unlisted = true,
	.children = weir_trace_live_rows,
};
