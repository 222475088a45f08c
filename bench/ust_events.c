// SPDX-License-Identifier: GPL-2.0-only
/* LTTng-UST's code for the events of bench/pair. */
#define LTTNG_UST_TRACEPOINT_CREATE_PROBES
#define LTTNG_UST_TRACEPOINT_DEFINE
#include "ust_events.h"
