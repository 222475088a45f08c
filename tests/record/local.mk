# SPDX-License-Identifier: GPL-2.0-only
# weir record.
RECORD_TESTS = \
	tests/record/basic.sh \
	tests/record/chunks.sh \
	tests/record/kill.sh \
	tests/record/late.sh \
	tests/record/soak.sh
TESTS += $(RECORD_TESTS)
SOAK_TESTS += \
	tests/record/kill.sh \
	tests/record/soak.sh

EXTRA_DIST += \
	$(RECORD_TESTS) \
	tests/record/common.sh \
	tests/record/paced.c \
	tests/record/strike.c
