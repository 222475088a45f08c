#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Snapshots made and removed under full load, while traces, processes and readers come and go: nothing hangs, every
# one decodes, and afterwards the daemon holds what it held before.
. "${top_srcdir:-.}/tests/lib/mount.sh"
tick=$top_builddir/tests/mount/tick
need babeltrace2 gdb
seconds=${WEIR_SOAK:+600} seconds=${seconds:-15}
start() { env LD_PRELOAD="$(weir_preload)" "$@" >/dev/null & }	# its pid is $!
weir_mount
weir_trace web subbuf_size=64K subbuf_count=8 max_bytes=1M 'events=tick:*'
start "$tick" -1 2
writer=$!
wait_for test -d "$mnt/web/tick-$writer"

held() {	# descriptors, threads, mappings of a huge page and more
	echo "fds $(ls "/proc/$daemon_pid/fd" | wc -l) threads $(ls "/proc/$daemon_pid/task" | wc -l)"
}
settled() { [ "$(held)" = "$1" ] && sleep 1 && [ "$(held)" = "$1" ]; }
idle() { [ "$(ls "/proc/$daemon_pid/task" | wc -l)" -le 16 ]; }
# what the kernel still knows of what is there, and need not, it forgets
nodes() {
	echo 2 >/proc/sys/vm/drop_caches
	gdb -p "$daemon_pid" -batch -ex 'print weir_nodes_count.nodes' 2>/dev/null | sed -n 's/^\$1 = //p'
}
rss() { awk '/^VmRSS/ { print $2 }' "/proc/$daemon_pid/status"; }

end=$((SECONDS + seconds))
loop() { while [ $SECONDS -lt $end ]; do "$@" || return; done; }
make_remove() { mkdir "$mnt/web@$1" && rmdir "$mnt/web@$1" || echo "web@$1" >>"$tmp/failed"; }
decode() {
	mkdir "$mnt/web@$1" && bt "$mnt/web@$1" >/dev/null 2>>"$tmp/failed" || echo "decode web@$1" >>"$tmp/failed"
	rmdir "$mnt/web@$1" || echo "rmdir web@$1" >>"$tmp/failed"
}
traces() {	# a trace that comes and goes, with snapshots that may come too late
	mkdir "$mnt/$1" && echo 1 >"$mnt/$1/control/enabled" || echo "trace $1" >>"$tmp/failed"
	traced "$tick" 100
	mkdir "$mnt/$1@s" && echo 1 >"$mnt/$1/control/clear" || echo "mkdir $1@s" >>"$tmp/failed"
	rmdir "$mnt/$1" || echo "rmdir $1" >>"$tmp/failed"
	cat "$mnt/$1@s/text" >/dev/null 2>>"$tmp/failed"
	rmdir "$mnt/$1@s" || echo "rmdir $1@s" >>"$tmp/failed"
}
racing() { mkdir "$mnt/web@race" 2>/dev/null; rmdir "$mnt/web@race" 2>/dev/null; true; }
programs() { traced "$tick" 100; }	# the oldest go, by max_bytes
killed() {	# a reader that does not live to see the end
	mkdir "$mnt/web@$1"
	cat "$mnt/web@$1"/*/cpu* "$mnt/web@$1/text" >/dev/null 2>&1 &
	local reader=$!
	rmdir "$mnt/web@$1"
	kill -KILL $reader
	wait $reader 2>/dev/null
	true
}
some() {
	loop make_remove a & loop decode b & loop traces c & loop racing & loop racing & loop programs & loop killed d &
	wait $(jobs -rp | grep -vx -e "$writer" -e "$daemon_pid" -e "$guard_pid")
}
touch "$tmp/failed"
(end=$((SECONDS + 2)) some) 2>/dev/null # warm
wait_for idle
before=$(held)
first=$(rss) first_nodes=$(nodes)
end=$((SECONDS + seconds))
some 2>"$tmp/noise"
is "made, read and removed for $seconds s" "$(sort "$tmp/failed" | uniq -c | head -20)" ""
is "none is left" "$(ls "$mnt")" web
is "nor a descriptor or a thread too many" "$(for i in $(seq 30); do [ "$(held | cut -d' ' -f2)" = "$(echo "$before" | cut -d' ' -f2)" ] && idle && break; sleep 1; done
	held | cut -d' ' -f2)" "$(echo "$before" | cut -d' ' -f2)"
ok "threads" idle
few() {	# FORGET comes when the kernel pleases
	local i
	for ((i = 0; i < 20; i++)); do [ "$(nodes)" -lt $((first_nodes + 50)) ] && return; sleep 1; done
	echo "there are $(nodes)"
	return 1
}
ok "nor a node: there were $first_nodes" few
small() { [ "$(rss)" -lt $((first + 32768)) ]; }
memory() {	# what the daemon has, and what of it glibc holds free
	echo "RSS: $first KiB, then $(rss); memfds mapped: $(grep -c memfd: "/proc/$daemon_pid/maps"), open: $(find "/proc/$daemon_pid/fd" -lname '*memfd:*' | wc -l)"
	grep -E '^(VmHWM|Rss)' "/proc/$daemon_pid/status"
	gdb -p "$daemon_pid" -batch -ex "set \$f = (void *)fopen(\"$tmp/heap\", \"w\")" -ex 'call (int)malloc_info(0, $f)' \
		-ex 'call (int)fclose($f)' >/dev/null 2>&1
	awk -F'"' '/^<heap / { h = "arena " $2 } /^<\/heap/ { h = "all" } /^<total type="(fast|rest|mmap)"/ { free[$2] = $6 }
		/^<system type="current"/ { print h ": " $4 " bytes, free: " free["fast"] + free["rest"] (h == "all" ? ", mapped: " free["mmap"] : "") }' "$tmp/heap"
}
[ "$WEIR_SANITIZE" != none ] || { wait_for small && pass "nor memory: $first KiB, then $(rss)"; } || fail "nor memory" "$(memory)"
kill "$writer"
wait "$writer" 2>/dev/null || :
