#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# bench/scale: N attached processes x 15 traces, or x T, and one more. scale.sh [N[xT]...]
. "$(dirname "$0")/bench.sh"
[ $# -gt 0 ] || set -- 1 10 100 1000 500x4

rss() { awk '/^VmRSS/ { print $2 / 1024 }' "/proc/$daemon/status"; }
enable() { echo 1 >"$mnt/last/control/enabled"; }
switch() { echo all >"$mnt/t1/control/switch"; }

scale() {	# N[xT]
	local n=${1%x*} traces=15 i
	[ "$n" = "$1" ] || traces=${1#*x}
	bench_mount
	for ((i = 1; i <= traces; i++)); do bench_trace t$i "events=many:*"; done
	coproc MANY { exec "$top_builddir/bench/many" "$n"; }
	read -r _ <&"${MANY[0]}"
	rss | bench_stat scale "$n processes x $traces traces, daemon memory" MiB
	for i in 1 2 3; do bench_us ls -lR "$mnt"; done | bench_stat scale "$n processes x $traces traces, ls -lR" us
	for i in 1 2 3 4 5; do bench_us switch; done | bench_stat scale "$n processes, switch all" us
	for i in 1 2 3 4 5; do
		mkdir "$mnt/last"
		bench_us enable
		rmdir "$mnt/last"
	done | bench_stat scale "$n processes, trace $((traces + 1)) enabled" us
	rss | bench_stat scale "$n processes x $traces traces, daemon memory after that" MiB
	exec {MANY[1]}>&-
	wait "$MANY_PID"
	bench_umount
}
for n; do scale "$n"; done
