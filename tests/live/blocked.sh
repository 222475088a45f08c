# SPDX-License-Identifier: GPL-2.0-only
# Two hundred readers that wait: the mount answers, tools walk it to their end, every reader goes when it is told to.
. "${top_srcdir:-.}/tests/live/common.sh"
need rsync tar
weir_mount
readers=200

weir_trace t subbuf_size=4K subbuf_count=2
streams_each=3	# two CPUs and cpux at least, where there are two; one CPU has two
[ -e "$(dirname /sys/devices/system/cpu/cpu1/.)" ] || streams_each=2
processes=$(((readers + streams_each - 1) / streams_each))
mkfifo "$tmp/hold"
for ((i = 0; i < processes; i++)); do
	"$tick" 1 1 wait <"$tmp/hold" >"$tmp/tick.$i" &
done
exec 9>"$tmp/hold"
for ((i = 0; i < processes; i++)); do wait_for grep -q done "$tmp/tick.$i"; done
settle

# What the daemon has. Threads and memory of its own come and go a little.
daemon_has() {
	echo "fds $(ls "/proc/$daemon_pid/fd" | wc -l)"
	awk '/^Threads/ { print "threads", $2 }' "/proc/$daemon_pid/status"
}
start_readers() {	# [COMMAND...]: sets cats
	local s
	cats=()
	for s in "$mnt"/t/tick-*/live/cpu*; do
		[ ${#cats[@]} -lt $readers ] || break
		"$@" cat "$s" >/dev/null 9>&- 2>>"$tmp/cat.err" &
		cats+=($!)
	done
	for c in "${cats[@]}"; do wait_for asleep "$c" || fail "reader $c waits" "$(cat "$tmp/cat.err")"; done
}
end_readers() {	# SIGNAL
	local c ended=0
	kill -"$1" "${cats[@]}"
	for c in "${cats[@]}"; do
		wait "$c" 2>/dev/null
		[ $? -eq $((128 + $(kill -l "$1"))) ] && ended=$((ended + 1))
	done
	is "SIG$1 ends them all" "$ended" ${#cats[@]}
}

start_readers env --default-signal=INT
is "that many wait" ${#cats[@]} $readers
cat "$(ls -d "$mnt"/t/tick-* | head -1)/live/cpu0" >"$tmp/out" 2>&1
like "a second reader of one is told" "$(cat "$tmp/out")" 'Device or resource busy'
first=$(ls -d "$mnt"/t/tick-* | head -1)/live/cpu0 more=()
for ((i = 0; i < 40; i++)); do
	cat "$first" 9>&- 2>"$tmp/busy.$i" &	# a file each: cat(1) writes its line in four pieces
	more+=($!)
done
ok "and more of them than the daemon has threads" ls "$mnt/t"
wait "${more[@]}"
is "are told, each" "$(grep -l 'Device or resource busy' "$tmp"/busy.* | wc -l)" 40
ok "status" grep -q tick "$mnt/t/status"
is "ls" "$(ls "$mnt/t" | grep -c tick)" "$processes"
is "text" "$(wc -l <"$mnt/t/text")" "$processes"
mkdir "$mnt/other"
ok "mkdir, rmdir" rmdir "$mnt/other"
ok "cp -r" cp -r "$mnt/t" "$tmp/cp"
ok "what was copied decodes" bt "$tmp/cp"
not_ok "and has no live streams" test -e "$(ls -d "$tmp"/cp/tick-* | head -1)/live"
ok "grep -r" grep -rqa tick:count "$mnt/t"
not_ok "grep -r that finds nothing" grep -rqa "no such $$ thing" "$mnt"
ok "tar" tar -C "$mnt" -cf "$tmp/tar" t
ok "rsync" rsync -a "$mnt/t/" "$tmp/rsync/"
ok "find" find "$mnt" -ls
ok "du" du -a "$mnt"
end_readers INT 2>/dev/null
start_readers
threads=$(daemon_has | awk '/threads/ { print $2 }')
ok "readers that wait take no worker" test "$threads" -lt 48
end_readers KILL 2>/dev/null

# The same again and again: nothing stays behind.
before=$(daemon_has | grep fds)
for ((i = 0; i < 2; i++)); do
	start_readers
	end_readers KILL 2>/dev/null
done
fds_are() { [ "$(daemon_has | grep fds)" = "$1" ]; }
ok "no descriptor stays" wait_for fds_are "$before"

# Many threads wait for one open stream.
asleep_thread() { grep -q request_wait_answer /proc/"$1"/task/*/wchan; }
"$lively" threads 100 "$(ls -d "$mnt"/t/tick-* | head -1)/live/cpu0" >"$tmp/out" 2>&1 9>&- &
reader=$!
wait_for grep -q started "$tmp/out"
wait_for asleep_thread $reader
ok "the mount answers" grep -q tick "$mnt/t/status"
kill -KILL $reader
wait $reader 2>/dev/null
is "threads of one reader are killed" "$?" 137

# The end of all: everybody sees the end of file.
start_readers
exec 9>&-
left=0
for c in "${cats[@]}"; do wait "$c" || left=$((left + 1)); done
is "they see the end when the processes end" $left 0
rmdir "$mnt/t"

# A mount that goes away while somebody waits.
weir_trace t
echo x >"$mnt/t/marker"
cat "$mnt/t/marker-0/live/cpu0" >/dev/null 2>"$tmp/out" &
cat=$!
wait_for asleep $cat
kill -TERM "$daemon_pid"
wait $cat
like "who waits is told that nobody will answer" "$(cat "$tmp/out")" '(not connected|aborted)'
wait "$daemon_pid"
is "the daemon ends" $? 0
daemon_pid=
