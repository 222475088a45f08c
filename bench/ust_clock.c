// SPDX-License-Identifier: GPL-2.0-only
/* A clock plugin for LTTng-UST that reads the time stamp counter, as weir does: what is left is not
 * the clock. */
#include <lttng/ust-clock.h>
#include <stdlib.h>
#include <string.h>
#include <x86intrin.h>
#include "bench.h"

static uint64_t clock_read(void)
{
	return __rdtsc();
}

/* Counted once, over 20 ms. */
static uint64_t clock_frequency(void)
{
	static uint64_t hz;
	uint64_t t, tsc, ns;

	if (hz)
		return hz;
	t = bench_clock(CLOCK_MONOTONIC);
	tsc = __rdtsc();
	do {
		ns = bench_clock(CLOCK_MONOTONIC) - t;
	} while (ns < 20000000);
	hz = (uint64_t)((double)(__rdtsc() - tsc) * 1e9 / (double)ns);
	return hz;
}

static int clock_uuid(char *uuid)
{
	strcpy(uuid, "0ba0c7d8-5a1c-4c39-9d4e-1f3a7c2b9e60");
	return 0;
}

static const char *clock_name(void)
{
	return "tsc";
}

void lttng_ust_clock_plugin_init(void)
{
	if (lttng_ust_trace_clock_set_read64_cb(clock_read) ||
	    lttng_ust_trace_clock_set_freq_cb(clock_frequency) ||
	    lttng_ust_trace_clock_set_uuid_cb(clock_uuid) ||
	    lttng_ust_trace_clock_set_name_cb(clock_name) ||
	    lttng_ust_trace_clock_set_description_cb(clock_name) ||
	    lttng_ust_enable_trace_clock_override())
		abort();
}
