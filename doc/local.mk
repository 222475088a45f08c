# SPDX-License-Identifier: GPL-2.0-only
dist_man_MANS += doc/weir.1
EXTRA_DIST += doc/performance.md
