// SPDX-License-Identifier: GPL-2.0-only
/*
 * nodes_control: a trace's control directory. Each file is a row of the table at the end: show()
 * prints the value as store() would take it; store() parses one write(2) as a whole, or leaves the
 * old value.
 */
#include "live.h"

/* ---- parsing ----------------------------------------------------------------------------------*/

/* A number, with a suffix K, M or G; nothing else. */
static bool weir_parse_bytes(const char *text, u64 *value)
{
	static const char suffixes[] = "KMG";
	const char *suffix;
	unsigned int shift = 0;
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*value = strtoull(text, &end, 10);
	if (errno)
		return false;
	if (*end) {
		suffix = strchr(suffixes, *end == 'k' ? 'K' : *end);
		if (!suffix || end[1])
			return false;
		shift = 10 * (suffix - suffixes + 1);
	}
	if (*value > ~0ull >> shift)
		return false;
	*value <<= shift;
	return true;
}

static bool weir_parse_shift(const char *text, unsigned int *shift)
{
	u64 value;

	if (!weir_parse_bytes(text, &value) || !value || value & (value - 1))
		return false;
	*shift = (unsigned int)__builtin_ctzll(value);
	return true;
}

/* ---- enabled, clear ---------------------------------------------------------------------------*/

static int weir_enabled_show(const struct weir_caller *caller, const struct weir_place *place,
			     struct weir_buf *out)
{
	(void)caller;
	weir_buf_printf(out, "%d\n", READ_ONCE(place->trace->enabled));
	return 0;
}

static int weir_enabled_store(const struct weir_caller *caller, const struct weir_place *place,
			      char *text, size_t len, bool append, const char **why)
{
	(void)caller;
	(void)append;
	(void)why;
	if (len != 1 || (*text != '0' && *text != '1'))
		return -EINVAL;
	return weir_trace_set_enabled(place->trace, *text == '1');
}

static int weir_clear_show(const struct weir_caller *caller, const struct weir_place *place,
			   struct weir_buf *out)
{
	(void)caller;
	(void)place;
	weir_buf_printf(out, "0\n");
	return 0;
}

static int weir_clear_store(const struct weir_caller *caller, const struct weir_place *place,
			    char *text, size_t len, bool append, const char **why)
{
	(void)caller;
	(void)append;
	(void)why;
	if (len != 1 || *text != '1')
		return -EINVAL;
	return weir_trace_clear(place->trace);
}

/* ---- geometry ---------------------------------------------------------------------------------*/

static u64 weir_geometry(const struct weir_place *place)
{
	return READ_ONCE(place->trace->epoch) & ((1u << WEIR_EPOCH_COUNTER_SHIFT) - 1);
}

static int weir_geometry_flag(const struct weir_place *place, u64 flag, bool on, const char **why)
{
	u64 bits = weir_geometry(place);

	return weir_trace_set_geometry(place->trace, on ? bits | flag : bits & ~flag, why);
}

static int weir_geometry_shifts(const struct weir_place *place, unsigned int subbuf,
				unsigned int count, const char **why)
{
	if (subbuf < WEIR_SUBBUF_SHIFT_MIN || count < WEIR_COUNT_SHIFT_MIN)
		return -EINVAL;
	if (subbuf + count > WEIR_RING_SHIFT_MAX) {
		*why = "subbuf_size times subbuf_count would be more than 64M";
		return -EINVAL;
	}
	return weir_trace_set_geometry(
		place->trace, (weir_geometry(place) & ~1023ull) | count << 5 | subbuf, why);
}

static unsigned int weir_count_shift(u64 bits)
{
	return weir_epoch_ring_shift(bits) - weir_epoch_subbuf_shift(bits);
}

static int weir_mode_show(const struct weir_caller *caller, const struct weir_place *place,
			  struct weir_buf *out)
{
	(void)caller;
	weir_buf_printf(out, "%s\n",
			weir_geometry(place) & WEIR_EPOCH_DISCARD ? "discard" : "overwrite");
	return 0;
}

static int weir_mode_store(const struct weir_caller *caller, const struct weir_place *place,
			   char *text, size_t len, bool append, const char **why)
{
	bool discard = !strcmp(text, "discard");

	(void)caller;
	(void)len;
	(void)append;
	if (!discard && strcmp(text, "overwrite"))
		return -EINVAL;
	return weir_geometry_flag(place, WEIR_EPOCH_DISCARD, discard, why);
}

static int weir_subbuf_size_show(const struct weir_caller *caller, const struct weir_place *place,
				 struct weir_buf *out)
{
	(void)caller;
	weir_buf_printf(out, "%llu\n", weir_epoch_subbuf_size(weir_geometry(place)));
	return 0;
}

static int weir_subbuf_size_store(const struct weir_caller *caller, const struct weir_place *place,
				  char *text, size_t len, bool append, const char **why)
{
	unsigned int shift;

	(void)caller;
	(void)len;
	(void)append;
	if (!weir_parse_shift(text, &shift))
		return -EINVAL;
	return weir_geometry_shifts(place, shift, weir_count_shift(weir_geometry(place)), why);
}

static int weir_subbuf_count_show(const struct weir_caller *caller, const struct weir_place *place,
				  struct weir_buf *out)
{
	(void)caller;
	weir_buf_printf(out, "%u\n", 1u << weir_count_shift(weir_geometry(place)));
	return 0;
}

static int weir_subbuf_count_store(const struct weir_caller *caller, const struct weir_place *place,
				   char *text, size_t len, bool append, const char **why)
{
	unsigned int shift;

	(void)caller;
	(void)len;
	(void)append;
	if (!weir_parse_shift(text, &shift))
		return -EINVAL;
	return weir_geometry_shifts(place, weir_epoch_subbuf_shift(weir_geometry(place)), shift,
				    why);
}

