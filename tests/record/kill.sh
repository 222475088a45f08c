#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# weir record killed at any moment, and read at any moment: files are whole, before anything has mended them. Another
# recorder goes on.
. "${top_srcdir:-.}/tests/record/common.sh"
build $CC -std=gnu11 -D_GNU_SOURCE -O2 -o "$tmp/strike" "$top_srcdir/tests/record/strike.c"
weir_mount
# large sub-buffers: most kills come while one is being written
weir_trace web mode=discard subbuf_size=4M subbuf_count=8 context=none
counts=$tmp/counts
env LD_PRELOAD="$(weir_preload)" "$tmp/paced" 500000 100000000000 2 "$counts" & writer=$!

reads() {	# DIR [OPTION]: babeltrace2 and ctfread do
	local out
	out=$(babeltrace2 "$1" -o dummy 2>&1) && ! grep -v 'Tracer discarded' <<<"${out:-Tracer discarded}" &&
		out=$(timeout 600 "$tmp/ctfread" -m any ${2:+"$2"} "$1" 2>&1) || { echo "$out"; return 1; }
}
padded() { find "$1" -name 'cpu*' -printf '%s %b\n' | awk '$1 > $2 * 512 + $1 / 4'; }

killed=0 mended=0
for ((i = 0; i < $(soak 100 5); i++)); do
	dir=$tmp/killed.$i
	record web "$dir"
	"$tmp/strike" "$recorder" "$dir" $((RANDOM % 150 + 1)) $((RANDOM % 500)) || fail "killed" "$(cat "$dir.err")"
	wait "$recorder" 2>/dev/null
	out=$(reads "$dir" -p) && killed=$((killed + 1)) || fail "killed: whole" "$out" "$(find "$dir" -name '*cpu*' -ls)"
	record web "$dir" # which writes beside what is there
	recorded || fail "the next recorder" "$(cat "$dir.err")"
	out=$(reads "$dir" -p; padded "$dir"; find "$dir" -name '.cpu*')
	[ -z "$out" ] && mended=$((mended + 1)) || fail "the next one gives files their size" "$out"
	rm -rf "$dir"
done
is "killed at any moment: whole" "$killed" "$i"
is "the next recorder gives files their size" "$mended" "$i"

# Read while it is written, and while it ends.
read=0
for ((i = 0; i < $(soak 25 1); i++)); do
	dir=$tmp/read.$i
	record web "$dir"
	wait_for eval 'ls "$dir"/*/cpu*'
	for j in 1 2 3 4; do
		[ $j -lt 4 ] || kill -INT "$recorder"
		out=$(babeltrace2 "$dir" -o dummy 2>&1) && ! grep -v 'Tracer discarded' <<<"${out:-Tracer discarded}" &&
			read=$((read + 1)) || fail "read while it is written" "$out"
	done
	wait "$recorder" || fail "ends" "$(cat "$dir.err")"
	rm -rf "$dir"
done
is "read at any moment" "$read" $((4 * i))
ok "the writer goes on" kill "$writer"
