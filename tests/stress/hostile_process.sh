# SPDX-License-Identifier: GPL-2.0-only
# A process that scribbles over everything that it shares with the daemon, while readers read all that there is: the
# daemon neither ends, hangs nor grows, what it serves always decodes, and other processes' events are all right.
. "${top_srcdir:-.}/tests/stress/read_common.sh"
stress_program read_writer -pthread
stress_program read_check
stress_program hostile_writer
seconds=12
[ "$WEIR_SANITIZE" = asan ] && seconds=30
room=4M little=1M live=0.1 lives=1
# in an emulated guest babeltrace2 takes so long that nothing may go meanwhile: fewer processes, all of which is kept
[ -n "$WEIR_SHORT" ] && seconds=15 room=256M little=256M live=0.5 lives=5
[ -n "$WEIR_SOAK" ] && seconds=1800
seed=${WEIR_SEED:-$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}
diag "WEIR_SEED=$seed"
# The quarantine of AddressSanitizer is no leak.
WEIR_WRAPPER="env ASAN_OPTIONS=detect_leaks=1:verify_asan_link_order=0:handle_segv=0:quarantine_size_mb=16"
weir_mount
weir_trace overwrite subbuf_size=16K subbuf_count=4 max_bytes=$room
weir_trace discard subbuf_size=4K subbuf_count=2 mode=discard context=none max_bytes=$little

secret="secret$(od -An -N12 -tx1 /dev/urandom | tr -d ' \n')"
truncate -s 4096 "$tmp/counters"
# one that must not notice anything
writer victim -r 2000 -s "$secret" -c "$tmp/counters"
victim=$writer
wait_for has "$mnt/overwrite/victim-$victim/"cpu{0,1} || fail "the victim writes"
# With the module its memory is counted by user, and what it takes the victim must not miss.
as=()
[ "${WEIR_BACKEND:-}" = kmod ] && as=(setpriv --reuid=65534 --regid=65534 --clear-groups)
"${as[@]}" "$tmp/hostile_writer" "$WEIR_RUNDIR" "$seed" $lives 2>"$tmp/hostile.err" &
hostile=$!
hostile_there() { compgen -G "$mnt/overwrite/hostile-*"; }
wait_for hostile_there || fail "the hostile process attaches"

# Each reader runs until there is a file `stop`. It counts its rounds, and says what is wrong.
rounds() {	# NAME COMMAND...
	local n=0 name=$1 out
	shift
	while [ ! -e "$tmp/stop" ]; do
		out=$("$@" 2>&1) || echo "round $n: $out" | head -c 3000 >>"$tmp/$name.bad"
		n=$((n + 1))
		echo $n >"$tmp/$name.rounds"
	done
}

# The whole trace, hostile streams and others, in one run. Losses are told on standard error, nothing else. It prints
# names of events as they are, newlines too: what does not start with a time goes on from the line before.
babeltrace() {
	babeltrace2 "$mnt/$1" --clock-seconds >"$tmp/$1.text" 2>"$tmp/$1.err" || { cat "$tmp/$1.err"; return 1; }
	! grep -Ev 'Tracer (may have )?discarded ' "$tmp/$1.err" || return
	awk '!/^\[[0-9]+\.[0-9]+\]/ { next } { time = substr($1, 2) } time < last { print "line " NR ": " time " after " last; exit 1 } { last = time }' \
		"$tmp/$1.text" || return
	[ "$1" != overwrite ] || grep -q "stress:tick.*$secret" "$tmp/$1.text" || { echo "nothing of the victim"; return 1; }
}

# Our checker, which is stricter than babeltrace2, on the bytes of one moment; and nobody else's are among them.
hostile_copies() {
	local dir
	rm -rf "$tmp/copies"
	mkdir "$tmp/copies"
	for dir in "$mnt/overwrite"/hostile-* "$mnt/discard"/hostile-*; do
		# the oldest goes at any moment
		cp -r "$dir" "$tmp/copies/" 2>/dev/null || rm -rf "$tmp/copies/${dir##*/}"
		if [ -d "$tmp/copies/${dir##*/}" ]; then
			"$tmp/read_check" -q -s "$tmp/copies/${dir##*/}" || return
			! grep -rqaF "$secret" "$tmp/copies" || { echo "the secret is in it"; return 1; }
			rm -rf "$tmp/copies/${dir##*/}"
		fi
	done
}

everything() {
	local f
	for f in "$mnt"/.weir/* "$mnt"/*/{status,text} "$mnt"/*/control/*; do cat "$f" >/dev/null || return; done
	ls -lR "$mnt" >/dev/null 2>&1
	for f in "$mnt"/*/hostile-*/text; do
		cat "$f" >"$tmp/some.text" 2>/dev/null
		! grep -qaF "$secret" "$tmp/some.text" || { echo "the secret is in $f"; return 1; }
	done
	grep -q "$secret" "$mnt/overwrite/victim-$victim/text"
}

