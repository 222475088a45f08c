/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * events_i: the kernel's tracepoints that the module has probes for, as tables. A row is an event; its bit in
 * weir_slot.kernel is its place in all tables, in the order of events.c.
 *
 * An event's fields are a list, F(type, name)..., as those of TP_STRUCT__entry() in TRACE_EVENT: checkpatch calls both
 * a complex macro.
 */
#ifndef WEIR_EVENTS_I_H
#define WEIR_EVENTS_I_H

#include <linux/tracepoint.h>
#include <weir/kernel.h>

struct weir_probe {
	const char *name; /* of the tracepoint */
	struct weir_kernel_event *event;
	void *probe;
	struct tracepoint *tracepoint; /* found at init; NULL: this kernel has none */
	bool on;
};

struct weir_probes {
	struct weir_probe *probe;
	unsigned int count;
};

/* A row. */
#define WEIR_PROBE(name_)                                                                               \
	{                                                                                               \
		.name = #name_, .event = &weir_event_##name_, .probe = weir_probe_##name_,              \
	}

/* The tracepoint's header declares what its probes look like: another shape does not compile. */
#define WEIR_PROBE_CHECK(name_)                                                                         \
	static inline void __maybe_unused weir_check_##name_(void)                                      \
	{                                                                                               \
		check_trace_callback_type_##name_(weir_probe_##name_);                                  \
	}

#define WEIR_PROBES(table)                                                                              \
	const struct weir_probes weir_probes_##table = { weir_##table##_table, ARRAY_SIZE(weir_##table##_table) }

extern const struct weir_probes weir_probes_sched, weir_probes_irq, weir_probes_syscall, weir_probes_fault;

#endif /* WEIR_EVENTS_I_H */
