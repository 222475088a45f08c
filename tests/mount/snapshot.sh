#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Snapshots: one moment, which never changes; names, rights, limits; what is freed.
. "${top_srcdir:-.}/tests/lib/mount.sh"
tick=$top_builddir/tests/mount/tick
need babeltrace2 setpriv md5sum
become_root
chmod 755 "$tmp"
start() { env LD_PRELOAD="$(weir_preload)" "$@" >/dev/null & }	# its pid is $!
pings=$(soak 100 8 3) times=$(soak 1000 30 5)
weir_mount
cd "$mnt" || exit 99
try() { LC_ALL=C "$@" 2>&1 | sed 's/.*: //'; }
sums() { (cd "$1" && find . -type f -print0 | sort -z | xargs -0 md5sum; find . -printf '%p %y %m %U %G %s %i %T@\n' | sort); }
coproc LONG { exec env LD_PRELOAD="$(weir_preload)" "$tick" 20000 4 linger; }
long=$LONG_PID
read -r _ <&"${LONG[0]}" # attached; records nothing yet
events() { babeltrace2 "$@" 2>/dev/null | wc -l; }

# ---- what is in it
weir_trace web subbuf_size=64K
for i in 1 2 3; do traced "$tick" 100; done
echo hello >web/marker
start "$tick" -1 2
forever=$!
wait_for test -d "web/tick-$forever"
before=$(date +%s%N)
ok "mkdir" mkdir web@one
after=$(date +%s%N)
is "the same layout" "$(ls web@one)" "$(ls web | grep -vx -e control -e marker)"
is "there are all processes" "$(ls -d web@one/tick-* | wc -l) $(ls web@one/marker-0)" "4 cpu0
metadata"
is "it is listed" "$(ls -d web*)" "web
web@one"
not_ok "no control" ls web@one/control
not_ok "no marker" ls web@one/marker
not_ok "nothing live" ls "web@one/tick-$forever/live"
like "it is not written to" "$(stat -c %A web@one web@one/text)" '^dr-xr-xr-x
-r--r--r--$'
sums web@one >"$tmp/sums"
traced "$tick" 1000
echo more >web/marker
cp -r web@one "$tmp/copy"
produced() { awk -v s="tick-$forever" '$1 == s { n += $4 } END { print n }' web/status; }
then=$(produced)
all_over() { [ "$(produced)" -gt $((then + 10000000)) ]; }
ok "all of it is overwritten" wait_for all_over
sums web@one >"$tmp/sums2"
ok "it does not change while the trace goes on" cmp "$tmp/sums" "$tmp/sums2"
ok "cp -r has the same" diff -r --exclude=status --exclude=text web@one "$tmp/copy"
is "as many events" "$(bt web@one | wc -l)" "$(bt "$tmp/copy" | wc -l)"
is "in text too" "$(wc -l <web@one/text)" "$(bt "$tmp/copy" | wc -l)"
is "of a process's text" "$(cat web@one/tick-*/text web@one/marker-0/text | wc -l)" "$(wc -l <web@one/text)"
is "the marker has what was written before" "$(grep -c more web@one/marker-0/text) $(grep -c hello web@one/marker-0/text)" "0 1"
is "a reader process sees what another sees" "$(bt web@one | md5sum)" "$(bt web@one | md5sum)"
uuid() { sed -n 's/^\tuuid = "\(.*\)";/\1/p' "$1/metadata" | head -1; }
mkdir web@two
is "a uuid of its own" "$( (for d in web web@one web@two; do for p in $d/*-*; do uuid "$p"; done; done) | sort | uniq -d)" ""

