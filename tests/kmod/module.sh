#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The module, without a daemon: its shared cases; what may be done with its mappings; the life of processes and traces;
# limits; the tracing control read while it is written; misuse; load and unload. Long: 1,000,000 calls of
# misuse, 100 loads.
. "${top_srcdir:-.}/tests/kmod/common.sh"
kmod_modules
kmod_programs mapping life consume switched moves latch fuzz uses raw_irq
calls=${WEIR_FUZZ_CALLS:-$([ -n "$WEIR_SOAK" ] && echo 1000000 || echo 10000)}
loads=${WEIR_LOADS:-$([ -n "$WEIR_SOAK" ] && echo 100 || echo 10)}

cat >"$tmp/run" <<END
. /w/one
one ktap ./ktap
busybox insmod weir.ko || exit
one mapping ./mapping
one life ./life
one consume ./consume
one switched ./switched
one moves ./moves
one latch ./latch
one raw_irq ./raw_irq weir_irq.ko
echo 0 >/proc/sys/debug/exception-trace
one fuzz ./fuzz $calls ${WEIR_SEED:-}
one "fuzz, then" unloads
one load ./load $loads
END
boots "${WEIR_CPUS:-2} CPUs" -c "${WEIR_CPUS:-2}" -t "${WEIR_GUARD:-$([ -n "$WEIR_SOAK" ] && echo 20000 || echo 880)}" -w 'weir: relay: random access' \
	"$tmp/run" "${modules[@]}" "$kmod"/guest/{one,load,ktap} "$tmp"/programs/*
