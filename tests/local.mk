# SPDX-License-Identifier: GPL-2.0-only
# Tests speak TAP. unit/ are cmocka programs, the scripts use lib/mount.sh. SOAK_TESTS honour WEIR_SOAK=1.
TEST_EXTENSIONS = .sh .py
TAP_DRIVER = env AM_TAP_AWK='$(AWK)' $(SHELL) $(top_srcdir)/build-aux/tap-driver.sh
LOG_DRIVER = $(TAP_DRIVER)
SH_LOG_DRIVER = $(TAP_DRIVER)
SH_LOG_COMPILER = bash
PY_LOG_DRIVER = $(TAP_DRIVER)
PY_LOG_COMPILER = python3
AM_TESTS_ENVIRONMENT = \
	top_srcdir='$(abs_top_srcdir)'; export top_srcdir; \
	top_builddir='$(abs_top_builddir)'; export top_builddir; \
	CC='$(CC)'; export CC; \
	WEIR_SANITIZE='$(WEIR_SANITIZE)'; export WEIR_SANITIZE; \
	WEIR_VALGRIND='$(WEIR_VALGRIND)'; export WEIR_VALGRIND; \
	WEIR_SOAK='$(WEIR_SOAK)'; export WEIR_SOAK; \
	CMOCKA_MESSAGE_OUTPUT=TAP; export CMOCKA_MESSAGE_OUTPUT;

# ---- unit: cmocka programs against the core
UNIT_TESTS = \
	tests/unit/cases \
	tests/unit/ctf \
	tests/unit/packet \
	tests/unit/relay_user \
	tests/unit/schema \
	tests/unit/text \
	tests/unit/tsdl \
	tests/unit/walk
UNIT_LIBS = lib/core/libcore.la $(CMOCKA_LIBS)
UNIT_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/cases $(CMOCKA_CFLAGS)

tests_unit_cases_SOURCES = \
	tests/cases/cases.h \
	tests/cases/packet.c \
	tests/cases/relay.c \
	tests/unit/run_cases.c
tests_unit_cases_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_cases_LDADD = $(UNIT_LIBS)

tests_unit_relay_user_SOURCES = tests/unit/relay_user.c
tests_unit_relay_user_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_relay_user_LDADD = $(CMOCKA_LIBS)

tests_unit_ctf_SOURCES = tests/unit/make.h tests/unit/ctf.c
tests_unit_ctf_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_ctf_LDADD = $(UNIT_LIBS)

tests_unit_packet_SOURCES = tests/unit/make.h tests/unit/packet.c
tests_unit_packet_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_packet_LDADD = $(UNIT_LIBS)

tests_unit_schema_SOURCES = tests/unit/make.h tests/unit/schema.c
tests_unit_schema_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_schema_LDADD = $(UNIT_LIBS)

tests_unit_text_SOURCES = tests/unit/make.h tests/unit/text.c
tests_unit_text_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_text_LDADD = $(UNIT_LIBS)

tests_unit_tsdl_SOURCES = tests/unit/make.h tests/unit/tsdl.c
tests_unit_tsdl_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_tsdl_LDADD = $(UNIT_LIBS)

tests_unit_walk_SOURCES = tests/unit/make.h tests/unit/walk.c
tests_unit_walk_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_walk_LDADD = $(UNIT_LIBS)

# ---- mount: scripts against real mounts
MOUNT_TESTS =

# ---- api: event sites as programs write them
API_TESTS = tests/api/flags.sh tests/api/behave.sh
check_PROGRAMS += tests/api/behave
tests_api_behave_SOURCES = tests/api/behave.c
tests_api_behave_CFLAGS = $(AM_CFLAGS) -Wno-unused-parameter
tests_api_behave_LDFLAGS = -Wl,--no-as-needed -no-install
tests_api_behave_LDADD = lib/client/libweir.la
EXTRA_DIST += \
	tests/api/types.h tests/api/types_c.c tests/api/types_cxx.cc tests/api/inline.h tests/api/other.cc
MOUNT_TESTS += $(API_TESTS)

TSAN_TESTS =
VALGRIND_TESTS =

TESTS += $(UNIT_TESTS) $(MOUNT_TESTS)
check_PROGRAMS += $(UNIT_TESTS)

EXTRA_DIST += \
	tests/lib/mount.sh tests/lib/packages.sh \
	$(MOUNT_TESTS)

# The long runs.
soak: all
	$(MAKE) $(AM_MAKEFLAGS) check WEIR_SOAK=1 TESTS='$(SOAK_TESTS)'

# For ./check: what the sanitizer, valgrind and tarball stages repeat.
print-unit-tests:
	@echo $(UNIT_TESTS)
print-tsan-tests:
	@echo $(TSAN_TESTS)
print-valgrind-tests:
	@echo $(VALGRIND_TESTS)
.PHONY: print-unit-tests print-tsan-tests print-valgrind-tests
