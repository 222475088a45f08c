# SPDX-License-Identifier: GPL-2.0-only
# Recorders, readers and writers are killed in random order, while traces and snapshots are made, read and removed.
# Nothing stays in the daemon, nobody hangs, who was not killed ends well, and what was recorded decodes.
. "${top_srcdir:-.}/tests/live/common.sh"
become_root
need gdb babeltrace2
weir_mount
rounds=$(soak 220 6 3)

# ---- what the daemon holds
fds() { ls "/proc/$daemon_pid/fd" | wc -l; }
field() { awk -v f="$1:" '$1 == f { print $2 }' "/proc/$daemon_pid/status"; }
# The kernel forgets what it need not know, and says so when it pleases.
nodes() {
	mount -i -o remount "$mnt"
	gdb -p "$daemon_pid" -batch -ex 'print weir_nodes_count.nodes + weir_waiting.count' 2>/dev/null | sed -n 's/^\$1 = //p'
}
mapped() { grep -c memfd:weir "/proc/$daemon_pid/maps"; }
has() { echo "$(fds) fds, $(mapped) mappings, $(field Threads) threads, $(field VmRSS) KiB, $(nodes) nodes and requests"; }
quiet() { [ "$(fds)" -le "$fds_before" ] && [ "$(mapped)" = 0 ] && [ "$(field Threads)" -le $((threads_before + 4)) ]; }
few_nodes() { [ "$(nodes)" -le "$nodes_before" ]; }
small() { [ "$(field VmRSS)" -lt $((rss_before + 16384)) ]; }

# ---- who comes and goes
failed=$tmp/failed
blame() { echo "$*: $(tail -n 1 "$mnt/.weir/errors")" >>"$failed"; }
pick() { [ $# -gt 0 ] && echo "${@:RANDOM % $# + 1:1}"; }
is_in() { [ -e "$mnt/$1/tick-$2/metadata" ]; }
write_on() {	# TRACE
	"$tick" -1 $((RANDOM % 2 + 1)) &
	writers+=($!)
	wait_for is_in "$1" $! || blame "tick-$! appears in $1"
}
read_on() {	# STREAM
	case $((RANDOM % 5)) in
	0) cat "$1" >/dev/null 2>&1 & ;;
	1) dd "if=$1" of=/dev/null bs=$((RANDOM + 1)) 2>/dev/null & ;;
	2) "$lively" poll "$1" /dev/null >/dev/null 2>&1 & ;;
	3) "$lively" small "$1" /dev/null >/dev/null 2>&1 & ;;
	4) timeout 1 head -c 10000 "$1" >/dev/null 2>&1 & ;;
	esac
	readers+=($!)
}
record_on() {	# TRACE: where the last one was
	"$WEIR" record "$1" -o "$tmp/$1" --rotate-size 1M --max-size 4M >>"$tmp/$1.said" 2>&1 &
	recorder=$!
}
# Who starts when the trace has gone is told so, and ends badly.
records() { find "/proc/$recorder/fd" -lname '*inotify*' | grep -q . || ! kill -0 "$recorder"; }
end() {	# PID
	kill -KILL "$1"
	wait "$1"
}
whole() {	# DIR...
	local d out
	for d; do
		out=$(babeltrace2 "$d" -o dummy 2>&1) && ! grep -vE ' Tracer (may have )?discarded ' <<<"${out:- Tracer discarded }" ||
			blame "babeltrace2 ${d##*/}: $out"
	done
}
take() {	# DIR: all that can be read
	find "$1" -type f -exec cat {} + >/dev/null || return
	cat "$1/text" >/dev/null
}
churn() {	# TRACE: snapshots of it, and other traces, until told
	local i reader
	for ((i = 0; ; i++)); do
		mkdir "$mnt/$1@$i" || blame "mkdir $1@$i"
		case $((RANDOM % 3)) in
		0) take "$mnt/$1@$i" || blame "reading $1@$i" ;;
		1) take "$mnt/$1@$i" & reader=$! ;;
		2) reader= ;;
		esac
		mkdir "$mnt/o$i" && echo 1 >"$mnt/o$i/control/enabled" && echo x >"$mnt/o$i/marker" || blame "mkdir o$i"
		rmdir "$mnt/$1@$i" || blame "rmdir $1@$i"
		[ -z "${reader:-}" ] || end $reader
		rmdir "$mnt/o$i" || blame "rmdir o$i"
		[ ! -e "$tmp/enough" ] || return 0
	done
}
new() {	# TRACE
	weir_trace "$1" subbuf_size=4K subbuf_count=$((2 << RANDOM % 4)) mode="$(pick discard overwrite)" || blame "mkdir $1"
}

