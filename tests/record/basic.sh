#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# weir record: several processes, those that come and go, the end, errors; readable at any moment.
. "${top_srcdir:-.}/tests/record/common.sh"
need flock python3
weir_mount

# Errors.
"$WEIR" record >"$tmp/out" 2>&1; is "no trace is usage" $? 2
"$WEIR" record web >/dev/null 2>&1; is "no directory is usage" $? 2
"$WEIR" record web -o "$tmp/x" --rotate-size=7Q >/dev/null 2>&1; is "no size is usage" $? 2
like "help" "$("$WEIR" record --help)" 'rotate-size'
like "no such trace" "$("$WEIR" record web -o "$tmp/x" 2>&1)" "^weir: $mnt/web: No such file or directory\$"
weir_trace web mode=discard subbuf_size=64K subbuf_count=256 context=none
like "no such place" "$("$WEIR" record web -o "$tmp/no/where" 2>&1)" "^weir: $tmp/no/where: No such file or directory"

# Two processes, one that was there before, one that came later, one that has ended; what is read meanwhile decodes.
counts=$tmp/counts
paced 0 10000 1
record web "$tmp/two"
like "a second recorder is told" "$("$WEIR" record web -o "$tmp/second" 2>&1)" '^weir: web: Device or resource busy$'
[ ! -e "$tmp/second" ]; is "and makes nothing" $? 0
paced 100000 100000 2 & writer=$!
for i in 1 2 3; do
	wait_for eval 'ls "$tmp"/two/*/cpu*'
	babeltrace2 "$tmp/two" >/dev/null 2>"$tmp/bt.err" || fail "readable while it is written" "$(cat "$tmp/bt.err")"
	echo all >"$mnt/web/control/switch"
done
wait "$writer"
echo marked >"$mnt/web/marker"
settle
recorded; is "stops on ^C" $? 0
mv "$tmp/two/marker-0" "$tmp/marker"
counted_in "$tmp/two" discard
is "nothing is lost" "$discarded" 0
mv "$tmp/marker" "$tmp/two/marker-0"
is "babeltrace2 decodes all, and the marker" "$(bt "$tmp/two" | wc -l)" $((events + 1))
is "nothing but streams and metadata" "$(cd "$tmp/two" && find . -type f ! -name metadata ! -name 'cpu[0-9x]*')" ""
like "says what it did" "$(tail -n 1 "$tmp/two.err")" '^weir: [0-9.]+[KM]? in [0-9]+ packets of [0-9]+ processes, 0 events lost: '
is "no progress where there is no terminal" "$(grep -c $'\r' "$tmp/two.err")" 0
ok "another may now" flock -n "$mnt/web/status" true

# On a terminal there is a line of progress, which goes away at the end.
cat >"$tmp/terminal" <<'END'
import os, pty, sys
pid, fd = pty.fork()
if not pid:
    os.execv(sys.argv[2], sys.argv[2:])
with open(sys.argv[1], 'w') as f:
    f.write(str(pid))
try:
    while data := os.read(fd, 4096):
        os.write(1, data)
except OSError: # the terminal's last process has ended
    pass
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
END
rm -f "$counts"
python3 "$tmp/terminal" "$tmp/pid" "$(command -v "$WEIR")" record web -o "$tmp/tty" >"$tmp/tty.out" & terminal=$!
wait_for eval '[ -s "$tmp/pid" ] && recorder=$(cat "$tmp/pid") && watching'
paced 20000 60000 2
ok "progress: bytes, rate, losses, processes" wait_for grep -qaE \
	$'\r\e\\[Kweb: [1-9][0-9.]*[KM], [0-9.]+[KM]?/s, 0 events lost, [1-9][0-9]* processes' "$tmp/tty.out"
kill -INT "$(cat "$tmp/pid")"
wait "$terminal"; is "on a terminal, too, it stops on ^C" $? 0
like "the line is cleared for the last one" "$(tail -n 1 "$tmp/tty.out")" $'\r\e\\[K''weir: [0-9.]+[KM] in [0-9]+ packets'
counted_in "$tmp/tty" exact

# Ends with the trace. New event types while it runs.
plugins
rm -f "$counts"
weir_trace late mode=discard subbuf_size=16K subbuf_count=1024 context=none
record late "$tmp/late"
write_all -f ab -n 20000 -t 2 -x -D "$tmp/plugin_c.so" -D "$tmp/plugin_cxx.so"
rmdir "$mnt/late"
wait "$recorder"; is "ends when the trace ends" $? 0
counted_in "$tmp/late" exact
ok "babeltrace2" bt "$tmp/late"

# Cleared three times while it is written: each time packets get another uuid, and go to a directory of their own. What was
# written after the last time is there, once; the rest once at most.
rm -f "$counts"
weir_trace clear mode=discard subbuf_size=64K subbuf_count=256 context=none
record clear "$tmp/clear"
paced 20000 10000000 2 & writer=$!
written() { od -An -v -t u8 -j 16 -N 32 -w16 "$counts" | awk '{ print $2 }' | paste -sd' '; }	# of each thread, see counts.h
streams_of() { [ "$(find "$tmp/clear" -path "*/paced-*/cpu*" -size +0 -printf "%h\n" | sort -u | wc -l)" = "$1" ]; }
for n in 1 2 3; do
	wait_for streams_of $n
	echo 1 >"$mnt/clear/control/clear"
	cleared=$(written)
