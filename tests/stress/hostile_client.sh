# SPDX-License-Identifier: GPL-2.0-only
# Hostile clients of the socket, of another user and of root: they are refused, others are served meanwhile and
# afterwards, and no descriptor stays behind.
. "${top_srcdir:-.}/tests/stress/read_common.sh"
need setpriv
become_root
uids="2000 2001 0"
has_users || { skip "as another user" "$no_users"; uids=0; }
stress_program hostile_client
stress_program read_writer -pthread
rounds=3
[ -n "$WEIR_SOAK" ] && rounds=200
weir_mount
weir_trace t

descriptors() { find "/proc/$daemon_pid/fd" -mindepth 1 | wc -l; }
same_descriptors() { [ "$(descriptors)" -le "$1" ]; }
processes() { awk -v comm="$1" 'NR > 1 && $3 == comm' "$mnt/.weir/processes" | wc -l; }
is_there() { [ "$(processes "$1")" -ge 1 ]; }
none_there() { [ "$(processes "$1")" -eq 0 ]; }

# A normal program, now: its events are in the trace when it has ended.
served() {	# NAME
	local pid
	writer normal -t 1 -n 100
	pid=$writer
	wait "$pid" || fail "$1: the program failed"
	if wait_for test -d "$mnt/t/normal-$pid"; then
		is "$1: another program is served" "$(grep -c ' stress:t[io]ck: ' "$mnt/t/normal-$pid/text")" 100
	else
		fail "$1: another program is served"
	fi
}
served "at first"
before=$(descriptors)

each_mode() {	# UID
	local mode
	for mode in lengths words counts twice sizes kinds own_mount storm; do
		ok "uid $1, $mode" as_uid "$1" "$tmp/hostile_client" "$WEIR_RUNDIR" "$mode" 2000
	done
	served "uid $1"
}
for ((round = 0; round < rounds; round++)); do
	for uid in $uids; do each_mode "$uid"; done
done
is "none of them is a process" "$(processes hostile)" 0
ok "who was refused is named" grep -q "attach of process [0-9]*: not the message that abi.h describes" "$mnt/.weir/errors"
ok "their descriptors are gone" wait_for same_descriptors "$before"
diag "descriptors: $before before, $(descriptors) afterwards"

# Many that are silent, more than there may be, of one user and of many.
silent() {	# UID COUNT
	mkfifo "$tmp/silent.$1"
	as_uid "$1" "$tmp/hostile_client" "$WEIR_RUNDIR" silent "$2" <"$tmp/silent.$1" >"$tmp/silent.$1.out" &
	silent=$!
}
pids= fds=
for uid in $uids; do
	silent "$uid" "$([ "$uid" = 2000 ] && echo 3000 || echo 500)"
	pids="$pids $silent"
	exec {fd}>"$tmp/silent.$uid"
	fds="$fds $fd"
	ok "silent connections of $uid" wait_for grep -q connected "$tmp/silent.$uid.out"
done
served "beside the silent"
served "beside the silent, again"
ok "the silent are dropped" wait_for same_descriptors "$before"
served "when they were dropped"
for fd in $fds; do exec {fd}>&-; done
for pid in $pids; do wait "$pid" || fail "the silent one"; done

# Descriptors that who drops them waits for, more than a user may have: only he does.
lingering() {	# UID COUNT
	mkfifo "$tmp/linger.$1"
	as_uid "$1" "$tmp/hostile_client" "$WEIR_RUNDIR" linger "$2" <"$tmp/linger.$1" >"$tmp/linger.$1.out" &
	pids="$pids $!"
	exec {fd}>"$tmp/linger.$1"
	fds="$fds $fd"
	ok "lingering ones of $1" wait_for grep -q connected "$tmp/linger.$1.out"
}
pids= fds=
for uid in $uids; do
	lingering "$uid" 20
	served "beside the lingering of $uid"
done
ok "the mount is read beside them" ls "$mnt/t"
for fd in $fds; do exec {fd}>&-; done
for pid in $pids; do wait "$pid" || fail "the lingering one"; done
ok "when they have ended, their descriptors are gone" wait_for same_descriptors "$before"

# Right, but many times: each ends the one before; what attached is gone with its process.
ok "a process that attaches 300 times" as_uid "${uids%% *}" "$tmp/hostile_client" "$WEIR_RUNDIR" good 300
served "after it"
ok "it is gone" wait_for none_there hostile
ok "and its descriptors" wait_for same_descriptors "$before"

# More processes than a user may have; root may have any number.
[ "$uids" != 0 ] || exit
mkfifo "$tmp/crowd"
as_uid 2000 "$tmp/hostile_client" "$WEIR_RUNDIR" crowd 700 <"$tmp/crowd" >"$tmp/crowd.out" &
crowd=$!
exec 9>"$tmp/crowd"
wait_for grep -q connected "$tmp/crowd.out" || fail "the crowd"
crowd_is_full() { [ "$(processes hostile)" -eq 512 ]; }
ok "512 processes a user" wait_for crowd_is_full
served "beside the crowd"
is "512 and no more" "$(processes hostile)" 512
exec 9>&-
wait $crowd
ok "the crowd is gone" wait_for none_there hostile
ok "and its descriptors" wait_for same_descriptors "$before"
served "at last"

# The daemon ends beside them.
pids= fds=
rm -f "$tmp"/linger.*
lingering 2000 200
few_descriptors() { same_descriptors $((before + 3 * 64 + 50)); }
ok "a user who has too many gets no more descriptors" wait_for few_descriptors
served "beside his"
weir_umount
is "the daemon ends" $? 0
for fd in $fds; do exec {fd}>&-; done
for pid in $pids; do wait "$pid" || fail "the lingering one"; done
