// SPDX-License-Identifier: GPL-2.0-only
/*
 * switch: control/switch and control/switch_interval. Live readers get what was written before as
 * packets.
 *
 * A backend that needs one does a real switch, and it has been done when the write returns. Else a
 * switch is a count a CPU: a live reader that finds another one than it has answered cuts the open
 * sub-buffer at position. So it costs the same whatever the number of processes, and holds for
 * readers that come later.
 *
 *   counted:F / asked:F   what was written before the write(2), before the count; the reader loads
 * the count before it samples
 */
#include "live.h"

/* ---- which CPUs -------------------------------------------------------------------------------*/

static bool weir_cpus_number(const char **text, unsigned int *cpu)
{
	unsigned long value;
	char *end;

	if (**text < '0' || **text > '9')
		return false;
	errno = 0;
	value = strtoul(*text, &end, 10);
	if (errno || value >= weir_daemon.nr_cpus)
		return false;
	*cpu = (unsigned int)value;
	*text = end;
	return true;
}

/* "N", "N-M" or "x", and what may follow. */
static bool weir_cpus_range(const char **text, bool *cpus)
{
	unsigned int first, last;

	if (**text == 'x') {
		(*text)++;
		cpus[weir_daemon.nr_cpus] = true;
		return true;
	}
	if (!weir_cpus_number(text, &first))
		return false;
	last = first;
	if (**text == '-') {
		(*text)++;
		if (!weir_cpus_number(text, &last) || last < first)
			return false;
	}
	while (first <= last)
		cpus[first++] = true;
	return true;
}

static int weir_cpus_parse(const char *text, bool *cpus, const char **why)
{
	if (!strcmp(text, "all")) {
		memset(cpus, true, ((size_t)weir_daemon.nr_cpus + 1) * sizeof(*cpus));
		return 0;
	}
	while (weir_cpus_range(&text, cpus)) {
		if (!*text)
			return 0;
		if (*text++ != ',')
			break;
	}
	*why = "not a list of CPUs that there are";
	return -EINVAL;
}

/* ---- switching --------------------------------------------------------------------------------*/

struct weir_switching {
	struct weir_trace *trace;
	struct weir_source **source; /* with references */
	size_t nr, size;
	int error;
};

static int weir_switching_add(struct weir_source *source, void *arg)
{
	struct weir_switching *switching = arg;
	struct weir_source **grown;

	if (!source->backend->switch_cpu || !weir_source_in(source, switching->trace))
		return 0;
	if (switching->nr == switching->size) {
		grown = realloc(switching->source, (switching->size * 2 + 16) * sizeof(*grown));
		if (!grown)
			return switching->error = -ENOMEM;
		switching->source = grown;
		switching->size = switching->size * 2 + 16;
	}
	weir_source_get(source);
	switching->source[switching->nr++] = source;
	return 0;
}

/* Those whose memory needs more than a count. A ring that cannot be switched does not keep the
 * others. */
static int weir_switching_real(struct weir_trace *trace, const bool *cpus)
{
	struct weir_switching switching = { .trace = trace };
	u64 epoch = READ_ONCE(trace->epoch);
	unsigned int cpu;
	size_t i;
	int err;

	weir_sources_each(weir_switching_add, &switching);
	for (i = 0; i < switching.nr; i++) {
		for (cpu = 0; cpu < weir_daemon.nr_cpus; cpu++) { /* cpux is always cut */
			if (!cpus[cpu])
				continue;
			err = switching.source[i]->backend->switch_cpu(switching.source[i],
								       trace->slot, cpu, epoch);
			if (err && err != -ENODATA)
				switching.error = err;
		}
		weir_source_put(switching.source[i]);
	}
	free(switching.source);
	return switching.error;
}

int weir_switch_store(const struct weir_caller *caller, const struct weir_place *place, char *text,
		      size_t len, bool append, const char **why)
{
	bool *cpus = calloc((size_t)weir_daemon.nr_cpus + 1, sizeof(*cpus));
	unsigned int cpu;
	int err;

	(void)caller;
	(void)len;
	(void)append;
	err = cpus ? weir_cpus_parse(text, cpus, why) : -ENOMEM;
	if (!err) {
		err = weir_switching_real(place->trace, cpus);
		for (cpu = 0; cpu <= weir_daemon.nr_cpus; cpu++) {
			if (cpus[cpu])
				__atomic_add_fetch(&place->trace->switches[cpu], 1,
						   __ATOMIC_RELEASE); /* counted:F */
		}
		weir_wakeup_kick();
	}
	free(cpus);
	return err;
}

int weir_switch_show(const struct weir_caller *caller, const struct weir_place *place,
		     struct weir_buf *out)
{
	(void)caller;
	(void)place;
	(void)out; /* there is nothing that stays */
	return 0;
}

/* ---- switch_interval --------------------------------------------------------------------------*/

int weir_switch_interval_store(const struct weir_caller *caller, const struct weir_place *place,
			       char *text, size_t len, bool append, const char **why)
{
	unsigned long value;
	char *end;

	(void)caller;
	(void)len;
	(void)append;
	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	value = strtoul(text, &end, 10);
	if (*end)
		return -EINVAL;
	if (errno || value > 0xffffffffu) {
		*why = "more than 49 days";
		return -EINVAL;
	}
	WRITE_ONCE(place->trace->switch_interval, (u32)value);
	weir_wakeup_kick();
	return 0;
}

int weir_switch_interval_show(const struct weir_caller *caller, const struct weir_place *place,
			      struct weir_buf *out)
{
	(void)caller;
	weir_buf_printf(out, "%u\n", READ_ONCE(place->trace->switch_interval));
	return 0;
}