round() {	# NAME: `r` has readers, `d` a recorder
	local r=r$1 d=d$1 writers=() readers=() recorder churner i w s
	new "$r"
	new "$d"
	record_on "$d"
	for i in 1 2; do write_on "$r"; done
	for s in "$mnt/$r"/tick-*/live/cpu*; do read_on "$s"; done
	churn "$(pick "$r" "$d")" &
	churner=$!
	for ((i = 0; i < 12; i++)); do
		case $((RANDOM % 7)) in
		0 | 1)
			w=$((RANDOM % ${#writers[@]}))
			end "${writers[w]}"
			unset "writers[w]"
			writers=("${writers[@]}")
			write_on "$r"
			;;
		2 | 3)
			end "$recorder"
			record_on "$d"
			;;
		4)
			echo all >"$mnt/$(pick "$r" "$d")/control/switch" || blame switch
			echo 1 >"$mnt/$(pick "$r" "$d")/control/clear" || blame clear
			;;
		*)
			kill -KILL "$(pick "${readers[@]}")"
			s=$(pick "$mnt/$r"/tick-*/live/cpu*)
			[ ! -e "$s" ] || read_on "$s"
			;;
		esac
	done
	touch "$tmp/enough"
	wait $churner
	wait_for records
	rm "$tmp/enough"
	if ((RANDOM & 1)); then
		rmdir "$mnt/$r" "$mnt/$d" || blame "rmdir $r $d"
		kill -KILL "${writers[@]}"
	else
		kill -KILL "${writers[@]}"
		rmdir "$mnt/$d" "$mnt/$r" || blame "rmdir $d $r"
	fi
	# readers that were not killed see the end of their stream, recorders the end of the trace
	wait "$recorder" || blame "the recorder ends: $? $(tail -n 2 "$tmp/$d.said")"
	wait "${readers[@]}" "${writers[@]}"
	(($1 % 5)) || whole "$tmp/$d"/[0-9]*
	rm -rf "${tmp:?}/$d"
}

# Once for what is only allocated once; the daemon keeps idle workers.
touch "$failed"
for ((i = 0; i < 2; i++)); do round "$i" 2>/dev/null; done
threads_before=$(field Threads)
threads_before=$((threads_before > 8 ? threads_before : 8))
settled() { [ "$(mapped)" = 0 ]; }
wait_for settled || fail "the daemon lets go of processes" "$(has)"
nodes_before=$(nodes) fds_before=$(fds) rss_before=$(field VmRSS) before=$(has)
exec 8<"$mnt/.weir/version"
ok "nodes are counted" test "$(nodes)" -gt "$nodes_before"
exec 8<&-
for ((i = 0; i < rounds; i++)); do round "$i" 2>/dev/null; done
is "$rounds rounds come to their ends" "$(sort "$failed" | uniq -c | head -n 20)" ""
for what in quiet few_nodes; do
	if wait_for $what; then pass "$what: $(has)"; else fail "$what" "before: $before" "now: $(has)"; fi
done
if [ "$WEIR_SANITIZE" = none ] && [ -z "${WEIR_WRAPPER:-}" ]; then
	if wait_for small; then pass "no memory stays"; else fail "no memory stays" "before: $before" "now: $(has)"; fi
fi
is "no trace stays" "$(ls "$mnt")" ""
is "no process stays" "$(grep -c '^[0-9]' "$mnt/.weir/processes")" 0
ok "the mount works" weir_trace last