# ---- one moment
moment() { sed -n 's/.*snapshot_time_ns = \(.*\);/\1/p' "$1"/*/metadata | sort -u; }
within() { sed -n 's/.*snapshot_within_ns = \(.*\);/\1/p' "$1"/*/metadata | sort -u; }
is "one moment is stated" "$(moment web@one | wc -l) $(within web@one | wc -l)" "1 1"
ok "between the call and its return" [ "$(moment web@one)" -ge $((before - 1000000)) -a "$(moment web@one)" -le $((after + 1000000)) ]
later() { awk -v t="$(moment $1)" '{ split($1, p, "."); if (p[1] p[2] > t "") print }' "$1/text" | head; }
is "no event is later" "$(later web@one)$(later web@two)" ""
like "babeltrace2 sees it in env" "$(babeltrace2 -c sink.text.details web@one 2>/dev/null | grep snapshot_time_ns | tr -d , | head -1)" "$(moment web@one)"
# Two threads count on two CPUs, each after the other: what one stream has, the other has not missed, but for the time
# that sampling took.
kill "$forever"; wait "$forever" 2>/dev/null
weir_trace ping subbuf_size=1M subbuf_count=8
ping_program
start "$tmp/ping"
ping=$!
wait_for test -d "ping/ping-$ping"
wait_for eval '[ "$(grep -c "^ping-" ping/status)" -ge 2 ]'
bad=
for i in $(seq $pings); do
	mkdir "ping@$i"
	gap=$(tail -n 20000 "ping@$i/text" | awk -v cut="$(($(moment "ping@$i") - $(within "ping@$i")))" '
		{ n = $NF; sub(/.*=/, "", n); split($1, t, "."); if (t[1] t[2] > cut "") exit
		  if (NR > 1 && n != last + 1) { print "hole before " n; exit } last = n; seen++ }
		END { if (seen < 2) print "nothing seen" }')
	[ -z "$gap" ] || bad="$bad $i: $gap"
	rmdir "ping@$i"
done
is "what is in one stream is not missing in another, $pings times" "$bad" ""
kill $ping; wait $ping 2>/dev/null

# ---- babeltrace2, again and again at full speed
weir_trace fast subbuf_size=16K subbuf_count=4 'events=tick:*'
start "$tick" -1 2
forever=$!
renice -n 10 "$forever" >/dev/null # its readers are to come forward where others run, too
wait_for test -d "fast/tick-$forever"
bad=0 none=0
for i in $(seq $times); do
	mkdir fast@x || bad=$((bad + 1))
	n=$(bt fast@x 2>>"$tmp/bt.err" | wc -l) || bad=$((bad + 1))
	[ "$n" -gt 0 ] || none=$((none + 1))
	rmdir fast@x || bad=$((bad + 1))
done
is "decodes without a word, $times times at full speed" "$bad$(head -c 500 "$tmp/bt.err")" 0
ok "with events in it ($none without)" [ "$none" -lt $(((times + 1) / 2)) ]

# ---- names
is "again" "$(try mkdir web@one)" "File exists"
is "of no trace" "$(try mkdir nothing@one)" "No such file or directory"
is "of a snapshot" "$(try mkdir web@one@two)" "Invalid argument"
for name in web@ web@.x 'web@a b' web@ä @ @x; do
	like "name ${name//[^ -~]/?}" "$(try mkdir -- "$name")" "Invalid argument|No such file or directory"
done
n63=$(printf 'n%.0s' $(seq 63))
mkdir "$n63"
ok "63 bytes and 63" mkdir "$n63@$n63"
like "64" "$(try mkdir "$n63@${n63}n")" "File name too long"
like "why is in .weir/errors" "$(tail -1 .weir/errors)" "mkdir $n63@${n63}n: .*63 bytes"
rmdir "$n63@$n63" "$n63"
ok "an empty trace's" mkdir empty
ok "is empty" mkdir empty@x
is "but for its text" "$(ls empty@x | paste -sd' ')$(cat empty@x/text)" "status text"
rmdir empty@x empty

# ---- the trace goes, the snapshot stays
sums web@one >"$tmp/sums3"
ok "it was the same" cmp "$tmp/sums" "$tmp/sums3"
kill "$forever"; wait "$forever" 2>/dev/null
echo 1 >web/control/clear
rmdir web
sums web@one >"$tmp/sums3"
ok "a snapshot survives its trace" cmp "$tmp/sums" "$tmp/sums3"
weir_trace web
traced "$tick" 10
ok "and another of that name" cmp <(bt web@one) <(bt "$tmp/copy")
rmdir web
exec 8<"$(ls -d web@one/tick-* | tail -1)/metadata"
ok "rmdir" rmdir web@one
is "it is gone" "$(ls -d web*)" "web@two"
ok "an open file is what it was" cmp /dev/fd/8 "$(ls -d "$tmp"/copy/tick-* | tail -1)/metadata"
exec 8<&-

# ---- the command
weir_trace cmd
traced "$tick" 10
is "weir snapshot" "$("$WEIR" snapshot cmd me)" "$mnt/cmd@me"
ok "makes one" test -d cmd@me
out=$("$WEIR" snapshot cmd)
like "its name is the time" "$out" "^$mnt/cmd@[0-9]{8}-[0-9]{6}$"
"$WEIR" snapshot cmd >"$tmp/a" & "$WEIR" snapshot cmd >"$tmp/b"; wait $!
ok "two at a time have two names" [ -d "$(cat "$tmp/a")" -a -d "$(cat "$tmp/b")" -a "$(cat "$tmp/a")" != "$(cat "$tmp/b")" ]
is "again" "$("$WEIR" snapshot cmd me 2>&1; echo $?)" "weir: cmd@me: File exists
1"
is "no such trace" "$("$WEIR" snapshot cmx me 2>&1; echo $?)" "weir: cmx: there is no such trace
1"
like "a bad name" "$("$WEIR" snapshot cmd 'a b' 2>&1; echo $?)" "^weir: mkdir cmd@a b: .*accepted.*
1$"
"$WEIR" snapshot >"$tmp/usage" 2>&1
is "usage" "$?" 2
rmdir cmd@*

# ---- two users
two_users() {
	user() { as_uid 65534 "$@"; }
	is "who does not see all may make none" "$(try user mkdir cmd@mine)" "Permission denied"
	is "and nothing is there" "$(ls -d cmd*)" cmd
	mkdir cmd@root
	user mkdir own
	user sh -c 'echo 1 >own/control/enabled'
	user env LD_PRELOAD="$(weir_preload)" "$tick" 10
	traced "$tick" 10
	user sh -c 'echo mine >own/marker'
	ok "one's own trace's" user mkdir own@mine
	is "has what one may see" "$(user cat own@mine/text | wc -l)" 11
	is "the maker owns it" "$(stat -c %u own@mine)" 65534
	is "others do not see a user's" "$(as_uid 65533 ls | grep -c own)" 0
	is "nor a directory of root's" "$(as_uid 65533 sh -c 'ls cmd@root' | paste -sd' ')" "status text"
	not_ok "nobody else removes it" as_uid 65533 rmdir own@mine
	not_ok "nor root's" user rmdir cmd@root
	mkdir own@root
	is "root's of a user's trace the user sees" "$(user cat own@root/text | wc -l)" 11
	is "and does not remove" "$(try user rmdir own@root)" "Operation not permitted"
	ok "its maker does" rmdir own@root
	ok "and so does the user" user rmdir own@mine
}

# ---- limits
limits() {
	local i
	for i in $(seq 16); do user mkdir "own@$i" || fail "snapshot $i"; done
	is "a user's seventeenth" "$(try user mkdir own@17)" "No space left on device"
	is "is not half there" "$(ls -d own@* | wc -l) $(try ls own@17)" "16 No such file or directory"
	like "why" "$(tail -1 .weir/errors)" "16 snapshots"
	user rmdir own@3
	ok "one goes, one comes" user mkdir own@17
	user rmdir own@*
	for i in $(seq 62); do mkdir "cmd@$i" || fail "snapshot $i"; done
	is "the sixty-fifth" "$(try mkdir cmd@64)" "No space left on device"
	rmdir cmd@* || fail "rmdir"
	[ -z "$WEIR_SHORT" ] || { rmdir own; return; } # half a gigabyte of them
	user sh -c 'echo 0 >own/control/enabled; echo 1 >own/control/clear; echo 4M >own/control/subbuf_size
		echo 16 >own/control/subbuf_count; echo 1 >own/control/enabled'
	user env LD_PRELOAD="$(weir_preload)" taskset -c 0 "$tick" 2600000
	size=$(stat -c %s own/tick-*/cpu0)
	ok "a large one: $size" [ "$size" -gt 60000000 ]
	for ((i = 0; i < 20; i++)); do user mkdir "own@$i" 2>/dev/null || break; done
	rss() { awk '/^VmRSS/ { print $2 * 1024 }' "/proc/$daemon_pid/status"; }
	full=$(rss)
	is "512 MiB of them" "$i" $((512 * 1024 * 1024 / size))
	is "then no more" "$(try user mkdir own@more) $(ls -d own@* | wc -l)" "No space left on device $i"
	like "why" "$(tail -1 .weir/errors)" "512 MiB"
	user rmdir own@*
	freed() { [ $((full - $(rss))) -gt $((i * size * 9 / 10)) ]; }
	[ "$WEIR_SANITIZE" != none ] || ok "rmdir frees them" wait_for freed
	ok "and there is room again" user mkdir own@again
	user rmdir own@again
	rmdir own
}

if has_users; then
	two_users
	limits
else
	skip "two users" "$no_users"
fi
is "statfs is well" "$(stat -f -c %T . >/dev/null; echo $?)" 0
rmdir cmd web@two ping fast
ls -d *@* >/dev/null 2>&1 && fail "something is left" "$(ls)"
exec {LONG[1]}>&-
wait "$long"
cd /
