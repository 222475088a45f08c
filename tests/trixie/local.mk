# SPDX-License-Identifier: GPL-2.0-only
# Debian 13: its compiler and libraries, and passthrough. Not part of `make check`: it needs root and fetches a system.
TRIXIE_TESTS = tests/trixie/passthrough.sh $(MOUNT_TESTS)

EXTRA_DIST += \
	tests/trixie/check-trixie \
	tests/trixie/passthrough.sh

check-trixie:
	@top_srcdir='$(abs_top_srcdir)' top_builddir='$(abs_top_builddir)' \
		bash $(srcdir)/tests/trixie/check-trixie $(TRIXIE_TESTS)

# How fast is reading with passthrough.
bench-trixie:
	@top_srcdir='$(abs_top_srcdir)' top_builddir='$(abs_top_builddir)' \
		bash $(srcdir)/tests/trixie/check-trixie bench

clean-local:
	rm -rf --one-file-system trixie
.PHONY: check-trixie bench-trixie
