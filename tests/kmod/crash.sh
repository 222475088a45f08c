#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# A machine panics with the module loaded; its memory is taken by QEMU; weir crash finds all that was written, up to
# the last record: of a process, and of the kernel. (What processes held that have ended, the daemon has by then.)
. "${top_srcdir:-.}/tests/kmod/common.sh"
need babeltrace2
kmod_modules
guest_tree >"$tmp/made" 2>&1 || { echo "Bail out! guest tree"; diag "$(cat "$tmp/made")"; exit 99; }

cat >"$tmp/run" <<'END'
busybox insmod weir.ko && mkdir /mnt/t && /w/build/cmd/weir mount --backend=kmod /mnt/t || exit
mkdir /mnt/t/a && printf '%s\n' '*' 'kernel:sched_*' >/mnt/t/a/control/events && echo 1 >/mnt/t/a/control/enabled
export LD_LIBRARY_PATH=/w/build/lib/client/.libs
mkfifo fifo
/w/build/tests/mount/tick 2000 1 linger <fifo >said &
exec 8>fifo
until grep -q done said; do sleep 0.1; done
echo c >/proc/sysrq-trigger
END

events() { bt "$1" | grep -c "$2"; } # DIR EVENT
crashes() {	# FORMAT
	local format=$1 dir=$tmp/x.$1 status
	if ! "$kmod/vm" -k "$WEIR_KERNEL" -m 512 -d "$format:$tmp/dump" "$tmp/run" "${modules[@]}" "$tmp/guest/build" \
		>"$tmp/said" 2>&1; then
		fail "$format: a dump" "$(cat "$tmp/said")"
		return
	fi
	"$WEIR" crash "$tmp/dump" -o "$dir" >"$tmp/out" 2>"$tmp/err"
	status=$?
	is "$format: extracted, nothing damaged" "$status $(cat "$tmp/err")" "0 "
	like "$format: the kernel and the process" "$(cd "$dir/slot0" && echo *)" '^kernel tick-[0-9]+$'
	is "$format: every event of its" "$(events "$dir"/slot0/tick-* tick:count)" 2000
	like "$format: the kernel's" "$(events "$dir/slot0/kernel" kernel:sched_switch)" '^[1-9]'
	is "$format: the host's name" "$(bt "$dir" | grep -vc ' guest:')" 0
	rm -f "$tmp/dump"
}
for format in elf kdump-zlib; do crashes $format; done

# A process whose daemon is gone: what its user may look at is its own, by the module and by memfds; others' is not.
cat >"$tmp/run.pid" <<'END'
busybox insmod weir.ko && mkdir /mnt/t && chmod 755 /w || exit
export LD_LIBRARY_PATH=/w/build/lib/client/.libs
as() { setpriv --reuid="$1" --regid="$1" --clear-groups env LD_LIBRARY_PATH="$LD_LIBRARY_PATH" "${@:2}"; }
result() { n=$((n + 1)); [ "$2" = "$3" ] && echo "ok $n - $1" || printf 'not ok %s\n# got: %s\n' "$n - $1" "$2"; }
n=0
for backend in kmod shm; do
	/w/build/cmd/weir mount -f --backend=$backend /mnt/t & daemon=$!
	until [ -e /mnt/t/.weir/version ]; do sleep 0.1; done
	mkdir /mnt/t/a && echo '*' >/mnt/t/a/control/events && echo 1 >/mnt/t/a/control/enabled
	rm -f fifo
	mkfifo -m 666 fifo
	: >said
	as 65534 build/tests/mount/tick 2000 1 linger <fifo >said & pid=$!
	exec 8>fifo
	until grep -q done said; do sleep 0.1; done
	until [ -e /mnt/t/a/tick-*/metadata ]; do sleep 0.1; done
	kill -KILL $daemon
	umount -l /mnt/t
	tick=$(pgrep -x tick)
	for uid in 65534 0; do
		as $uid build/cmd/weir crash --pid "$tick" -o /tmp/$backend.$uid
		result "$backend: uid $uid: every event" "$(babeltrace2 /tmp/$backend.$uid | grep -c tick:count)" 2000
	done
	as 1234 build/cmd/weir crash --pid "$tick" -o /tmp/$backend.1234 2>/dev/null
	result "$backend: another user: refused" $? 1
	exec 8>&-
	wait $pid
done
echo "1..$n"
END
sed -i '1i . /w/one\npids() {' "$tmp/run.pid"
printf '}\none "a process" pids\n' >>"$tmp/run.pid"
boots pid -m 1024 "$tmp/run.pid" "${modules[@]}" "$kmod/guest/one" "$tmp/guest/build"
