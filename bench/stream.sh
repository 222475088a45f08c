#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# bench/stream: everything that two threads write goes to tmpfs while they write: what is lost at a rate, and what CPU time
# the collectors take, daemons included; discard mode, rings of 16 MiB. stream.sh [MILLION-EVENTS-A-SECOND...]
. "$(dirname "$0")/bench.sh"
. "$(dirname "$0")/lttng.sh"
[ $# -gt 0 ] || set -- 1 4 8 16 24 32 40
seconds=3
out=$(mktemp -d /dev/shm/weir-bench.XXXXXX)
lttng_out=$out/ust
stream_end() { rm -rf "$out"; lttng_end; }
trap stream_end EXIT

cpu() {	# PID...: ms of CPU time
	local p
	for p; do awk '{ print ($14 + $15) * 10 }' "/proc/$p/stat"; done | awk '{ sum += $1 } END { print sum }'
}

stream_weir() {	# EVENTS-A-SECOND: lost, written, seconds, ms of CPU time
	local recorder before after
	bench_trace s mode=discard subbuf_size=1M subbuf_count=16 events=bench:num
	"$WEIR" record s -o "$out/weir" >"$tmp/record.log" 2>&1 &
	recorder=$!
	sleep 0.5
	before=$(cpu $recorder "$daemon")
	"$top_builddir/bench/pair_weir" rate "$1" 2 $seconds >"$tmp/rate"
	echo 0 >"$mnt/s/control/enabled"
	sleep 1.5
	after=$(cpu $recorder "$daemon")
	echo "$(awk 'NR > 1 { lost += $7 } END { print lost + 0 }' "$mnt/s/status") $(cat "$tmp/rate") $((after - before))"
	rmdir "$mnt/s"
	wait $recorder || :
	du -sb "$out/weir" | cut -f1 >"$tmp/bytes.weir"
	rm -rf "$out/weir"
}

stream_ust_tsc() { with_tsc stream_ust "$@"; }

stream_ust() {
	local consumer before after
	lttng_ create s --output="$lttng_out"
	lttng_ enable-channel -u -s s --discard --subbuf-size 1M --num-subbuf 16 ch
	lttng_ enable-event -u -s s -c ch bench:num
	lttng_ start s
	consumer=$(pgrep -P "$sessiond" -x lttng-consumerd | head -n 1)
	before=$(cpu "$consumer" "$sessiond")
	"$top_builddir/bench/pair_ust" rate "$1" 2 $seconds >"$tmp/rate"
	lttng_ stop s
	sleep 1.5
	after=$(cpu "$consumer" "$sessiond")
	echo "$(lttng --mi xml list s | grep -o '<discarded_events>[0-9]*' | cut -d'>' -f2 | head -n 1) $(cat "$tmp/rate")" \
		"$((after - before))"
	lttng_ destroy s
	du -sb "$out/ust" | cut -f1 >"$tmp/bytes.ust"
	rm -rf "$out/ust"
}

bench_mount
whos=(weir)
[ -z "$sessiond" ] || whos+=(ust ust_tsc)
for rate; do
	for who in "${whos[@]}"; do
		name=$(who_name "$who")
		read -r lost written took ms <<<"$("stream_$who" $((rate * 1000000)))"
		awk -v l="$lost" -v w="$written" 'BEGIN { print 100 * l / w }' |
			bench_stat stream "lost at $rate M events/s: $name" %
		awk -v w="$written" -v s="$took" 'BEGIN { print w / s / 1000000 }' |
			bench_stat stream "reached, at $rate M events/s: $name" "M/s"
		awk -v w="$((written - lost))" -v ms="$ms" 'BEGIN { print ms * 1000 / w * 1000 }' |
			bench_stat stream "collecting, at $rate M events/s: $name" ns
		[ "$lost" != 0 ] || awk -v w="$written" -v s="$took" 'BEGIN { print w / s / 1000000 }' >>"$tmp/best.$who"
	done
done
for who in "${whos[@]}"; do
	name=$(who_name "$who")
	[ ! -e "$tmp/best.$who" ] || sort -g "$tmp/best.$who" | tail -n 1 |
		bench_stat stream "highest rate that lost nothing: $name" "M/s"
done
