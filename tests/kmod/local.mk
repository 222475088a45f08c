# SPDX-License-Identifier: GPL-2.0-only
# The kernel module, in guests. Not part of `make check`: the stages kmod and accept of ./check run them, `make
# check-kmod` all of them.
KMOD_TESTS = \
	tests/kmod/module.sh \
	tests/kmod/consumer.sh \
	tests/kmod/events.sh \
	tests/kmod/tree.sh \
	tests/kmod/crash.sh
KMOD_ACCEPT_TESTS = \
	tests/kmod/accept.sh \
	tests/kmod/live.sh
SOAK_TESTS += \
	tests/kmod/module.sh \
	$(KMOD_ACCEPT_TESTS)

EXTRA_DIST += \
	$(KMOD_TESTS) \
	$(KMOD_ACCEPT_TESTS) \
	tests/kmod/common.sh \
	tests/kmod/consume.c \
	tests/kmod/consumer.c \
	tests/kmod/device.h \
	tests/kmod/fuzz.c \
	tests/kmod/fuzz_any.h \
	tests/kmod/fuzz_calls.h \
	tests/kmod/guest \
	tests/kmod/kasan \
	tests/kmod/kasan.config \
	tests/kmod/kernel \
	tests/kmod/kernel.h \
	tests/kmod/kernel_events.c \
	tests/kmod/kernel_rings.c \
	tests/kmod/latch.c \
	tests/kmod/life.c \
	tests/kmod/mapping.c \
	tests/kmod/modules \
	tests/kmod/moves.c \
	tests/kmod/offline.c \
	tests/kmod/raw_irq.c \
	tests/kmod/record_guest.sh \
	tests/kmod/stream.h \
	tests/kmod/switched.c \
	tests/kmod/tree_guest.sh \
	tests/kmod/userland \
	tests/kmod/uses.c \
	tests/kmod/vm \
	tests/kmod/wake.c \
	tests/kmod/writer.h

check-kmod: all
	$(MAKE) $(AM_MAKEFLAGS) check TESTS='$(KMOD_TESTS) $(KMOD_ACCEPT_TESTS)'

# The same on other kernels of Debian: 6.1 with PREEMPT_RT, 6.12.
check-kernels: all
	status=0; for kernel in rt 6.12; do \
		echo "== $$kernel"; \
		WEIR_KERNEL=$$kernel $(MAKE) $(AM_MAKEFLAGS) check TESTS='$(KMOD_TESTS) $(KMOD_ACCEPT_TESTS)' || status=1; \
	done; exit $$status

# And on one that finds mistakes, which is built first.
check-kasan: all
	top_srcdir='$(abs_top_srcdir)' top_builddir='$(abs_top_builddir)' $(abs_top_srcdir)/tests/kmod/kasan
	WEIR_KERNEL=kasan WEIR_GUARD=7200 WEIR_FUZZ_CALLS=50000 $(MAKE) $(AM_MAKEFLAGS) check TESTS='$(KMOD_TESTS) $(KMOD_ACCEPT_TESTS)'

print-kmod-tests:
	@echo $(KMOD_TESTS)
print-accept-tests:
	@echo $(KMOD_ACCEPT_TESTS)
.PHONY: check-kmod check-kernels check-kasan print-kmod-tests print-accept-tests
