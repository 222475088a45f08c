#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# bench/read: GB/s of reading a full per-CPU buffer, the first time after it has changed and once more, beside a file
# of tmpfs of the same size and tracefs with its default sub-buffers. Writers on CPU 0, readers on CPU 1. read.sh [ROUNDS]
. "$(dirname "$0")/bench.sh"
rounds=${1:-9}
tracefs=$tmp/tracefs

read_end() {
	[ ! -d "$tracefs/instances/weir-bench" ] || rmdir "$tracefs/instances/weir-bench"
	! mountpoint -q "$tracefs" || umount "$tracefs"
	! mountpoint -q "$tmp/tmpfs" || umount "$tmp/tmpfs"
	bench_end
}
trap read_end EXIT

cat_() {	# FILE TIMES
	taskset -c 1 env WEIR_DISABLE=1 "$top_builddir/bench/read" cat "$@"
}

cat_twice() {	# FILE NAME: its size to $tmp/NAME.bytes, GB/s to .first and .second
	cat_ "$1" 2 | { read -r bytes first; read -r _ second; echo "$bytes" >>"$tmp/$2.bytes"
		echo "$first" >>"$tmp/$2.first"; echo "$second" >>"$tmp/$2.second"; }
}

read_peers_start() {	# BYTES
	mkdir -p "$tmp/tmpfs" "$tracefs"
	if [ "$(id -u)" != 0 ]; then
		tmpfs=/dev/shm
	else
		tmpfs=$tmp/tmpfs
		mountpoint -q "$tmpfs" || mount -t tmpfs tmpfs "$tmpfs"
		mountpoint -q "$tracefs" || mount -t tracefs tracefs "$tracefs"
		mkdir "$tracefs/instances/weir-bench"
		echo $(($1 / 1024)) >"$tracefs/instances/weir-bench/buffer_size_kb"
	fi
}

read_round() {	# BYTES FILE
	local instance=$tracefs/instances/weir-bench
	echo >&"${writer[1]}"
	read -r _ <&"${writer[0]}"
	cat_twice "$2" weir
	cat_ "${2%/*}/live/${2##*/}" 1 | cut -d' ' -f2 >>"$tmp/live"
	cp "$2" "$tmpfs/weir-bench"
	cat_twice "$tmpfs/weir-bench" file
	rm "$tmpfs/weir-bench"
	[ -d "$instance" ] || return 0
	"$top_builddir/bench/read" marker "$instance/trace_marker_raw" $((2 * $1))
	cat_ "$instance/per_cpu/cpu0/trace_pipe_raw" 1 | cut -d' ' -f2 >>"$tmp/pipe"
}

read_size() {	# LABEL BYTES SUBBUF-SIZE SUBBUF-COUNT
	local i dir
	rm -f "$tmp"/{weir,file}.{bytes,first,second} "$tmp"/{live,pipe}
	bench_trace full subbuf_size="$3" subbuf_count="$4"
	coproc writer { exec "$top_builddir/bench/read" fill "$2"; }
	read_peers_start "$2"
	echo >&"${writer[1]}"
	read -r _ <&"${writer[0]}"
	dir=$(echo "$mnt/full"/*-*)
	for ((i = 0; i < rounds; i++)); do read_round "$2" "$dir/cpu0"; done
	exec {writer[1]}>&-
	wait "$writer_PID"
	rmdir "$mnt/full"
	bench_stat read "read of $1, first time: weir" GB/s <"$tmp/weir.first"
	bench_stat read "read of $1, second time: weir" GB/s <"$tmp/weir.second"
	bench_stat read "read of $1, first time: tmpfs" GB/s <"$tmp/file.first"
	bench_stat read "read of $1, second time: tmpfs" GB/s <"$tmp/file.second"
	bench_stat read "read and consume $1: weir" GB/s <"$tmp/live"
	[ ! -e "$tmp/pipe" ] || bench_stat read "read and consume $1: trace_pipe_raw" GB/s <"$tmp/pipe"
	[ "$(sort -n "$tmp/weir.bytes" | head -n 1)" -gt $(($2 / 2)) ]
	[ ! -d "$tracefs/instances/weir-bench" ] || rmdir "$tracefs/instances/weir-bench"
}

bench_mount
read_size "64 MiB" $((64 << 20)) 1M 64
read_size "1 MiB" $((1 << 20)) 256K 4
