#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# inotify: directories that come and go by themselves, event types that are added; each is told once, none is missed.
. "${top_srcdir:-.}/tests/lib/mount.sh"
tick=$top_builddir/tests/mount/tick
need inotifywait
$CC -std=gnu11 -D_GNU_SOURCE -O2 -o "$tmp/inotify" "$top_srcdir/tests/mount/inotify.c" &&
	$CC -std=gnu11 -O2 -I"$top_srcdir/include" -o "$tmp/more" "$top_srcdir/tests/mount/more.c" -ldl &&
	$CC -std=gnu11 -O2 -fPIC -shared -DLIBRARY -I"$top_srcdir/include" -o "$tmp/libmore.so" \
		"$top_srcdir/tests/mount/more.c" || { echo "Bail out! no compiler"; exit 99; }
chmod 755 "$tmp"/libmore.so "$tmp/more"
processes=$(soak 1000 40 40)

told=$tmp/told fences=0
watcher() {
	: >"$told"
	"$tmp/inotify" "$mnt" >>"$told" &
	watcher_pid=$!
	wait_for grep -q '^watch .$' "$told"
}
fence() {	# everything that has happened so far has been told
	local f=fence$((fences += 1))
	weir_trace $f && wait_for grep -qx "watch $f" "$told" && echo . >"$mnt/$f/marker" &&
		wait_for grep -qx "create $f/marker-0" "$told" || fail "a fence" "$(tail "$told")"
	rmdir "$mnt/$f"
	wait_for grep -qx "delete $f" "$told" || fail "a fence goes" "$(tail "$told")"
}
events() { grep -E "^($1) $2" "$told" | sort; }	# WHAT PATH, regular expressions
new_trace() { weir_trace "$@" && wait_for grep -qx "watch $1" "$told"; }
named() { find "$mnt/$1" -mindepth 1 -maxdepth 1 -name '*-*' -printf "$2 $1/%f\n" | sort; }	# TRACE WHAT
some() {	# N PROGRAM...: so many processes, ten at a time
	local n=$1 i
	shift
	for ((i = 1; i <= n; i++)); do
		traced "$@" &
		((i % 10)) || wait_jobs
	done
	wait_jobs
}
wait_jobs() { local j; for j in $(jobs -rp); do case $j in "$watcher_pid" | "$daemon_pid" | "$guard_pid" | "${more_pid:-}") ;; *) wait "$j" ;; esac; done; }

weir_mount
watcher
new_trace web
is "a trace that is made is told, by the kernel" "$(events '.*' web)" "create web
watch web"
traced "$tick" 3
fence
is "a process's directory" "$(events create web/)" "$(named web create)"
is "there was one" "$(events create web/ | wc -l)" 1
ls -lR "$mnt/web" >/dev/null
cat "$mnt"/web/tick-*/metadata >"$tmp/metadata"
fence
is "is told once, whoever looks" "$(events 'create|delete|modify' web/ | wc -l)" 1
ok "and is what it was" cmp "$tmp/metadata" "$mnt"/web/tick-*/metadata

some "$processes" "$tick" 10
fence
is "$processes processes come" "$(events create web/)" "$(named web create)"
is "all of them" "$(events create web/ | wc -l)" $((processes + 1))
is "none has gone" "$(events delete web/)" ""
echo 'other:*' >"$mnt/web/control/events"
some 10 "$tick" 10
fence
is "who records nothing does not come" "$(events create web/ | wc -l)" $((processes + 1))
named web delete >"$tmp/names"
echo 1 >"$mnt/web/control/clear"
fence
is "cleared: they go" "$(events delete web/)" "$(cat "$tmp/names")"
is "nothing is there" "$(named web delete)" ""

