#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The same acceptance tests, with the kernel module in a guest: mounts, exactness, kills, readers, in the short forms
# that an emulated machine wants. By default each once, on 2 or on 4 CPUs; long: all of them on both, a hostile process,
# which takes its time there, and the others that are about traces. WEIR_TESTS="tests/..." runs those alone, on WEIR_CPUS (2).
. "${top_srcdir:-.}/tests/kmod/common.sh"
: "${WEIR_GUEST_BACKEND:=kmod}"
kmod_modules
two='tests/mount/tree.sh tests/mount/inotify.sh tests/stress/exact.sh'
four='tests/stress/kills.sh tests/stress/read_copies.sh'
if [ -n "$WEIR_SOAK" ]; then
	two="$two $four tests/stress/hostile_process.sh tests/mount/status.sh tests/mount/control.sh tests/mount/memory.sh tests/mount/tools.sh"
	two="$two tests/mount/users.sh tests/mount/view.sh tests/stress/daemon.sh tests/stress/epochs.sh tests/stress/loss.sh"
	two="$two tests/stress/storms.sh tests/stress/read_babeltrace.sh"
	four=$two
fi
if [ -n "${WEIR_TESTS:-}" ]; then
	# shellcheck disable=SC2086
	acceptance "${WEIR_CPUS:=2}-CPUs" "$WEIR_GUEST_BACKEND" "$WEIR_CPUS" $WEIR_TESTS
else
	# shellcheck disable=SC2086
	acceptance "2-CPUs" "$WEIR_GUEST_BACKEND" 2 $two
	# shellcheck disable=SC2086
	acceptance "4-CPUs" "$WEIR_GUEST_BACKEND" 4 $four
fi
