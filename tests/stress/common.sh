# SPDX-License-Identifier: GPL-2.0-only
# common.sh: sourced by the tests of this folder that count. Writers, their counts, what ctfread and babeltrace2 say.
#
#   new_trace NAME SETTING=VALUE...     # enabled, with room for all that end
#   write_all OPTION...                 # a writer in $counts; a result if it fails; all of it has reached the daemon
#   counted NAME MODE [OPTION...]       # a result: ctfread of trace NAME against $counts
#   decoded NAME                        # a result: babeltrace2 finds as many events
#   drop NAME                           # a result: rmdir

. "${top_srcdir:-.}/tests/lib/mount.sh"
need babeltrace2 "${CXX:=c++}"

stress=$top_srcdir/tests/stress

build() {	# COMMAND...
	"$@" || { echo "Bail out! $*"; exit 99; }
}
for p in writer ctfread; do
	build $CC -std=gnu11 -D_GNU_SOURCE -O2 -g -I"$top_srcdir/include" -o "$tmp/$p" "$stress/$p.c" -pthread
done
plugins() {
	build $CC -O2 -g -fPIC -shared -I"$top_srcdir/include" -o "$tmp/plugin_c.so" "$stress/plugin.c"
	build "$CXX" -x c++ -O2 -g -fPIC -shared -I"$top_srcdir/include" -o "$tmp/plugin_cxx.so" "$stress/plugin.c"
}

counts=$tmp/counts events=0 discarded=0

new_trace() {	# NAME SETTING=VALUE...
	local name=$1
	shift
	rm -f "$counts"
	weir_trace "$name" max_bytes=16G "$@" || fail "$name: no trace" "$(cat "$mnt/.weir/errors")"
}

write_all() {	# OPTION...
	WEIR_DEBUG=1 traced timeout -k 5 600 "$tmp/writer" "$@" "$counts" >"$tmp/said" 2>&1 ||
		fail "the writer ends well" "status $?: writer $*" "$(head -n 30 "$tmp/said" 2>/dev/null)"
	settle
}

# The daemon takes processes in the order in which they come, without anybody waiting for it. So when it shows one
# that came after the writers, it has seen all of theirs.
settle() {
	local pid
	env LD_PRELOAD="$(weir_preload)" sleep 600 &
	pid=$!
	wait_for grep -q "^$pid " "$mnt/.weir/processes" || fail "the daemon takes processes"
	kill "$pid"
	wait "$pid" 2>/dev/null
}

# what the first writers have done, in whichever order they took their numbers
done_now() { od -An -v -tu8 -w16 -j 16 -N 65536 "$counts" | awk '{ n += $2 } END { printf "%.0f\n", n }'; }
wrote_on() { local before; before=$(done_now); sleep 0.01; [ "$(done_now)" != "$before" ]; }

counted() {	# NAME MODE [OPTION...]
	local name=$1 mode=$2 out
	shift 2
	if out=$(timeout 600 "$tmp/ctfread" -m "$mode" -c "$counts" "$@" "$mnt/$name" 2>&1); then
		read -r events _ discarded _ <<<"$out"
		pass "$name: $mode: $out"
	else
		fail "$name: $mode" "$out" "$(head -n 30 "$mnt/$name/status")" "$(cat "$mnt/.weir/errors" "$mnt/.weir/processes")" \
			"$(head -n 30 "$tmp/said" 2>/dev/null)"
	fi
}

# It may warn of losses, of as many as ctfread has found. In overwrite mode it cannot know all of them.
decoded() {	# NAME
	local lost
	babeltrace2 "$mnt/$1" >"$tmp/decoded" 2>"$tmp/warned" || fail "$1: babeltrace2" "status $?"
	is "$1: babeltrace2 decodes as many" "$(wc -l <"$tmp/decoded") events" "$events events"
	is "$1: babeltrace2 says nothing but losses" "$(grep -vE ' Tracer (may have )?discarded ' "$tmp/warned")" ""
	if grep -q discard "$mnt/$1/control/mode"; then
		lost=$(sed -nE 's/.* Tracer discarded ([0-9]+) event.*/\1/p' "$tmp/warned" | awk '{ n += $1 } END { print n + 0 }')
		is "$1: babeltrace2 knows all losses" "$lost" "$discarded"
	fi
}

drop() { ok "$1: rmdir returns" timeout 60 rmdir "$mnt/$1"; }	# NAME
