# SPDX-License-Identifier: GPL-2.0-only
# The daemon goes and comes while programs write: they go on, and join the next one when its control changes. Also
# programs that were there before any daemon. And what a traced program does of system calls.
. "${top_srcdir:-.}/tests/stress/common.sh"
need strace
rounds=$(soak 100 2)

start_writer() {	# OPTION...
	env LD_PRELOAD="$(weir_preload)" nice "$tmp/writer" "$@" "$counts" 2>>"$tmp/writers" &
	writers+=($!)
}

# Every writer has a directory with events, all of them sound.
joined() {	# TRACE WHAT
	local w missing=
	for w in "${writers[@]}"; do
		wait_for test -e "$mnt/$1/writer-$w/metadata" || missing="$missing $w"
	done
	is "$2: all programs are there" "$missing" ""
	wait_for wrote_on || fail "$2: they write on"
	counted "$1" any -e a
	babeltrace2 "$mnt/$1" >"$tmp/bt" 2>/dev/null # it warns of losses
	is "$2: babeltrace2 reads it" "$? $(grep -vc ' a:seq: ' "$tmp/bt")" "0 0"
}

writers=()
small='subbuf_size=16K subbuf_count=4 events=a:*'
weir_mount
new_trace before subbuf_size=16K
rm -f "$counts"
start_writer -t 2 -s
start_writer -t 1 -F 1000000
GLIBC_TUNABLES=glibc.pthread.rseq=0 start_writer -t 2
start_writer -t 2 -r -V 1000000
# shellcheck disable=SC2086
weir_trace first $small
joined first "the first daemon"

for ((round = 0; round < rounds; round++)); do
	weir_umount || fail "the daemon ended well" "status $?"
	ok "no daemon: they write on" wait_for wrote_on
	weir_mount
	# shellcheck disable=SC2086
	weir_trace next $small
	joined next "a daemon after one that ended"
	weir_kill
	ok "a daemon was killed: they write on" wait_for wrote_on
	weir_mount
	is "nothing of it is left" "$(ls "$mnt")" ""
	# shellcheck disable=SC2086
	weir_trace next $small
	joined next "a daemon after one that was killed"
done

# Started while there is none: with what the last one left, and with what the system makes at boot.
weir_umount || fail "the daemon ended well" "status $?"
start_writer -t 2
sleep 0.1
weir_mount
# shellcheck disable=SC2086
weir_trace late $small
joined late "started after the last daemon"

kill "${writers[@]}"
for w in "${writers[@]}"; do
	wait "$w"
	is "a writer ended by its signal, nothing else" $? 143
done
is "the writers said nothing" "$(cat "$tmp/writers")" ""
weir_umount || fail "the daemon ended well" "status $?"

WEIR_RUNDIR=$tmp/boot
mkdir "$WEIR_RUNDIR"
install -m 644 "$top_builddir/cmd/control" "$WEIR_RUNDIR/control"
rm -f "$counts"
writers=()
start_writer -t 2
start_writer -t 2 -r -F 1000000
wait_for wrote_on
weir_mount
# shellcheck disable=SC2086
weir_trace boot $small
joined boot "started before the first daemon"
kill "${writers[@]}"
wait "${writers[@]}"
no_writers() {	# nor children of those that were killed: they write 100 events each
	local p
	for p in /proc/[0-9]*/exe; do
		[ ! "$p" -ef "$tmp/writer" ] || return
	done
}
ok "their children end, too" wait_for no_writers

# System calls: attaching makes some, events make none; nothing stays open; there is no thread.
calls() {	# FILE ENV COMMAND...
	local file=$1
	shift
	strace -f -o "$file" env "$@"
	# the program itself looks now and then whether its thread has ended
	sed -E 's/^[0-9]+ +//; s/\(.*//' "$file" | grep -E '^[a-z_0-9]+$' | grep -vE 'nanosleep|futex' | sort | uniq -c | awk '{ print $2, $1 }'
}
weir_trace calls subbuf_size=1M
LD=LD_PRELOAD=$(weir_preload)
calls "$tmp/s.disabled" WEIR_DISABLE=1 "$LD" "$tmp/writer" -n 100000 "$counts" >"$tmp/disabled"
calls "$tmp/s.few" "$LD" "$tmp/writer" -n 1 "$counts" >"$tmp/few"
calls "$tmp/s.many" "$LD" "$tmp/writer" -n 100000 "$counts" >"$tmp/many"
is "100,000 events make no more system calls than one" "$(diff "$tmp/few" "$tmp/many")" ""
diag "attaching adds:" "$(join -a2 -e0 -o 0,1.2,2.2 "$tmp/disabled" "$tmp/few" | awk '$3 > $2 { print $1, $3 - $2 }')"
is "attaching is one message" "$(grep -c sendmsg "$tmp/s.many")" 1
is "no thread more" "$(grep clone "$tmp/many")" "$(grep clone "$tmp/disabled")"

mkfifo "$tmp/hold"
env "$LD" "$tmp/writer" -n 1000 -w "$counts" <"$tmp/hold" >"$tmp/out" &
pid=$!
exec 9>"$tmp/hold"
wait_for grep -q written "$tmp/out"
is "no descriptor stays open" "$(ls -l "/proc/$pid/fd" | grep -E 'memfd|socket|control')" ""
is "no thread is there" "$(ls "/proc/$pid/task" | wc -l)" 1
exec 9>&-
wait "$pid"
settle
ok "they were recorded" test "$(bt "$mnt/calls" | wc -l)" = 101001
