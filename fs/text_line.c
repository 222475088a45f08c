// SPDX-License-Identifier: GPL-2.0-only
/*
 * text_line: `1732831383.000000042 web-812 cpu0 812 http:done: id=7`. The time, source, CPU and
 * thread in front of every record, and the lines that start with #.
 */
#include "../lib/core/weir_put.h"
#include "text_i.h"

/* What stands in front of a record at most: the time, the label, the thread, a newline. */
#define WEIR_LINE_HEAD \
	(WEIR_DEC_MAX + 10 + sizeof(((struct weir_text_stream *)0)->label) + WEIR_DEC_MAX + 2)

void weir_text_label(struct weir_text_stream *stream)
{
	char cpu[16] = "cpux";

	if (stream->place.state.cpu < weir_daemon.nr_cpus)
		snprintf(cpu, sizeof(cpu), "cpu%u", stream->place.state.cpu);
	stream->label_len = (unsigned int)snprintf(stream->label, sizeof(stream->label), " %s %s ",
						   stream->place.source->name, cpu);
}

void weir_text_line(struct weir_buf *out, const struct weir_text_stream *stream)
{
	const struct weir_record *record = &stream->record;
	u64 ns = record->time + (u64)weir_daemon.clock_offset;
	char *start = weir_buf_room(out, WEIR_LINE_HEAD + weir_text_record_max(record)), *p;

	if (!start)
		return;
	p = weir_put_dec(start, ns / 1000000000);
	*p++ = '.';
	p = weir_put_nine(p, ns % 1000000000);
	p = weir_put(p, stream->label, stream->label_len);
	if (stream->walk.tid)
		p = weir_put_dec(p, record->tid);
	else
		*p++ = '-';
	*p++ = ' ';
	p += weir_text_record(p, record);
	*p++ = '\n';
	out->len += (size_t)(p - start);
}

void weir_text_skipped(struct weir_buf *out, struct weir_text_stream *stream)
{
	if (stream->skipped)
		weir_buf_printf(out, "#%.*s: %llu bytes overwritten before they were read\n",
				(int)stream->label_len - 1, stream->label, stream->skipped);
	stream->skipped = 0;
}
