# SPDX-License-Identifier: GPL-2.0-only
# Programs that nobody changed, under the preload libraries.
PROGRAMS_TESTS = \
	tests/programs/children.sh \
	tests/programs/values.sh \
	tests/programs/workloads.sh \
	tests/programs/wrappers.sh
TESTS += $(PROGRAMS_TESTS)

EXTRA_DIST += \
	$(PROGRAMS_TESTS) \
	tests/programs/cancel.c \
	tests/programs/children.c \
	tests/programs/common.sh \
	tests/programs/count.c \
	tests/programs/dlsym.c \
	tests/programs/early.c \
	tests/programs/loads.c \
	tests/programs/semantics.c \
	tests/programs/signals.c \
	tests/programs/threads.c \
	tests/programs/values.c
