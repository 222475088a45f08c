#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# bench/compare: instructions of an event, counted by callgrind, against those committed in bench/instructions.ARCH. Fails
# if one rose by more than 5 %. `compare.sh --update` writes the file anew.
#
# It counts the program's instructions, of one thread on one CPU: no page faults, no waiting, nothing of the kernel.
. "${top_srcdir:-.}/tests/lib/mount.sh"
need valgrind
counts=$top_srcdir/bench/instructions.$(uname -m)
[ -e "$counts" ] || [ "${1:-}" = --update ] || skip_all "nothing was counted for $(uname -m)"
weir_mount --clock=tsc	# whatever the machine takes: the vDSO is not what is counted

count() {	# SUFFIX SETTING...: lines of name and instructions an event
	local suffix=$1 events dump
	shift
	weir_trace count "$@" events='*' || return
	printf '!off:*\n' >>"$mnt/count/control/events"
	rm -f "$tmp"/callgrind.*
	events=$(cd "$tmp" && LD_LIBRARY_PATH=$top_builddir/lib/client/.libs valgrind --tool=callgrind --collect-atstart=no \
		--callgrind-out-file="$tmp/callgrind" "$top_builddir/bench/count" 2>"$tmp/valgrind.log") ||
		{ cat "$tmp/valgrind.log" >&2; return 1; }
	# what was measured is there
	[ "$(awk '$2 == "cpu0" { print ($4 > 100 * '"$events"') }' "$mnt/count/status")" = 1 ] ||
		{ cat "$mnt/count/status" >&2; return 1; }
	rmdir "$mnt/count"
	for dump in $(ls "$tmp"/callgrind.* | sort -t. -k3n); do
		awk -v n="$events" -v suffix="$suffix" '/^desc: Trigger: Client Request: / { name = $NF }
			/^totals: / { total = $2 } END { if (name != "") print name suffix, total / n }' "$dump"
	done | awk 'NR == 1 { empty = $2; next } { printf "%-24s %8.2f\n", $1, $2 - empty }'
}

{ count "" subbuf_size=4M subbuf_count=2 && count "/switches" subbuf_size=4K subbuf_count=2; } >"$tmp/counted" ||
	{ echo "Bail out! cannot count"; exit 99; }
if [ "${1:-}" = --update ]; then
	{ echo "# instructions an event: payload in bytes; with a switch of sub-buffers every 4 KiB"; cat "$tmp/counted"; } >"$counts"
fi
diag "$(cat "$tmp/counted")"
is "the same questions" "$(grep -v '^#' "$counts" | cut -d' ' -f1)" "$(cut -d' ' -f1 "$tmp/counted")"
while read -r name now; do
	was=$(awk -v name="$name" '$1 == name { print $2 }' "$counts")
	ok "$name: $now instructions, committed ${was:-none}" awk -v was="${was:-0}" -v now="$now" \
		'BEGIN { exit !(now > 0 && now <= was * 1.05 + 0.01) }'
done <"$tmp/counted"
