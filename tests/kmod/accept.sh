#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The same acceptance tests, with the kernel module in a guest: mounts, exactness, kills, a hostile process, readers; on 2
# and 4 CPUs, in short forms. Long: all of them that are about traces.
. "${top_srcdir:-.}/tests/kmod/common.sh"
: "${WEIR_GUEST_BACKEND:=kmod}"
kmod_modules
mounts='tests/mount/tree.sh tests/mount/status.sh'
two='tests/stress/exact.sh tests/stress/kills.sh tests/stress/hostile_process.sh tests/stress/read_copies.sh'
four='tests/stress/exact.sh tests/stress/kills.sh'
if [ -n "$WEIR_SOAK" ]; then
	mounts="$mounts tests/mount/control.sh tests/mount/memory.sh tests/mount/tools.sh tests/mount/users.sh tests/mount/view.sh"
	two="$two tests/stress/epochs.sh tests/stress/loss.sh tests/stress/storms.sh tests/stress/read_babeltrace.sh"
	four=$two
fi
# shellcheck disable=SC2086
acceptance "2-CPUs" "$WEIR_GUEST_BACKEND" 2 ${WEIR_TWO:-$mounts $two}
# shellcheck disable=SC2086
[ -n "${WEIR_TWO:-}" ] || acceptance "4-CPUs" "$WEIR_GUEST_BACKEND" 4 $four
