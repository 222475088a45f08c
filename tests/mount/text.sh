#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# text of large rings: read in windows, where that of small ones is copied. The same records, in order, whatever
# their sizes; what is overwritten meanwhile is said.
. "${top_srcdir:-.}/tests/lib/mount.sh"
tick=$top_builddir/tests/mount/tick wide=$top_builddir/tests/mount/wide
need python3 babeltrace2
weir_mount
start() {	# NAME COMMAND...: runs until its FIFO is closed, ready when it says so; its pid in $pid
	local name=$1
	shift
	mkfifo "$tmp/$name.in"
	env LD_PRELOAD="$(weir_preload)" "$@" <>"$tmp/$name.in" >"$tmp/$name.out" &
	pid=$!
	wait_for grep -q done "$tmp/$name.out"
}

# Far more than is copied, so windows; several sources, so windows of different sizes.
weir_trace big events='wide:*' subbuf_size=256K subbuf_count=256 mode=discard
start wide1 "$wide" 1500
wide1=$pid
start wide2 "$wide" 700
cat >"$tmp/check.py" <<'PY'
import re, sys
line = re.compile(rb'(\d+)\.(\d{9}) (\S+) (cpu\d+|cpux) (\d+) wide:(bytes|text): i=(\d+) (.*)\n')
path, wanted = sys.argv[1], dict(zip(sys.argv[2::2], map(int, sys.argv[3::2])))
last, seen = 0, {}
for l in open(path, "rb"):
    m = line.fullmatch(l)
    assert m, l[:200]
    now = int(m[1]) * 10**9 + int(m[2])
    assert now >= last, "not in order"
    last = now
    source, kind, i = m[3].decode(), m[6].decode(), int(m[7])
    size, c = i * 7919 % 60000, b"%c" % (97 + i % 26)
    if kind == "bytes":
        assert m[8] == b"p=0x" + c.hex().encode() * size, (i, size, len(m[8]))
    else:
        half = size // 2
        text = c * half + b"\\n" + c * (size - half - 1) if size else b""
        assert m[8] == b's="' + text + b'"', (i, size, len(m[8]))
    seen.setdefault((source, kind), []).append(i)
for source, n in wanted.items():
    assert seen.pop((source, "bytes")) == list(range(n)), source
    assert seen.pop((source, "text")) == list(range(0, n, 4)), source
assert not seen, seen.keys()
PY
ok "large records in windows: all, whole, in order" python3 "$tmp/check.py" "$mnt/big/text" \
	"wide-$wide1" 1500 "wide-$pid" 700
ok "one source's alone" python3 "$tmp/check.py" "$mnt/big/wide-$pid/text" "wide-$pid" 700
python3 - "$mnt/big/text" >"$tmp/parts" <<'PY'
import os, sys
fd, n = os.open(sys.argv[1], os.O_RDONLY), 1
while True:
    block = os.read(fd, n)
    if not block: break
    sys.stdout.buffer.write(block)
    n = n * 7 % 1500001
PY
cat "$mnt/big/text" >"$tmp/whole"
ok "the same bytes, whatever the sizes of reads" cmp "$tmp/parts" "$tmp/whole"
rm -f "$tmp/parts" "$tmp/whole"

# Small records in windows, as babeltrace2 has them.
each=500000
[ "$WEIR_SANITIZE" != tsan ] || each=50000 # those are copied; nothing but time is in windows there
weir_trace ticks events='tick:*' subbuf_size=64K subbuf_count=1024 mode=discard
start tick "$tick" $each 3 linger
in_turn() {	# THREAD N, fields from the end: each thread's numbers, from 0 on; prints how many
	tr -d ,} | awk -F '[ =]+' -v t="$1" -v n="$2" '$0 !~ / tick:count: / || $(NF - n) != next_[$(NF - t)]++ { print "line " NR ": " $0; exit 1 }
		END { for (t in next_) print t, next_[t] }' | sort
}
three=$(printf '%s\n' "0 $each" "1 $each" "2 $each")
is "a line an event, each thread's in turn" "$(in_turn 2 0 <"$mnt/ticks/text")" "$three"
is "the events that babeltrace2 sees" "$(bt "$mnt/ticks" | in_turn 3 1)" "$three"

# Overwritten while it is read: in order all the same, and what is missing is said. Each writer stays on its CPU, so
# that each has one ring and goes on filling it; the reader waits until both have turned over once since the open, and
# ends them when it has seen enough of what they write meanwhile.
weir_trace lap events='tick:*' subbuf_size=16K subbuf_count=4096
writers=()
for cpu in $(python3 -c 'import os; c = sorted(os.sched_getaffinity(0)); print(c[0], c[-1])'); do
	env LD_PRELOAD="$(weir_preload)" taskset -c "$cpu" "$tick" -1 &
	writers+=($!)
done
full() { awk 'NR > 1 && $4 > 100000000 { n++ } END { exit n < 2 }' "$mnt/lap/status"; }
wait_for full
python3 - "$mnt/lap" "${writers[@]}" >"$tmp/lapped" <<'PY'
import os, re, signal, sys, time
line = re.compile(rb'(\d+\.\d{9}) tick-\d+ cpu\d+ \d+ tick:count: thread=\d n=\d+\n')
gone = re.compile(rb'# tick-\d+ cpu\d+: [1-9]\d* bytes overwritten before they were read\n')
def produced():
    rows = [l.split() for l in open(sys.argv[1] + "/status") if l.startswith("tick-")]
    return {r[0] + r[1]: int(r[3]) for r in rows}
last, lines, gaps, text = b"", 0, 0, open(sys.argv[1] + "/text", "rb")
text.readline()
lapped = {s: n + (65 << 20) for s, n in produced().items() if n > 100000000}
while any(produced()[s] < n for s, n in lapped.items()):
    time.sleep(0.01)
for l in text:
    m = line.fullmatch(l)
    if m:
        assert m[1] >= last
        last = m[1]
        lines += 1
        if lines == 100000:
            for pid in sys.argv[2:]:
                os.kill(int(pid), signal.SIGTERM)
    else:
        assert gone.fullmatch(l), l
        gaps += 1
print(len(lapped), lines > 1000, gaps > 1)
PY
is "what is overwritten while it is read is said" "$(cat "$tmp/lapped")" "2 True True"
