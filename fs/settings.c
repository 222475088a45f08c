// SPDX-License-Identifier: GPL-2.0-only
/*
 * settings: what a trace's control files change, and what they show. See trace.c for its life.
 */
#include "registry_i.h"

static int weir_trace_enable_locked(struct weir_trace *trace, bool enabled)
{
	if (trace->enabled == enabled)
		return 0;
	if (enabled)
		WRITE_ONCE(trace->used, true);
	WRITE_ONCE(trace->enabled, enabled);
	weir_trace_publish(trace);
	return 0;
}

static int weir_source_is_in(struct weir_source *source, void *trace)
{
	return weir_source_in(source, trace);
}

static int weir_trace_geometry_locked(struct weir_trace *trace, u64 bits, const char **why)
{
	*why = "only while the trace is disabled: write 0 to enabled";
	if (trace->enabled)
		return -EBUSY;
	*why = "the trace holds events: write 1 to clear";
	if (trace->used && weir_sources_each(weir_source_is_in, trace))
		return -EBUSY;
	WRITE_ONCE(trace->epoch, weir_trace_new_epoch(bits));
	weir_trace_publish(trace);
	weir_images_drop(trace); /* what was kept for readers only */
	return 0;
}

static int weir_trace_check_geometry(u64 bits, const char **why)
{
	unsigned int subbuf = weir_epoch_subbuf_shift(bits), ring = weir_epoch_ring_shift(bits);

	*why = "a sub-buffer has at least 4096 bytes";
	if (subbuf < WEIR_SUBBUF_SHIFT_MIN)
		return -EINVAL;
	*why = "there are at least 2 sub-buffers";
	if (ring < subbuf + WEIR_COUNT_SHIFT_MIN)
		return -EINVAL;
	*why = "a ring, subbuf_size times subbuf_count, is at most 64M";
	return ring > WEIR_RING_SHIFT_MAX ? -EINVAL : 0;
}

/**
 * weir_trace_set_enabled() - start or stop recording
 * @trace: the trace
 * @enabled: whether to record
 *
 * Return: 0, -ENOENT it is gone.
 */
int weir_trace_set_enabled(struct weir_trace *trace, bool enabled)
{
	return weir_trace_locked(trace, weir_trace_enable_locked(trace, enabled));
}

/* Bits that are to be kept come from the present epoch. */
static int weir_trace_merge_geometry(struct weir_trace *trace, u64 bits, const char **why)
{
	int err;

	if (!(bits & 31))
		bits |= trace->epoch & 31;
	if (!(bits & 31 << 5))
		bits |= trace->epoch & 31 << 5;
	bits &= WEIR_EPOCH_TID | WEIR_EPOCH_DISCARD | 1023;
	err = weir_trace_check_geometry(bits, why);
	return err ? err : weir_trace_geometry_locked(trace, bits, why);
}

/**
 * weir_trace_set_geometry() - sizes, mode and context
 * @trace: the trace
 * @epoch_bits: the low 16 bits of an epoch; shifts of 0 keep their value, flags are taken as they are
 * @why: on error, a sentence
 *
 * Return: 0; -EINVAL out of bounds; -EBUSY enabled, or events are held; -ENOENT it is gone.
 */
int weir_trace_set_geometry(struct weir_trace *trace, u64 epoch_bits, const char **why)
{
	*why = "the trace is gone";
	return weir_trace_locked(trace, weir_trace_merge_geometry(trace, epoch_bits, why));
}

static int weir_trace_rules_locked(struct weir_trace *trace, const char *rules, bool append, const char **why)
{
	size_t len = append ? strlen(trace->rules) : 0;

	if (len + strlen(rules) >= sizeof(trace->rules)) {
		*why = "the rules are longer than 3071 bytes in all";
		return -E2BIG;
	}
	memset(trace->rules + len, 0, sizeof(trace->rules) - len);
	strcpy(trace->rules + len, rules);
	weir_trace_publish(trace);
	return 0;
}

/**
 * weir_trace_set_rules() - which events are recorded
 * @trace: the trace
 * @rules: lines, see weir_rules_parse()
 * @append: behind those that are there
 * @why: on error, a sentence
 *
 * Return: 0, -EINVAL, -E2BIG, -ENOENT it is gone.
 */
int weir_trace_set_rules(struct weir_trace *trace, const char *rules, bool append, const char **why)
{
	char canonical[WEIR_RULES_SIZE];
	int err = weir_rules_parse(rules, canonical, why);

	if (err)
		return err;
	*why = "the trace is gone";
	return weir_trace_locked(trace, weir_trace_rules_locked(trace, canonical, append, why));
}

static int weir_trace_processes_locked(struct weir_trace *trace, const char *processes)
{
	memcpy(trace->processes, processes, sizeof(trace->processes));
	weir_trace_publish(trace);
	return 0;
}

/**
 * weir_trace_set_processes() - which processes are recorded
 * @trace: the trace
 * @words: see weir_processes_parse()
 * @why: on error, a sentence
 *
 * Return: 0, -EINVAL, -E2BIG, -ENOENT it is gone.
 */
int weir_trace_set_processes(struct weir_trace *trace, const char *words, const char **why)
{
	char canonical[WEIR_PROCESSES_SIZE];
	int err = weir_processes_parse(words, canonical, why);

	if (err)
		return err;
	*why = "the trace is gone";
	return weir_trace_locked(trace, weir_trace_processes_locked(trace, canonical));
}

static int weir_trace_max_locked(struct weir_trace *trace, u64 bytes)
{
	WRITE_ONCE(trace->max_bytes, bytes);
	weir_images_limit(trace, bytes);
	return 0;
}

/**
 * weir_trace_set_max_bytes() - how much of ended processes is kept; the oldest go at once
 * @trace: the trace
 * @bytes: of memory
 *
 * Return: 0, -ENOENT it is gone.
 */
int weir_trace_set_max_bytes(struct weir_trace *trace, u64 bytes)
{
	return weir_trace_locked(trace, weir_trace_max_locked(trace, bytes));
}

/**
 * weir_trace_text() - rules and processes of one moment
 * @trace: the trace
 * @rules: canonical, NUL-terminated
 * @processes: canonical, NUL-terminated
 */
void weir_trace_text(struct weir_trace *trace, char rules[WEIR_RULES_SIZE], char processes[WEIR_PROCESSES_SIZE])
{
	pthread_mutex_lock(&weir_registry.lock);
	memcpy(rules, trace->rules, WEIR_RULES_SIZE);
	memcpy(processes, trace->processes, WEIR_PROCESSES_SIZE);
	pthread_mutex_unlock(&weir_registry.lock);
}

u64 weir_trace_dead_bytes(struct weir_trace *trace)
{
	return READ_ONCE(trace->dead_bytes);
}

u64 weir_trace_dropped(struct weir_trace *trace)
{
	return READ_ONCE(trace->dropped);
}
