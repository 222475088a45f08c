// SPDX-License-Identifier: GPL-2.0-only
/* lttng-modules' probes for the tracepoints of weir_bench.c: built in its tree, against its headers. */
#include <linux/module.h>
#include <lttng/tracer.h>
#include "weir_bench_trace.h"
#include <wrapper/tracepoint.h>

#define LTTNG_PACKAGE_BUILD
#define CREATE_TRACE_POINTS
#define TRACE_INCLUDE_PATH .
#define TRACE_INCLUDE_FILE lttng_weir_bench
#include "lttng_weir_bench.h"

MODULE_LICENSE("GPL and additional rights");
MODULE_DESCRIPTION("weir: probes of lttng-modules for a benchmark");
