#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# In a guest with the module: the kernel's events in the tree, as babeltrace2 and grep see them, alone and merged with
# those of a program.
. "$top_srcdir/tests/live/common.sh"
names="sched_switch sched_wakeup sched_process_fork sched_process_exec sched_process_exit irq_handler_entry irq_handler_exit
	softirq_entry softirq_exit sys_enter sys_exit page_fault_user page_fault_kernel"
weir_mount
is "the backend" "$(cat "$mnt/.weir/backend")" kmod

weir_trace some 'events=kernel:sched_*'
available=$(cat "$mnt/some/control/available_events")
missing=
for name in $names; do [[ $'\n'$available == *$'\n'"kernel:$name "* ]] || missing+=" $name"; done
is "available_events lists all events of the kernel" "$missing" ""
for i in 1 2 3; do sleep 0.02; done
wait_for test -e "$mnt/some/kernel/metadata"
echo 0 >"$mnt/some/control/enabled"
decode() { bt "$@" >"$tmp/decoded"; }
ok "babeltrace2 reads <trace>/kernel" decode "$mnt/some/kernel"
like "sched_switch with its fields" "$(grep -m 1 'prev_comm = "sleep"' "$tmp/decoded")" \
	'kernel:sched_switch: .*prev_comm = "sleep", prev_tid = [0-9]+, prev_prio = 20, prev_state = [0-9]+, next_comm = ".*", next_tid = [0-9]+, next_prio = -?[0-9]+'
like "an exec" "$(grep -m 1 'sched_process_exec.*sleep' "$tmp/decoded")" 'filename = ".*sleep", tid = [0-9]+, old_tid = [0-9]+'
is "and nothing that the rules did not ask for" "$(grep -vc 'kernel:sched_' "$tmp/decoded")" 0
is "text has as many" "$(wc -l <"$mnt/some/kernel/text")" "$(wc -l <"$tmp/decoded")"
head -n 1 "$mnt/some/kernel/text" | sed 's/^/# /'
ok "one CPU's file and the metadata are a trace, too" eval \
	'mkdir "$tmp/one" && cp "$mnt/some/kernel/metadata" "$mnt"/some/kernel/cpu0 "$tmp/one" && bt "$tmp/one" >/dev/null'

# a program and the kernel, one trace
weir_trace both $'events=tick:*\nkernel:sys_enter\nkernel:sched_switch'
traced "$top_builddir/tests/mount/tick" 200 2
for i in 1 2 3; do sleep 0.02; done
echo 0 >"$mnt/both/control/enabled"
ok "a program's events and the kernel's are one trace" decode --clock-seconds "$mnt/both"
is "all of the program's" "$(grep -c 'tick:count' "$tmp/decoded")" 400
is "in the order of time" "$(sed 's/^\[\([0-9.]*\)\].*/\1/' "$tmp/decoded" | sort -n -c 2>&1)" ""
# the program started by system calls and ended by them
like "between the kernel's" "$(sed -n 's/.*\(tick:count\).*/\1/p; s/.*\(kernel:sys_enter\).*/\1/p' "$tmp/decoded" | uniq | head -n 3 | tr '\n' ' ')" \
	'^kernel:sys_enter tick:count kernel:sys_enter '
like "status has a line a CPU of the kernel" "$(cat "$mnt/both/status")" 'kernel'

# a module's own event, selected before it comes
weir_trace own 'events=sample:*'
ok "a module comes with an event" busybox insmod /w/weir_sample.ko period_ms=5
wait_for test -e "$mnt/own/kernel/text"
wait_for grep -q 'sample:tick' "$mnt/own/kernel/text"
like "its event" "$(grep -m 1 sample:tick "$mnt/own/kernel/text")" 'sample:tick: count=[0-9]+ cpu=[0-9]+ text="a tick of the sample"'
like "is available" "$(cat "$mnt/own/control/available_events")" 'sample:tick \{ u32 count; i32 cpu; str text; \}'
ok "and the module goes while a trace wants it" busybox rmmod weir_sample

# a process at its user's limit: packets whose pages it was refused are empty, and counted; then there is room again
weir_trace much subbuf_size=64K subbuf_count=64 mode=discard
mib=$(cat /sys/module/weir/parameters/user_max_mib)
echo 1 >/sys/module/weir/parameters/user_max_mib
numbers() { grep -o ' n = [0-9]*' "$tmp/decoded" | cut -d' ' -f4; }
hold asks taskset -c 0 "$asks"
tell 100000
settle
ok "what a process at its limit has written is read" decode "$mnt/much"
is "each event once, in order" "$(numbers | sort -nuc 2>&1)" ""
ok "as long as there was room" [ "$(numbers | head -n 1)" = 1 ]
not_ok "not all of them" [ "$(numbers | wc -l)" = 100000 ]
like "packets without pages are counted" "$(awk '/cpu0/ { print $8 }' "$mnt/much/status")" '^[1-9][0-9]*$'
echo "$mib" >/sys/module/weir/parameters/user_max_mib
echo 1 >"$mnt/much/control/clear"
tell 100000
settle
ok "there is room again: it is read" decode "$mnt/much"
is "all of it" "$(numbers | sort -nu | wc -l)" 100000
let_go
