#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# bench/stream: everything that two threads write goes to tmpfs while they write: what is lost at a rate, and what CPU time
# the collectors take, daemons included; discard mode, rings of 16 MiB. Three times each; stream.sh MILLION-EVENTS-A-SECOND...
# asks for those rates once.
. "$(dirname "$0")/bench.sh"
. "$(dirname "$0")/lttng.sh"
rounds=3 seconds=3
[ $# -gt 0 ] && rounds=1 || set -- 1 8 16 24 32
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
	for ((r = 0; r < rounds; r++)); do
		for who in "${whos[@]}"; do
			read -r lost written took ms <<<"$("stream_$who" $((rate * 1000000)))"
			awk -v l="$lost" -v w="$written" -v s="$took" -v ms="$ms" \
				'BEGIN { print 100 * l / w, w / s / 1000000, ms * 1000000 / (w - l) }' >>"$tmp/$rate.$who"
		done
	done
	for who in "${whos[@]}"; do
		name=$(who_name "$who")
		cut -d' ' -f1 "$tmp/$rate.$who" | bench_stat stream "lost at $rate M events/s: $name" %
		cut -d' ' -f2 "$tmp/$rate.$who" | bench_stat stream "reached, at $rate M events/s: $name" "M/s"
		cut -d' ' -f3 "$tmp/$rate.$who" | bench_stat stream "collecting, at $rate M events/s: $name" ns
		# every event of every round
		awk '$1 > 0 { exit 1 }' "$tmp/$rate.$who" && cut -d' ' -f2 "$tmp/$rate.$who" >"$tmp/best.$who"
	done
done
for who in "${whos[@]}"; do
	[ ! -e "$tmp/best.$who" ] || bench_stat stream "highest rate that lost nothing: $(who_name "$who")" "M/s" <"$tmp/best.$who"
done
