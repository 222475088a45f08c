# SPDX-License-Identifier: GPL-2.0-only
# Limits: of memory, descriptors and file sizes, seccomp, chroot, no /proc. A traced program is never harmed; what was
# written before stays readable. The daemon with few descriptors serves as many as it can, and others again later.
. "${top_srcdir:-.}/tests/stress/read_common.sh"
need prlimit unshare setpriv
become_root
stress_program hostile_limits
stress_program read_writer -pthread
mkdir -p "$tmp/empty"
weir_mount
weir_trace t

events_of() {	# PATTERN
	cat "$mnt"/t/text | grep -E " limits:event: .*part=\"$1\"" | wc -l
}

# AddressSanitizer cannot do with little memory: no limits of it there.
limits='nofile fsize fsize_small chroot none'
[ "$WEIR_SANITIZE" = none ] && limits="as data $limits"
for limit in $limits; do
	echo 1 >"$mnt/t/control/clear"
	rm -f "$tmp/go"
	mkfifo "$tmp/go"
	# no file is written by it, for that is limited, too
	{ traced "$tmp/hostile_limits" "$limit" <"$tmp/go" 2>&1; echo "status $?" >"$tmp/status"; } | cat >"$tmp/out" &
	pid=$!
	exec 9>"$tmp/go"
	has_parent() { [ "$(events_of parent)" = 100 ]; }
	wait_for has_parent || fail "$limit: its events before the change"
	# a trace that it has not seen before, while it is limited
	weir_trace "later-$limit"
	exec 9>&-
	wait $pid
	is "$limit: the program is fine" "$(cat "$tmp/status") $(paste -sd' ' "$tmp/out")" "status 0 fine fine"
	is "$limit: what it wrote is there" "$(events_of first) $(events_of limited) $(events_of parent) $(events_of last)" \
		"100 100 100 100"
	case $limit in
	none) is "$limit: its child's, too" "$(events_of child)" 100 ;;
	*) diag "$limit: of its child $(events_of child) of 100" ;;
	esac
	rmdir "$mnt/later-$limit"
done

# Seccomp: nothing but read, write and exit. Events need no system call.
echo 1 >"$mnt/t/control/clear"
traced "$tmp/hostile_limits" seccomp </dev/null >"$tmp/out" 2>&1
is "seccomp: the program is fine" "$? $(cat "$tmp/out")" "0 fine"
is "seccomp: what it wrote is there" "$(events_of first) $(events_of limited) $(events_of last)" "100 100 100"

# From its start on. The loader itself needs files, and memory; the program never notices weir.
under() {	# NAME COMMAND...
	local name=$1
	shift
	{ traced "$@" "$tmp/hostile_limits" none </dev/null 2>&1; echo "status $?" >"$tmp/status"; } | cat >"$tmp/out"
	is "$name from the start: the program is fine" "$(cat "$tmp/status") $(paste -sd' ' "$tmp/out")" "status 0 fine fine"
}
under fsize prlimit --fsize=0
under fsize_small prlimit --fsize=3000000
under nofile prlimit --nofile=6
under memlock prlimit --memlock=0
if [ "$WEIR_SANITIZE" = none ]; then
	for mib in 16 32 64 128 256 1024 4096; do under "as ${mib}M" prlimit --as=$((mib << 20)); done
fi
# AddressSanitizer has its options from there.
# shellcheck disable=SC2016
[ "$WEIR_SANITIZE" != none ] || under "no /proc" unshare --mount --propagation private bash -c 'mount -t tmpfs none /proc && exec "$@"' -
under "no network, no ipc, no pids of ours" unshare --net --ipc --pid --fork

# A daemon with few descriptors.
weir_umount
is "the daemon ends" $? 0
WEIR_WRAPPER="prlimit --nofile=40:40"
weir_mount
WEIR_WRAPPER=
weir_trace t
pids=
for i in $(seq 30); do
	writer many -t 1 -r 100
	pids="$pids $writer"
done
many() { awk '$3 == "many"' "$mnt/.weir/processes" | wc -l; }
some() { [ "$(many)" -ge 8 ]; }
ok "some of 30 processes are served" wait_for some
diag "$(many) of 30 processes, $(find "/proc/$daemon_pid/fd" | wc -l) descriptors"
ok "the mount is read" grep -q 'stress:t[io]ck' "$mnt/t/text"
ok "babeltrace2" bt "$mnt/t"
# shellcheck disable=SC2086
kill $pids
for pid in $pids; do
	wait "$pid"
	[[ $? =~ ^(0|143)$ ]] || fail "a program is harmed" # 143: it had not begun yet
done
none_left() { [ "$(many)" -eq 0 ]; }
ok "when they have ended" wait_for none_left
writer again -t 1 -r 100
again=$writer
wait_for test -d "$mnt/t/again-$again" && pass "the next one is served" || fail "the next one is served"
writers_end "it ends" "$again"
