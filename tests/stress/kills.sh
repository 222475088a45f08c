# SPDX-License-Identifier: GPL-2.0-only
# SIGKILL at random instants. Everything that a writer had completed is there; what was lost is counted; nothing stalls;
# nothing of the dead stays with the daemon when their trace is gone.
. "${top_srcdir:-.}/tests/stress/common.sh"
build $CC -std=gnu11 -D_GNU_SOURCE -O2 -g -Wall -Wextra -o "$tmp/killer" "$stress/killer.c"
plugins
weir_mount

rounds=$(soak 50 1)
each=$(soak 26 30 8)
enough=$(soak 10000 200 40) # some end by themselves, more where the machine is fast
within=$(soak 4000 4000 20000) # microseconds
[ -z "$WEIR_SHORT" ] || within=100000 # a guest takes so long to start a program
killed=0 recorded=0

kills() {	# NAME MODE SETTINGS OPTION...
	local name=$1 mode=$2 settings=$3 out
	shift 3
	# shellcheck disable=SC2086
	new_trace "$name" $settings
	out=$(LD_PRELOAD=$(weir_preload) timeout 600 "$tmp/killer" "$counts" $each ${us:-$within} "$tmp/writer" "$@" "$counts" 2>&1) ||
		fail "$name: killed" "status $?" "$out"
	killed=$((killed + ${out:-0}))
	settle
	counted "$name" "$mode" -o 4096:24
	recorded=$((recorded + events))
	# in a guest all of a trace's may end before they write, and then there is nothing to decode
	[ -n "$WEIR_SHORT" ] && [ "$events" = 0 ] && { drop "$name"; return; }
	[ $((round % 10)) != 0 ] || [ "$events" -gt 300000 ] || decoded "$name"
	drop "$name"
}

fds() { find "/proc/$daemon_pid/fd" -type l | wc -l; }
maps() { grep -c memfd:weir- "/proc/$daemon_pid/maps"; }
gone() { [ "$(maps)" = 0 ]; }
as_before() { [ "$(fds) $(maps)" = "$before" ]; }

# What is there for good is there after the first trace.
new_trace warm
write_all -n 100
drop warm
wait_for gone
before="$(fds) $(maps)"

large='subbuf_size=4M subbuf_count=4'
small='subbuf_size=4K subbuf_count=2'
for ((round = 0; round < rounds; round++)); do
	kills large exact "$large" -n 100000 -t 2
	kills signals exact "mode=discard $large" -n 40000 -t 2 -p 2 -s -x
	kills discard discard "mode=discard $small" -t 2 -m -s
	kills overwrite overwrite "$small" -t 3
	kills forks exact "$large" -n 100000 -t 1 -F 1000000
	kills forks-small discard "mode=discard $small" -t 1 -F 1000000 -s
	# a vfork child that outlives its parent writes to what the daemon takes for the dead one's: together then
	us=${within}g kills vforks discard "mode=discard $large" -n 100000 -t 1 -V 1000000 -K
	kills mixed overwrite "$small" -t 4 -r -D "$tmp/plugin_c.so"
done
diag "$killed of $((rounds * each * 8)) were still running when they were killed"
ok "so many were killed at random instants" test $killed -ge $enough
ok "they had written: $recorded events" test $recorded -gt 0
ok "the daemon keeps nothing of them" wait_for as_before
diag "descriptors, mappings: before $before, after $(fds) $(maps)"
is "no process is left" "$(tail -n +2 "$mnt/.weir/processes")" ""
