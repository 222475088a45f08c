#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The reader's view: one process sees one moment, other processes see theirs.
. "${top_srcdir:-.}/tests/lib/mount.sh"
tick=$top_builddir/tests/mount/tick
need babeltrace2 python3
weir_mount
weir_trace web subbuf_size=4K
(exec env LD_PRELOAD="$(weir_preload)" nice "$tick" -1 2) &	# a view lasts for seconds: readers come first
busy=$mnt/web/tick-$!
wait_for test -e "$busy/cpu0" -o -e "$busy/cpu1"

ok "a process sees the same bytes again and again" python3 - "$busy" <<'PY'
import os, sys, time
os.chdir(sys.argv[1])
def all(): return {f: (os.stat(f).st_size, open(f, "rb").read()) for f in os.listdir(".")}
a = all()
for i in range(10):
    assert all() == a
    time.sleep(.02)
assert all() == a
PY
ok "while it has a file open, for as long" python3 - "$busy" <<'PY'
import os, sys, time
os.chdir(sys.argv[1])
cpu = [f for f in os.listdir(".") if f != "metadata"][0]
f = open(cpu, "rb")
a = f.read()
size = os.stat(cpu).st_size
time.sleep(4)
assert os.stat(cpu).st_size == size
f.seek(0)
assert f.read() == a
PY
ok "afterwards it sees another moment" python3 - "$busy" <<'PY'
import os, sys, time
os.chdir(sys.argv[1])
cpu = [f for f in os.listdir(".") if f != "metadata"][0]
a = open(cpu, "rb").read()
for i in range(100):
    time.sleep(3)
    if open(cpu, "rb").read() != a:
        sys.exit(0)
sys.exit(1)
PY
ok "threads share their process's" python3 - "$busy" <<'PY'
import os, sys, threading
os.chdir(sys.argv[1])
out = []
def run():
    for i in range(10):
        for f in sorted(os.listdir(".")):
            out.append((f, open(f, "rb").read()))
t = [threading.Thread(target=run) for i in range(8)]
[x.start() for x in t]; [x.join() for x in t]
assert len(out) >= 80 and len(set(out)) == len({f for f, d in out})
PY
runs=$(soak 1000 100 100)
bad=0
for i in $(seq "$runs"); do
	bt "$mnt/web" >"$tmp/bt.out" 2>"$tmp/bt.err" || { bad=$((bad + 1)); diag "$(head -5 "$tmp/bt.err")"; }
done
is "babeltrace2 of rings at full speed, $runs times" "$bad" 0
cmp -s "$busy/metadata" "$busy/metadata" && pass "metadata is the same" || fail "metadata is the same"

# what appears is there for who asks
python3 - "$mnt/web" >"$tmp/out" 2>&1 <<'PY' &
import os, sys, time
os.chdir(sys.argv[1])
while not os.path.exists("marker-0/cpu0"):
    time.sleep(.01)
PY
waiter=$!
sleep 0.3
echo hello >"$mnt/web/marker"
wait $waiter
is "a process that waits for a file sees it come" $? 0
kill -KILL "${busy##*-}"
wait "${busy##*-}" 2>/dev/null
ok "the dead one's streams decode" bt "$busy"

# a ring that turns over between look-up and open has something to show all the same
weir_trace turn subbuf_size=4K subbuf_count=4
turned() {	# LOST: with a trailing packet or without
	rm -rf "$tmp/turned"
	mkdir "$tmp/turned"
	python3 - "$mnt/turn" "$tmp/turned" "$1" <<'PY'
import os, sys
os.chdir(sys.argv[1])
def mark(word, nr):
    with open("marker", "w") as f:
        f.write("".join("%s %d\n" % (word, i) for i in range(nr)))
def lose():
    try:
        open("marker", "w").write("x" * 5000)
    except OSError:
        pass
mark("old", 1000)
if sys.argv[3] == "lost":
    lose()
size = os.stat("marker-0/cpu0").st_size
assert size > 3 * 4096
mark("new", 1000)
data = open("marker-0/cpu0", "rb").read()
assert len(data) == size, (len(data), size)
open(sys.argv[2] + "/cpu0", "wb").write(data)
open(sys.argv[2] + "/metadata", "wb").write(open("marker-0/metadata", "rb").read())
PY
}
for lost in none lost; do
	ok "$lost: what was looked up has its size" turned $lost
	babeltrace2 "$tmp/turned" >"$tmp/out" 2>"$tmp/err"
	is "$lost: babeltrace2" "$?" 0
	is "$lost: it warns of nothing but losses" "$(grep -vE ' Tracer (may have )?discarded ' "$tmp/err")" ""
	not_ok "$lost: nothing old" grep -q '"old ' "$tmp/out"
	is "$lost: the newest whole sub-buffers, none between them missing" \
		"$(sed -n 's/.*"new \([0-9]*\)".*/\1/p' "$tmp/out" | awk 'NR > 1 && $1 != last + 1 { bad = 1 } { last = $1 }
			END { print (bad ? "holes" : NR > 150 && last > 800 ? "all" : NR " up to " last) }')" all
	echo 1 >"$mnt/turn/control/clear"
done
