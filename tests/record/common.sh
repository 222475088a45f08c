# SPDX-License-Identifier: GPL-2.0-only
# common.sh: sourced by the tests of weir record. Writers that count, recorders in the background.
#
#   paced RATE EVENTS THREADS      # writes, counts in $counts
#   record TRACE DIR OPTION...     # starts a recorder, whose pid is in $recorder; it has the trace then. What it
#                                  # says is in $tmp/${DIR##*/}.err
#   recorded [SIGNAL]              # ends it; its exit status
#   counted_in DIR MODE            # a result: ctfread of what was recorded against $counts
. "${top_srcdir:-.}/tests/stress/common.sh"
build $CC -std=gnu11 -D_GNU_SOURCE -O2 -g -I"$top_srcdir/include" -o "$tmp/paced" "$top_srcdir/tests/record/paced.c" -pthread

paced() { traced timeout -k 5 600 "$tmp/paced" "$@" "$counts"; }

record() {	# TRACE DIR OPTION...
	local trace=$1 dir=$2
	shift 2
	"$WEIR" record "$trace" -o "$dir" "$@" 2>>"$tmp/${dir##*/}.err" &
	recorder=$!
	wait_for eval 'watching || ! kill -0 "$recorder"'
	kill -0 "$recorder" || fail "$trace: is recorded" "$(cat "$tmp/${dir##*/}.err")"
}

# It has the trace when it watches it.
watching() { find "/proc/$recorder/fd" -lname '*inotify*' | grep -q .; }

recorded() {	# [SIGNAL]: ends $recorder
	kill "-${1:-INT}" "$recorder"
	wait "$recorder"
}

counted_in() {	# DIR MODE: ctfread of DIR
	local out
	if out=$(timeout 600 "$tmp/ctfread" -m "$2" -c "$counts" "$1" 2>&1); then
		read -r events _ discarded _ <<<"$out"
		pass "${1##*/}: $2: $out"
	else
		fail "${1##*/}: $2" "$out" "$(cat "$tmp/${1##*/}.err")"
	fi
}
