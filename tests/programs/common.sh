# SPDX-License-Identifier: GPL-2.0-only
# common.sh: sourced by the tests of this folder. Runs a program as it is and traced, and compares:
# its output, its exit code, and the number of events of each kind with what count.so saw.
#
#   program threads -pthread             # builds $tmp/threads
#   counted NAME LIST COMMAND...         # plain, then under `weir run -t NAME -p LIST`; five results

. "${top_srcdir:-.}/tests/lib/mount.sh"
need babeltrace2 python3

programs=$top_srcdir/tests/programs
work=$tmp/work # where the programs run
mkdir "$work"
: "${SUBBUF:=4M}"

program() {	# NAME [OPTION...]
	local name=$1
	shift
	$CC -std=gnu11 -D_GNU_SOURCE -O1 -g -w -o "$tmp/$name" "$programs/$name.c" "$@" ||
		{ echo "Bail out! $name.c"; exit 99; }
}

program count -shared -fPIC -fno-builtin -Wl,-z,now
mv "$tmp/count" "$tmp/count.so"

# Event counts as lines `NAME COUNT`: of the counter, of a trace's text.
counter_says() {	# FILE
	python3 - "$1" <<-'END'
	import struct, sys
	data = open(sys.argv[1], "rb").read()
	for name, calls, vforked in struct.iter_unpack("<32sQQ16x", data):
	    if calls + vforked:
	        print(name.split(b"\0")[0].decode(), calls + vforked)
	END
}

trace_says() {	# FILE
	sed -nE 's/^\[[^]]*\] \([^)]*\) [^{]* libc:([a-z0-9_]+): \{.*/\1/p' "$1" |
		sort | uniq -c | awk '{ print $2, $1 }'
}

# The rows of control-like file `status` as lines COLUMN=VALUE, summed over the streams.
status_sum() {	# TRACE COLUMN
	awk -v want="$2" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == want) at = i; next }
		{ sum += $at } END { print sum + 0 }' "$mnt/$1/status"
}

# How far a trace is from the counter, event by event; nothing if they agree.
differences() {	# COUNTER TRACE
	join -a1 -a2 -e0 -o 0,1.2,2.2 "$1" "$2" | awk '$2 != $3 { print $1 ": counted", $2 ", traced", $3 }'
}

new_trace() {	# NAME
	mkdir "$mnt/$1" && echo "$SUBBUF" >"$mnt/$1/control/subbuf_size" &&
		echo 4G >"$mnt/$1/control/max_bytes"
}

# COMMAND under `weir run`, with the counter in front of weir's libraries.
run_counted() {	# NAME LIST COMMAND...: in a subshell, which becomes COMMAND
	local san
	san=$(sanitizer_libs)
	cd "$work" && truncate -s 0 "$tmp/$1.counts" && truncate -s 4096 "$tmp/$1.counts" || exit 99
	export COUNT_FILE=$tmp/$1.counts COUNT_NOT=weir LD_PRELOAD=${san:+$san:}$tmp/count.so
	exec "$WEIR" run -q -t "$1" -p "$2" -- "${@:3}"
}

# What `counted` keeps of the counter: the events of LIST's libraries.
of_list() {	# LIST
	local re=^$ l
	for l in ${1//,/ }; do
		case $l in
		malloc) re="$re|^(malloc|free|calloc|realloc|reallocarray|memalign|aligned_alloc|posix_memalign|p?valloc) " ;;
		pthread) re="$re|^pthread_" ;;
		io) re="$re|^(open|openat|creat|close|p?read|p?write|readv|writev|fsync|fdatasync) "
		    re="$re|^(connect|accept|accept4|send|recv|sendto|recvfrom|sendmsg|recvmsg) " ;;
		esac
	done
	grep -E "$re"
}

check_counts() {	# NAME LIST
	local name=$1 list=$2
	ok "$name: babeltrace2 reads the trace" bt_to "$tmp/$name.txt" "$mnt/$name"
	counter_says "$tmp/$name.counts" | of_list "$list" | sort >"$tmp/$name.counted"
	trace_says "$tmp/$name.txt" | sort >"$tmp/$name.traced"
	diag "$name: $(wc -l <"$tmp/$name.txt") events"
	is "$name: as many events of each kind as the counter saw" \
		"$(differences "$tmp/$name.counted" "$tmp/$name.traced")" ""
	not_ok "$name: the counter saw something" test ! -s "$tmp/$name.counted"
}

bt_to() { local out=$1; shift; bt "$@" >"$out"; }	# FILE DIR

counted() {	# NAME LIST COMMAND...
	local name=$1 list=$2 plain traced
	shift 2
	# in the background: the shell's word on a signal goes elsewhere
	(cd "$work" && exec "$@") >"$tmp/$name.out" 2>"$tmp/$name.err" </dev/null &
	wait $! 2>/dev/null
	plain=$?
	new_trace "$name" || fail "$name: no trace"
	(run_counted "$name" "$list" "$@") >"$tmp/$name.out2" 2>"$tmp/$name.err2" </dev/null &
	wait $! 2>/dev/null
	traced=$?
	is "$name: the same exit code" "$traced" "$plain"
	ok "$name: the same output" diff -a "$tmp/$name.out" "$tmp/$name.out2"
	ok "$name: the same on standard error" diff -a "$tmp/$name.err" "$tmp/$name.err2"
	check_counts "$name" "$list"
	rmdir "$mnt/$name"
}
