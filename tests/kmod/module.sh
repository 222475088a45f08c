#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The module, without a daemon: its shared cases; what may be done with its mappings; the life of processes and traces;
# limits; a CPU that goes and comes; the tracing control read while it is written; misuse; load and unload. Long:
# 1,000,000 calls of misuse, 100 loads. WEIR_SEED is the first pass's of misuse.
#
# Misuse enables and disables events all the time, and the kernel patches its code for each. Now and then QEMU, with a
# thread a CPU, goes on executing the breakpoint that stood there meanwhile, and both CPUs lock up at it (in
# syscall_trace_enter; on 6.12 an oops in __schedule; no function of the module's in sight). So that guest's CPUs take turns;
# in another one, where the kernel's events stay off, they run beside each other.
. "${top_srcdir:-.}/tests/kmod/common.sh"
kmod_modules
kmod_programs mapping life consume switched moves offline latch fuzz uses raw_irq
cpus=${WEIR_CPUS:-2}
calls=${WEIR_FUZZ_CALLS:-$([ -n "$WEIR_SOAK" ] && echo 1000000 || echo 10000)}
loads=${WEIR_LOADS:-$([ -n "$WEIR_SOAK" ] && echo 100 || echo 40)}
seed=${WEIR_SEED:-$(od -An -N6 -tu8 /dev/urandom | tr -d ' ')}

cat >"$tmp/run" <<END
. /w/one
one ktap ./ktap
busybox insmod weir.ko || exit
one mapping ./mapping
one life ./life
one consume ./consume
one switched ./switched
one moves ./moves
one offline ./offline
one latch ./latch
one raw_irq ./raw_irq weir_irq.ko
one "all that, then" unloads
one load ./load $loads
END
cat >"$tmp/misuse" <<END
busybox insmod weir.ko && ./fuzzes $calls $seed
END
cat >"$tmp/beside" <<END
busybox insmod weir.ko && ./fuzzes $calls $((seed + 1000000)) quiet
END
files=("${modules[@]}" "$kmod"/guest/{one,load,ktap,fuzzes} "$tmp"/programs/*)
guard=${WEIR_GUARD:-$([ -n "$WEIR_SOAK" ] && echo 20000 || echo 880)}
boots "$cpus CPUs" -c "$cpus" -t "$guard" -w 'weir: relay: random access' "$tmp/run" "${files[@]}"
boots "$cpus CPUs, misuse" -s -c "$cpus" -t "$guard" "$tmp/misuse" "${files[@]}"
boots "$cpus CPUs at once, misuse" -c "$cpus" -t "$guard" "$tmp/beside" "${files[@]}"
