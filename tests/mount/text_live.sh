#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# live/text: what is there, then what comes, of all rings by time; consumes nothing, blocks nobody, ends.
. "${top_srcdir:-.}/tests/lib/mount.sh"
tick=$top_builddir/tests/mount/tick
need python3 timeout
weir_mount
fields() { sed -nE 's/^[0-9.]+ (\S+) \S+ \S+ tick:count: thread=([0-9]+) n=([0-9]+)$/\1 \2 \3/p' "$1" | sort; }
preload=$(weir_preload)
traced_tick() { exec env LD_PRELOAD="$preload" "$tick" "$@"; }	# in the background: its pid is the program's
cat >"$tmp/order.py" <<'PY'
import re, sys
line = re.compile(rb'(\d+\.\d{9}) tick-\d+ cpu\d+ (\d+|-) tick:count: thread=\d+ n=\d+\n')
last, back = b"", 0
for l in open(sys.argv[1], "rb"):
    m = line.fullmatch(l)
    assert m, l
    back += m[1] < last
    last = m[1]
print(back)
PY

# Small sub-buffers, so that many packets are seen open, sealed, and in between.
weir_trace web events='tick:*' subbuf_size=4K subbuf_count=4096
(traced_tick 1000 2)
cat "$mnt/web/live/text" >"$tmp/all" & all=$!
wait_for eval '[ "$(grep -c tick: "$tmp/all")" = 2000 ]'
is "starts with what is there" "$(grep -c tick: "$tmp/all")" 2000
for i in 1 2 3; do cat "$mnt/web/live/text" >"$tmp/all.$i" & readers[i]=$!; done
mkfifo "$tmp/in"
env LD_PRELOAD="$(weir_preload)" "$tick" 10000 2 linger <>"$tmp/in" >/dev/null & one=$!
wait_for [ -e "$mnt/web/tick-$one/metadata" ]
timeout 100 cat "$mnt/web/tick-$one/live/text" >"$tmp/one" & reader=$!
(traced_tick 5000 2)
wait_for eval '[ "$(grep -c tick: "$tmp/all")" = 32000 ]'
is "then what comes" "$(grep -c tick: "$tmp/all")" 32000
is "one process's: only that" "$(wait_for eval '[ "$(wc -l <"$tmp/one")" = 20000 ]'; wc -l <"$tmp/one")" 20000
ok "it goes on as long as the process does" kill -0 "$reader"
kill "$one"; wait "$reader"; is "and ends with it" $? 0
fields "$tmp/all" >"$tmp/got"
cat "$mnt/web/text" >"$tmp/text"
fields "$tmp/text" >"$tmp/wanted"
ok "the same records as in text: nothing twice, nothing missing" cmp "$tmp/got" "$tmp/wanted"
cat "$mnt/web/live/text" >"$tmp/rest" & rest=$!
wait_for eval '[ "$(grep -c tick: "$tmp/rest")" = 32000 ]'
is "what is there is by time" "$(python3 "$tmp/order.py" "$tmp/rest")" 0
is "nothing is consumed" "$(awk 'NR > 1 || $5 ~ /^[0-9]+$/ { n += $5 } END { print n + 0 }' "$mnt/web/status")" 0

is "not listed" "$(ls "$mnt/web" "$mnt/web/tick-$one/live" 2>/dev/null | grep -cE '^(live|text)$')" 1	# text of the trace
timeout 60 grep -raq nothing-like-this "$mnt/web"; is "who searches the tree does not wait in it" $? 1
is "O_NONBLOCK and poll" "$(python3 - "$mnt/web/live/text" <<'PY'
import errno, os, select, sys
fd = os.open(sys.argv[1], os.O_RDONLY | os.O_NONBLOCK)
n = 0
while True:
    try:
        n += os.read(fd, 5000).count(b"\n")
    except OSError as e:
        assert e.errno == errno.EAGAIN
        break
p = select.poll()
p.register(fd, select.POLLIN)
nothing = p.poll(0)
open(sys.argv[1].rsplit("/", 2)[0] + "/marker", "w").write("woken\n")
some = p.poll(60000)
print(n, nothing, some[0][1] & select.POLLIN, b' marker:print: text="woken"' in os.read(fd, 1 << 21))
PY
)" "32000 [] 1 True"

