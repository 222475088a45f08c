# SPDX-License-Identifier: GPL-2.0-only
# vfork and posix_spawn storms, plugins that come and go, threads without rseq beside threads with it, all of it under
# signals: nothing is torn, nothing is lost uncounted. What runs outside of rseq shares one ring under a lock that
# nobody waits for, so there are losses.
. "${top_srcdir:-.}/tests/stress/common.sh"
plugins
weir_mount

room="subbuf_size=$(soak 4M 1M 256K) subbuf_count=16" # of cpux, too
many=$(soak 1000 100)
some=$(soak 300 100) # of those with two sources each: babeltrace2 has four descriptors a stream open
n=$(soak 200000 20000)

storm() {	# NAME MODE OPTION...
	local name=$1 mode=$2
	shift 2
	# shellcheck disable=SC2086
	new_trace "$name" mode=discard $room
	write_all "$@"
	counted "$name" "$mode"
	decoded "$name"
	[ "$name" = "${name#*rseq}" ] || ok "$name: cpux is used" test -n "$(find "$mnt/$name" -name cpux)"
	drop "$name"
}

storm vfork discard -t 2 -n "$n" -V $((many * 5)) -s -m
# a child writes until it is killed: how much that is, the machine decides, and thousands of them may fill cpux
storm vfork-killed "$(soak discard exact exact)" -t 2 -n "$n" -V $((many * 2)) -K
# ASan marks the stack frames of instrumented functions; a child that is killed inside of one leaves the marks in its
# parent's memory, and a signal handler may meet them before ASan's own vfork has wiped them.
signals=-s
[ "$WEIR_SANITIZE" = asan ] && signals=
storm vfork-killed-signals discard -t 2 -n "$n" -V $((many * 2)) -K $signals -x
storm spawn exact -t 2 -n "$n" -S "$many"
storm spawn-strings exact -t 1 -p 2 -n "$n" -S "$some" -x -m
storm plugins exact -t 2 -n "$n" -s -m -D "$tmp/plugin_c.so" -D "$tmp/plugin_cxx.so"
storm plugins-forks exact -t 2 -p 2 -n "$n" -D "$tmp/plugin_cxx.so" -F "$some"
storm rseq-mixed discard -t 4 -n "$n" -r
storm rseq-mixed-signals discard -t 8 -p 2 -n "$n" -r -s -m -x -F 20
storm rseq-one-of-two discard -t 2 -n "$n" -r -s

# The whole process without; in small rings as well.
export GLIBC_TUNABLES=glibc.pthread.rseq=0
storm no-rseq exact -t 1 -n "$n"
storm no-rseq-threads discard -t 4 -p 2 -n "$n" -s -m
storm no-rseq-forks discard -t 2 -n "$n" -s -F "$many" -V "$many"
storm no-rseq-plugins discard -t 2 -n "$n" -s -D "$tmp/plugin_c.so" -D "$tmp/plugin_cxx.so"
for mode in discard overwrite; do
	new_trace small mode=$mode subbuf_size=4K subbuf_count=2
	write_all -t 4 -n "$n" -s
	counted small $mode -o 4096:24
	decoded small
	drop small
done
unset GLIBC_TUNABLES

# All of it, in rings that turn over.
for mode in discard overwrite; do
	new_trace all mode=$mode subbuf_size=4K subbuf_count=4
	write_all -t 4 -p 2 -n "$n" -r -s -m -V "$some" -F "$some"
	counted all $mode -o 4096:24
	decoded all
	drop all
done