/* ---- context ----------------------------------------------------------------------------------*/

static int weir_context_show(const struct weir_caller *caller, const struct weir_place *place,
			     struct weir_buf *out)
{
	(void)caller;
	weir_buf_printf(out, "%s\n", weir_geometry(place) & WEIR_EPOCH_TID ? "tid" : "none");
	return 0;
}

static int weir_context_store(const struct weir_caller *caller, const struct weir_place *place,
			      char *text, size_t len, bool append, const char **why)
{
	static const char spaces[] = " \t\n";
	char *save, *word = strtok_r(text, spaces, &save);
	bool none = word && !strcmp(word, "none"), tid = false;

	(void)caller;
	(void)len;
	(void)append;
	if (!word)
		return -EINVAL;
	for (; word && !none; word = strtok_r(NULL, spaces, &save)) {
		if (strcmp(word, "tid"))
			return -EINVAL;
		tid = true;
	}
	if (none && strtok_r(NULL, spaces, &save))
		return -EINVAL;
	return weir_geometry_flag(place, WEIR_EPOCH_TID, tid, why);
}

/* ---- events, processes ------------------------------------------------------------------------*/

static void weir_lines_show(struct weir_buf *out, const char *text)
{
	size_t len = strlen(text);

	weir_buf_put(out, text, len);
	if (len && text[len - 1] != '\n')
		weir_buf_put(out, "\n", 1);
}

static int weir_events_show(const struct weir_caller *caller, const struct weir_place *place,
			    struct weir_buf *out)
{
	char rules[WEIR_RULES_SIZE], processes[WEIR_PROCESSES_SIZE];

	(void)caller;
	weir_trace_text(place->trace, rules, processes);
	weir_lines_show(out, rules);
	return 0;
}

static int weir_events_store(const struct weir_caller *caller, const struct weir_place *place,
			     char *text, size_t len, bool append, const char **why)
{
	(void)caller;
	(void)len;
	return weir_trace_set_rules(place->trace, text, append, why);
}

static int weir_filter_show(const struct weir_caller *caller, const struct weir_place *place,
			    struct weir_buf *out)
{
	char rules[WEIR_RULES_SIZE], processes[WEIR_PROCESSES_SIZE];

	(void)caller;
	weir_trace_text(place->trace, rules, processes);
	weir_lines_show(out, processes);
	return 0;
}

static int weir_filter_store(const struct weir_caller *caller, const struct weir_place *place,
			     char *text, size_t len, bool append, const char **why)
{
	(void)caller;
	(void)len;
	(void)append;
	return weir_trace_set_processes(place->trace, text, why);
}

/* ---- max_bytes --------------------------------------------------------------------------------*/

static int weir_max_bytes_show(const struct weir_caller *caller, const struct weir_place *place,
			       struct weir_buf *out)
{
	(void)caller;
	weir_buf_printf(out, "%llu\n", READ_ONCE(place->trace->max_bytes));
	return 0;
}

static int weir_max_bytes_store(const struct weir_caller *caller, const struct weir_place *place,
				char *text, size_t len, bool append, const char **why)
{
	u64 bytes;

	(void)caller;
	(void)len;
	(void)append;
	(void)why;
	if (!weir_parse_bytes(text, &bytes))
		return -EINVAL;
	return weir_trace_set_max_bytes(place->trace, bytes);
}

/* ---- the table --------------------------------------------------------------------------------*/

#define WEIR_CONTROL(INO, NAME, FUNCTIONS, ACCEPTS)                                 \
	&(const struct weir_row)                                                    \
	{                                                                           \
		.name = #NAME, .mode = 0644, .kind = WEIR_KIND_CONTROL, .ino = INO, \
		.show = weir_##FUNCTIONS##_show, .store = weir_##FUNCTIONS##_store, \
		.accepts = ACCEPTS,                                                 \
	}

const struct weir_row *const weir_control_rows[] = {
	WEIR_CONTROL(32, enabled, enabled, "0 or 1"),
	WEIR_CONTROL(33, mode, mode, "overwrite or discard"),
	WEIR_CONTROL(34, subbuf_size, subbuf_size,
		     "a power of two from 4K on, bytes or with suffix K, M"),
	WEIR_CONTROL(35, subbuf_count, subbuf_count, "a power of two from 2 on"),
	WEIR_CONTROL(36, context, context, "none, or words of: tid"),
	WEIR_CONTROL(
		37, events, events,
		"lines of a glob over provider:event, ! in front excludes, the last match wins"),
	WEIR_CONTROL(38, processes, filter,
		     "all, or words of: PID, +PID (and its descendants), a glob over names"),
	&(const struct weir_row){
		.name = "available_events",
		.mode = 0444,
		.kind = WEIR_KIND_CONTROL,
		.ino = 39,
		.show = weir_available_events_show,
	},
	WEIR_CONTROL(40, max_bytes, max_bytes, "a number of bytes, or with suffix K, M, G"),
	WEIR_CONTROL(41, clear, clear, "1"),
	WEIR_CONTROL(42, switch, switch, "all, or a list of CPUs: 1, or 0,2-3; x: threads without rseq"),
	WEIR_CONTROL(43, switch_interval, switch_interval, "milliseconds; 0: never"),
	NULL,
};

const struct weir_row weir_row_control = {
	.name = "control",
	.mode = 0755,
	.kind = WEIR_KIND_DIR,
	.ino = 15,
	.children = weir_control_rows,
};
