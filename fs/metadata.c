// SPDX-License-Identifier: GPL-2.0-only
/* metadata: the TSDL of a source in a trace. Rendered twice, for the size and for the bytes, to
 * the same text. */
#include "snapshot.h"
#include "tree_i.h"

static void weir_metadata_head(struct weir_tsdl *tsdl, const struct weir_trace *trace,
			       const struct weir_source *source, u64 epoch)
{
	*tsdl = (struct weir_tsdl){
		.clock_description = weir_daemon.clock_name,
		.clock_offset = weir_daemon.clock_offset,
		.hostname = weir_daemon.hostname,
		.trace_name = trace->name,
		.procname = source->comm,
		.pid = source->pid,
		.created = source->attached.tv_sec,
		.tid = epoch & WEIR_EPOCH_TID,
	};
	if (trace->snapshot) {
		tsdl->snapshot = trace->snapshot->moment + (u64)weir_daemon.clock_offset;
		tsdl->within = trace->snapshot->within;
	}
	memcpy(tsdl->clock_uuid, weir_daemon.clock_uuid, sizeof(tsdl->clock_uuid));
	weir_source_uuid(source, trace, epoch, tsdl->uuid);
}

static size_t weir_metadata_print(char *buf, size_t size, const struct weir_trace *trace,
				  struct weir_source *source, u64 epoch, u32 count)
{
	const struct weir_class *class;
	struct weir_tsdl tsdl;
	size_t len;
	u32 id;

	weir_metadata_head(&tsdl, trace, source, epoch);
	len = weir_tsdl_head(buf, size, &tsdl);
	for (id = 0; id < count; id++) {
		class = weir_schemas_class(&source->schemas, id);
		if (class)
			len += weir_tsdl_class(len < size ? buf + len : NULL,
					       len < size ? size - len : 0, class);
	}
	return len;
}

size_t weir_metadata_size(const struct weir_trace *trace, struct weir_source *source, u64 epoch,
			  u32 count)
{
	return weir_metadata_print(NULL, 0, trace, source, epoch, count);
}

int weir_metadata_fill(const struct weir_place *place, int fd)
{
	const struct weir_state *state = &place->state;
	char *buf = malloc(state->size + 1); /* the printers end with a NUL */
	size_t len;
	int err;

	if (!buf)
		return -ENOMEM;
	len = weir_metadata_print(buf, state->size + 1, place->trace, place->source,
				  state->ring.epoch, state->count);
	err = len == state->size ? weir_pwrite(fd, buf, len, 0) : -EIO;
	free(buf);
	return err;
}
