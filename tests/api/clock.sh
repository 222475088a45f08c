#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# At the time of the mount readers show wall-clock time within 1 ms, with either clock.
. "${top_srcdir:-.}/tests/lib/mount.sh"
need babeltrace2

within() {	# BEFORE TIME AFTER, in seconds: 1 ms is the promise
	awk -v a="$1" -v t="$2" -v b="$3" 'BEGIN { exit !(a - 0.001 <= t && t <= b + 0.001) }'
}

for clock in tsc monotonic; do
	weir_mount --clock=$clock
	is "$clock is the clock" "$(cat "$mnt/.weir/clock")" "$clock"
	weir_trace t
	before=$EPOCHREALTIME
	echo now >"$mnt/t/marker"
	after=$EPOCHREALTIME
	ok "$clock: text shows the time" within "$before" "$(cut -d' ' -f1 "$mnt/t/text")" "$after"
	time=$(bt "$mnt/t" --clock-seconds | sed 's/^\[\([0-9.]*\)\].*/\1/')
	ok "$clock: babeltrace2 shows the time" within "$before" "$time" "$after"
	before=$EPOCHREALTIME
	traced "$top_builddir/tests/api/behave" >/dev/null
	after=$EPOCHREALTIME
	ok "$clock: and of a program's events" within "$before" "$(awk '/ api:destructor: / { print $1 }' "$mnt/t/text")" "$after"
	weir_umount
	is "$clock: it unmounts" $? 0
done

auto=monotonic
[ "$(cat /sys/devices/system/clocksource/clocksource0/current_clocksource)" = tsc ] &&
	grep -qw constant_tsc /proc/cpuinfo && grep -qw nonstop_tsc /proc/cpuinfo && auto=tsc
weir_mount
is "the kernel's clock source decides" "$(cat "$mnt/.weir/clock")" $auto
