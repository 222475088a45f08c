#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Sites keep errno, evaluate arguments once, record in constructors, handlers and children, lose nothing silently.
. "${top_srcdir:-.}/tests/lib/mount.sh"
need babeltrace2 python3

weir_mount
weir_trace t "events=api:*" subbuf_size=1M subbuf_count=16
out=$(WEIR_DEBUG=1 traced_linked=1 env LD_PRELOAD="$(sanitizer_libs)" "$top_builddir/tests/api/behave" 2>&1)
status=$?
is "the program succeeds" "$status" 0
not_ok "and none of its own tests fails" grep -E '^not ok|weir:' <<<"$out"

text=$tmp/text
cat "$mnt/t/text" >"$text"
count() { grep -Ec "$1" "$text"; }

records() {	# EVENT that holds its process's number: for each stream how many, and whose
	awk -v name="api:$1:" '$5 == name { split($NF, pid, "="); n[$2 " " ($2 == "behave-" pid[2] && $4 == pid[2] ? "own" : "foreign")]++ }
		END { for (i in n) print substr(i, index(i, " ") + 1), n[i] }' "$text" | sort | paste -sd,
}

for event in constructor destructor child parent vforked evaluated error; do
	is "$event is recorded once" "$(count " api:$event:")" 1
done
is "a vfork child of a thread that has recorded nothing: the locked ring, its own tid" \
	"$(awk '/ api:fresh: / { split($NF, pid, "="); print $3, $4 == pid[2] }' "$text")" "cpux 1"
is "1000 handlers" "$(count ' api:handler: sig=10$')" 1000
is "a fork child has its own directory" "$(records child)" "own 1"
is "so has one that was forked past the handlers, from its first event on" "$(records past_child)" "own 3,own 3"
is "their parent's events are its own" "$(records past_parent)" "own 4"
is "strings of each length are whole" "$(awk '/ api:length: / {
	split($6, n, "="); sub(/"$/, "", $7); sub(/^at="/, "", $7)
	if (length($7) != n[2] || $8 !~ /=1515870810$/) bad++; else good++ } END { print good + 0, bad + 0 }' "$text")" "84 0"
like "two strings" "$(grep api:two "$text")" '="first" .*=1 .*="second" .*=2$'
like "NULL" "$(grep api:null "$text")" '="\(null\)"$'
like "bytes" "$(grep api:bytes "$text")" ' none=0x null=0x b=0x[0-9a-f]{1200} after=7$'
is "a changing string stays one field" "$(count ' api:changing: .*=2004318071$')" 20000

# The library stays: threads may stand in it, and it watches forks.
is "libweir is not unloaded" "$(LD_PRELOAD=$(sanitizer_libs) python3 - "$(realpath "$LIBWEIR")" <<'PY'
import ctypes, _ctypes, sys
def mapped():
    return sys.argv[1] in open("/proc/self/maps").read()
before = mapped()
_ctypes.dlclose(ctypes.CDLL(sys.argv[1])._handle)
print(before, mapped())
PY
)" "False True"

# 65535 and 65536 bytes at six places, 200000 at one, one sequence
lost=$(awk 'NR > 1 { n += $7 } END { print n }' "$mnt/t/status")
is "what does not fit is counted" "$lost" 14
bt "$mnt/t" >"$tmp/bt" 2>"$tmp/bt.err"
is "babeltrace2 reads as many events" "$(wc -l <"$tmp/bt")" "$(wc -l <"$text")"
is "and says how many were lost" "$(grep -Eo 'discarded [0-9]+ events?' "$tmp/bt.err" | awk '{ n += $2 } END { print n + 0 }')" 14
