#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# bench/snapshot: full rings frozen, and frozen and copied to a tmpfs. snapshot.sh [ROUNDS] [RING]
# By the clock, mkdir(1) and all; and the CPU time that the daemon takes for it, which other load changes less.
. "$(dirname "$0")/bench.sh"
rounds=${1:-10} ring=${2:-64M}
bench_mount
bench_trace big "events=fill:*" subbuf_size=1M subbuf_count=$((${ring%M}))
coproc FILL { "$top_builddir/bench/fill" "$((${ring%M} * 40000))" linger; }
read -r _ <&"${FILL[0]}"
bytes=$(cat "$mnt"/big/fill-*/cpu* | wc -c)
copy=$(mktemp -d /dev/shm/weir-bench.XXXXXX)
trap 'rm -rf "$copy"; bench_end' EXIT

ticks() { awk '{ print $14 + $15 }' "/proc/$daemon/stat"; }
freeze() { mkdir "$mnt/big@x"; }
keep() { mkdir "$mnt/big@x" && cp -r "$mnt/big@x" "$copy/x"; }
ms() {	# NAME: rounds of it
	for ((i = 0; i < rounds; i++)); do
		bench_us "$1" | awk '{ print $1 / 1000 }'
		rmdir "$mnt/big@x"
		rm -rf "$copy/x"
	done
}
what="$((bytes >> 20)) MiB of $(ls "$mnt"/big/fill-* | grep -c cpu) CPUs"
t0=$(ticks)
ms freeze >"$tmp/freeze"
t1=$(ticks)
bench_stat snapshot "$what, freeze" ms <"$tmp/freeze"
echo $((t1 - t0)) "$rounds" "$(getconf CLK_TCK)" | awk '{ print $1 * 1000 / $3 / $2 }' |
	bench_stat snapshot "$what, freeze, the daemon's CPU time" ms
ms keep | bench_stat snapshot "$what, freeze and cp -r to tmpfs" ms
exec {FILL[1]}>&-
wait "$FILL_PID"
