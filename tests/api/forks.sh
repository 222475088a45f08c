#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What children leave to their parents, and threads to the children of others.
. "${top_srcdir:-.}/tests/lib/mount.sh"

forks() { env LD_PRELOAD="$(sanitizer_libs)" "$top_builddir/tests/api/forks" "$@"; }
weir_mount

vforked() {
	weir_trace t "events=api:*"
	local program in
	mkfifo "$tmp/in"
	forks vfork <"$tmp/in" >"$tmp/out" &
	program=$!
	exec {in}>"$tmp/in"
	ok "a vfork child was killed, with its own child" wait_for grep -q ready "$tmp/out"
	weir_trace u "events=api:*"
	echo 0 >"$mnt/t/control/enabled"
	printf x >&"$in"
	wait $program
	is "the parent ends" "$?" 0
	is "it was no vfork child any more" "$(awk '/ api:after: / && $3 != "cpux" { n++ } END { print n + 0 }' "$mnt/t/text")" 3
	is "and still notices what is enabled" "$(grep -o 'api:late' "$mnt"/*/text | sed "s|$mnt/||")" "u/text:api:late"
	rmdir "$mnt/t" "$mnt/u"
}
# a sanitizer has a vfork() of its own, which keeps one return address
[ "$WEIR_SANITIZE" != none ] || vforked

weir_trace t events=$'api:*\nother:*'
ok "children of a process whose threads are inside of large events" forks stages
is "have large events of their own" "$(grep -c 'api:child: large="x*"' "$mnt/t/text")" 20
rmdir "$mnt/t"

weir_trace t "events=api:*"
ok "a child that may not attach, as a handler of SIGSYS has it, lives" forks trap
