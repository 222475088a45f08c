# SPDX-License-Identifier: GPL-2.0-only
# Benchmarks: no part of `make check`. Each prints comparable lines: name, parameters, median, min, max, n, unit.
benches = bench/write bench/spawn bench/many bench/read bench/fill bench/render
bench_scripts = bench/write.sh bench/attach.sh bench/scale.sh bench/read.sh bench/snapshot.sh bench/text.sh
EXTRA_PROGRAMS += $(benches)
EXTRA_DIST += bench/results/all.txt bench/results/peers.png bench/results/peers.svg
EXTRA_DIST += bench/bench.sh bench/plot.sh bench/run.sh $(bench_scripts)

bench_write_SOURCES = bench/bench.h bench/write.c
bench_spawn_SOURCES = bench/bench.h bench/spawn.c
bench_many_SOURCES = bench/bench.h bench/many.c
bench_read_SOURCES = bench/bench.h bench/read.c
bench_fill_SOURCES = bench/bench.h bench/fill.c
bench_render_SOURCES = bench/bench.h bench/render.c
bench_link = -Wl,--no-as-needed
# Where a short loop lies in its cache lines is not what is measured: it can double what a disabled site costs.
bench_loops = $(AM_CFLAGS) -falign-loops=64
bench_write_CFLAGS = $(bench_loops)
bench_write_LDFLAGS = $(bench_link)
bench_spawn_LDFLAGS = $(bench_link) -no-install
bench_many_LDFLAGS = $(bench_link)
bench_read_LDFLAGS = $(bench_link)
bench_fill_LDFLAGS = $(bench_link)
bench_write_LDADD = lib/client/libweir.la
bench_spawn_LDADD = lib/client/libweir.la
bench_many_LDADD = lib/client/libweir.la
bench_read_LDADD = lib/client/libweir.la
bench_fill_LDADD = lib/client/libweir.la
bench_render_LDADD = lib/core/libcore.la

# One program, traced by weir, by LTTng-UST, and by nobody.
benches += bench/pair_weir bench/pair_plain
EXTRA_PROGRAMS += bench/pair_ust
EXTRA_LTLIBRARIES += bench/ust_clock.la
bench_scripts += bench/peers.sh bench/stream.sh
EXTRA_DIST += bench/lttng.sh
bench_pair_weir_SOURCES = bench/bench.h bench/pair.c
bench_pair_weir_CPPFLAGS = $(AM_CPPFLAGS) -DBENCH_WEIR
bench_pair_weir_CFLAGS = $(bench_loops)
bench_pair_weir_LDFLAGS = $(bench_link) -no-install
bench_pair_weir_LDADD = lib/client/libweir.la
bench_pair_plain_SOURCES = bench/bench.h bench/pair.c
bench_pair_plain_CFLAGS = $(bench_loops)
bench_pair_plain_LDFLAGS = -no-install
bench_pair_ust_SOURCES = bench/bench.h bench/pair.c bench/ust_events.c bench/ust_events.h
bench_pair_ust_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir) -DBENCH_UST $(UST_CFLAGS)
bench_pair_ust_CFLAGS = $(bench_loops) -Wno-missing-prototypes
bench_pair_ust_LDFLAGS = $(bench_link) -no-install
bench_pair_ust_LDADD = $(UST_LIBS) -ldl
bench_ust_clock_la_SOURCES = bench/bench.h bench/ust_clock.c
bench_ust_clock_la_CPPFLAGS = $(AM_CPPFLAGS) $(UST_CFLAGS)
bench_ust_clock_la_CFLAGS = $(AM_CFLAGS) -Wno-missing-prototypes
bench_ust_clock_la_LDFLAGS = -module -avoid-version -shared -rpath /nowhere
bench_ust_clock_la_LIBADD = $(UST_LIBS)
if WEIR_UST
bench_peers = bench/pair_ust bench/ust_clock.la
endif

# That an event takes no more instructions than before is a test: it counts, it does not measure time.
TESTS += bench/compare.sh
check_PROGRAMS += bench/count
bench_count_SOURCES = bench/bench.h bench/count.c
bench_count_LDFLAGS = $(bench_link) -no-install
bench_count_LDADD = lib/client/libweir.la
EXTRA_DIST += bench/compare.sh bench/instructions.x86_64

BENCH_RESULTS = $(abs_top_srcdir)/bench/results
bench_env = top_srcdir='$(abs_top_srcdir)' top_builddir='$(abs_top_builddir)'
bench: all $(benches) $(bench_peers)
	$(AM_V_at)$(bench_env) bash $(srcdir)/bench/run.sh full '$(BENCH_RESULTS)'
bench-quick: all $(benches) $(bench_peers)
	$(AM_V_at)$(bench_env) bash $(srcdir)/bench/run.sh quick '$(BENCH_RESULTS)'
.PHONY: bench bench-quick

# The kernel's events beside ftrace and lttng-modules, in a guest.
EXTRA_DIST += bench/kmod.sh bench/kmod
bench-kmod: all
	top_srcdir='$(abs_top_srcdir)' top_builddir='$(abs_top_builddir)' bash $(srcdir)/bench/kmod.sh
.PHONY: bench-kmod