# Live streams, cut again and again: what was taken decodes. The readers are killed, within a packet or not.
live_streams() {
	local dir s
	for dir in "$mnt/overwrite"/hostile-* "$mnt/discard"/hostile-*; do
		[ ! -e "$tmp/stop" ] || [ ! -s "$tmp/live.events" ] || break
		rm -rf "$tmp/live"
		mkdir "$tmp/live"
		for s in cpu0 cpu1 cpux; do
			echo all >"${dir%/*}/control/switch"
			timeout $live cat "$dir/live/$s" 2>/dev/null | head -c 4M >"$tmp/live/$s"
			"$top_builddir/tests/live/lively" trim "$tmp/live/$s" >/dev/null
			[ -s "$tmp/live/$s" ] || rm "$tmp/live/$s"
		done
		cat "$dir/metadata" >"$tmp/live/metadata" 2>/dev/null
		compgen -G "$tmp/live/cpu*" >/dev/null && [ -s "$tmp/live/metadata" ] || continue
		babeltrace2 "$tmp/live" >"$tmp/live.text" 2>"$tmp/live.err" || { cat "$tmp/live.err"; return 1; }
		! grep -Ev 'Tracer (may have )?(discarded|lost) ' "$tmp/live.err" || return
		! grep -qaF "$secret" "$tmp/live.text" || { echo "the secret is in $dir/live"; return 1; }
		wc -l <"$tmp/live.text" >>"$tmp/live.events"
	done
}

victim_reads() { "$tmp/read_check" -q -n 40 -j 2 -c "$tmp/counters" "$mnt/overwrite/victim-$victim"; }

# It starts itself again and again, and babeltrace2 opens each stream of each: on a slow machine more than 1024.
ulimit -Sn "$(ulimit -Hn)"
rounds babeltrace-overwrite babeltrace overwrite & pids=$!
rounds babeltrace-discard babeltrace discard & pids="$pids $!"
rounds copies hostile_copies & pids="$pids $!"
rounds everything everything & pids="$pids $!"
rounds victim victim_reads & pids="$pids $!"
rounds live live_streams & pids="$pids $!"

rss() { awk '/^VmRSS:/ { print $2 }' "/proc/$daemon_pid/status"; }
# Whether damage is come upon, and an event taken live, is chance where readers see a few moments in all: in a guest, or
# on a busy machine. It goes on until both were; 400 s is the hang guard. What is damaged is counted of a source, and goes
# with it, so the most counts.
live_events() { grep -qs '[1-9]' "$tmp/live.events"; }
peak=0 damaged=0 end=$((SECONDS + seconds)) last=$((SECONDS + seconds + 400))
while [ $SECONDS -lt $end ] || { [ $SECONDS -lt $last ] && { [ $damaged = 0 ] || ! live_events; }; }; do
	sleep 0.5
	now=$(rss) || break
	[ "${now:-0}" -le $peak ] || peak=$now
	now=$(status_sum overwrite damaged)
	[ "$now" -le $damaged ] || damaged=$now
	kill -0 $hostile 2>/dev/null || break
done
touch "$tmp/stop"
for pid in $pids; do wait "$pid"; done
ok "the daemon is alive" kill -0 "$daemon_pid"
kill $hostile
wait $hostile
is "the hostile process could do no more than it should" "$? $(cat "$tmp/hostile.err")" "0 "
for name in babeltrace-overwrite babeltrace-discard copies everything victim live; do
	is "$name: always right" "$(cat "$tmp/$name.bad" 2>/dev/null)" ""
	like "$name: rounds" "$(cat "$tmp/$name.rounds")" '^[1-9]'
	diag "$name: $(cat "$tmp/$name.rounds") rounds"
done
ok "live readers got events" live_events
limit=200000
[ "$WEIR_SANITIZE" = none ] || limit=900000
sunk=/sys/module/weir/parameters/sunk
[ ! -e $sunk ] || diag "the module refused pages: $(cat ${sunk%sunk}refused), gave the sink: $(cat $sunk)"
diag "the daemon had at most $peak KiB; damaged packets: $damaged"
ok "its memory is bounded" test $peak -lt $limit
not_ok "something was damaged" test $damaged = 0
writers_end "the victim ends" "$victim"
ok "it left what it wrote" "$tmp/read_check" "$mnt/overwrite/victim-$victim"
is "nothing of it was damaged" "$(status_sum overwrite damaged "victim-$victim")" 0
rmdir "$mnt/overwrite" "$mnt/discard"
