#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# bench/run: every benchmark, one line a question. run.sh full|quick RESULTS
# full: what each prints also goes to RESULTS/NAME.txt, all of it to RESULTS/all.txt and the comparisons to RESULTS/peers.png
# and .svg. quick: fewer rounds, in less than two minutes, and nothing is written.
set -eu
how=$1 results=$2
dir=$(dirname "$0")
declare -A quick=([write]=3 [attach]=30 [scale]="1 100" [read]=3 [snapshot]=2 [text]="1 16M" [peers]=2 [stream]="1 8")
names=(write attach scale read snapshot text peers stream)

head_() {
	printf '# weir %s, Linux %s, %s x %s, %s MiB, load %s\n' "$("$top_builddir/cmd/weir" --version | cut -d' ' -f2)" \
		"$(uname -r)" "$(nproc)" "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)" \
		"$(awk '/^MemTotal/ { print int($2 / 1024) }' /proc/meminfo)" "$(cut -d' ' -f1 /proc/loadavg)"
	printf '# %-8s %-56s %10s %10s %10s %4s  %s\n' name parameters median min max n unit
}

if [ "$how" = quick ]; then
	head_
	# shellcheck disable=SC2086
	for name in "${names[@]}"; do bash "$dir/$name.sh" ${quick[$name]}; done
	exit
fi
mkdir -p "$results"
calm() {	# what the last script left of load is not measured by the next; at most 5 minutes
	local i
	for ((i = 0; i < 60; i++)); do
		awk '{ exit $1 >= 1 }' /proc/loadavg && return
		sleep 5
	done
}
for name in "${names[@]}"; do
	calm
	{ head_; bash "$dir/$name.sh"; } | tee "$results/$name.new"
	[ "${PIPESTATUS[0]}" = 0 ]
	mv "$results/$name.new" "$results/$name.txt"
done
for name in "${names[@]}"; do cat "$results/$name.txt"; done >"$results/all.txt"
bash "$dir/plot.sh" "$results/all.txt" "$results/peers"
