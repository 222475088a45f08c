# SPDX-License-Identifier: GPL-2.0-only
# The command.
CMD_TESTS = \
	tests/cmd/command.sh \
	tests/cmd/run.sh
TESTS += $(CMD_TESTS)

EXTRA_DIST += \
	$(CMD_TESTS)
