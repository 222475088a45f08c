# SPDX-License-Identifier: GPL-2.0-only
# Benchmarks: no part of `make check`. Each prints comparable lines.
EXTRA_PROGRAMS += $(BENCHES)
bench: all $(BENCHES)
	@for b in $(BENCHES); do ./$$b || exit 1; done
