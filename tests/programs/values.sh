# SPDX-License-Identifier: GPL-2.0-only
# What the events of the preload libraries hold, field by field: arguments, results and errors, pointers, durations.
. "${top_srcdir:-.}/tests/programs/common.sh"

program values -pthread -fno-builtin
weir_mount
new_trace t
echo 1 >"$mnt/t/control/enabled"

# One part's events of the main thread, between two calls that nobody else makes; without what libc calls itself: realloc
# in reallocarray, and the allocator for a thread.
events() {	# PART
	local less='^realloc: .* size=210009 '
	[ "$1" = 1 ] || less='^(malloc|calloc|free): '
	sed -nE 's/.* values-([0-9]+) [^ ]+ \1 libc:(.*)/\2/p' "$tmp/text" |
		awk -v from="close: fd=-10$1 " -v to="close: fd=-10$(($1 + 1)) " 'index($0, to) == 1 { exit }
			inside { print } index($0, from) == 1 { inside = 1 }' | grep -vE "$less"
}

# Line by line, a duration by its lower bound.
wrong() {	# PART: what is
	sed -n "/^part $1\$/,/^part $(($1 + 1))\$/p" "$tmp/said" | grep -v ^part >"$tmp/wanted"
	events "$1" >"$tmp/events"
	awk -v events="$tmp/events" '
		{ wanted = $0; if ((getline got <events) <= 0) got = "nothing" }
		split(wanted, w, " duration>=") == 2 && split(got, g, " duration=") == 2 && g[2] + 0 >= w[2] + 0 {
			wanted = w[1]; got = g[1] }
		wanted != got { print "wanted: " $0; print "got:    " got }
		END { while ((getline got <events) > 0) print "unwanted: " got }' "$tmp/wanted"
}

said() { grep -cE "$1" "$tmp/said"; }

ASAN_OPTIONS+=:allocator_may_return_null=1 # as libc's may
ok "it ends well" eval 'weir_run -q -t t -p malloc,pthread,io -- "$tmp/values" "$work" >"$tmp/said"'
cat "$mnt/t/text" >"$tmp/text"
is "what was to happen did" "$(said '^open: .* result=-2 ') $(said '^connect: .* result=-111 ') $(said '>=50000000$')" "1 2 2"
# a sanitizer's allocator and its own wrappers answer in libc's place
[ "$WEIR_SANITIZE" = none ] || exit 0
is "memory" "$(wrong 1)" ""
is "files, locks, sockets" "$(wrong 2)" ""
