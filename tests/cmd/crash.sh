#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# weir crash: dumps of a machine, whole and damaged, and a process whose daemon is gone.
. "${top_srcdir:-.}/tests/lib/mount.sh"
mkdump=$top_builddir/tests/cmd/mkdump
# shellcheck disable=SC2016
poke() { # FILE OFFSET BYTES-IN-HEX
	python3 -c 'import sys
with open(sys.argv[1], "r+b") as f:
    f.seek(int(sys.argv[2])); f.write(bytes.fromhex(sys.argv[3]))' "$@"
}
crash() { "$WEIR" crash "$@" >"$tmp/out" 2>"$tmp/err"; }
numbers() { bt "$1" | sed -n 's/.* n = \([0-9]*\) }.*/\1/p'; } # of the events, in order of time
consecutive() { numbers "$1" | awk 'NR > 1 && $1 != last + 1 { bad = 1 } { last = $1 } END { exit bad || !NR }'; }
new() { rm -rf "$tmp/x" "$tmp/d"; cp "$tmp/dump" "$tmp/d"; }

"$mkdump" "$tmp/dump" >"$tmp/places"
# shellcheck disable=SC2046
eval $(cat "$tmp/places")

# ---- whole
ok "a dump" crash "$tmp/dump" -o "$tmp/x"
is "nothing was wrong with it" "$(cat "$tmp/err")" ""
is "what it says" "$(cat "$tmp/out")" "$tmp/x: directories 2, streams 3, bytes $(cat "$tmp"/x/*/*/cpu* | wc -c)"
is "processes and the kernel; not what was of an earlier trace" "$(cd "$tmp/x" && echo */*)" \
	"slot0/kernel slot0/we_b-812"
is "the kernel's events, all" "$(numbers "$tmp/x/slot0/kernel" | paste -sd' ')" "$(seq 0 499 | paste -sd' ')"
cp -r "$tmp/x/slot0/we_b-812" "$tmp/cpu0" && rm "$tmp/cpu0/cpu1"
ok "a ring that has turned over: no hole" consecutive "$tmp/cpu0"
is "and it ends with the last event" "$(numbers "$tmp/cpu0" | tail -n 1)" 4999
like "time and host are the machine's" "$(bt "$tmp/x/slot0/kernel" --clock-gmt --clock-date | head -n 1)" \
	'2023-11-14 22:13:20\.001000000.* gone:kernel:'
not_ok "nothing is overwritten" crash "$tmp/dump" -o "$tmp/dump"
crash "$tmp/dump" -o "$tmp/x"
is "a name that is taken gets .1" "$(cd "$tmp/x/slot0" && echo *)" "kernel kernel.1 we_b-812 we_b-812.1"

# ---- flattened, and cut
python3 - "$tmp/dump" "$tmp/flat" <<'END'
import random, struct, sys
data = open(sys.argv[1], 'rb').read()
pieces = [(at, data[at:at + 70001]) for at in range(0, len(data), 70001)]
random.Random(1).shuffle(pieces)
with open(sys.argv[2], 'wb') as f:
    f.write(b'makedumpfile'.ljust(16, b'\0') + struct.pack('>qq', 1, 1) + bytes(4096 - 32))
    for at, piece in pieces:
        f.write(struct.pack('>qq', at, len(piece)) + piece)
    f.write(struct.pack('>qq', -1, -1))
END
rm -rf "$tmp/x"
ok "a flattened dump" crash "$tmp/flat" -o "$tmp/x"
is "the same events" "$(numbers "$tmp/x" | wc -l)" 2500
is "no file is left" "$(cd "$tmp/x" && echo *)" slot0

# ---- damaged in one place
new; poke "$tmp/d" "$web" 00000000000000ff
ok "a source that is none" crash "$tmp/d" -o "$tmp/x"
is "it is reported" "$(cat "$tmp/err")" "weir: $tmp/d: damaged in 1 places, which were skipped"
is "the rest is written" "$(numbers "$tmp/x" | wc -l)" 500

new; poke "$tmp/d" "$sources" ffffff0000000000
crash "$tmp/d" -o "$tmp/x"
is "a source outside of the dump" "$(cat "$tmp/err")" "weir: $tmp/d: damaged in 1 places, which were skipped"
is "again the rest" "$(cd "$tmp/x" && echo */*)" slot0/we_b-812

