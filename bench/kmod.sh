#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# bench/kmod: an event of the kernel, written by weir, by ftrace (a tracefs instance) and by lttng-modules (Debian's
# lttng-modules-dkms, where it builds), the same fields from the same loop, in one boot of a guest each: in instructions,
# which an emulator counts exactly, and in nanoseconds, which mean little there. Both without the loop itself.
. "$(dirname "$0")/bench.sh"
export top_srcdir top_builddir
: "${WEIR_KERNEL:=cloud}" "${WEIR_KMOD_CACHE:=$top_builddir/tests/kmod/cache}"
export WEIR_KMOD_CACHE
here=$top_srcdir/bench/kmod
modules=$("$top_srcdir/tests/kmod/modules/build" "$WEIR_KERNEL") || exit 1
headers=$("$top_srcdir/tests/kmod/kernel" "$WEIR_KERNEL")/headers/
cache=$(cd "$WEIR_KMOD_CACHE" && pwd)

# The loop, against the module's symbols.
build_bench() {
	local dir=$cache/bench-$(basename "$modules")
	mkdir -p "$dir" && ln -sf "$(cd "$here" && pwd)"/weir_bench* "$modules/weir" "$dir/" || return
	echo 'obj-m := weir_bench.o
ccflags-y := -I$(src)' >"$dir/Kbuild"
	make -s -C "$headers" M="$dir" KBUILD_EXTRA_SYMBOLS="$modules/Module.symvers" CONFIG_DEBUG_INFO_BTF_MODULES= \
		modules >"$dir/log" 2>&1 || { cat "$dir/log" >&2; return 1; }
	cp "$dir/weir_bench.ko" "$tmp/"
}

# The tracer and the probes of the loop; its other probes need more of the kernel's source than its headers.
build_lttng() {
	local dir=$cache/lttng-$(basename "$modules") src
	if [ ! -e "$dir/made" ]; then
		rm -rf "$dir" && mkdir -p "$dir" && (cd "$dir" && apt-get -qq download lttng-modules-dkms &&
			dpkg-deb -x lttng-modules-dkms_*.deb .) >"$dir.log" 2>&1 || return
		src=$(echo "$dir"/usr/src/lttng-modules-*)
		sed -i '/+= tests\/$/d' "$src/src/Kbuild" &&
			cp "$here"/{lttng_weir_bench.h,lttng-probe-weir-bench.c,weir_bench_trace.h} "$src/src/probes/" || return
		cat >"$src/src/probes/Kbuild" <<'END'
TOP_LTTNG_MODULES_DIR := $(shell dirname $(lastword $(MAKEFILE_LIST)))/../..
include $(TOP_LTTNG_MODULES_DIR)/src/Kbuild.common
ccflags-y += -I$(TOP_LTTNG_MODULES_DIR)/include
CFLAGS_lttng-probe-weir-bench.o := -I$(TOP_LTTNG_MODULES_DIR)/src/probes
obj-$(CONFIG_LTTNG) += lttng-kprobes.o lttng-kretprobes.o lttng-uprobes.o lttng-probe-weir-bench.o
END
		make -s -C "$src" KERNELDIR="$headers" CONFIG_DEBUG_INFO_BTF_MODULES= >>"$dir.log" 2>&1 || return
		touch "$dir/made"
	fi
	src=$(echo "$dir"/usr/src/lttng-modules-*)
	cc -O2 -I"$src/include" -o "$tmp/lttng_on" "$here/lttng_on.c" || return
	mkdir -p "$tmp/lttng" && find "$src" -name '*.ko' -exec cp {} "$tmp/lttng/" \;
}

# Serves /dev/weir: a trace of the loop's events in flight recorder mode, 4 sub-buffers of 256 KiB as for the others.
cc -O2 -D_GNU_SOURCE -I"$top_srcdir/include" -I"$top_srcdir/lib/core" -I"$top_srcdir/tests/kmod" -o "$tmp/weir_on" "$here/weir_on.c" \
	"$top_srcdir"/lib/core/{schema,name,out,put}.c || exit 1
build_bench || exit 1
lttng=()
if build_lttng; then lttng=("$tmp/lttng" "$tmp/lttng_on"); else
	echo "# lttng-modules-dkms does not build for this kernel: $(grep -m 1 'error' "$cache"/lttng-*.log)"; fi

cat >"$tmp/run" <<'END'
p=/sys/module/weir_bench/parameters/run
measure() { echo "$2" >$p && echo "$1 $(cat $p)"; }
both() { measure "$1-small" "$2small"; measure "$1-switch" "$2switch"; }
# COMMAND that says `on`, and ends with its input
with() { coproc "$@" && read -r line <&"${COPROC[0]}" && [ "$line" = on ]; }
without() { eval "exec ${COPROC[1]}>&-"; wait "$COPROC_PID"; }

for m in weir weir_bench; do busybox insmod $m.ko || exit; done
measure loop empty
both off-tracepoint ''
both off-weir weir_
for tid in '' tid; do
	with ./weir_on $tid || exit
	both weir${tid:+-}$tid weir_
	without
done
mkdir /sys/kernel/tracing/instances/w && cd /sys/kernel/tracing/instances/w && echo 1024 >buffer_size_kb || exit
echo 1 >events/weir_bench/enable && both ftrace '' && echo 0 >events/weir_bench/enable
cd /w
[ -d lttng ] || exit 0
for m in wrapper clock kprobes kretprobes uprobes lib-ring-buffer counter statedump tracer ring-buffer-metadata-mmap-client \
	ring-buffer-client-mmap-overwrite probe-weir-bench; do
	busybox insmod lttng/lttng-$m.ko || exit
done
with ./lttng_on 'weir_bench_small' && measure lttng-small small && without
with ./lttng_on 'weir_bench_switch' && measure lttng-switch switch && without
exit 0
END

# NAME: 3 numbers of cycles, 3 of nanoseconds, in hundredths, and how many rounds
show() {	# UNIT FIRST-COLUMN
	awk -v unit="$1" -v c="$2" '
		$1 == "loop" { loop = $c; next }
		{ n = split($1, part, "-"); printf "%-10s %-44s %10.2f %10.2f %10.2f %4d  %s\n", "kmod", $1,
			($c - loop) / 100, ($(c + 1) - loop) / 100, ($(c + 2) - loop) / 100, $8, unit
		  v[$1] = ($c - loop) / 100 }
		END { for (k = 1; k <= 2; k++) { e = k == 1 ? "small" : "switch"
			# ftrace writes the thread, lttng-modules does not
			if (v["ftrace-" e]) printf "# weir with tid / ftrace, %s: %.2f\n", e, v["weir-tid-" e] / v["ftrace-" e]
			if (v["lttng-" e]) printf "# weir / lttng, %s: %.2f\n", e, v["weir-" e] / v["lttng-" e] } }'
}

bench_guest() {	# OPTION...
	"$top_srcdir/tests/kmod/vm" -k "$WEIR_KERNEL" -w 'loading out-of-tree module|module verification failed' "$@" "$tmp/run" \
		"$modules/weir.ko" "$tmp/weir_bench.ko" "$tmp/weir_on" "${lttng[@]}"
}

bench_guest -i >"$tmp/instructions" || exit 1
show instructions 2 <"$tmp/instructions"
bench_guest -c 1 >"$tmp/time" || exit 1
show ns 5 <"$tmp/time"
