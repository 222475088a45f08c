# SPDX-License-Identifier: GPL-2.0-only
# Processes: vfork, posix_spawn and fork storms, programs that are killed, set-user-id programs,
# valgrind.
. "${top_srcdir:-.}/tests/programs/common.sh"
need valgrind fusermount3
all=malloc,pthread,io

program children -pthread
program threads -pthread
program signals -pthread
program early -DLIBRARY -shared -fPIC -Wl,-soname,libearly.so
mv "$tmp/early" "$tmp/libearly.so"
program early -L"$tmp" -learly -Wl,-rpath,"$tmp"
weir_mount

SUBBUF=512K counted children $all "$tmp/children" 10

# Killed: the code comes through, what was recorded is there. A thread dies at most between its
# event and its count. (7 threads, and the shell that kills.)
cat >"$work/kill.sh" <<'END'
exec 3<>go
"$0" forever >&3 & # the first round's sums end the wait
read -r line <&3
sleep 0.0$((RANDOM % 10))
kill -KILL $!
wait $!
END
mkfifo "$work/go"
for i in 1 2 3; do
	SUBBUF=16M new_trace killed
	is "killed $i: the exit code" "$(
		(run_counted killed $all bash -c "$(cat "$work/kill.sh")" "$tmp/threads") 2>/dev/null; echo $?)" 137
	ok "killed $i: babeltrace2 reads the trace" bt_to "$tmp/killed.txt" "$mnt/killed"
	counter_says "$tmp/killed.counts" | sort >"$tmp/killed.counted"
	trace_says "$tmp/killed.txt" | sort >"$tmp/killed.traced"
	diag "killed $i: $(wc -l <"$tmp/killed.txt") events"
	is "killed $i: an event a thread may be uncounted" "$(
		differences "$tmp/killed.counted" "$tmp/killed.traced" | tr -d , |
			awk '{ d = $3 - $5; n += d < 0 ? -d : d } END { print (n > 8) ? n : "few" }')" few
	rmdir "$mnt/killed"
done

counted signalled $all sh -c 'echo >/dev/null; kill -USR1 $$'
counted aborted $all sh -c 'echo >/dev/null; ulimit -c 0; kill -ABRT $$'

# Set-user-id: the dynamic linker drops the libraries, the program runs as ever, nothing of it is
# recorded. fusermount3 is one, but not for root, who gives another user's bit to a copy of it.
suid=$(command -v fusermount3)
if [ "$(id -u)" = 0 ]; then
	mkdir "$tmp/suid"
	mount -t tmpfs -o mode=755,suid,exec none "$tmp/suid"
	install -m 4755 -o 65534 "$suid" "$tmp/suid/fusermount3"
	suid=$tmp/suid/fusermount3
fi
ok "set-user-id: it has the bit" test -u "$suid"
new_trace suid
is "set-user-id: runs" "$(LD_PRELOAD= "$WEIR" run -q -t suid -p $all -- "$suid" --version 2>&1)" "$("$suid" --version)"
is "set-user-id: leaves no source" "$(find "$mnt/suid" -name 'fusermount3-*')" ""
rmdir "$mnt/suid"
[ "$(id -u)" != 0 ] || umount "$tmp/suid"

# valgrind has no rseq: everything goes by the locked ring. (It does not run sanitized code.)
if [ "$WEIR_SANITIZE" = none ]; then
	counted valgrind $all valgrind -q --error-exitcode=9 --leak-check=no "$tmp/early"
	counted valgrind-threads pthread,io valgrind -q --error-exitcode=9 --leak-check=no --fair-sched=yes \
		"$tmp/signals"
fi
