// SPDX-License-Identifier: GPL-2.0-only
/* nodes_trace: a trace's directory: control/, status, text, marker, and a directory a source. */
#include "live.h"

/* ---- status -----------------------------------------------------------------------------------*/

static const char weir_status_head[] =
	"source cpu mode produced consumed overwritten lost_events damaged subbufs\n";

/*
 * A stream's line:
 *   produced     bytes written since the trace was made or cleared, packet headers included
 *   consumed     bytes that live readers have taken; what they have missed is not among them
 *   overwritten  bytes of whole sub-buffers that are gone; every one of them was full. So the
 *                number of events in them is overwritten / subbuf_size times the events in a full
 *                sub-buffer, which of events of one size is (subbuf_size - 88) / (size rounded up
 *                to 8)
 *   lost_events  events that were not recorded
 *   damaged      packets that were cut because a record in them was bad, as far as somebody has
 *                read them
 *   subbufs      sub-buffers that hold something / all
 */
static void weir_status_stream(struct weir_buf *out, const struct weir_source *source,
			       const struct weir_trace *trace, unsigned int cpu,
			       const struct weir_ring_view *ring)
{
	bool discard = ring->epoch & WEIR_EPOCH_DISCARD;
	unsigned int shift = weir_epoch_subbuf_shift(ring->epoch);
	u64 size = 1ull << shift, held = ((ring->end + size - 1) >> shift) - (ring->begin >> shift);
	char name[16] = "cpux";

	if (cpu < weir_daemon.nr_cpus)
		snprintf(name, sizeof(name), "cpu%u", cpu);
	weir_buf_printf(out, "%s %s %s %llu %llu %llu %llu %llu %llu/%u\n", source->name, name,
			discard ? "discard" : "overwrite", ring->end,
			weir_live_consumed(source, trace, cpu), discard ? 0 : ring->begin,
			ring->lost, weir_stream_damaged(source, trace, cpu), held,
			1u << (weir_epoch_ring_shift(ring->epoch) - shift));
}

static int weir_status_show(const struct weir_caller *caller, const struct weir_place *place,
			    struct weir_buf *out)
{
	struct weir_trace *trace = place->trace;
	struct weir_source_list list;
	struct weir_ring_view ring;
	unsigned int cpu;
	size_t i;
	int err;

	err = weir_source_list(caller, trace, &list);
	weir_buf_put(out, weir_status_head, sizeof(weir_status_head) - 1);
	for (i = 0; i < list.nr; i++) {
		for (cpu = 0; cpu <= weir_daemon.nr_cpus; cpu++) {
			if (!weir_source_sample(list.source[i], trace, cpu, &ring))
				weir_status_stream(out, list.source[i], trace, cpu, &ring);
		}
	}
	weir_source_list_put(&list);
	if (weir_trace_dropped(trace))
		weir_buf_printf(out, "# dropped_sources %llu\n", weir_trace_dropped(trace));
	return err;
}

/* ---- marker -----------------------------------------------------------------------------------*/

static int weir_marker_show(const struct weir_caller *caller, const struct weir_place *place,
			    struct weir_buf *out)
{
	(void)caller;
	(void)place;
	(void)out; /* what was written is in marker-0 and text */
	return 0;
}

static int weir_marker_store(const struct weir_caller *caller, const struct weir_place *place,
			     char *text, size_t len, bool append, const char **why)
{
	const char *end = text + len, *next;
	int err;

	(void)append;
	for (; text < end; text += next - text + 1) {
		next = memchr(text, '\n', end - text);
		if (!next)
			next = end;
		err = weir_trace_mark(place->trace, text, next - text, caller->pid);
		if (err == -EBADF)
			*why = "the trace is not enabled";
		else if (err == -EMSGSIZE)
			*why = "the line is longer than a sub-buffer";
		if (err)
			return err;
	}
	return 0;
}

/* ---- the directory ----------------------------------------------------------------------------*/

static const struct weir_row *weir_trace_source_row(const struct weir_trace *trace)
{
	return trace->snapshot ? &weir_row_frozen : &weir_row_source;
}

int weir_trace_find_name(const struct weir_caller *caller, const struct weir_place *dir,
			 const char *name, struct weir_place *place)
{
	struct weir_source *source = weir_trace_source(dir->trace, name);

	if (!source)
		return -ENOENT;
	if (!weir_caller_sees_source(caller, dir->trace, source)) {
		weir_source_put(source);
		return -ENOENT;
	}
	*place = (struct weir_place){ .row = weir_trace_source_row(dir->trace),
				      .trace = dir->trace,
				      .source = source };
	weir_trace_get(dir->trace);
	return 0;
}

int weir_trace_each(const struct weir_caller *caller, const struct weir_place *dir,
		    struct weir_names *names)
{
	struct weir_source_list list;
	size_t i;
	int err;

	weir_trace_list(dir->trace);
	err = weir_source_list(caller, dir->trace, &list);
	for (i = 0; i < list.nr; i++) {
		const struct weir_place place = { .row = weir_trace_source_row(dir->trace),
						  .trace = dir->trace,
						  .source = list.source[i] };

		weir_names_add(names, place.row, &place, list.source[i]->name);
	}
	weir_source_list_put(&list);
	return err;
}

const struct weir_row weir_row_status = {
	.name = "status",
	.mode = 0444,
	.kind = WEIR_KIND_CONTROL,
	.ino = 12,
	.show = weir_status_show,
};

const struct weir_row weir_row_trace_text = {
	.name = "text",
	.mode = 0444,
	.kind = WEIR_KIND_TEXT,
	.ino = 13,
};

const struct weir_row weir_row_marker = {
	.name = "marker",
	.mode = 0644,
	.kind = WEIR_KIND_CONTROL,
	.ino = 14,
	.show = weir_marker_show,
	.store = weir_marker_store,
	.write_max = 1 << 20,
	.accepts = "lines of text, while control/enabled is 1",
};

static const struct weir_row *const weir_trace_rows[] = {
	&weir_row_control, &weir_row_status, &weir_row_trace_text, &weir_row_marker,
	&weir_row_trace_live, NULL,
};

const struct weir_row weir_row_trace = {
	.mode = 0755,
	.kind = WEIR_KIND_DIR,
	.ino = 8,
	.children = weir_trace_rows,
	.find = weir_trace_find_name,
	.each = weir_trace_each,
};
