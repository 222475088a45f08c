# SPDX-License-Identifier: GPL-2.0-only
# Small rings that turn over all the time. Discard mode: seen + events_discarded = written. Overwrite mode, records of
# one size: seen + overwritten + lost = written. Exactly, also where the lap of a ring of 2 or 4 sub-buffers counts.
. "${top_srcdir:-.}/tests/stress/common.sh"
weir_mount

n=$(soak 2000000 60000)
rounds=$(soak 10 1)

for ((round = 0; round < rounds; round++)); do
	for geometry in '4K 2' '4K 4' '16K 8'; do
		size=${geometry% *} count=${geometry#* }
		for mode in discard overwrite; do
			for context in tid none; do
				name=$mode-$size-$count-$context
				new_trace "$name" mode=$mode subbuf_size="$size" subbuf_count="$count" context=$context
				write_all -t 4 -p 2 -n $((n / 8)) -m -s -F "$(soak 100 5)"
				# 8 bytes {time, id}, 4 of tid, 12 of fields
				counted "$name" $mode -o "$((${size%K} * 1024)):$([ $context = tid ] && echo 24 || echo 20)"
				decoded "$name"
				drop "$name"
			done
		done
	done

	# Strings: sub-buffers end at every offset.
	new_trace strings mode=discard subbuf_size=4K subbuf_count=2
	write_all -t 8 -n $((n / 8)) -m -s -x
	counted strings discard
	decoded strings
	drop strings
	new_trace strings mode=overwrite subbuf_size=4K subbuf_count=4
	write_all -t 8 -n $((n / 8)) -m -s -x
	counted strings any
	decoded strings
	drop strings
done

# Two threads and nothing else: the laps.
for count in 2 4; do
	for mode in overwrite discard; do
		new_trace laps mode=$mode subbuf_size=4K subbuf_count=$count
		write_all -t 2 -n "$(soak 100000000 2000000)"
		counted laps $mode -o 4096:24
		drop laps
	done
done

# Events larger than a sub-buffer are lost, and counted.
new_trace large mode=overwrite subbuf_size=4K subbuf_count=128
write_all -t 2 -n 2000 -l
counted large discard
decoded large
drop large