done
wait_for streams_of 4
printf '\1' | dd of="$counts" bs=1 seek=4 conv=notrunc status=none	# counts->stop
wait "$writer"; is "cleared while it is written" $? 0
read -ra last <<<"$(written)"
settle
recorded; is "a trace that is cleared" $? 0
is "a directory each time" "$(cd "$tmp/clear" && ls -d paced-* | sed 's/paced-[0-9]*//' | paste -sd' ')" " .1 .2 .3"
ok "in each the packets of one uuid" "$tmp/ctfread" -m any "$tmp/clear"
is "another one" "$(grep -h -m 1 'uuid = ' "$tmp"/clear/paced-*/metadata | sort -u | wc -l)" 4
for d in "$tmp"/clear/paced-*; do
	bt "$d" >"$tmp/part" || fail "${d##*/} decodes"
	sed -E 's/.*writer = ([01]), seq = ([0-9]+).*/\1 \2/' "$tmp/part" >"$tmp/last"
	cat "$tmp/last" >>"$tmp/cleared"
done
is "decodes as one trace, too" "$(bt "$tmp/clear" | wc -l)" "$(wc -l <"$tmp/cleared")"
is "nothing is there twice" "$(sort "$tmp/cleared" | uniq -d | head)" ""
for i in 0 1; do
	first=$(awk -v w=$i '$1 == w { print $2 }' "$tmp/last" | sort -n | head -n 1)
	ok "thread $i: what comes after is there from the first on" [ "$first" -le $(($(echo "$cleared" | cut -d' ' -f$((i + 1))) + 1)) ]
	is "up to the last" "$(awk -v w=$i '$1 == w { print $2 }' "$tmp/last" | sort -n)" "$(seq "$first" $((last[i] - 1)))"
done

# Several recorders at once, on different traces.
rm -f "$counts"
for t in 1 2 3; do
	weir_trace "t$t" mode=discard subbuf_size=64K subbuf_count=64 context=none
	record "t$t" "$tmp/t$t"
	pids[t]=$recorder
done
paced 0 30000 2
settle
for t in 1 2 3; do
	recorder=${pids[t]}
	recorded TERM; is "t$t: SIGTERM" $? 0
	counted_in "$tmp/t$t" discard
	rmdir "$mnt/t$t"
done

# A directory that one writes to is not another's as well. Files that are none of ours stay, whatever they are called.
rm -f "$counts"
weir_trace mine mode=discard subbuf_size=64K subbuf_count=64 context=none
weir_trace other
mkdir -p "$tmp/mine/sub"
others="$tmp/mine/.cpu0 $tmp/mine/sub/.cpu0 $tmp/mine/sub/.cpu-notes"
for f in $others; do echo kept >"$f"; done
record mine "$tmp/mine"
paced 0 1000 1
settle
echo all >"$mnt/mine/control/switch"
wait_for eval 'ls "$tmp"/mine/paced-*/cpu*'
is "another recorder is refused" "$("$WEIR" record other -o "$tmp/mine" 2>&1; echo $?)" "weir: $tmp/mine: Device or resource busy
1"
paced 0 50000 1
settle
recorded; is "the first goes on" $? 0
counted_in "$tmp/mine" discard
is "nobody else's file was taken away" "$(cat $others | paste -sd' ')" "kept kept kept"
mkdir "$mnt/mine@x"
like "a snapshot is copied, not recorded" "$("$WEIR" record mine@x -o "$tmp/x" 2>&1; echo $?)" 'does not change.*1$'
rmdir "$mnt/mine@x" "$mnt/mine" "$mnt/other"
like "a directory that cannot be made, once" "$("$WEIR" record web -o /proc/no/such 2>&1)" '^weir: [^:]*: No such file or directory$'

# To standard output.
rm -f "$counts"
weir_trace pipe mode=discard subbuf_size=64K subbuf_count=64 context=none
like "one stream only" "$("$WEIR" record pipe -o - 2>&1)" 'TRACE/PROCESS/cpuN'
like "one that is there" "$("$WEIR" record pipe/nobody-1/cpu0 --output=- 2>&1)" 'No such file'
traced taskset -c 0 "$tmp/paced" 0 50000 1 "$counts"
settle
dir=$(echo "$mnt"/pipe/paced-*)
mkdir -p "$tmp/pipe/one"
"$WEIR" record "pipe/${dir##*/}/cpu0" --output=- >"$tmp/pipe/one/cpu0"; is "until the process's end" $? 0
cp "$dir/metadata" "$tmp/pipe/one/"
counted_in "$tmp/pipe" exact
env LD_PRELOAD="$(weir_preload)" taskset -c 0 "$tmp/paced" 1000 1000000 1 "$counts" & writer=$!
wait_for [ -e "$mnt/pipe/paced-$writer/cpu0" ]
"$WEIR" record "pipe/paced-$writer/cpu0" -o - >"$tmp/pipe/stream" & recorder=$!
wait_for eval 'echo all >"$mnt/pipe/control/switch"; [ -s "$tmp/pipe/stream" ]'
recorded; is "^C ends it, too" $? 0
"$WEIR" record "pipe/paced-$writer/cpu0" -o - | head -c 100 >/dev/null & recorder=$!
wait_for eval 'echo all >"$mnt/pipe/control/switch"; ! kill -0 "$recorder"'
wait "$recorder"; is "who closes the pipe ends it" $? 0
mkfifo "$tmp/stuck"
"$WEIR" record "pipe/paced-$writer/cpu0" -o - >"$tmp/stuck" & recorder=$!
exec 8<"$tmp/stuck"
ends() { echo all >"$mnt/pipe/control/switch"; kill -TERM "$recorder" 2>/dev/null; ! kill -0 "$recorder" 2>/dev/null; }
full() { echo all >"$mnt/pipe/control/switch"; grep -q pipe_write "/proc/$recorder/wchan"; }
ok "nobody reads the pipe: it waits" wait_for full
ok "two signals end it" wait_for ends
exec 8<&-
wait "$recorder"; is "as the second one does" $? 143
kill "$writer"
