# SPDX-License-Identifier: GPL-2.0-only
# Consuming streams and buffer switches.
LIVE_TESTS = \
	tests/live/read.sh
TESTS += $(LIVE_TESTS)

check_PROGRAMS += tests/live/lively
tests_live_lively_SOURCES = tests/live/lively.c

EXTRA_DIST += \
	$(LIVE_TESTS)
