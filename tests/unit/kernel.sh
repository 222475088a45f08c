#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The core compiles unchanged as part of a kernel module, without a warning. (Files are linked into a folder of
# its own: Kbuild writes beside what it compiles.)
set -u
: "${top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}"
tmp=$(mktemp -d "${TMPDIR:-/tmp}/weir-test.XXXXXX") || exit 99
trap 'rm -rf "$tmp"' EXIT

echo 1..2
headers=$(ls -d /usr/src/linux-headers-*-cloud-amd64 /lib/modules/*/build 2>/dev/null | head -n 1)
if [ -z "$headers" ]; then
	echo "Bail out! no kernel headers are installed"
	exit 99
fi
# text formats floating point numbers, and only for readers
sources=$(cd "$top_srcdir/lib/core" && ls *.c | grep -v '^text\.c$')
for f in $sources; do ln -s "$top_srcdir/lib/core/$f" "$tmp/"; done
ln -s "$top_srcdir"/lib/core/*.h "$tmp/"
ln -s "$top_srcdir/include/weir" "$tmp/weir"
cat >"$tmp/module.c" <<'END'
#include <linux/module.h>
MODULE_LICENSE("GPL");
END
{
	echo "obj-m := core.o"
	echo "core-y := module.o" $(echo "$sources" | sed 's/c$/o/')
	echo 'ccflags-y := -I$(src) -Werror'
} >"$tmp/Makefile"
if make -C "$headers" M="$tmp" W=1 modules >"$tmp/log" 2>&1; then
	echo "ok 1 - the core is a kernel module ($(basename "$headers"))"
else
	echo "not ok 1 - the core is a kernel module ($(basename "$headers"))"
	sed 's/^/# /' "$tmp/log"
fi
if grep -i 'warning:' "$tmp/log" >"$tmp/warnings"; then
	echo "not ok 2 - without a warning"
	sed 's/^/# /' "$tmp/warnings"
else
	echo "ok 2 - without a warning"
fi
