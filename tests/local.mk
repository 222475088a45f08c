# SPDX-License-Identifier: GPL-2.0-only
# Tests speak TAP: cmocka programs in unit/, elsewhere scripts that source lib/mount.sh.
TEST_EXTENSIONS = .sh
TAP_DRIVER = env AM_TAP_AWK='$(AWK)' $(SHELL) $(top_srcdir)/build-aux/tap-driver.sh
LOG_DRIVER = $(TAP_DRIVER)
LOG_COMPILER = bash $(top_srcdir)/tests/lib/guard $(WEIR_WRAPPER)
SH_LOG_DRIVER = $(TAP_DRIVER)
SH_LOG_COMPILER = bash $(top_srcdir)/tests/lib/guard bash
AM_TESTS_ENVIRONMENT = \
	top_srcdir='$(abs_top_srcdir)'; export top_srcdir; \
	top_builddir='$(abs_top_builddir)'; export top_builddir; \
	CC='$(CC)'; export CC; \
	CXX='$(CXX)'; export CXX; \
	WEIR_SANITIZE='$(WEIR_SANITIZE)'; export WEIR_SANITIZE; \
	WEIR_SOAK='$(WEIR_SOAK)'; export WEIR_SOAK; \
	CMOCKA_MESSAGE_OUTPUT=TAP; export CMOCKA_MESSAGE_OUTPUT;

EXTRA_DIST += \
	tests/lib/guard \
	tests/lib/mount.sh \
	tests/lib/packages.sh

include tests/unit/local.mk
include tests/api/local.mk
include tests/model/local.mk
include tests/cmd/local.mk
include tests/live/local.mk
include tests/mount/local.mk
include tests/programs/local.mk
include tests/record/local.mk
include tests/stress/local.mk
include tests/kmod/local.mk
include tests/trixie/local.mk

# The long runs of those scripts that have one.
soak: all
	$(MAKE) $(AM_MAKEFLAGS) check WEIR_SOAK=1 TESTS='$(SOAK_TESTS)'

# For ./check: what its stages run again. What is compiled elsewhere is not instrumented; relay_user has a reader
# beside a writer on purpose, and finds out afterwards what it may keep.
ASAN_TESTS = $(filter-out $(MODEL_TESTS) tests/unit/kernel.sh tests/api/flags.sh bench/compare.sh,$(TESTS))
TSAN_TESTS = $(filter-out tests/unit/relay_user,$(UNIT_TESTS)) $(MOUNT_TESTS) tests/live/read.sh tests/cmd/command.sh tests/stress/locked.sh
print-unit-tests:
	@echo $(UNIT_TESTS)
print-asan-tests:
	@echo $(ASAN_TESTS)
print-tsan-tests:
	@echo $(TSAN_TESTS)
.PHONY: print-unit-tests print-asan-tests print-tsan-tests
