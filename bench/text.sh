#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# bench/text: full rings as text, and the same by babeltrace2: millions of events a second, by the
# clock and by the CPU time of all that takes part. text.sh [ROUNDS] [RING]
. "$(dirname "$0")/bench.sh"
rounds=${1:-5} ring=${2:-64M}
bench_mount
bench_trace big "events=fill:*" subbuf_size=1M subbuf_count=$((${ring%M}))
coproc FILL { "$top_builddir/bench/fill" "$((${ring%M} * 40000))" linger; }
read -r _ <&"${FILL[0]}"
events=$(cat "$mnt/big/text" | wc -l)

ticks() { awk '{ print $14 + $15 + $16 + $17 }' "/proc/$1/stat"; }	# its own and its children's
speed() {	# COMMAND...: events a microsecond: of the clock, of the daemon's and the reader's CPU time
	local t0=${EPOCHREALTIME/./} c0 c1 t1
	c0=$(($(ticks $$) + $(ticks "$daemon")))
	"$@" >/dev/null
	c1=$(($(ticks $$) + $(ticks "$daemon")))
	t1=${EPOCHREALTIME/./}
	awk -v e="$events" -v t=$((t1 - t0)) -v c=$((c1 - c0)) -v hz="$(getconf CLK_TCK)" \
		'BEGIN { print e / t, e / 1000000 / (c / hz) }'
}
for ((i = 0; i < rounds; i++)); do
	speed cat "$mnt/big/text" >>"$tmp/cat"
	((i >= 2)) || speed babeltrace2 "$mnt/big" >>"$tmp/babeltrace2"	# takes its time
done
what="$events events of 2 CPUs"
for who in cat babeltrace2; do
	name=${who/cat/weir}
	cut -d' ' -f1 "$tmp/$who" | bench_stat text "text, $what: $name" Mevents/s
	cut -d' ' -f2 "$tmp/$who" | bench_stat text "text, $what, of CPU time: $name" Mevents/s
done
exec {FILL[1]}>&-
wait "$FILL_PID"
"$top_builddir/bench/render" "$rounds"
