#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# bench/attach: what a process pays for being traceable. attach.sh [ROUNDS]
. "$(dirname "$0")/bench.sh"
bench_mount
"$top_builddir/bench/spawn" "${1:-200}"
"$top_builddir/bench/spawn" --memory
