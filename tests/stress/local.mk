# SPDX-License-Identifier: GPL-2.0-only
# Exactness, kills, hostile programs; short here, long in `make soak`.
STRESS_TESTS = \
	tests/stress/daemon.sh \
	tests/stress/epochs.sh \
	tests/stress/exact.sh \
	tests/stress/kills.sh \
	tests/stress/locked.sh \
	tests/stress/loss.sh \
	tests/stress/storms.sh
TESTS += $(STRESS_TESTS)
SOAK_TESTS += $(STRESS_TESTS)

EXTRA_DIST += \
	$(STRESS_TESTS) \
	tests/stress/common.sh \
	tests/stress/counts.h \
	tests/stress/ctfread.c \
	tests/stress/killer.c \
	tests/stress/plugin.c \
	tests/stress/writer.c

# Reading while others write, hostile processes and clients, users.
READ_TESTS = \
	tests/stress/hostile_client.sh \
	tests/stress/hostile_limits.sh \
	tests/stress/hostile_process.sh \
	tests/stress/read_babeltrace.sh \
	tests/stress/read_copies.sh \
	tests/stress/users_group.sh \
	tests/stress/users_isolation.sh \
	tests/stress/users_rootless.sh
TESTS += $(READ_TESTS)
SOAK_TESTS += \
	tests/stress/hostile_client.sh \
	tests/stress/hostile_process.sh \
	tests/stress/read_babeltrace.sh \
	tests/stress/read_copies.sh

EXTRA_DIST += \
	$(READ_TESTS) \
	tests/stress/hostile_client.c \
	tests/stress/hostile_device.h \
	tests/stress/hostile_limits.c \
	tests/stress/hostile_writer.c \
	tests/stress/read_check.c \
	tests/stress/read_common.sh \
	tests/stress/read_plugin.c \
	tests/stress/read_sum.h \
	tests/stress/read_writer.c
