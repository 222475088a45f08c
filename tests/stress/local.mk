# SPDX-License-Identifier: GPL-2.0-only
# Exactness, kills, hostile programs; short here, long in `make soak`.
STRESS_TESTS = \
	tests/stress/epochs.sh \
	tests/stress/exact.sh \
	tests/stress/kills.sh \
	tests/stress/loss.sh \
	tests/stress/storms.sh
TESTS += $(STRESS_TESTS)
SOAK_TESTS += tests/stress/epochs.sh tests/stress/exact.sh tests/stress/kills.sh tests/stress/loss.sh tests/stress/storms.sh

EXTRA_DIST += \
	$(STRESS_TESTS) \
	tests/stress/common.sh \
	tests/stress/counts.h \
	tests/stress/ctfread.c \
	tests/stress/killer.c \
	tests/stress/plugin.c \
	tests/stress/writer.c
