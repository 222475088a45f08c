# SPDX-License-Identifier: GPL-2.0-only
# read_common.sh: sourced by the tests of this folder that read while others write.
#
#   stress_program read_writer -pthread      # builds $tmp/read_writer
#   writer NAME OPTION...                    # a traced read_writer called NAME; its pid is in $writer. It leaves readers their turn
. "${top_srcdir:-.}/tests/lib/mount.sh"
need babeltrace2

stress=$top_srcdir/tests/stress
cpus=$(getconf _NPROCESSORS_CONF)

stress_program() {	# NAME [OPTION...]
	local name=$1
	shift
	$CC -std=gnu11 -D_GNU_SOURCE -O2 -g -Wall -Wextra -I"$top_srcdir/include" -o "$tmp/$name" "$stress/$name.c" "$@" ||
		{ echo "Bail out! $name.c"; exit 99; }
}

writer() {	# NAME OPTION...
	local name=$1
	shift
	[ -e "$tmp/$name" ] || ln "$tmp/read_writer" "$tmp/$name"
	nice -n 5 env LD_PRELOAD="$(weir_preload)" "$tmp/$name" "$@" &
	writer=$!
}

writers_end() {	# NAME PID...: asks them to end, and waits; a result
	local name=$1 pid status=0
	shift
	kill "$@"
	for pid; do wait "$pid" || status=$?; done
	is "$name" $status 0
}

has() { local f; for f; do [ -e "$f" ] || return 1; done; }	# FILE...

# The rows of `status` of a source, summed over the streams.
status_sum() {	# TRACE COLUMN [SOURCE]
	awk -v want="$2" -v source="${3:-}" 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == want) at = i; next }
		/^#/ || (source != "" && $1 != source) { next } { sum += $at } END { print sum + 0 }' "$mnt/$1/status"
}
