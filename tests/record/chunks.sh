#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# weir record --rotate-size, --max-size: chunks that are CTF directories, the oldest go; and a disk that is full.
. "${top_srcdir:-.}/tests/record/common.sh"
become_root
weir_mount
counts=$tmp/counts
bytes() { find "$1" -type f -printf '%s\n' | awk '{ n += $1 } END { print n + 0 }'; }

chunked() {	# TRACE WHAT OPTION...: all that two threads write, in $tmp/TRACE
	rm -f "$counts"
	weir_trace "$1" mode=discard subbuf_size=64K subbuf_count=256 context=none
	record "$1" "$tmp/$1" "${@:3}"
	paced 0 200000 2
	settle
	recorded; is "$2" $? 0
}

chunked web "stops" --rotate-size=1M
is "chunks" "$(ls "$tmp/web" | head -n 3 | paste -sd' ')" "000000 000001 000002"
# a CPU that another one was ahead of adds one read, of at most 1M
limit=$(($(getconf _NPROCESSORS_CONF) << 20 | 1 << 17))
for d in "$tmp"/web/*; do
	[ "$(bytes "$d")" -lt $limit ] || fail "$d: is small" "$(bytes "$d")"
	bt "$d" >"$tmp/part" || fail "$d: decodes alone"
	cat "$tmp/part" >>"$tmp/parts"
done
is "all chunks together hold all" "$(wc -l <"$tmp/parts")" 400000
is "as one trace, too" "$(bt "$tmp/web" | wc -l)" 400000

chunked max "stops" --rotate-size=512K --max-size=2M
ok "no more than --max-size" [ "$(bytes "$tmp/max")" -lt $((2 << 20 | 1 << 17)) ]
ok "nor much less" [ "$(bytes "$tmp/max")" -gt $((1 << 20)) ]
bt "$tmp/max" >"$tmp/kept"; is "decodes" $? 0
like "the newest are kept" "$(grep -o 'seq = [0-9]*' "$tmp/kept" | sort -k3n | tail -n 1)" 'seq = 199999$'
chunked large "larger chunks than all may be" --rotate-size=1G --max-size=2M
ok "no more than --max-size all the same" [ "$(bytes "$tmp/large")" -lt $((2 << 20 | 1 << 17)) ]
rmdir "$mnt/large"
rm -f "$counts"
before=$(ls "$tmp/max" | tail -n 1)
paced 0 100000 2
record max "$tmp/max" --max-size=1M
settle
recorded; is "a run that follows" $? 0
ok "its chunks have other numbers" [ "$(ls "$tmp/max" | tail -n 1)" '>' "$before" ]
ok "those of earlier runs count, and go" [ "$(bytes "$tmp/max")" -lt $((1 << 20 | 1 << 18)) ]
ok "all of it decodes" bt "$tmp/max"
rmdir "$mnt/web" "$mnt/max"

# A stream whose first packet finds no room is still empty; readers skip it.
whole() {	# NAME DIRECTORY
	rm -rf "$tmp/now"
	cp -r "$2" "$tmp/now"
	find "$tmp/now" -name 'cpu*' -empty -delete
	ok "$1" timeout 600 "$tmp/ctfread" -m any "$tmp/now"
}

# A full disk: waits, and goes on when there is room; what is lost meanwhile is counted. Not at full speed: what does not
# fit into the rings at once would not come to the disk.
rm -f "$counts"
weir_trace full mode=discard subbuf_size=64K subbuf_count=32 context=none
mkdir "$tmp/small"
mount -t tmpfs -o size=8M none "$tmp/small"
record full "$tmp/small/out"
paced 500000 1000000 2 & writer=$!
wait_for grep -q 'no room left' "$tmp/out.err"
wait "$writer"
is "said once" "$(grep -c 'no room' "$tmp/out.err")" 1
whole "what is there is whole" "$tmp/small/out"
mount -o remount,size=1G none "$tmp/small"
settle
recorded; is "goes on when there is room" $? 0
counted_in "$tmp/small/out" discard
ok "some were lost, and counted" [ "$discarded" -gt 0 ]
like "said at the end" "$(tail -n 1 "$tmp/out.err")" ", $discarded events lost: "

# No room to the end: says what it drops, and keeps files whole.
rm -f "$counts"
mount -o remount,size=1G none "$tmp/small"
rm -rf "$tmp/small/out"
mount -o remount,size=4M none "$tmp/small"
weir_trace never mode=discard subbuf_size=64K subbuf_count=32 context=none
record never "$tmp/small/never"
paced 500000 1000000 1
wait_for grep -q 'no room left' "$tmp/never.err"
recorded; is "packets that could not be stored: failed" $? 1
like "says so" "$(cat "$tmp/never.err")" 'no room: [0-9.]+[KM] that had been taken are lost'
mount -o remount,size=1G none "$tmp/small"
whole "whole" "$tmp/small/never"
umount "$tmp/small"
