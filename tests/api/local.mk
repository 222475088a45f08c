# SPDX-License-Identifier: GPL-2.0-only
# Event sites as programs write them.
API_TESTS = \
	tests/api/behave.sh \
	tests/api/clock.sh \
	tests/api/detach.sh \
	tests/api/flags.sh \
	tests/api/forks.sh \
	tests/api/late.sh \
	tests/api/mlock.sh \
	tests/api/signals.sh
TESTS += $(API_TESTS)

check_PROGRAMS += tests/api/behave tests/api/detach tests/api/forks tests/api/mlock tests/api/signals
tests_api_behave_SOURCES = tests/api/behave.c
tests_api_behave_CFLAGS = $(AM_CFLAGS) -Wno-unused-parameter
tests_api_behave_LDFLAGS = -Wl,--no-as-needed -no-install
tests_api_behave_LDADD = lib/client/libweir.la
tests_api_detach_SOURCES = tests/api/detach.c
tests_api_detach_LDFLAGS = -Wl,--no-as-needed -no-install
tests_api_detach_LDADD = lib/client/libweir.la
tests_api_forks_SOURCES = tests/api/forks.c
tests_api_forks_LDFLAGS = -Wl,--no-as-needed -no-install
tests_api_forks_LDADD = lib/client/libweir.la
tests_api_mlock_SOURCES = tests/api/mlock.c
tests_api_mlock_LDFLAGS = -Wl,--no-as-needed -no-install
tests_api_mlock_LDADD = lib/client/libweir.la
tests_api_signals_SOURCES = tests/api/signals.c
tests_api_signals_LDFLAGS = -Wl,--no-as-needed -export-dynamic -no-install
tests_api_signals_LDADD = lib/client/libweir.la

EXTRA_DIST += \
	$(API_TESTS) \
	tests/api/inline.h \
	tests/api/late.c \
	tests/api/late.cc \
	tests/api/other.cc \
	tests/api/types.h \
	tests/api/types_c.c \
	tests/api/types_cxx.cc
