# SPDX-License-Identifier: GPL-2.0-only
# bench.sh: sourced by benchmarks: a mount of one's own, and one line a question.
set -eu
: "${top_srcdir:=$(cd "$(dirname "$0")/.." && pwd)}"
: "${top_builddir:=$PWD}"
WEIR=$top_builddir/cmd/weir
tmp=$(mktemp -d "${TMPDIR:-/tmp}/weir-bench.XXXXXX")
mnt=$tmp/mnt
export WEIR_RUNDIR=$tmp/run WEIR_MOUNT=$mnt LD_LIBRARY_PATH=$top_builddir/lib/client/.libs LC_ALL=C
daemon=

bench_umount() {
	umount "$mnt" || umount -l "$mnt"
	wait "$daemon" || :
	daemon=
}

bench_end() {
	[ -z "$daemon" ] || bench_umount
	rm -rf "$tmp"
}
trap bench_end EXIT
trap 'exit 1' INT TERM

# The time stamp counter where it can be a clock, whatever the machine's own is (kvm-clock's vDSO takes 20 ns more).
clock=
! grep -qw constant_tsc /proc/cpuinfo || ! grep -qw nonstop_tsc /proc/cpuinfo || clock=--clock=tsc

bench_mount() {
	mkdir -p "$mnt" "$WEIR_RUNDIR"
	"$WEIR" mount -f $clock "$mnt" &
	daemon=$!
	until [ -e "$mnt/.weir/version" ]; do kill -0 "$daemon"; sleep 0.05; done
}

bench_trace() {	# NAME [SETTING=VALUE...]
	local name=$1 s
	shift
	mkdir "$mnt/$name"
	for s; do printf '%b\n' "${s#*=}" >"$mnt/$name/control/${s%%=*}"; done
	echo 1 >"$mnt/$name/control/enabled"
}

bench_stat() {	# NAME PARAMETERS UNIT: median min max n of the numbers on standard input
	sort -n | awk -v name="$1" -v par="$2" -v unit="$3" '{ v[NR] = $1 }
		END { printf "%-10s %-56s %10.2f %10.2f %10.2f %4d  %s\n", name, par, v[int(NR / 2) + 1], v[1], v[NR], NR, unit }'
}

bench_us() {	# COMMAND...: how long it takes, in microseconds
	local t0=${EPOCHREALTIME/./} t1
	"$@" >/dev/null
	t1=${EPOCHREALTIME/./}
	echo $((t1 - t0))
}
