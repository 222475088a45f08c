#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# bench/snapshot: two full rings of 64 MiB frozen, and frozen and copied to tmpfs, beside `lttng snapshot record` to tmpfs. By
# the clock, mkdir(1) and all; and the CPU time that the daemon takes, which other load changes less. Copied are the
# processes' directories, streams and metadata, which is what LTTng writes; and once more all that there is: `text`, too,
# every event as a line, which is several times as much. snapshot.sh [ROUNDS]
. "$(dirname "$0")/bench.sh"
. "$(dirname "$0")/lttng.sh"
rounds=${1:-7}
out=$(mktemp -d /dev/shm/weir-bench.XXXXXX)
lttng_out=$out/ust
snapshot_end() { rm -rf "$out"; lttng_end; }
trap snapshot_end EXIT

bench_mount
bench_trace f subbuf_size=1M subbuf_count=64 events=bench:num
[ -z "$sessiond" ] || { session f 1M 64; lttng_ start f; }
coproc WEIR_HOLD { exec "$top_builddir/bench/pair_weir" hold 3000000 2; }
read -r _ <&"${WEIR_HOLD[0]}"
if [ -n "$sessiond" ]; then
	"$top_builddir/bench/pair_ust" hold 3000000 2 </dev/null >/dev/null	# the rings are its user's, not its own
fi
ticks() { awk '{ print $14 + $15 }' "/proc/$daemon/stat"; }
freeze() { mkdir "$mnt/f@x"; }
freeze_copy() { mkdir "$mnt/f@y" && cp -r "$mnt/f@y"/*-* "$out/weir"; }
freeze_copy_all() { mkdir "$mnt/f@z" && cp -r "$mnt/f@z" "$out/all"; }
record() { lttng_ snapshot record -s f; }
for ((r = 0; r <= rounds; r++)); do
	t0=$(ticks)
	a=$(bench_us freeze)
	t1=$(ticks)
	rmdir "$mnt/f@x"
	b=$(bench_us freeze_copy)
	[ "$(du -sb "$out/weir" | cut -f1)" -gt 120000000 ]
	rmdir "$mnt/f@y"
	rm -rf "$out/weir"
	d=$(bench_us freeze_copy_all)
	rmdir "$mnt/f@z"
	rm -rf "$out/all"
	if [ -n "$sessiond" ]; then
		c=$(bench_us record)
		[ "$(du -sb "$out/ust" | cut -f1)" -gt 100000000 ]
		rm -rf "$out/ust"
	fi
	[ $r -gt 0 ] || continue # warm-up
	echo "$a" >>"$tmp/freeze"
	echo $(((t1 - t0) * 1000000 / $(getconf CLK_TCK))) >>"$tmp/cpu"
	echo "$b" >>"$tmp/copy"
	echo "$d" >>"$tmp/all"
	[ -z "$sessiond" ] || echo "$c" >>"$tmp/record"
done
bench_stat snapshot "frozen, 2 x 64 MiB: weir" us <"$tmp/freeze"
bench_stat snapshot "frozen, 2 x 64 MiB, CPU time of the daemon" us <"$tmp/cpu"
[ -z "$sessiond" ] || bench_stat snapshot "frozen, 2 x 64 MiB: LTTng-UST" us <"$tmp/record"
bench_stat snapshot "frozen and copied to tmpfs, 2 x 64 MiB: weir" us <"$tmp/copy"
[ -z "$sessiond" ] || bench_stat snapshot "frozen and copied to tmpfs, 2 x 64 MiB: LTTng-UST" us <"$tmp/record"
bench_stat snapshot "frozen and copied with its text, 2 x 64 MiB" us <"$tmp/all"
exec {WEIR_HOLD[1]}>&-
wait "$WEIR_HOLD_PID"
