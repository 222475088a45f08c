#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# weir record killed at any moment: files stay whole, another one goes on.
. "${top_srcdir:-.}/tests/record/common.sh"
weir_mount
weir_trace web mode=discard subbuf_size=1M subbuf_count=16 context=none
counts=$tmp/counts
env LD_PRELOAD="$(weir_preload)" "$tmp/paced" 0 100000000000 2 "$counts" & writer=$!

whole() {	# DIR: every file is whole packets
	local out
	out=$(timeout 600 "$tmp/ctfread" -m any "$1" 2>&1) || { echo "$out"; return 1; }
}
gone() { ! pgrep -f "record web -o $1" >/dev/null; }

for ((i = 0; i < $(soak 50 4); i++)); do
	for who in front mover both; do
		dir=$tmp/$who.$i
		record web "$dir"
		wait_for eval '[ -s "$dir"/*/cpu0 ]'
		mover=$(mover)
		sleep "0.0$((RANDOM % 100))"
		case $who in
		front) kill -KILL "$recorder" ;;
		mover) kill -KILL "$mover" ;;
		both) kill -KILL "$recorder" "$mover" ;;
		esac
		wait "$recorder" 2>/dev/null
		wait_for gone "$dir"
		if [ $who = both ]; then # cut by the next one, which writes beside what is there
			record web "$dir"
			recorded || fail "the next recorder" "$(cat "$dir.err")"
		fi
		out=$(whole "$dir") && killed=$((${killed:-0} + 1)) || fail "$who: whole" "$out" "$(cat "$dir.err")"
		rm -rf "$dir"
	done
done
is "killed at any moment: whole" "$killed" $((3 * i))
ok "the writer goes on" kill "$writer"
