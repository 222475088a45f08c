#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What status counts is exact: seen + overwritten + lost = written, for events of one size.
. "${top_srcdir:-.}/tests/lib/mount.sh"
tick=$top_builddir/tests/mount/tick
weir_mount

# A record of tick:count: header word, u32 thread, u64 n; with the tid 4 bytes more. Rounded up to 8.
for geometry in '4096 2 none 24' '4096 4 tid 24' '16384 2 tid 24' '65536 8 none 24'; do
	set -- $geometry
	per=$((($1 - 88) / $4))
	for mode in overwrite discard; do
		weir_trace web subbuf_size="$1" subbuf_count="$2" context="$3" mode=$mode
		traced "$tick" 50000 2
		seen=$(wc -l <"$mnt/web/text")
		set -- $geometry $(awk 'NR > 1 && !/^#/ {o += $6; l += $7; d += $8} END {print o, l, d}' "$mnt/web/status")
		is "$mode, $1 x $2, $3: overwritten in whole sub-buffers" $(($5 % $1)) 0
		is "$mode, $1 x $2, $3: seen, overwritten and lost are all" $((seen + $5 / $1 * per + $6)) 100000
		[ $mode = overwrite ] && is "nothing is lost" "$6" 0 || is "nothing is overwritten" "$5" 0
		is "nothing is damaged" "$7" 0
		is "babeltrace2 sees as many" "$(babeltrace2 "$mnt/web" 2>/dev/null | wc -l)" "$seen"
		rmdir "$mnt/web"
	done
done
