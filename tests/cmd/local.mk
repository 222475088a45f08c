# SPDX-License-Identifier: GPL-2.0-only
# The command.
CMD_TESTS = \
	tests/cmd/command.sh \
	tests/cmd/crash.sh \
	tests/cmd/run.sh
TESTS += $(CMD_TESTS)
SOAK_TESTS += tests/cmd/crash.sh

EXTRA_DIST += \
	$(CMD_TESTS)

check_PROGRAMS += tests/cmd/mkdump
tests_cmd_mkdump_SOURCES = tests/cmd/mkdump.c
tests_cmd_mkdump_LDADD = lib/core/libcore.la

# What was installed is found by pkg-config, and finds its libraries.
EXTRA_DIST += tests/cmd/installed.sh
installcheck-local:
	$(AM_TESTS_ENVIRONMENT) WEIR='$(DESTDIR)$(bindir)/weir' libdir='$(DESTDIR)$(libdir)' \
		pkgdatadir='$(DESTDIR)$(pkgdatadir)' tmpfilesdir='$(DESTDIR)$(tmpfilesdir)' \
		mandir='$(DESTDIR)$(mandir)' sh -c 'export WEIR libdir pkgdatadir tmpfilesdir mandir; \
		exec bash $(srcdir)/tests/cmd/installed.sh'
