# SPDX-License-Identifier: GPL-2.0-only
# Consuming streams and buffer switches.
LIVE_TESTS = \
	tests/live/blocked.sh \
	tests/live/kills.sh \
	tests/live/read.sh \
	tests/live/switch.sh
TESTS += $(LIVE_TESTS)
SOAK_TESTS += tests/live/kills.sh tests/live/switch.sh

check_PROGRAMS += tests/live/asks tests/live/lively
tests_live_asks_SOURCES = tests/live/asks.c
tests_live_asks_LDFLAGS = -Wl,--no-as-needed -no-install
tests_live_asks_LDADD = lib/client/libweir.la
tests_live_lively_SOURCES = tests/live/lively.c

EXTRA_DIST += \
	$(LIVE_TESTS) \
	tests/live/common.sh