new; poke "$tmp/d" "$web_page" "$(printf 'ff%.0s' {1..4096})"
crash "$tmp/d" -o "$tmp/x"
is "a page of a ring" "$(cat "$tmp/err")" "weir: $tmp/d: damaged in 1 places, which were skipped"
cp -r "$tmp/x/slot0/we_b-812" "$tmp/page" && rm "$tmp/page/cpu1"
is "costs its packet" "$(numbers "$tmp/page" | wc -l)" $(($(numbers "$tmp/cpu0" | wc -l) - 250))

new; poke "$tmp/d" "$control" 00
crash "$tmp/d" -o "$tmp/x"
is "without the tracing control rings tell of their traces" "$(cd "$tmp/x" && echo */*)" \
	"slot0/idle-813 slot0/kernel slot0/we_b-812"

new; poke "$tmp/d" $((web + 64 + 8)) ffffffff02000000
ok "a table that claims more than there is" crash "$tmp/d" -o "$tmp/x"
new; poke "$tmp/d" $((web + 64 + 12)) ff000000
ok "a table of 255 levels" crash "$tmp/d" -o "$tmp/x"
is "costs the source" "$(cd "$tmp/x" && echo */*)" slot0/kernel

# ---- none
new; poke "$tmp/d" $((anchor + 16)) 01
not_ok "no anchor" crash "$tmp/d" -o "$tmp/x"
like "it says so" "$(cat "$tmp/err")" "^weir: $tmp/d: weir's module was not in this machine"
echo text >"$tmp/d"
not_ok "no dump" crash "$tmp/d" -o "$tmp/x"
like "it says so" "$(cat "$tmp/err")" "^weir: $tmp/d: n(ot an ELF dump|either an ELF dump)"
not_ok "no file" crash "$tmp/none" -o "$tmp/x"
is "it says so" "$(cat "$tmp/err")" "weir: $tmp/none: No such file or directory"
crash "$tmp/dump"; is "no directory: usage" $? 2

# ---- damaged everywhere: it ends, and is not killed
survives() { # SEED: bytes of the pages that lead to others, and of the headers
	new
	python3 - "$tmp/d" "$1" "$anchor" "$control" "$sources" "$kernel" "$web" "$web_process" <<'END'
import random, sys
r = random.Random(int(sys.argv[2]))
with open(sys.argv[1], 'r+b') as f:
    for n in range(r.randrange(1, 30)):
        start, size = r.choice([(0, 0x2b1)] + [(int(a), 4096) for a in sys.argv[3:]] * 3 + [(0x2b1, 16 << 20)])
        f.seek(start + r.randrange(min(size, r.choice([64, 256, size]))))
        f.write(bytes([r.choice([0, 1, 2, 0xff, r.randrange(256)])] * r.choice([1, 1, 4, 8])))
    if not r.randrange(4):
        f.truncate(r.randrange(16 << 20))
END
	timeout 100 "$WEIR" crash "$tmp/d" -o "$tmp/x" >"$tmp/out" 2>"$tmp/err"
	local status=$?
	[ "$status" -le 1 ] && ! grep -q Sanitizer "$tmp/err" || { echo "seed $1: $status"; cat "$tmp/err"; return 1; }
	set -- "$tmp"/x/*/*/metadata # what was written decodes
	[ ! -e "$1" ] || bt "$tmp/x" >/dev/null
}
many() { for seed in $(seq "$1"); do survives "$seed" || return; done; }
damaged=$(soak 2000 25)
ok "$damaged dumps damaged at random" many "$damaged"

# ---- a process
weir_mount
weir_trace a subbuf_size=4096 subbuf_count=4
mkfifo "$tmp/fifo"
"$top_builddir/tests/mount/tick" 20000 1 linger <"$tmp/fifo" >"$tmp/said" &
pid=$!
exec 8>"$tmp/fifo"
wait_for grep -q done "$tmp/said"
numbers "$mnt/a" >"$tmp/before"
weir_kill
rm -rf "$tmp/x"
ok "a process whose daemon is gone" crash --pid $pid -o "$tmp/x"
is "nothing was wrong with it" "$(cat "$tmp/err")" ""
is "the same events" "$(numbers "$tmp/x/slot0/tick-$pid" | md5sum)" "$(md5sum <"$tmp/before")"
exec 8>&-
wait $pid
not_ok "a process that has ended" crash --pid $pid -o "$tmp/x"
not_ok "a process that records nothing" crash --pid $$ -o "$tmp/x"
is "it says so" "$(cat "$tmp/err")" "weir: $$: this process records nothing: it has no memory of weir's"
crash --pid x/../1 -o "$tmp/x"; is "no number" "$(cat "$tmp/err")" "weir: x/../1: not a process's number"
