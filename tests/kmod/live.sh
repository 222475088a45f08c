#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Consuming, with the kernel module in a guest: live streams, switches, recording of the kernel's own streams, in the
# short forms that an emulated machine wants. WEIR_TESTS="tests/..." runs those alone, on WEIR_CPUS (2).
. "${top_srcdir:-.}/tests/kmod/common.sh"
kmod_modules
: "${WEIR_TESTS:=tests/kmod/record_guest.sh tests/live/read.sh tests/live/switch.sh}"
# shellcheck disable=SC2086
acceptance live kmod "${WEIR_CPUS:-2}" $WEIR_TESTS
