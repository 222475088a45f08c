#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Every control file: what it takes, what it refuses and says about it, what stays.
. "${top_srcdir:-.}/tests/lib/mount.sh"
weir_mount
mkdir "$mnt/t"
c=$mnt/t/control

put() { printf '%s\n' "$2" 2>/dev/null >"$c/$1"; }	# one write
get() { cat "$c/$1"; }
errors() { cat "$mnt/.weir/errors"; }

takes() {	# FILE VALUE [READS-AS]
	ok "$1 takes '$2'" put "$1" "$2"
	is "$1 is ${3-$2}" "$(get "$1")" "${3-$2}"
}

refuses() {	# FILE VALUE [REGEXP of what .weir/errors says]
	local before after
	before=$(get "$1")
	not_ok "$1 refuses '${2:0:40}'" put "$1" "$2"
	after=$(get "$1")
	is "$1 stays" "$after" "$before"
	like "$1: why" "$(errors | tail -1)" "t/control/$1: .*${3:-}.*; accepted: ."
}

# ---- defaults
is "defaults" "$(for f in enabled mode subbuf_size subbuf_count context events processes clear; do get $f; done | paste -sd,)" \
	"0,overwrite,262144,4,tid,*,all,0"

# ---- geometry
takes mode discard
takes mode overwrite
for v in '' Overwrite overwriteX 'overwrite ' 0; do refuses mode "$v"; done
takes subbuf_size 4096
takes subbuf_size 8K 8192
takes subbuf_size 1M 1048576
takes subbuf_size 16M 16777216
refuses subbuf_size 32M 'more than 64M'
for v in '' 0 1 2048 4095 4097 12K 1G 64M -4096 4096x 4KK 0x1000 18446744073709551616 17592186044416M ' 4096'; do
	refuses subbuf_size "$v"
done
takes subbuf_size 4k 4096
takes subbuf_count 2
takes subbuf_count 16384
refuses subbuf_count 32768 'more than 64M'
for v in '' 0 1 3 -2 2x 1e1; do refuses subbuf_count "$v"; done
takes subbuf_count 2
takes context none
takes context tid
takes context 'tid tid' tid
for v in '' pid 'tid pid' 'none tid' nonetid; do refuses context "$v"; done
takes subbuf_size 64K 65536
takes subbuf_count 4

# ---- enabled
takes enabled 1
for f in mode subbuf_size subbuf_count context; do
	v=$(get $f)
	is "$f of a running trace is busy" "$(bash -c "echo $v >$c/$f" 2>&1 | grep -c 'Device or resource busy')" 1
	like "$f: says so" "$(errors | tail -1)" "t/control/$f: .*disabled"
done
echo x >"$mnt/t/marker"
takes enabled 0
is "nor with events in it" "$(bash -c "echo discard >$c/mode" 2>&1 | grep -c 'Device or resource busy')" 1
ok "clear" put clear 1
is "clear reads 0" "$(get clear)" 0
takes mode discard
for v in '' 2 -1 10 yes 01 '1 '; do refuses enabled "$v"; done
for v in '' 0 2 yes; do refuses clear "$v"; done
ok "the same value again" put enabled 0
ok "a write without newline" sh -c "printf 1 >$c/enabled"
is "is taken" "$(get enabled)" 1
put enabled 0

# ---- events
takes events 'http:*'
takes events '!http:slow'
ok ">> appends" sh -c "echo 'io:*' >>$c/events"
is "appended" "$(get events | paste -sd,)" "!http:slow,io:*"
ok "> replaces" put events 'a:b'
is "replaced" "$(get events)" a:b
ok "several lines in one write" sh -c "printf '*\n!x:*\n' >$c/events"
is "in order" "$(get events | paste -sd,)" '*,!x:*'
ok "opening for writing changes nothing" sh -c ": >$c/events"
is "as it was" "$(get events | paste -sd,)" '*,!x:*'
not_ok "too many rules" sh -c "seq -f 'provider:%040.0f' 100 | dd bs=64K iflag=fullblock 2>/dev/null >$c/events"
is "as it was" "$(get events | paste -sd,)" '*,!x:*'
put events '*'

