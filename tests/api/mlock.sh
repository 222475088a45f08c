#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A program that has called mlockall(2) locks its rings, and not the address space that is kept for larger ones; nor when
# it attaches to another daemon, or is a child that has attached.
. "${top_srcdir:-.}/tests/lib/mount.sh"

weir_mount
weir_trace t "events=api:*" subbuf_size=64K subbuf_count=4
mkfifo "$tmp/in"
env LD_PRELOAD="$(sanitizer_libs)" "$top_builddir/tests/api/mlock" <"$tmp/in" >"$tmp/out" &
program=$!
exec {in}>"$tmp/in"
ok "it is attached" wait_for grep -q 1: "$tmp/out"
weir_kill
weir_mount
weir_trace t "events=api:*" subbuf_size=64K subbuf_count=4
printf x >&"$in"
ok "it is attached to the next daemon" wait_for grep -q 2: "$tmp/out"
is "its events are there" "$(grep -o 'api:.*' "$mnt/t/text")" "api:locked: i=2"
printf x >&"$in"
wait $program
is "it ends" "$?" 0
# sanitizers make mlockall() do nothing
[ "$WEIR_SANITIZE" != none ] || rings=$((256 * ($(nproc --all) + 1)))
for n in 1 2 3; do
	kib=$(sed -n "s/^$n: //p" "$tmp/out")
	[ "$n" = 2 ] || like "its rings are locked ($n): $kib KiB" $((kib >= ${rings:-1})) 1
	ok "and little more ($n): $kib KiB" test "$kib" -lt $((${rings:-1} + 4096))
done
