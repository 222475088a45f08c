#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The kernel's writer and events, without a daemon: every context nested in every other, with each event accounted for
# in both modes, on 2 and 4 CPUs; with a clock that goes back; under QEMU's singlestep, so that interrupts come between
# publishing and leaving; what each event of the kernel says; events of other modules; who waits for them is woken.
. "${top_srcdir:-.}/tests/kmod/common.sh"
core=(desc.c name.c out.c put.c relay.c relay_pages.c ring_append.c ring_read.c schema.c text.c walk.c)
kmod_modules
kmod_programs kernel_rings kernel_events wake

cat >"$tmp/head" <<'END'
. /w/one
again() { cat /sys/module/weir/parameters/published_again; }
was_again() {
	[ "$(again)" -gt 0 ] || printf 'not '
	echo "ok 1 - a writer was interrupted between publishing and leaving, and published again"
	echo "# $(again) times"
	echo 1..1
}
for module in weir weir_nest; do busybox insmod "$module.ko" || exit; done
END

{
	cat "$tmp/head"
	cat <<'END'
one "overwrite, large" ./kernel_rings overwrite 18 2 2000 tsc
one "discard, large" ./kernel_rings discard 18 2 2000 monotonic
one "overwrite, the smallest ring" ./kernel_rings overwrite 12 1 2000 monotonic
one "discard, small" ./kernel_rings discard 12 2 2000 tsc
one "overwrite, the clock goes back" ./kernel_rings overwrite 12 2 1000 back
one "discard, the clock goes back" ./kernel_rings discard 14 2 1000 back
vm-monitor singlestep on
one "single steps, discard" ./kernel_rings discard 12 2 3000 tsc
for ((i = 0; i < 20 && $(again) == 0; i++)); do one "single steps" ./kernel_rings overwrite 18 2 3000 tsc; done
vm-monitor singlestep off
one "single steps" was_again
unload weir_nest
one "what the events say" ./kernel_events /w
one "who waits is woken" ./wake
one "events, then" unloads
END
} >"$tmp/run.2"
{
	cat "$tmp/head"
	echo 'one "overwrite" ./kernel_rings overwrite 14 2 3000 tsc'
	echo 'one "discard" ./kernel_rings discard 14 2 3000 tsc'
} >"$tmp/run.4"

files=("${modules[@]}" "$kmod/guest/one" "$tmp"/programs/*)
boots "2 CPUs" -w 'NMI handler .* took too long' "$tmp/run.2" "${files[@]}"
boots "4 CPUs" -c 4 -w 'NMI handler .* took too long' "$tmp/run.4" "${files[@]}"
