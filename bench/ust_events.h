/* SPDX-License-Identifier: GPL-2.0-only */
/* LTTng-UST's description of the events of bench/pair; it includes itself several times. */
#undef LTTNG_UST_TRACEPOINT_INCLUDE
#define LTTNG_UST_TRACEPOINT_INCLUDE "./bench/ust_events.h"

#if !defined(WEIR_BENCH_UST_EVENTS_H) || defined(LTTNG_UST_TRACEPOINT_HEADER_MULTI_READ)
#define WEIR_BENCH_UST_EVENTS_H

#include <stdint.h>
#include <lttng/tracepoint.h>

#undef LTTNG_UST_TRACEPOINT_PROVIDER
#define LTTNG_UST_TRACEPOINT_PROVIDER bench

LTTNG_UST_TRACEPOINT_EVENT(bench, num, LTTNG_UST_TP_ARGS(uint32_t, i, uint64_t, v),
			   LTTNG_UST_TP_FIELDS(lttng_ust_field_integer(uint32_t, i, i)
						       lttng_ust_field_integer(uint64_t, v, v)))

LTTNG_UST_TRACEPOINT_EVENT(bench, str,
			   LTTNG_UST_TP_ARGS(uint32_t, i, uint64_t, v, const char *, s),
			   LTTNG_UST_TP_FIELDS(lttng_ust_field_integer(uint32_t, i, i)
						       lttng_ust_field_integer(uint64_t, v, v)
							       lttng_ust_field_string(s, s)))

/* in no session */
LTTNG_UST_TRACEPOINT_EVENT(bench, off, LTTNG_UST_TP_ARGS(uint32_t, i, uint64_t, v),
			   LTTNG_UST_TP_FIELDS(lttng_ust_field_integer(uint32_t, i, i)
						       lttng_ust_field_integer(uint64_t, v, v)))

#endif
#include <lttng/tracepoint-event.h>
