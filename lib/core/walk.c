// SPDX-License-Identifier: LGPL-2.1-only
/*
 * walk: the records of a packet, one after the other, each checked before it is given out.
 *
 * Every bound has the form `len <= end - offset` with `offset <= end` known, so that nothing wraps.
 */
#include "weir_schema.h"

#define WEIR_TIME_MASK ((1ull << 48) - 1)

/* The offset behind a class's fields that start at `offset`; 0 if they do not end before `end`. */
static inline size_t weir_walk_fields(const struct weir_class *class, const u8 *data, size_t offset,
				      size_t end)
{
	const struct weir_step *step = class->step, *last = step + class->nr_steps;
	const u8 *nul;
	u16 len;

	for (; step < last; step++) {
		if (step->skip > end - offset)
			return 0;
		offset += step->skip;
		if (step->type == WEIR_TYPE_STR) {
			nul = memchr(data + offset, 0, end - offset);
			if (!nul)
				return 0;
			offset = (size_t)(nul - data) + 1;
			continue;
		}
		if (sizeof(len) > end - offset)
			return 0;
		memcpy(&len, data + offset, sizeof(len));
		offset += sizeof(len);
		if (len > end - offset)
			return 0;
		offset += len;
	}
	return class->tail <= end - offset ? offset + class->tail : 0;
}

/* The class of a record. It is the last one's, mostly: then where the next record starts follows from what is known
 * already, not from a chain of loads. */
static inline const struct weir_class *weir_walk_class(struct weir_walk *walk, u32 id)
{
	if (!walk->class || walk->class->id != id)
		walk->class = id < walk->count ? weir_schemas_class(walk->schemas, id) : NULL;
	return walk->class;
}

int weir_walk_next(struct weir_walk *walk, struct weir_record *record)
{
	size_t head = sizeof(u64) + (walk->tid ? sizeof(u32) : 0);
	size_t start = (walk->offset + 7) & ~(size_t)7, end = walk->end;
	const u8 *p = walk->data + start;
	u64 word, time, delta;
	u32 id;

	if (walk->offset == walk->end)
		return 0;
	if (start > end || head > end - start)
		return -EBADMSG;
	if (end - start > WEIR_RECORD_MAX)
		end = start + WEIR_RECORD_MAX;
	memcpy(&word, p, sizeof(word));
	id = word & WEIR_ID_MASK;
	delta = ((word >> WEIR_TIME_SHIFT) - walk->time) & WEIR_TIME_MASK;
	time = walk->time + delta;
	/* Half the range is the past. The sum wraps only beyond `latest`. */
	if (delta >> 47 || time < walk->time || time > walk->latest)
		return -EBADMSG;
	record->class = weir_walk_class(walk, id);
	if (!record->class)
		return -EBADMSG;
	record->tid = 0;
	if (walk->tid)
		memcpy(&record->tid, p + sizeof(word), sizeof(record->tid));
	end = weir_walk_fields(record->class, walk->data, start + head, end);
	if (!end)
		return -EBADMSG;
	record->time = time;
	record->fields = walk->data + start + head;
	record->size = end - start - head;
	walk->time = time;
	walk->offset = end;
	return 1;
}
