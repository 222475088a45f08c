# SPDX-License-Identifier: GPL-2.0-only
# Benchmarks: no part of `make check`. Each prints comparable lines: name, parameters, median, min, max, n, unit.
benches = bench/write bench/spawn bench/many bench/read bench/fill bench/render
bench_scripts = bench/write.sh bench/attach.sh bench/scale.sh bench/read.sh bench/text.sh
EXTRA_PROGRAMS += $(benches)
EXTRA_DIST += bench/bench.sh $(bench_scripts)

bench_write_SOURCES = bench/bench.h bench/write.c
bench_spawn_SOURCES = bench/bench.h bench/spawn.c
bench_many_SOURCES = bench/bench.h bench/many.c
bench_read_SOURCES = bench/bench.h bench/read.c
bench_fill_SOURCES = bench/bench.h bench/fill.c
bench_render_SOURCES = bench/bench.h bench/render.c
bench_link = -Wl,--no-as-needed
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

# That an event takes no more instructions than before is a test: it counts, it does not measure time.
TESTS += bench/compare.sh
check_PROGRAMS += bench/count
bench_count_SOURCES = bench/bench.h bench/count.c
bench_count_LDFLAGS = $(bench_link) -no-install
bench_count_LDADD = lib/client/libweir.la
EXTRA_DIST += bench/compare.sh bench/instructions.x86_64

bench: all $(benches)
	@for b in $(bench_scripts); do \
		top_srcdir='$(abs_top_srcdir)' top_builddir='$(abs_top_builddir)' bash $(srcdir)/$$b || exit 1; done
