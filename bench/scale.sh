#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# bench/scale: N attached processes x 4 traces. scale.sh [N]
. "$(dirname "$0")/bench.sh"
n=${1:-500}
bench_mount
for t in a b c d; do bench_trace $t "events=many:*"; done
coproc MANY { "$top_builddir/bench/many" "$n"; }
read -r _ <&"${MANY[0]}"
rss() { awk '/^VmRSS/ { print $2 / 1024 }' "/proc/$daemon/status"; }
rss | bench_stat scale "$n processes x 4 traces, daemon memory" MiB
for i in 1 2 3 4 5; do bench_us ls -lR "$mnt"; done | bench_stat scale "$n processes x 4 traces, ls -lR" us
rss | bench_stat scale "$n processes x 4 traces, daemon memory after ls" MiB
one_more() { mkdir "$mnt/e$1" && echo 1 >"$mnt/e$1/control/enabled"; }
for i in 1 2 3 4 5; do bench_us one_more $i; done | bench_stat scale "$n processes, one more trace enabled" us
exec {MANY[1]}>&-
wait "$MANY_PID"
