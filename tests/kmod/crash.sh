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
