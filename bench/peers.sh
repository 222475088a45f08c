#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# bench/peers: what tracing costs a program, by weir and by LTTng-UST, asked in turn. peers.sh [ROUNDS]
# Both overwrite the oldest in 4 sub-buffers of 256 KiB a CPU; weir's events carry the thread's id, LTTng-UST's nothing more.
. "$(dirname "$0")/bench.sh"
. "$(dirname "$0")/lttng.sh"
rounds=${1:-9}
bench=$top_builddir/bench
whos=(weir)
[ -z "$sessiond" ] || whos+=(ust "ust+tsc")

pair() {	# WHO ARGUMENT...
	local who=$1
	shift
	case $who in
	ust+tsc) with_tsc "$bench/pair_ust" "$@" ;;
	*) "$bench/pair_$who" "$@" ;;
	esac
}

report() {	# PREFIX NAME UNIT: the files $tmp/PREFIX.WHO
	local who
	for who in "${whos[@]}"; do
		[ ! -s "$tmp/$1.$who" ] || bench_stat "$2" "$3: $(who_name "$who")" "$4" <"$tmp/$1.$who"
	done
}

bench_mount
bench_trace w subbuf_size=256K subbuf_count=4 "events=*\n!bench:off"
[ -z "$sessiond" ] || { session w; lttng_ start w; }

# ---- events ---------------------------------------------------------------------------------------------------
questions=("off 1" "num 1" "num 2" "num 4" "num 8" "str 1" "str 2")
label() {
	local kind
	case $1 in off) kind="disabled" ;; num) kind="12 bytes" ;; str) kind="12 bytes + string of 32" ;; esac
	[ "$2" = 1 ] && echo "$kind, 1 thread" || echo "$kind, $2 threads"
}
for ((r = 0; r < rounds; r++)); do
	for q in "${questions[@]}"; do
		for who in "${whos[@]}"; do
			case $who$q in ust+tscoff*) continue ;; esac
			# shellcheck disable=SC2086
			pair "$who" write ${q% *} "${q#* }" 500000 >>"$tmp/${q/ /-}.$who"
		done
	done
done
for q in "${questions[@]}"; do
	# shellcheck disable=SC2086
	report "${q/ /-}" event "$(label $q)" ns
done

# ---- the first lap of a ring of 64 MiB, whose pages are new; LTTng-UST's exist before: it populates them --------------
bench_trace lap subbuf_size=1M subbuf_count=64 events=bench:num
echo 0 >"$mnt/w/control/enabled"
[ -z "$sessiond" ] || { lttng_ stop w; session lap 1M 64; lttng_ start lap; }
for ((r = 0; r < rounds; r++)); do
	for who in "${whos[@]}"; do
		pair "$who" lap 2700000 >>"$tmp/lap.$who"
	done
done
report lap event "12 bytes, first lap of 64 MiB" ns
rmdir "$mnt/lap"
echo 1 >"$mnt/w/control/enabled"
[ -z "$sessiond" ] || { lttng_ destroy lap; lttng_ start w; }

# ---- starting, without an event and with one -------------------------------------------------------------------
programs=("$bench/pair_plain" "$bench/pair_weir")
[ -z "$sessiond" ] || programs+=("$bench/pair_ust")
events_of() { case $1 in 0) echo "no event" ;; 1) echo "one event" ;; *) echo "a full ring" ;; esac; }
for events in 0 1; do
	"$bench/pair_plain" spawn $((rounds * 5)) $events "${programs[@]}" >"$tmp/spawn"
	awk '{ print $2 - $1 }' "$tmp/spawn" >"$tmp/start-$events.weir"
	[ -z "$sessiond" ] || awk '{ print $3 - $1 }' "$tmp/spawn" >"$tmp/start-$events.ust"
	cut -d' ' -f1 "$tmp/spawn" | bench_stat start "a program that is not traced, $(events_of $events)" us
	report start-$events start "added by being traced, $(events_of $events)" us
done

# ---- resident memory --------------------------------------------------------------------------------------------
rss() {	# PROGRAM EVENTS
	local kib
	coproc HOLD { exec "$1" hold "$2"; }
	read -r _ <&"${HOLD[0]}"
	kib=$(awk '/^Rss:/ { print $2 }' "/proc/$HOLD_PID/smaps_rollup")
	exec {HOLD[1]}>&-
	wait "$HOLD_PID"
	echo "$kib"
}
for events in 0 1 200000; do
	for ((r = 0; r < (rounds + 2) / 3; r++)); do
		plain=$(rss "$bench/pair_plain" $events)
		for who in weir ust; do
			[ "$who" = weir ] || [ -n "$sessiond" ] || continue
			echo $(($(rss "$bench/pair_$who" $events) - plain)) >>"$tmp/rss-$events.$who"
		done
	done
done
for events in 0 1 200000; do report rss-$events memory "added to a process, $(events_of $events)" KiB; done

# ---- from nothing to the first event of a running process ----------------------------------------------------------
[ -z "$sessiond" ] || lttng_ destroy w
rmdir "$mnt/w"
start_weir() { mkdir "$mnt/first$1" && echo 1 >"$mnt/first$1/control/enabled"; }
start_ust() {
	lttng_ create "first$1" --snapshot --output="$tmp/lttng-traces/first$1" &&
		lttng_ enable-event -u -s "first$1" bench:num && lttng_ start "first$1"
}
stop_weir() { rmdir "$mnt/first$1"; }
stop_ust() { lttng_ destroy "first$1"; }
start_calls() { began=$("$bench/pair_plain" make "$mnt/first$1"); }
stop_calls() { stop_weir "$1"; }
first() {	# WHO ROUND PROGRAM
	local began
	: >"$tmp/out"
	taskset -c 1 "$bench/$3" first >"$tmp/out" &
	until grep -q ready "$tmp/out"; do kill -0 $!; sleep 0.02; done
	began=${EPOCHREALTIME/./}
	"start_$1" "$2"
	wait $!
	"stop_$1" "$2"
	echo $(($(tail -n 1 "$tmp/out") - began)) >>"$tmp/first.$1"
}
for ((r = 0; r < rounds; r++)); do
	first weir "$r" pair_weir
	first calls "$r" pair_weir
	[ -z "$sessiond" ] || first ust "$r" pair_ust
done
report first control "trace made and enabled, first event recorded" us
bench_stat control "the same by three system calls of a program that runs" us <"$tmp/first.calls"
