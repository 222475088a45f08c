#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# In a guest with the module: weir record takes the kernel's streams as it takes a process's, into one CTF directory.
. "$top_srcdir/tests/record/common.sh"
weir_mount
sleeps() { for i in 1 2 3 4 5 6 7 8; do sleep 0.01; done; }
whole() {	# DIR: what a recorder that was killed had taken is missing, nothing else is wrong
	local out
	out=$(babeltrace2 "$1" -o dummy 2>&1) && ! grep -v 'Tracer discarded' <<<"${out:-Tracer discarded}"
}
streams() { find "$1" -name 'cpu[0-9]*' -size +0 | grep -q .; }

weir_trace both mode=discard subbuf_size=16K subbuf_count=256 $'events=tick:*\nkernel:sched_*'
record both "$tmp/both"
sleeps
traced "$top_builddir/tests/mount/tick" 200 2
settle
ok "the kernel's packets come while it writes" wait_for eval 'sleeps; streams "$tmp/both/kernel"'
ok "and are read meanwhile" bt "$tmp/both/kernel"
echo 0 >"$mnt/both/control/enabled"
recorded
is "it stops" $? 0
is "one directory: streams and metadata" \
	"$(ls "$tmp/both/kernel" | sed -E 's/^cpu[0-9]+(\.[0-9]+)?$/cpu/' | sort -u | paste -sd' ')" "cpu metadata"
bt "$tmp/both/kernel" >"$tmp/decoded" || fail "babeltrace2 reads it"
is "all that the kernel wrote, each event once" "$(wc -l <"$tmp/decoded")" "$(wc -l <"$mnt/both/kernel/text")"
ok "and that is something" grep -q -m 1 'kernel:sched_switch: .*prev_comm = "sleep"' "$tmp/decoded"
bt "$tmp/both" >"$tmp/decoded" || fail "the kernel and the program are one trace"
is "with all of the program's events" "$(grep -c tick:count "$tmp/decoded")" 400
rmdir "$mnt/both"

# Killed, at three moments: what it has left is whole, and the next one goes on beside it.
weir_trace more mode=discard subbuf_size=4K subbuf_count=256 'events=kernel:sched_*'
for i in 1 2 3; do
	record more "$tmp/killed"
	wait_for eval 'sleeps; streams "$tmp/killed"'
	kill -KILL "$recorder"
	wait "$recorder" 2>/dev/null
	ok "killed: whole" whole "$tmp/killed"
done
record more "$tmp/killed"
sleeps
recorded
is "the next one ends well" $? 0
ok "and all of it is whole" whole "$tmp/killed"
