#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# bench/write: the cost of an event, beside the cost of what it is made of. write.sh [ROUNDS]
. "$(dirname "$0")/bench.sh"
trace() { bench_trace w subbuf_size=256K subbuf_count=4 "events=*\n!off:*"; }
bench_mount
trace
"$top_builddir/bench/write" "${1:-15}"
bench_umount

# by the clock that a machine has whose TSC is none
clock=--clock=monotonic
bench_mount
trace
"$top_builddir/bench/write" "${1:-15}" clock_gettime
