# SPDX-License-Identifier: GPL-2.0-only
# live/cpuN: packets once and whole, whatever reads them and however often readers go; waiting, not waiting, ends.
. "${top_srcdir:-.}/tests/live/common.sh"
weir_mount

drain() {	# DIR OUT: all streams to their ends, metadata after them
	local s
	mkdir -p "$2"
	for s in "$1"/live/cpu*; do
		timeout 60 cat "$s" >"$2/${s##*/}" || fail "cat ${s##*/} ends" "status $?"
		[ -s "$2/${s##*/}" ] || rm "$2/${s##*/}"
	done
	cat "$1/metadata" >"$2/metadata"
}
# ---- what an ended process left: everything, exactly
new_trace ended subbuf_size=4K subbuf_count=1024 mode=overwrite
write_all -t 4 -n 20000 -m -s -x
for p in "$mnt"/ended/*-[0-9]*; do drain "$p" "$tmp/ended/${p##*/}"; done
counted_in "all of an ended process is read" exact "$tmp/ended"
ok "and decodes" bt "$tmp/ended"
is "status knows what was taken" \
	"$(awk '/^writer/ && $4 != $5' "$mnt/ended/status")" ""
is "there is no more" "$(cat "$mnt"/ended/*-[0-9]*/live/cpu0 | wc -c)" 0
drop ended

# ---- reads of every size; each takes the stream to its end
for how in "small" "vector" "dd bs=4K" "dd bs=4M" "dd bs=5000" "cat"; do
	weir_trace t subbuf_size=4K subbuf_count=256
	taskset -c 0 "$tick" 20000
	settle
	d=$(dir t)
	mkdir "$tmp/d"
	case $how in
	dd*) dd "if=$d/live/cpu0" "of=$tmp/d/cpu0" "${how#dd }" 2>/dev/null ;;
	cat) cat "$d/live/cpu0" >"$tmp/d/cpu0" ;;
	*) "$lively" "$how" "$d/live/cpu0" "$tmp/d/cpu0" ;;
	esac
	cat "$d/metadata" >"$tmp/d/metadata"
	is "$how: all events" "$(bt "$tmp/d" | wc -l)" 20000
	rm -r "$tmp/d"
	rmdir "$mnt/t"
done

# A sub-buffer larger than a request, and packets that are multiples of one.
weir_trace t subbuf_size=4M subbuf_count=4 context=none
taskset -c 0 "$tick" 400000
settle
d=$(dir t)
mkdir "$tmp/d"
dd "if=$d/live/cpu0" "of=$tmp/d/cpu0" bs=4M 2>/dev/null
cat "$d/metadata" >"$tmp/d/metadata"
is "packets of megabytes" "$(bt "$tmp/d" | wc -l)" 400000
rm -r "$tmp/d"
rmdir "$mnt/t"

# ---- waiting
weir_trace t subbuf_size=4K subbuf_count=256
ticks 10
d=$(dir t)
live=$d/live/cpu0
timeout 1 cat "$live" >"$tmp/out"
is "a packet that is not complete is waited for" "$? $(wc -c <"$tmp/out")" "124 0"
out=$(dd "if=$live" iflag=nonblock bs=4K 2>&1)
like "O_NONBLOCK" "$out" 'Resource temporarily unavailable'
reader() { env --default-signal=INT cat "$live" >"$tmp/out" 9>&- & cat=$!; wait_for asleep $cat; }
reader
out=$(cat "$live" 2>&1)
like "a second reader" "$out" 'Device or resource busy'
for sig in INT KILL TERM; do
	kill -$sig $cat
	wait $cat 2>/dev/null
	is "SIG$sig ends a reader that waits" "$?" "$((128 + $(kill -l $sig)))"
	reader
done
kill $cat
wait $cat 2>/dev/null
"$lively" interrupted "$live" >"$tmp/out" 2>&1 9>&- &
reader=$!
wait_for grep -q interrupted "$tmp/out"
echo all >"$mnt/t/control/switch"
ends "a signal interrupts, the next read waits again and gets what there is" $reader
let_go
is "nothing is left at the end of the process" "$(cat "$live" | wc -c)" 0
ok "the end is seen again" test -z "$(cat "$live")"
rmdir "$mnt/t"

