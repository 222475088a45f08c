# SPDX-License-Identifier: GPL-2.0-only
# Exactness: threads in processes write numbered events across migrations, signals and forks into rings that are large
# enough. Every event is there, once, in time order, and none is discarded.
. "${top_srcdir:-.}/tests/stress/common.sh"
weir_mount

n=$(soak 200000 50000)
rounds=$(soak 20 1)
room="subbuf_size=$(soak 4M 1M 64K) subbuf_count=16" # all of it may come from one CPU

# Twice: while the processes are there, and from what they leave.
live_and_dead() {	# NAME OPTION...
	local name=$1 pid
	shift
	mkfifo "$tmp/hold"
	traced timeout -k 5 600 "$tmp/writer" -w "$@" "$counts" <"$tmp/hold" >"$tmp/out" 2>&1 &
	pid=$!
	exec 9>"$tmp/hold"
	wait_for grep -q written "$tmp/out"
	settle
	counted "$name" exact
	exec 9>&-
	wait "$pid" || fail "the writer ends well" "$(cat "$tmp/out")"
	rm "$tmp/hold"
	counted "$name" exact
}

# shellcheck disable=SC2086
new_trace plain mode=overwrite $room
live_and_dead plain -n "$n"
decoded plain
drop plain

for ((round = 0; round < rounds; round++)); do
	for p in 1 4; do
		for t in 1 2 8; do
			# shellcheck disable=SC2086
			new_trace "p${p}t$t" mode=$((( (p + t + round) & 1 )) && echo discard || echo overwrite) $room
			write_all -p $p -t $t -n $((n / p)) -m -s -F "$(soak 200 25)" $((( t == 2 )) && echo -x)
			counted "p${p}t$t" exact
			[ -n "$less" ] && ((p * t > 2)) || decoded "p${p}t$t"
			drop "p${p}t$t"
		done
	done
done

# No context, rings of many small sub-buffers.
new_trace bare context=none subbuf_size=4K subbuf_count=4096 mode=discard
write_all -t 2 -n "$n" -m -s
counted bare exact
decoded bare

# Many switches, each at another offset, under signals whose shorter records may still fit.
new_trace switches context=none subbuf_size=4K subbuf_count=4096 mode=discard
write_all -t 4 -p 2 -n "$(soak 100000 50000)" -m -s -x
counted switches exact
