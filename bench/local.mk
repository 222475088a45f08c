# SPDX-License-Identifier: GPL-2.0-only
# Benchmarks: no part of `make check`. Each prints comparable lines: name, parameters, median, min, max, n, unit.
BENCH_PROGRAMS = bench/write bench/spawn bench/many
BENCH_SCRIPTS = bench/write.sh bench/attach.sh bench/scale.sh
EXTRA_PROGRAMS += $(BENCH_PROGRAMS)
EXTRA_DIST += bench/bench.sh $(BENCH_SCRIPTS)

bench_write_SOURCES = bench/bench.h bench/write.c
bench_spawn_SOURCES = bench/bench.h bench/spawn.c
bench_many_SOURCES = bench/bench.h bench/many.c
BENCH_LDFLAGS = -Wl,--no-as-needed
bench_write_LDFLAGS = $(BENCH_LDFLAGS)
bench_spawn_LDFLAGS = $(BENCH_LDFLAGS) -no-install
bench_many_LDFLAGS = $(BENCH_LDFLAGS)
bench_write_LDADD = lib/client/libweir.la
bench_spawn_LDADD = lib/client/libweir.la
bench_many_LDADD = lib/client/libweir.la

bench: all $(BENCH_PROGRAMS)
	@for b in $(BENCH_SCRIPTS); do \
		top_srcdir='$(abs_top_srcdir)' top_builddir='$(abs_top_builddir)' bash $(srcdir)/$$b || exit 1; done
