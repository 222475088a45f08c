# SPDX-License-Identifier: GPL-2.0-only
# Readers and writers are killed at random, traces are made and removed meanwhile. Nothing stays in the daemon, nobody
# hangs, and what was captured decodes.
. "${top_srcdir:-.}/tests/live/common.sh"
weir_mount
rounds=$(soak 2000 40)

# What the daemon holds when nothing is there.
has() {
	local status=/proc/$daemon_pid/status
	echo "fds $(ls "/proc/$daemon_pid/fd" | wc -l) maps $(grep -c memfd "/proc/$daemon_pid/maps")"
	grep -E '^(VmRSS|Threads)' $status | tr -d '\n'
}
fds() { ls "/proc/$daemon_pid/fd" | wc -l; }
rss() { awk '/^VmRSS/ { print $2 }' "/proc/$daemon_pid/status"; }
threads() { awk '/^Threads/ { print $2 }' "/proc/$daemon_pid/status"; }
quiet() { [ "$(fds)" -le "$1" ] && [ "$(threads)" -le "$2" ] && ! grep -q memfd:weir "/proc/$daemon_pid/maps"; }

pick() { [ $# -gt 0 ] && echo "${@:RANDOM % $# + 1:1}"; }
round() {	# NAME
	local name=$1 writers=() readers=() i s victim
	weir_trace "$name" subbuf_size=4K subbuf_count=$((2 << RANDOM % 4)) \
		mode=$((( RANDOM & 1 )) && echo discard || echo overwrite)
	for i in 1 2 3; do
		"$tick" -1 2 &
		writers+=($!)
	done
	for i in "${writers[@]}"; do wait_for test -e "$mnt/$name/tick-$i/metadata"; done
	for i in "${writers[@]}"; do
		for s in "$mnt/$name/tick-$i"/live/cpu*; do
			case $((RANDOM % 4)) in
			0) cat "$s" >/dev/null 2>&1 & ;;
			1) dd "if=$s" of=/dev/null bs=$((RANDOM + 1)) 2>/dev/null & ;;
			2) "$lively" poll "$s" /dev/null >/dev/null 2>&1 & ;;
			3) "$lively" small "$s" /dev/null >/dev/null 2>&1 & ;;
			esac
			readers+=($!)
		done
	done
	for ((i = 0; i < 8; i++)); do
		case $((RANDOM % 5)) in
		0) victim=$(pick "${writers[@]}") ;;
		1) echo all >"$mnt/$name/control/switch"; continue ;;
		2) echo 1 >"$mnt/$name/control/clear"; continue ;;
		*) victim=$(pick "${readers[@]}") ;;
		esac
		kill -KILL "$victim" 2>/dev/null
		s=$(pick "$mnt/$name"/tick-*/live/cpu0)
		[ ! -e "$s" ] || { timeout 1 head -c 10000 "$s" >/dev/null 2>&1 & readers+=($!); }
	done
	if ((RANDOM & 1)); then rmdir "$mnt/$name"; kill -KILL "${writers[@]}" 2>/dev/null
	else kill -KILL "${writers[@]}" 2>/dev/null; rmdir "$mnt/$name"; fi
	# readers that were not killed see the end of their stream
	wait "${readers[@]}" "${writers[@]}" 2>/dev/null
}

# Once for what is only allocated once; the daemon keeps idle workers.
for ((i = 0; i < 5; i++)); do round "warm$i" 2>/dev/null; done
threads_before=$(threads)
threads_before=$((threads_before > 8 ? threads_before : 8))
settled() { ! grep -q memfd:weir "/proc/$daemon_pid/maps"; }
wait_for settled || fail "the daemon lets go of processes" "$(has)"
fds_before=$(fds) rss_before=$(rss)
for ((i = 0; i < rounds; i++)); do round "r$i" 2>/dev/null; done
pass "$rounds rounds come to their ends"
if wait_for quiet "$fds_before" "$((threads_before + 4))"; then
	pass "no descriptors, mappings, threads stay: $(has)"
else
	fail "no descriptors, mappings, threads stay" "before: $fds_before fds, $threads_before threads" "$(has)"
fi
if [ "$WEIR_SANITIZE" = none ] && [ -z "${WEIR_WRAPPER:-}" ]; then
	ok "no memory stays: $rss_before KiB, then $(rss)" test "$(rss)" -lt $((rss_before + 16384))
fi
is "no trace stays" "$(ls "$mnt")" ""
is "no process stays" "$(grep -c '^[0-9]' "$mnt/.weir/processes")" 0
ok "the mount works" weir_trace last
