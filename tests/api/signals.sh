#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Signals that come while a program attaches, and whose handlers do not return to it, or return twice: nothing hangs, is
# doubled or stops being traced.
. "${top_srcdir:-.}/tests/lib/mount.sh"

weir_mount
weir_umount # programs that start now wait for the next daemon
interrupted() {	# WHAT CALL: attaches; sets status
	local program
	rm -f "$tmp/in"
	mkfifo "$tmp/in"
	env LD_PRELOAD="$(sanitizer_libs)" "$top_builddir/tests/api/signals" "$1" "$2" <"$tmp/in" >"$tmp/out" &
	program=$!
	exec {in}>"$tmp/in"
	wait_for grep -q ready "$tmp/out" || fail "$1 $2: it starts"
	weir_mount
	weir_trace t "events=api:*"
	printf x >&"$in"
	if wait_for not_there $program; then
		wait $program
		status=$?
	else
		status="none: it hangs"
		kill -KILL $program
	fi
	exec {in}>&-
}
not_there() { [[ $(cat "/proc/$1/stat") != *\)\ [^Z]* ]]; }
sources() { ls "$mnt/t" | grep -c '^signals-'; }
events() { grep -o 'api:[a-z]*' "$mnt/t/text" | sort | uniq -c | xargs; }

# A sanitizer does not know that a stack was left by a cancellation.
left=(jump)
[ "$WEIR_SANITIZE" != none ] || left+=(cancel)

# two memfds and a socket
for call in 1 2 3; do
	interrupted exit $call
	is "exit, call $call: the program ends" "$status" 7
	weir_umount
	for what in "${left[@]}"; do
		interrupted $what $call
		is "$what, call $call: the program ends" "$status" 0
		is "$what, call $call: it has attached, and goes on" "$(events)" "10 api:parent"
		weir_umount
	done
	interrupted fork $call
	is "fork, call $call: both end" "$status" 0
	is "fork, call $call: each has its own" "$(sources): $(events)" "2: 10 api:child 2 api:first 10 api:parent"
	is "fork, call $call: and only that" "$(awk '!/api:first/ { print $2, $5 }' "$mnt/t/text" | sort -u | wc -l)" 2
	weir_umount
done
