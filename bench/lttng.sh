# SPDX-License-Identifier: GPL-2.0-only
# lttng.sh: sourced after bench.sh by benchmarks that compare with LTTng-UST: a session daemon of their own, if that can be.
sessiond=
export LTTNG_HOME=$tmp LTTNG_UST_REGISTER_TIMEOUT=-1

lttng_end() {
	[ -z "$sessiond" ] || { kill "$sessiond"; while kill -0 "$sessiond" 2>/dev/null; do sleep 0.05; done; }
	bench_end
}
trap lttng_end EXIT

# With a clock plugin that reads the time stamp counter, as weir does.
with_tsc() { LTTNG_UST_CLOCK_PLUGIN=$top_builddir/bench/.libs/ust_clock.so "$@"; }	# COMMAND...
who_name() { case $1 in weir) echo weir ;; ust) echo LTTng-UST ;; *) echo "LTTng-UST, rdtsc as clock" ;; esac; }
lttng_() { lttng -q "$@" >>"$tmp/lttng.log" 2>&1; }
session() {	# NAME [SUBBUF-SIZE SUBBUF-COUNT]: snapshot mode, which writes nothing until it is asked to
	lttng_ create "$1" --snapshot --output="${lttng_out:-$tmp/lttng-traces}/$1"
	lttng_ enable-channel -u -s "$1" --overwrite --subbuf-size "${2:-256K}" --num-subbuf "${3:-4}" ch
	lttng_ enable-event -u -s "$1" -c ch bench:num,bench:str
}

if [ -x "$top_builddir/bench/pair_ust" ] && command -v lttng-sessiond >/dev/null; then
	if lttng -n list >/dev/null 2>&1; then
		echo "# an lttng-sessiond runs already: not compared with LTTng-UST" >&2
	else
		lttng-sessiond --daemonize --no-kernel --pidfile "$tmp/sessiond.pid" >"$tmp/lttng.log" 2>&1
		sessiond=$(cat "$tmp/sessiond.pid")
	fi
else
	echo "# lttng-tools or liblttng-ust-dev is not installed: weir alone" >&2
fi