# one that stays
: >"$told"
echo '*' >"$mnt/web/control/events"
new_trace two
coproc MORE { exec env LD_PRELOAD="$(weir_preload)" "$tmp/more" "$tmp/libmore.so"; }
say() { echo "$1" >&"${MORE[1]}"; read -r _ <&"${MORE[0]}"; }
say one
more_pid=$MORE_PID d=more-$MORE_PID
wait_for grep -qx "watch web/$d" "$told"
wait_for grep -qx "watch two/$d" "$told"
fence
is "a process that stays comes in each trace" "$(events 'create|delete|modify' '(web|two)/')" "create two/$d
create web/$d"
say two
fence
is "and is told once" "$(events 'create|delete|modify' '(web|two)/' | wc -l)" 2
lines() { grep -c ' = more:' "$mnt/$1/$d/metadata"; }
before=$(grep -c '^event ' "$mnt/web/$d/metadata")
say load
wait_for grep -qx "modify web/$d/metadata" "$told"
wait_for grep -qx "modify two/$d/metadata" "$told"
fence
is "event types are added to metadata" "$(events 'create|delete|modify' '(web|two)/')" "create two/$d
create web/$d
modify two/$d/metadata
modify web/$d/metadata"
ok "they are there" [ "$(grep -c '^event ' "$mnt/web/$d/metadata")" -gt "$before" ]
exec 7<"$mnt/web/$d"
: >"$told"
echo 1 >"$mnt/web/control/clear"
wait_for grep -qx "delete web/$d" "$told"
say after
wait_for grep -qx "watch web/$d" "$told"
fence
is "cleared and back" "$(events 'create|delete|modify' web/)" "create web/$d
delete web/$d"
is "the new directory is alive" "$(ls "$mnt/web/$d" | grep -c metadata)" 1
ok "and reads" bt "$mnt/web/$d"
exec 7<&-
exec {MORE[1]}>&-
wait "$more_pid"
more_pid=
fence
is "its end is no event" "$(events 'create|delete|modify' web/ | wc -l)" 2

# snapshots
: >"$told"
mkdir "$mnt/web@s"
fence
rmdir "$mnt/web@s"
fence
is "a snapshot comes and goes, whole" "$(events 'create|delete|modify' 'web@')" "create web@s
delete web@s"

# memory is needed: the oldest go
: >"$told"
echo 0 >"$mnt/web/control/max_bytes"
wait_for grep -qx "delete web/$d" "$told"
fence
is "for max_bytes it goes" "$(events 'create|delete' web/)" "delete web/$d"
ok "not in the other trace" test -d "$mnt/two/$d"
ok "a trace is removed" rmdir "$mnt/two"
fence
is "its directories go with it" "$(events delete 'two.*')" "delete two"

# traces come and go under them
: >"$told"
echo 256M >"$mnt/web/control/max_bytes"
(for ((i = 0; i < 40; i++)); do
	mkdir "$mnt/x$((i % 4))" && echo 1 >"$mnt/x$((i % 4))/control/enabled"
	[ $i -lt 3 ] || rmdir "$mnt/x$(((i + 1) % 4))"
done) 2>"$tmp/churn" &
some "$processes" "$tick" 10
wait_jobs
is "the traces came and went" "$(cat "$tmp/churn")" ""
fence
is "nothing is lost in between" "$(events create web/)" "$(named web create)"
is "$processes of them" "$(events create web/ | wc -l)" "$processes"
is "nothing is told twice" "$(events create 'x[0-9]/' | wc -l)" "$(awk '/^(create|delete) x[0-9]$/ { gen[$2]++ }
	/^create x[0-9]\// { split($2, p, "/"); if (!seen[$2 gen[p[1]]]++) n++ } END { print n + 0 }' "$told")"
not_ok "the watcher kept up" grep -q overflow "$told"
kill "$watcher_pid"

inotifywait -m -r "$mnt" --format '%e %w%f' >"$tmp/wait" 2>"$tmp/wait.err" &
wait_for grep -q established "$tmp/wait.err"
weir_trace new
traced "$tick" 10
wait_for grep -q "CREATE,ISDIR $mnt/new/tick-" "$tmp/wait"
is "inotifywait -m -r tells" "$(grep -c "^CREATE,ISDIR $mnt/new/tick-" "$tmp/wait")" 1
kill $!

# Somebody else is mounted over it: no event, nothing made there.
mkdir "$tmp/over"
mount --bind "$tmp/over" "$mnt"
some 5 "$tick" 10
umount "$mnt"
is "what lies over the mount is let alone" "$(ls -A "$tmp/over")" ""

# The daemon is ended while there is much to tell.
for ((round = 0; round < 3; round++)); do
	(some 40 "$tick" 10) 2>/dev/null &
	wait_for eval '[ "$(ls "$mnt/web" | grep -c tick)" -ge '$((round * 5 + 1))' ]'
	if ((round % 2)); then weir_umount; else kill -TERM "$daemon_pid"; wait "$daemon_pid"; fi
	is "an end with something to tell, $round" $? 0
	not_ok "the mount is gone, $round" mountpoint -q "$mnt"
	daemon_pid=
	kill -- "-$guard_pid" 2>/dev/null
	wait_jobs
	weir_mount
	weir_trace web
done
