#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# run.sh: every configuration of ring.pml, searched exhaustively, two at a time. TAP on stdout.
#
# `holds` must be verified: the whole state space, no error, no limit met. `fails` takes one thing away from
# the protocol; spin must find what goes wrong then, or the model sees nothing.
set -u

model=$(cd "$(dirname "$0")" && pwd)/ring.pml
: "${CC:=cc}"
depth=1000000
memory=1900 # MiB a search; two run at a time

# spin leaves out interleavings of steps that are invisible to each other, which is sound for assertions. With
# WEIR_SOAK=1 it leaves out nothing, and goes further where most states are.
reduce= deep=8
[ "${WEIR_SOAK:-0}" = 1 ] && reduce=-DNOREDUCE deep=9

# expected, switches, what it is about
configurations="
holds|-DLIMIT=16|overwrite: two laps, kill at any step
holds|-DLIMIT=15 -DSB=5|overwrite: records of two words appended
holds|-DLIMIT=9 -DREADER|overwrite: a reader beside the writers
holds|-DLIMIT=$deep -DDISCARD|discard: a consumer; all is read or counted
holds|-DLIMIT=3 -DEPOCHS=2 -DREADER|a new trace: a reader of either
holds|-DLIMIT=1 -DEPOCHS=2 -DREADER -DSTEPS|a new trace: the reader load by load
holds|-DLIMIT=4 -DEPOCHS=2 -DCLOCK|a new trace: time never goes back
fails|-DLIMIT=12 -DCLAIM_OUTSIDE -DTORN|claim stored outside the section: torn reads
fails|-DLIMIT=12 -DCLAIM_OUTSIDE|claim stored outside the section: words that contradict each other
fails|-DLIMIT=12 -DHEADER_OUTSIDE|the old header stored outside the section
fails|-DLIMIT=9 -DREADER -DNO_RECHECK|the reader does not load claim again
fails|-DLIMIT=9 -DREADER -DNO_BARRIER|claim may become visible after the words
fails|-DLIMIT=3 -DEPOCHS=2 -DREADER -DEPOCH_FIRST|a reset stores the epoch first
fails|-DLIMIT=3 -DEPOCHS=2 -DREADER -DRESET_ZERO|a reset left half-way looks like an empty ring
fails|-DLIMIT=1 -DEPOCHS=2 -DREADER -DSTEPS -DCLAIM_ZERO|the reader takes the claim of a reset for one
fails|-DLIMIT=12 -DNO_CPU_COMPARE|a section does not compare the CPU
fails|-DLIMIT=9 -DCLOCK -DCLOCK_FIRST|the clock read before position
fails|-DLIMIT=4 -DEPOCHS=2 -DCLOCK -DPOSITION_FIRST|position and clock read before the epoch
"

command -v spin > /dev/null || { echo "Bail out! spin is not installed"; exit 99; }
command -v "$CC" > /dev/null || { echo "Bail out! no C compiler"; exit 99; }

tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT

# One search: writes its line of results; 0 if it is as expected.
search() { # directory, expected, switches
	local errors states optimise
	mkdir -p "$1" && cd "$1" && cp "$model" . || return 1
	# what is found at once is not worth compiling well
	[ "$2" = holds ] && optimise=-O2 || optimise=-O0
	# shellcheck disable=SC2086
	{ spin -a $3 ring.pml && "$CC" $optimise -w -DSAFETY -DCOLLAPSE -DMEMLIM=$memory $reduce -o pan pan.c; } \
		> build 2>&1 || { echo "does not build" > result; return 1; }
	./pan -E -m$depth > out 2>&1 # -E: a thread that has ended is no error
	errors=$(sed -n 's/.*errors: \([0-9]*\)$/\1/p' out)
	states=$(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' out)
	printf '%s states, %s errors, %s MB' "$states" "$errors" \
		"$(sed -n 's/^ *\([0-9.]*\).*total actual memory usage.*/\1/p' out)" > result
	case $2 in
	holds) [ "$errors" = 0 ] && ! grep -q -e 'max search depth too small' -e 'out of memory' \
		-e 'Search not completed' out ;;
	fails) [ "${errors:-0}" -gt 0 ] && grep -q 'assertion violated' out ;;
	esac
}

count=0
while IFS='|' read -r expected switches about; do
	[ -n "$expected" ] || continue
	count=$((count + 1))
	while [ "$(jobs -rp | wc -l)" -ge 2 ]; do wait -n; done
	( if search "$tmp/$count" "$expected" "$switches"; then touch "$tmp/$count/ok"; fi ) &
done <<< "$configurations"
wait

echo "1..$count"
failed=0 number=0
while IFS='|' read -r expected switches about; do
	[ -n "$expected" ] || continue
	number=$((number + 1))
	line="$number - $expected: $about ($(cat "$tmp/$number/result" 2> /dev/null))"
	if [ -e "$tmp/$number/ok" ]; then
		echo "ok $line"
	else
		echo "not ok $line"
		sed 's/^/# /' "$tmp/$number/build" "$tmp/$number/out" 2> /dev/null | tail -n 20
		failed=1
	fi
done <<< "$configurations"
exit $failed
