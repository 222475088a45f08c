# SPDX-License-Identifier: GPL-2.0-only
# Traces are made, enabled, cleared and removed in a loop while threads with and without rseq and children of all
# kinds write at full speed: no event of one trace appears in another, all streams decode, nothing waits.
. "${top_srcdir:-.}/tests/stress/common.sh"
plugins
weir_mount

rounds=$(soak 300 12 6)
writers=() pids=()
start_writer() {	# OPTION...
	env LD_PRELOAD="$(weir_preload)" nice "$tmp/writer" "$@" "$counts" 2>>"$tmp/writers" &
	writers+=($!)
}

set_up() {	# NAME FAMILY GEOMETRY
	local d=$mnt/$1/control
	# shellcheck disable=SC2086
	set -- "$1" "$2" $3
	timeout 60 mkdir "$mnt/$1" &&
		echo "$2:*" >"$d/events" && echo "$3" >"$d/mode" && echo "$4" >"$d/subbuf_size" &&
		echo "$5" >"$d/subbuf_count" && echo "$6" >"$d/context" && echo 1 >"$d/enabled"
}

# What is there belongs to the trace.
look() {	# NAME FAMILY MODE
	local out
	out=$(timeout 300 "$tmp/ctfread" -m "$3" -c "$counts" -e "$2" "$mnt/$1" 2>&1) || { echo "$out"; return 1; }
	echo "${out%% events*}" >>"$tmp/seen.$1"
}

churn() {	# NAME FAMILY ROUND
	local name=$1 family=$2 i=$3 mode=any
	local geometry=('overwrite 4K 2 tid' 'discard 64K 4 none' 'overwrite 256K 16 tid' 'discard 4K 8 tid'
		'overwrite 16K 2 none' 'discard 8K 2 tid')
	set_up "$name" "$family" "${geometry[i % 6]}" || { echo set_up; return 1; }
	[[ ${geometry[i % 6]} = discard* ]] && mode=gapless
	sleep 0.0$((RANDOM % 4))
	look "$name" "$family" any || return 1
	case $((i % 5)) in
	0) echo 1 >"$mnt/$name/control/clear" ;;
	1) echo 0 >"$mnt/$name/control/enabled"; sleep 0.01; look "$name" "$family" any || return 1
	   echo 1 >"$mnt/$name/control/enabled" ;;
	2) echo "!*" >>"$mnt/$name/control/events" ;;
	3) # nothing is missing in between that is not counted
	   echo 0 >"$mnt/$name/control/enabled"; sleep 0.02; look "$name" "$family" "$mode" || return 1
	   echo 1 >"$mnt/$name/control/clear" ;;
	esac
	sleep 0.0$((RANDOM % 2))
	look "$name" "$family" any || return 1
	timeout 60 rmdir "$mnt/$name" || { echo "rmdir: $?"; return 1; }
}

churns() {	# NAME FAMILY
	local i
	for ((i = 0; i < rounds; i++)); do
		churn "$1" "$2" "$i" || { echo "round $i"; return 1; }
	done
}

load() {	# what is under load
	start_writer -f abc -t 2 -m
	start_writer -f abc -t 2 -r -s
	GLIBC_TUNABLES=glibc.pthread.rseq=0 start_writer -f abc -t 2
	start_writer -f bca -t 1 -F 1000000
	start_writer -f cab -t 1 -V 1000000 -D "$tmp/plugin_c.so" -D "$tmp/plugin_cxx.so"
}

load
wait_for wrote_on || fail "the writers write"
for f in a b c; do
	churns "trace-$f" $f >"$tmp/churn.$f" 2>&1 &
	pids+=($!)
done
# One name, reused by all kinds, beside them.
churns "x" a >"$tmp/churn.x" 2>&1
is "x: only its own events" "$(cat "$tmp/churn.x")" ""
for f in a b c; do
	wait "${pids[0]}"
	pids=("${pids[@]:1}")
	is "trace-$f: only its own events" "$(cat "$tmp/churn.$f")" ""
	ok "trace-$f: there were some" awk '{ n += $1 } END { exit !n; }' "$tmp/seen.trace-$f"
done

# A process that is stopped while one trace takes another's place: its threads wake up anywhere on the event path, all
# with the old trace in mind.
sleepers=()
for kind in -m -r; do
	env LD_PRELOAD="$(weir_preload)" nice "$tmp/writer" -f ab -t 6 $kind "$counts" 2>>"$tmp/writers" &
	sleepers+=($!)
done
replaced() {
	local i from to
	for ((i = 0; i < $(soak 1000 40); i++)); do
		((i % 2)) && from=a to=b || from=b to=a
		set_up swap $from 'overwrite 64K 4 tid' || return 1
		sleep 0.00$((RANDOM % 10))
		kill -STOP "${sleepers[@]}"
		rmdir "$mnt/swap" && set_up swap $to 'overwrite 16K 8 tid' || return 1
		kill -CONT "${sleepers[@]}"
		sleep 0.01
		look swap $to any || return 1
		rmdir "$mnt/swap" || return 1
	done
}
kill -STOP "${writers[@]}"
is "stopped while traces change: only events of the new one" "$(replaced 2>&1 && echo all rounds)" "all rounds"
kill -CONT "${writers[@]}"
writers+=("${sleepers[@]}")

# They go on, and what they write is recorded.
set_up last a 'overwrite 64K 4 tid'
for w in 0 1 2 3 4 5 6; do
	ok "writer $w is recorded" wait_for eval "ls '$mnt/last' | grep -q '^writer-${writers[w]}'"
done
kill "${writers[@]}"
for w in "${writers[@]}"; do
	wait "$w"
	is "a writer ended by its signal" $? 143
done
settle
look last a any >"$tmp/last" && pass "the last trace decodes" || fail "the last trace decodes" "$(cat "$tmp/last")"
bt "$mnt/last" >"$tmp/last" 2>/dev/null # it warns of what cpux lost
is "babeltrace2: only its own events" "$(grep -v ' a:seq: ' "$tmp/last" | head -5)" ""
drop last
is "no traces are left" "$(ls "$mnt")" ""
is "the writers said nothing" "$(cat "$tmp/writers")" ""