# ---- positions are looked at while somebody waits, and else not at all: the thread that looks sleeps in poll(2) for
# its descriptors (liburcu's thread does it for none), which is 7, or 73 on other machines, and is counted
looker() { grep -lE '^(7|73) 0x[1-9a-f]' "/proc/$daemon_pid"/task/*/syscall | xargs -n 1 dirname; }
for_ever() { grep -qE '^(7 [^ ]+ [^ ]+ 0xffffffff|73 [^ ]+ [^ ]+ 0x0) ' "$looker/syscall"; }
rounds() { awk '/ctxt_switches/ { n += $2 } END { print n }' "$looker/status"; }
rounds_more_than() { [ "$(rounds)" -gt "$1" ]; }
weir_trace t subbuf_size=4K subbuf_count=4
hold asks taskset -c 0 "$asks"
tell 1
settle
wait_for eval '[ -n "$(looker)" ]'
looker=$(looker)
is "one thread looks" "$(grep -c . <<<"$looker")" 1
live=$(dir t)/live/cpu0
for how in "nobody has waited" "nobody waits any more"; do
	ok "$how: it sleeps for ever" wait_for for_ever
	before=$(rounds)
	for ((i = 0; i < 10; i++)); do
		tell 500
		cat "$mnt/t/status" "$(dir t)/cpu0" >/dev/null
	done
	is "$how: it does not look" "$(rounds)" "$before"
	now "$live" >/dev/null
	reader
	before=$(rounds)
	ok "somebody waits: it does" wait_for rounds_more_than $((before + 20))
	kill $cat
	wait $cat 2>/dev/null
done
let_go
rmdir "$mnt/t"

# ---- a reader that goes in the middle of a packet: the next one begins with it
weir_trace t subbuf_size=64K subbuf_count=64 mode=discard
ticks 20000
is "head -c" "$(head -c 100000 "$(dir t)/live/cpu0" | wc -c)" 100000
let_go
rmdir "$mnt/t"

new_trace t subbuf_size=64K subbuf_count=64 mode=discard
hold writer env LD_PRELOAD="$(weir_preload)" taskset -c 0 "$tmp/writer" -w -n 40000 "$counts"
wait_for grep -q written "$tmp/writer.out"
settle
d=$(dir t)
mkdir "$tmp/d"
for bytes in 1 100000 65536 10 100000 250000 77; do
	bash -c 'dd "bs=$0" count=1; kill -KILL $$' $bytes <"$d/live/cpu0" >"$tmp/part" 2>/dev/null
	"$lively" trim "$tmp/part" >/dev/null
	cat "$tmp/part" >>"$tmp/d/cpu0"
done
let_go
settle
cat "$d/live/cpu0" >>"$tmp/d/cpu0"
cat "$d/metadata" >"$tmp/d/metadata"
mkdir "$tmp/all"
mv "$tmp/d" "$tmp/all/writer"
counted_in "readers that were killed within a packet took nothing with them" exact "$tmp/all"
rm -r "$tmp/all"
rmdir "$mnt/t"

# ---- clear: the stream goes on with the new epoch, under another uuid
weir_trace t
echo one >"$mnt/t/marker"
cat "$mnt/t/marker-0/live/cpu0" >"$tmp/out" &
cat=$!
wait_for asleep $cat
echo all >"$mnt/t/control/switch"
wait_for test -s "$tmp/out"
echo two >"$mnt/t/marker"
echo 1 >"$mnt/t/control/clear"
echo three >"$mnt/t/marker"
rmdir "$mnt/t"
ends "clear: the reader goes on with the new epoch, until the trace ends" $cat
is "each epoch's packets have their uuid" "$("$lively" uuids "$tmp/out")" 2
is "what was cleared is not read" "$(grep -aoE 'one|two|three' "$tmp/out" | paste -sd' ')" "one three"

# ---- the trace goes: what is there is read, then it ends
weir_trace t subbuf_size=4K subbuf_count=64
ticks 500
d=$(dir t)
mkdir "$tmp/d"
cat "$d/metadata" >"$tmp/d/metadata"
cat "$d/live/cpu0" >"$tmp/d/cpu0" 9>&- &
cat=$!
wait_for asleep $cat
rmdir "$mnt/t"
ends "rmdir ends a reader" $cat
is "who has read everything first" "$(bt "$tmp/d" | wc -l)" 500
rm -r "$tmp/d"
let_go

# ---- the marker
weir_trace t
echo one >"$mnt/t/marker"
mkdir "$tmp/d"
cat "$mnt/t/marker-0/live/cpu0" >"$tmp/d/cpu0" &
cat=$!
wait_for asleep $cat
echo two >"$mnt/t/marker"
echo 0 >"$mnt/t/control/switch"
wait_for test -s "$tmp/d/cpu0"
echo three >"$mnt/t/marker"
not_ok "the marker has one stream" test -e "$mnt/t/marker-0/live/cpu1"
cat "$mnt/t/marker-0/metadata" >"$tmp/d/metadata"
rmdir "$mnt/t"
wait $cat
is "the marker" "$(bt "$tmp/d" | grep -oE 'text = "[a-z]+"' | paste -sd' ')" 'text = "one" text = "two" text = "three"'
rm -r "$tmp/d"

# ---- epoll
weir_trace t subbuf_size=4K subbuf_count=64
ticks 1000
d=$(dir t)
mkdir "$tmp/d"
"$lively" poll "$d/live/cpu0" "$tmp/d/cpu0" >"$tmp/out" 2>&1 9>&- &
reader=$!
wait_for grep -q empty "$tmp/out"
cat "$d/metadata" >"$tmp/d/metadata"
echo all >"$mnt/t/control/switch"
wait_for test "$(grep -c empty "$tmp/out")" -ge 1
let_go
ends "epoll: a reader that never waits in read(2)" $reader
is "gets everything" "$(bt "$tmp/d" | wc -l)" 1000
rm -r "$tmp/d"
rmdir "$mnt/t"

# ---- who has looked at metadata before sees it with the events that it was given since
build $CC -O2 -g -fPIC -shared -I"$top_srcdir/include" -o "$tmp/plugin.so" "$stress/plugin.c"
weir_trace t
hold asks taskset -c 0 "$asks"
tell 1
settle
mkfifo "$tmp/go"
python3 - "$(dir t)" "$tmp/go" >"$tmp/out" 2>&1 9>&- <<'PYTHON' &
import os, sys
dir, go = sys.argv[1:]
before = open(dir + "/metadata", "rb").read()
print("looked", flush=True)
open(go).read()
live = os.open(dir + "/live/cpu0", os.O_RDONLY | os.O_NONBLOCK)
os.read(live, 1 << 20)
after = open(dir + "/metadata", "rb").read()
print("plugin:plain" in before.decode(), "plugin:plain" in after.decode())
PYTHON
reader=$!
wait_for grep -q looked "$tmp/out"
tell "l $tmp/plugin.so"
tell s
echo >"$tmp/go"
ends "a reader of both" $reader
is "metadata keeps up with live streams" "$(tail -n 1 "$tmp/out")" "False True"
let_go
rmdir "$mnt/t"
