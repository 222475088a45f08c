# SPDX-License-Identifier: GPL-2.0-only
# Promela: every interleaving of a small ring, by spin.
MODEL_TESTS = tests/model/run.sh
TESTS += $(MODEL_TESTS)

EXTRA_DIST += \
	$(MODEL_TESTS) \
	tests/model/ring.pml