# ---- processes
takes processes '123'
takes processes '+123 nginx'
takes processes 'py*'
takes processes all
refuses processes "$(seq -s' ' 10000 20000 | head -c 2000)"

# who matches a name, or a number, is recorded; nobody else
cp "$top_builddir/tests/mount/tick" "$tmp/tick" || fail "no program"
mkdir "$tmp/as"
tick() {	# NAME: one event, under that name
	[ -e "$tmp/as/$1" ] || ln "$tmp/tick" "$tmp/as/$1"
	LD_PRELOAD=$(sanitizer_libs) "$tmp/as/$1" 1
}
recorded() { sed -nE 's/^[^ ]+ (.*)-[0-9]+ cpu.* tick:count: .*/\1/p' "$mnt/t/text" | sort | paste -sd' '; }
records() {	# PROCESSES NAME...: runs them all, says whose events are there
	local name
	put clear 1
	put processes "$1"
	for name in "${@:2}"; do tick "$name"; done
	recorded
}
put events 'tick:*'
put enabled 1
names=(tick tock tiick xylo '[x]' 'a) R 1 (b' 123)
is "processes 'ti?k [x]*': whom it records" "$(records 'ti?k [x]*' "${names[@]}")" "tick xylo"
is "processes 'a)?R*(b': a name may hold anything" "$(records 'a)?R*(b' "${names[@]}")" a__R_1__b
is "processes '[[]*'" "$(records '[[]*' "${names[@]}")" _x_
is "processes '[!t]*'" "$(records '[!t]*' "${names[@]}")" "123 _x_ a__R_1__b xylo"
is "processes '123': a number is nobody's name" "$(records 123 "${names[@]}")" ""
put clear 1
# under the number that it has written it runs a child, and is a program itself then
bash -c 'echo "1 $$" >"$1/processes"; LD_PRELOAD=$3 "$2" 2; exec env LD_PRELOAD="$3" "$2" 3' - "$c" "$tmp/as/tick" "$(sanitizer_libs)"
tick tick
is "a number is one process, without its descendants" "$(recorded)" "tick tick tick"
put enabled 0
put clear 1
put processes all
put events '*'

# ---- max_bytes
takes max_bytes 0
takes max_bytes 1M 1048576
takes max_bytes 2G 2147483648
for v in '' x 1T -1 1.5M 99999999999G; do refuses max_bytes "$v"; done

# ---- every file
not_ok "a zero byte" sh -c "printf '1\0' >$c/enabled"
not_ok "far too long" sh -c "head -c 100000 /dev/zero | tr '\0' 1 >$c/enabled"
not_ok "available_events is for reading" sh -c "echo x >$c/available_events"
not_ok "status too" sh -c "echo x >$mnt/t/status"
not_ok "marker of a disabled trace" sh -c "echo x >$mnt/t/marker"
like "says why" "$(errors | tail -1)" 't/marker: "x": .*enabled'
is "errors are the last few" "$(for i in $(seq 100); do put enabled "n$i"; done; errors | wc -l)" 64
like "the newest last" "$(errors | tail -1)" '"n100"'
ok "a reader may seek back, and sees what is" python3 - "$c/enabled" <<'PY'
import sys
f = open(sys.argv[1], "r+b", buffering=0)
assert f.read() == b"0\n"
f.write(b"1")
f.seek(0)
assert f.read(1) == b"1" and f.read() == b"\n" and f.read() == b""
f.seek(0)
f.write(b"0\n")
PY
is "off again" "$(get enabled)" 0

# ---- marker
put enabled 1
ok "lines" sh -c "printf 'a\n\nb' >$mnt/t/marker"
is "an empty one too, and one without newline" "$(grep -c 'marker:print: text="[ab]*" ' "$mnt/t/text")" 3
not_ok "longer than a sub-buffer" sh -c "head -c 200000 /dev/zero | tr '\0' y | dd bs=200000 iflag=fullblock status=none >$mnt/t/marker"
like "and why" "$(errors | tail -1)" 'longer than a sub-buffer'
ok "a long one" sh -c "head -c 50000 /dev/zero | tr '\0' y | dd bs=50000 iflag=fullblock status=none >$mnt/t/marker"
is "is there whole" "$(grep -o 'text="yy*"' "$mnt/t/text" | wc -c)" 50008
