#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# bench/freeze: a snapshot of two full rings of 64 MiB, and the same copied to tmpfs, beside `lttng snapshot record` to
# tmpfs. freeze.sh [ROUNDS]
. "$(dirname "$0")/bench.sh"
. "$(dirname "$0")/lttng.sh"
rounds=${1:-7}
out=$(mktemp -d /dev/shm/weir-bench.XXXXXX)
lttng_out=$out/ust
freeze_end() { rm -rf "$out"; lttng_end; }
trap freeze_end EXIT

bench_mount
bench_trace f subbuf_size=1M subbuf_count=64 events=bench:num
[ -z "$sessiond" ] || { session f 1M 64; lttng_ start f; }
coproc WEIR_HOLD { exec "$top_builddir/bench/pair_weir" hold 3000000 2; }
read -r _ <&"${WEIR_HOLD[0]}"
if [ -n "$sessiond" ]; then
	"$top_builddir/bench/pair_ust" hold 3000000 2 </dev/null >/dev/null	# the rings are its user's, not its own
fi
freeze() { mkdir "$mnt/f@x"; }
freeze_copy() { mkdir "$mnt/f@y" && cp -r "$mnt/f@y" "$out/weir"; }
record() { lttng_ snapshot record -s f; }
for ((r = 0; r <= rounds; r++)); do
	a=$(bench_us freeze)
	rmdir "$mnt/f@x"
	b=$(bench_us freeze_copy)
	[ "$(du -sb "$out/weir" | cut -f1)" -gt 120000000 ]
	rmdir "$mnt/f@y"
	rm -rf "$out/weir"
	if [ -n "$sessiond" ]; then
		c=$(bench_us record)
		[ "$(du -sb "$out/ust" | cut -f1)" -gt 100000000 ]
		rm -rf "$out/ust"
	fi
	[ $r -gt 0 ] || continue # warm-up
	echo "$a" >>"$tmp/freeze"
	echo "$b" >>"$tmp/copy"
	[ -z "$sessiond" ] || echo "$c" >>"$tmp/record"
done
bench_stat freeze "frozen, 2 x 64 MiB: weir" us <"$tmp/freeze"
[ -z "$sessiond" ] || bench_stat freeze "frozen, 2 x 64 MiB: LTTng-UST" us <"$tmp/record"
bench_stat freeze "frozen and copied to tmpfs, 2 x 64 MiB: weir" us <"$tmp/copy"
[ -z "$sessiond" ] || bench_stat freeze "frozen and copied to tmpfs, 2 x 64 MiB: LTTng-UST" us <"$tmp/record"
exec {WEIR_HOLD[1]}>&-
wait "$WEIR_HOLD_PID"
