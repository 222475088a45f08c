# SPDX-License-Identifier: GPL-2.0-only
# babeltrace2 on a live trace, again and again, while overwrite rings turn over, new event types appear, and processes
# start and end: it never fails, warns, or says anything on standard error, and what it prints is in order of time.
. "${top_srcdir:-.}/tests/stress/read_common.sh"
stress_program read_writer -pthread
stress_program read_plugin -shared -fPIC
runs=100
[ -n "$less" ] && runs=8
[ -n "$WEIR_SOAK" ] && runs=300
weir_mount

# Copies of the plugin whose events have other names.
new_plugin() {	# DIRECTORY NUMBER
	LC_ALL=C sed "s/number_00000/number_$(printf %05d "$2")/g" "$tmp/read_plugin" >"$1/$2.tmp" &&
		mv "$1/$2.tmp" "$1/$2.so"
}

# The text is in order. Prints a line `PROCESS EVENTS` for each process, and one for the kinds of plugins' events.
in_order() {	# TEXT
	awk '
		{ time = substr($1, 2, length($1) - 2) }
		time !~ /^[0-9]+\.[0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]$/ { print "line " NR ": " $0; bad = 1; exit }
		time < last { print "line " NR ": " time " after " last; bad = 1; exit }
		{ last = time; split($3, who, ":"); seen[who[2]]++ }
		$4 ~ /^plugin:/ && !kind[$4]++ { kinds++ }
		END {
			if (bad)
				exit 1
			for (name in seen)
				print name, seen[name]
			print "kinds", kinds + 0
		}' "$1"
}

# Between look-up and open a ring may turn over; it may do so again while it is copied. Then there is nothing to print,
# so that every process has to have events in some run, not in each.
babeltrace_runs() {	# RUNS NAME PATH PROCESS...
	local runs=$1 name=$2 path=$3 i failed=0 process
	shift 3
	: >"$tmp/seen"
	for ((i = 1; i <= runs && failed < 3; i++)); do
		new_plugin "$tmp/plugins" $((++plugins))
		if ! bt "$path" --clock-seconds >"$tmp/text" 2>"$tmp/err"; then
			diag "run $i: $(head -c 3000 "$tmp/err")"
			failed=$((failed + 1))
		elif ! in_order "$tmp/text" >"$tmp/summary"; then
			diag "run $i: $(cat "$tmp/summary")"
			failed=$((failed + 1))
		fi
		cat "$tmp/summary" >>"$tmp/seen"
	done
	diag "$name: in runs, events: $(awk '{ runs[$1]++; sum[$1] += $2 } $1 == "kinds" && $2 > max { max = $2 }
		END { for (p in runs) if (p != "kinds") print p, runs[p], sum[p]; print "kinds of plugin events at most", max }' "$tmp/seen" | paste -sd,)"
	is "$name: $runs runs of babeltrace2" "$((i - 1)) runs, $failed failed" "$runs runs, 0 failed"
	for process; do ok "$name: events of $process" grep -q "^$process [1-9]" "$tmp/seen"; done
	ok "$name: events of plugins" grep -q "^kinds [1-9]" "$tmp/seen"
}

# Processes that come and go.
churn() {
	local i
	ln -f "$tmp/read_writer" "$tmp/short"
	for ((i = 0; ; i++)); do
		LD_PRELOAD=$(weir_preload) "$tmp/short" -t $((1 + i % 2)) -n $((1 + i * 37 % 1000)) || return
		sleep 0.2
	done
}

has_source() { compgen -G "$mnt/$1/$2-*" >"$tmp/sources"; }	# TRACE PROCESS

plugins=0
mkdir "$tmp/plugins"
run_all() {	# TRACE MAX_BYTES [RATE]
	local steady fast churn
	# so little is kept of what has ended that processes go while they are read
	weir_trace "$1" subbuf_size=16K subbuf_count=4 max_bytes="$2"
	writer steady -r 25000 -p "$tmp/plugins"
	steady=$writer
	writer fast ${3:+-r $3}
	fast=$writer
	wait_for has "$mnt/$1/steady-$steady/"cpu{0,1} "$mnt/$1/fast-$fast/"cpu{0,1} || fail "$1: nothing is written"
	new_plugin "$tmp/plugins" $((++plugins))
	wait_for grep -q '"plugin:' "$mnt/$1/steady-$steady/metadata" || fail "$1: no event of a plugin"
	babeltrace_runs $((runs > 50 ? runs / 10 : 5)) "$1, one process" "$mnt/$1/steady-$steady" steady
	not_ok "$1: the rings turned over" test "$(status_sum "$1" overwritten "steady-$steady")" = 0
	churn &
	churn=$!
	wait_for has_source "$1" short || fail "$1: no short-lived process"
	babeltrace_runs $runs "$1, the trace" "$mnt/$1" steady fast short
	kill $churn
	wait $churn
	writers_end "$1: the writers end" "$steady" "$fast"
	is "$1: no packet was found damaged" "$(status_sum "$1" damaged)" 0
	rmdir "$mnt/$1"
}
run_all steady 1M 25000
run_all full-speed 1M
