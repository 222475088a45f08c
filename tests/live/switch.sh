# SPDX-License-Identifier: GPL-2.0-only
# Buffer switches, by control/switch, control/switch_interval and the program; what was written before is there when
# they return, once. Under full load every event is still seen, missed or discarded exactly.
. "${top_srcdir:-.}/tests/live/common.sh"
weir_mount
cpus=$(awk -F- '{ print $NF }' /sys/devices/system/cpu/possible)

# ---- one program that does what it is told
weir_trace t subbuf_size=64K
control=$mnt/t/control
hold asks taskset -c 0 "$asks"
tell 10
settle
live=$(dir t)/live/cpu0
is "nothing is there before a switch" "$(now "$live")" none
echo 1 >"$control/switch"
is "a switch of another CPU" "$(now "$live")" none
echo 0 >"$control/switch"
is "a switch: what was written before is there when it returns" "$(now "$live")" 10
is "once" "$(now "$live")" none
echo all >"$control/switch"
is "a switch without events" "$(now "$live")" none
for list in 0 0-1 1,0 "0-$cpus" all 0,1,x; do
	tell 3
	echo "$list" >"$control/switch"
	# the switch without events above was not answered by anybody
	is "switch $list" "$(now "$live")" 3
done
for list in '' x,1 1; do
	tell 1
	echo "$list" >"$control/switch" 2>/dev/null
	is "switch '$list' is not for CPU 0" "$(now "$live")" none
done
for bad in "$((cpus + 1))" 0- 1-0 -1 a 0,,1 0, ,0 0x ALL "0 1" 99999999999999999999; do
	not_ok "rejected: $bad" sh -c 'echo "$1" >"$2"' - "$bad" "$control/switch"
	like "and named: $bad" "$(tail -n 1 "$mnt/.weir/errors")" "t/control/switch: \"$bad\": .*accepted: all"
done
is "nothing is shown" "$(cat "$control/switch")" ""
echo 0 >"$control/switch"
is "the rest" "$(now "$live")" 3

tell 5
tell s
is "weir_switch()" "$(now "$live")" 5
is "once, too" "$(now "$live")" none
tell 2
tell h
is "weir_switch() in a signal handler" "$(now "$live")" 2
tell 4
tell f
is "in a child: not the parent's events" "$(now "$live")" none
tell s
is "which come later" "$(now "$live")" 4

# ---- the interval
is "switch_interval is off" "$(cat "$control/switch_interval")" 0
for bad in -1 1s x '' 99999999999; do
	not_ok "switch_interval: $bad" sh -c 'echo "$1" >"$2"' - "$bad" "$control/switch_interval"
done
like "is named" "$(tail -n 1 "$mnt/.weir/errors")" 't/control/switch_interval: .*milliseconds'
tell 6
cat "$live" >"$tmp/out" 9>&- &
cat=$!
wait_for asleep $cat
is "a reader waits" "$(wc -c <"$tmp/out")" 0
echo 20 >"$control/switch_interval"
is "switch_interval is set" "$(cat "$control/switch_interval")" 20
ok "a reader who waits gets what is there after the interval" wait_for test -s "$tmp/out"
tell 1
ok "again" wait_for test "$(stat -c %s "$tmp/out")" -gt 0
kill $cat
wait $cat 2>/dev/null
echo 0 >"$control/switch_interval"
let_go
rmdir "$mnt/t"

# ---- losses alone make a packet
weir_trace t subbuf_size=4K subbuf_count=2 mode=discard
hold asks taskset -c 0 "$asks"
tell 1000
settle
d=$(dir t)
mkdir "$tmp/d"
dd "if=$d/live/cpu0" iflag=nonblock bs=4M 2>/dev/null >"$tmp/d/cpu0"
tell s
dd "if=$d/live/cpu0" iflag=nonblock bs=4M 2>/dev/null >>"$tmp/d/cpu0"
cat "$d/metadata" >"$tmp/d/metadata"
babeltrace2 "$tmp/d" >"$tmp/out" 2>"$tmp/warned"
lost=$(sed -nE 's/.* Tracer discarded ([0-9]+) event.*/\1/p' "$tmp/warned" | awk '{ n += $1 } END { print n + 0 }')
is "seen + lost = written" "$(($(wc -l <"$tmp/out") + lost))" 1000
ok "some were lost" test "$lost" -gt 0
tell 100
is "what was read gives room" "$(now "$d/live/cpu0")" none
tell s
is "for what comes then" "$(now "$d/live/cpu0")" 100
rm -r "$tmp/d"
let_go
rmdir "$mnt/t"

# ---- full load: switches in a loop
switching() {	# TRACE
	local what
	while [ -e "$mnt/$1/control" ]; do
		for what in all 0 1 0-1 x; do
			echo $what >"$mnt/$1/control/switch" || return
		done
		[ -n "$WEIR_SOAK" ] || sleep 0.001
	done 2>/dev/null
}
# A switch of shared memory is a cut; with the module it closes the sub-buffer, so those that are overwritten were not full.
missed=missed
[ "${WEIR_BACKEND:-}" != kmod ] || missed=bound
rounds=$(soak 12 1) # long: 5 minutes
for ((round = 0; round < rounds; round++)); do
	for mode in discard overwrite; do
		for geometry in '4K 2' '4K 16' '16K 4'; do
			size=${geometry% *} count=${geometry#* } name=$mode-$size-$count
			new_trace "$name" mode=$mode subbuf_size="$size" subbuf_count="$count"
			((round & 1)) && echo 1 >"$mnt/$name/control/switch_interval"
			switching "$name" &
			switcher=$!
			capture "$name" "$tmp/$name"
			write_all -t 4 -p 2 -n "$(soak 400000 150000)" -m -s
			captured "$name" "$tmp/$name"
			counted_in "$name" $([ $mode = discard ] && echo discard || echo $missed) "$tmp/$name" \
				-o "$((${size%K} * 1024)):24"
			rm -r "${tmp:?}/$name"
			drop "$name"
			wait $switcher || :
		done
	done
done

# ---- a writer that is killed: all that it wrote, to the event
grown() { [ "$(cat "$1"/*/cpu* 2>/dev/null | wc -c)" -gt 1000000 ]; }
for mode in discard overwrite; do
	new_trace killed mode=$mode subbuf_size=4K subbuf_count=16
	switching killed &
	switcher=$!
	capture killed "$tmp/killed"
	env LD_PRELOAD="$(weir_preload)" "$tmp/writer" -t 4 -m "$counts" &
	writer=$!
	wait_for grown "$tmp/killed" || fail "readers get what is written"
	kill -KILL $writer
	wait $writer 2>/dev/null
	captured killed "$tmp/killed"
	counted_in "killed" $([ $mode = discard ] && echo discard || echo $missed) "$tmp/killed" -o 4096:24
	rm -r "${tmp:?}/killed"
	drop killed
	wait $switcher || :
done
