#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The tree: what is listed, names, making and removing, what never changes.
. "${top_srcdir:-.}/tests/lib/mount.sh"
tick=$top_builddir/tests/mount/tick
need babeltrace2 stat find
weir_mount
cd "$mnt" || exit 99

list() { find "$1" -mindepth 1 -maxdepth 1 -printf '%f\n' | LC_ALL=C sort | paste -sd' '; }
try() { "$@" 2>&1 | sed 's/.*: //'; }	# why it failed

is "an empty mount holds .weir alone" "$(list .)" ".weir"
is "ls shows nothing" "$(ls)" ""
is ".weir" "$(list .weir)" "backend clock errors processes version"
is "backend" "$(cat .weir/backend)" "${WEIR_BACKEND:-shm}"
like "clock" "$(cat .weir/clock)" '^(tsc|monotonic)$'
like "version" "$(cat .weir/version)" '^[0-9]+\.[0-9]+\.[0-9]+$'
is "processes: a heading" "$(cat .weir/processes)" "pid uid comm traces bytes"
is "the root is for everybody, and sticky" "$(stat -c %a .)" 1777

# ---- names
ok "mkdir" mkdir web
is "a trace" "$(list web)" "control marker status text"
is "its control" "$(list web/control | tr ' ' '\n' | grep -v switch | paste -sd' ')" \
	"available_events clear context enabled events max_bytes mode processes subbuf_count subbuf_size"
is "mkdir again" "$(try mkdir web)" "File exists"
long=$(printf 'a%.0s' $(seq 63))
ok "a name of 63 bytes" mkdir "$long"
not_ok "of 64" mkdir "a$long"
ok "of all that is allowed" mkdir 'A.z_0-9'
for name in '.hidden' 'a b' 'ä' $'a\nb' 'a:b' '-'; do
	case $name in
	-) ok "name $name" mkdir -- "$name"; rmdir -- "$name" ;;
	*) is "name ${name//[^ -~]/?}" "$(try mkdir -- "$name")" "Invalid argument" ;;
	esac
done
like "why is in .weir/errors" "$(tail -1 .weir/errors)" 'mkdir a:b: .*accepted: '
is "a line stays a line" "$(grep -c '^b' .weir/errors)" 0
is "no directory inside a trace" "$(try mkdir web/x)" "Operation not permitted"
ok "rmdir" rmdir "$long"
ok "rmdir" rmdir A.z_0-9
is "rmdir of what is not there" "$(try rmdir nothing)" "No such file or directory"
not_ok "rmdir .weir" rmdir .weir
not_ok "rmdir web/control" rmdir web/control

# ---- sixteen
for i in $(seq 15); do mkdir "t$i" || break; done
is "sixteen traces" "$(ls | wc -l)" 16
is "the seventeenth" "$(try mkdir t16)" "No space left on device"
rmdir t3
ok "one went, one comes" mkdir t16
rmdir t*

# ---- what only looks like an ordinary file system

for try in 'touch f' 'cp /dev/null f' 'mv web web2' 'mv web/status web/s' 'rm -f web/status' 'ln web/status x' 'ln -s a x' \
	'mkfifo p' 'chmod 777 web' 'chown 1 web' 'chmod 600 web/control/mode' 'touch web/f'; do
	not_ok "not permitted: $try" $try
done
is "nothing happened" "$(list .)" ".weir web"
for try in 'touch web/control/mode' 'chmod 644 web/control/mode' 'chmod 755 web' 'truncate -s0 web/control/mode'; do
	ok "nothing to do: $try" $try
done
is "no extended attributes, quietly" "$(cp -a web/control/mode "$tmp/mode" 2>&1)" ""

# ---- marker and a program
echo 1 >web/control/enabled
is "no events, no directories" "$(list web)" "control marker status text"
printf 'one\ntwo "2"\n' >web/marker
echo three >>web/marker
is "marker-0 appears" "$(list web)" "control marker marker-0 status text"
is "cpuN and metadata, no more" "$(list web/marker-0)" "cpu0 metadata"
is "metadata is listed last" "$(ls -U web/marker-0 | tail -1)" metadata
like "text" "$(cat web/text)" 'marker-0 cpu0 [0-9]+ marker:print: text="one" pid=[0-9]+.*text="two \\"2\\"".*text="three"'
is "marker reads as empty" "$(cat web/marker)" ""
traced "$tick" 100 2
like "a program's directory" "$(list web)" 'tick-[0-9]+'
dir=$(echo web/tick-*)
like "its streams" "$(list "$dir")" '^(cpu[0-9]+ )+metadata$'
is "its text, found by name" "$(wc -l <"$dir/text")" 200
is "text of all" "$(wc -l <web/text)" 203
is "sorted by time" "$(cut -d' ' -f1 web/text | sort -c && echo sorted)" sorted
is "babeltrace2 of one" "$(bt "$dir" | wc -l)" 200
is "babeltrace2 of the trace" "$(bt web | wc -l)" 203
is "babeltrace2 of the mount" "$(bt . | wc -l)" 203
is "babeltrace2 agrees with text" "$(bt "$dir" | grep -o ' n = [0-9]*' | tr -d ' n=' | sort -n | md5sum)" \
	"$(grep -o ' n=[0-9]*' "$dir/text" | tr -d ' n=' | sort -n | md5sum)"
is "no cpu that is not there" "$(try cat "$dir/cpu999")" "No such file or directory"
not_ok "cpu00 is not cpu0" test -e "$dir/cpu00"
is "data is read-only for root too" "$(sh -c "echo x >$dir/metadata" 2>&1 | grep -c 'Permission denied')" 1
is "modes" "$(stat -c %a "$dir" "$dir/metadata" web/control/mode web/status | paste -sd' ')" "550 440 644 444"
is "what is it" "$(stat -c '%F' "$dir" "$dir/metadata" | paste -sd,)" "directory,regular file"
is "available_events" "$(grep -v ^kernel: web/control/available_events)" "tick:count { u32 thread; u64 n; }"
is "status: a line a stream" "$(awk 'NR > 1 && !/^#/' web/status | wc -l)" "$(ls -d web/*-*/cpu* | wc -l)"
is "sizes are those of status" \
	"$(awk '$1 ~ /tick/ {s += int(($4 + 7) / 8) * 8} END {print s}' web/status)" \
	"$(stat -c %s "$dir"/cpu* | awk '{s += $1} END {print s}')"
is "st_ino is what readdir says" "$(ls -i "$dir/metadata" | cut -d' ' -f1)" "$(ls -iU "$dir" | awk '/metadata/ {print $1}')"
is "st_ino stays when content changes" "$(stat -c %i web/marker-0/cpu0; echo x >web/marker; stat -c %i web/marker-0/cpu0)" \
	"$(stat -c '%i
%i' web/marker-0/cpu0)"

# ---- clear and removal
echo 1 >web/control/clear
is "clear" "$(list web)" "control marker status text"
is "text is empty" "$(wc -c <web/text)" 0
echo again >web/marker
exec 9<web/marker-0/cpu0
ok "rmdir of what is in use, and not empty" rmdir web
is "an open file stays" "$(head -c4 <&9 | od -An -tx1 | tr -d ' ')" c11ffcc1
exec 9<&-
is "gone" "$(list .)" ".weir"
ok "the name is free" mkdir web
is "and new" "$(list web)" "control marker status text"
cd /