# Readers that wait are in nobody's way, and can be killed.
for ((i = 0; i < 60; i++)); do cat "$mnt/web/live/text" >/dev/null & waiting[i]=$!; done
ok "the mount answers" timeout 60 cat "$mnt/web/status"
kill -INT "${waiting[@]:0:20}"
kill -KILL "${waiting[@]:20:20}"
wait "${waiting[@]:20:20}" 2>/dev/null; is "killed" $? 137
kill "${waiting[@]:40}" "${waiting[@]:0:20}"	# a background job of a script ignores SIGINT
wait "${waiting[@]}" 2>/dev/null; is "by a signal" $? 143
rmdir "$mnt/web"
wait "$all"; is "ends with the trace" $? 0
wait "$rest" "${readers[@]}"
for i in 1 2 3; do fields "$tmp/all.$i" >"$tmp/got.$i"; done
is "any number of readers" "$(cksum <"$tmp/got.1"; cksum <"$tmp/got.2"; cksum <"$tmp/got.3")" \
	"$(for i in 1 2 3; do cksum <"$tmp/wanted"; done)"

# What was recorded before another event began is shown before it, while both are written: two threads count on two
# CPUs, each after the other; also in the ring of threads without rseq.
ping_program
cat >"$tmp/follow.py" <<'PY'
import re, sys
line = re.compile(rb'\d+\.\d{9} ping-\d+ cpu[0-9x]+ \d+ ping:turn: n=(\d+)\n')
last, seen, back = -1, 0, 0
for l in open(sys.argv[1], "rb"):
    m = line.fullmatch(l)
    if not m:
        assert l.startswith(b"#"), l
        continue
    back += int(m[1]) <= last
    last = int(m[1])
    seen += 1
    if seen == int(sys.argv[2]):
        break
print(seen, back)
PY
turns=20000	# each waits for a CPU that other tests want as well
[ -z "$WEIR_SOAK" ] || turns=1000000
for rseq in 1 0; do
	weir_trace "ping$rseq" events='ping:*' subbuf_size=64K subbuf_count=256
	python3 "$tmp/follow.py" "$mnt/ping$rseq/live/text" $turns >"$tmp/followed" & reader=$!
	env GLIBC_TUNABLES=glibc.pthread.rseq=$rseq LD_PRELOAD="$preload" "$tmp/ping" & one=$!
	wait "$reader"
	is "causes before effects, rseq=$rseq" "$(cat "$tmp/followed")" "$turns 0"
	kill "$one"; wait "$one" 2>/dev/null
	rmdir "$mnt/ping$rseq"
done

# Overrun: a reader that sleeps while a small ring laps is told.
weir_trace lap events='tick:*' subbuf_size=4K subbuf_count=4
env LD_PRELOAD="$(weir_preload)" taskset -c 0 "$tick" 10 1 linger <>"$tmp/in" >/dev/null & one=$!
wait_for grep -q tick: "$mnt/lap/text"
exec 7<"$mnt/lap/live/text"
head -c 1 <&7 >/dev/null
kill "$one"
(traced_tick 5000 1)
timeout 100 cat <&7 >"$tmp/lapped" & reader=$!
exec 7<&-
traced_tick -1 1 & two=$!
wait_for grep -q '^# tick-[0-9]* cpu[0-9x]*: [1-9][0-9]* bytes overwritten before they were read$' "$tmp/lapped"
is "what was overwritten is said" $? 0
kill "$two"
rmdir "$mnt/lap"
wait "$reader"; is "ends" $? 0
is "nothing else is in it" "$(tail -n +2 "$tmp/lapped" | grep -cvE '^# tick-[0-9]+ cpu[0-9x]+: [1-9][0-9]* bytes overwritten before they were read$|^[0-9]+\.[0-9]{9} tick-[0-9]+ cpu[0-9x]+ [0-9]+ tick:count: thread=0 n=[0-9]+$')" 0

# Losses.
weir_trace lost events='tick:*' subbuf_size=4K subbuf_count=4 mode=discard
cat "$mnt/lost/live/text" >"$tmp/lost" & reader=$!
(traced_tick 100000 2)
sum() { sed -nE 's/^# .*: ([0-9]+) events lost$/\1/p' "$tmp/lost" | awk '{ n += $1 } END { print n + 0 }'; }
wait_for eval '[ $(($(sum) + $(grep -c tick: "$tmp/lost"))) = 200000 ]'
is "lines and losses are all that was written" $(($(sum) + $(grep -c tick: "$tmp/lost"))) 200000
echo 1 >"$mnt/lost/control/clear"
traced_tick 7 1 & one=$!
wait_for grep -q " tick-$one .* n=6$" "$tmp/lost"
ok "goes on after clear" grep -q " tick-$one .* n=6$" "$tmp/lost"
rmdir "$mnt/lost"
wait "$reader"; is "ends" $? 0
