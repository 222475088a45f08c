# SPDX-License-Identifier: GPL-2.0-only
# common.sh: sourced by the tests of this folder. Programs that are held, readers in the background.
. "${top_srcdir:-.}/tests/stress/common.sh"
lively=$top_builddir/tests/live/lively tick=$top_builddir/tests/mount/tick asks=$top_builddir/tests/live/asks
need taskset dd

dir() { echo "$mnt/$1/"*-[0-9]*; }	# TRACE: of its only process
hold() {	# NAME COMMAND...: runs it with its standard input held by descriptor 9 until `let_go`; sets $held
	rm -f "$tmp/hold"
	mkfifo "$tmp/hold"
	: >"$tmp/$1.out"
	"${@:2}" <"$tmp/hold" >"$tmp/$1.out" 2>&1 &
	held=$!
	exec 9>"$tmp/hold"
}
let_go() { exec 9>&-; wait "$held"; }
ticks() {	# EVENTS: on CPU 0, written and held
	hold tick taskset -c 0 "$tick" "$1" 1 wait
	wait_for grep -q done "$tmp/tick.out"
}
tell() {	# WORD: to `asks`, which has done it afterwards
	local before
	before=$(grep -c ok "$tmp/asks.out")
	echo "$1" >&9
	wait_for more_than "$before" || fail "asks: $1"
}
more_than() { [ "$(grep -c ok "$tmp/asks.out")" -gt "$1" ]; }
now() {	# STREAM: how many events there are to be had without waiting
	mkdir -p "$tmp/now"
	dd "if=$1" iflag=nonblock bs=4M 2>/dev/null >"$tmp/now/cpu0"
	cat "${1%/live/*}/metadata" >"$tmp/now/metadata"
	if [ -s "$tmp/now/cpu0" ]; then babeltrace2 "$tmp/now" 2>"$tmp/now.err" | wc -l; else echo none; fi
}
ends() {	# NAME PID: a child, well
	if wait "$2"; then pass "$1"; else fail "$1" "status $?" "$(cat "$tmp/out")"; fi
}
# Waits for the daemon in read(2), which is 0, or 63 on other machines: not in a look-up or open(2).
asleep() {	# PID
	local wchan call
	read -rd '' wchan <"/proc/$1/wchan"
	read -r call _ <"/proc/$1/syscall" && [[ $wchan == request_wait_answer && ($call == 0 || $call == 63) ]]
}
counted_in() {	# NAME MODE DIR [OPTION...]: ctfread of captured streams
	local out name=$1
	if out=$("$tmp/ctfread" -m "$2" -c "$counts" "${@:4}" "$3" 2>&1); then
		pass "$name: $out"
	else
		fail "$name" "$out"
	fi
}

# All streams of a trace's processes, each by a reader of its own, from when it appears until it ends.
capture() {	# TRACE OUT: in the background; `captured` waits
	mkdir -p "$2"
	capture_some "$1" "$2" 9>&- &
	capturing=$!
}
capture_some() {
	local d s readers=()
	until [ -e "$2/stop" ]; do
		for d in "$mnt/$1/"*-[0-9]*; do
			[ -e "$d/metadata" ] && mkdir "$2/${d##*/}" 2>/dev/null || continue
			for s in "$d"/live/*; do
				cat "$s" >"$2/${d##*/}/${s##*/}" &
				readers+=($!)
			done
		done
		sleep 0.05
	done
	wait "${readers[@]}"
}
captured() {	# TRACE OUT: everybody has ended; metadata is read last
	local d s
	sleep 0.1
	touch "$2/stop"
	wait $capturing || fail "a reader failed"
	for d in "$2"/*/; do
		d=${d%/}
		cat "$mnt/$1/${d##*/}/metadata" >"$d/metadata"
		for s in "$d"/cpu*; do [ -s "$s" ] || rm "$s"; done
	done
}
