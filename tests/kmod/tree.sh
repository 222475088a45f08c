#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The kernel in the tree of a daemon that has the module: tree_guest.sh, in a guest.
. "${top_srcdir:-.}/tests/kmod/common.sh"
kmod_modules
acceptance kmod kmod 2 tests/kmod/tree_guest.sh
