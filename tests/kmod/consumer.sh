#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Consumers of sub-buffers in place: weir/consumer.h, those that die between GET and PUT; the example, as its own server.
. "${top_srcdir:-.}/tests/kmod/common.sh"
need "${CXX:=c++}"
echo '#include <weir/consumer.h>' >"$tmp/header.cc"
ok "the header in C++17" "$CXX" -std=c++17 -Wall -Wextra -Werror -I"$top_srcdir/include" -fsyntax-only "$tmp/header.cc"
kmod_modules
kmod_programs consumer
cp "$top_builddir/examples/consumer" "$tmp/example"

cat >"$tmp/run" <<'END'
. /w/one
busybox insmod weir.ko || exit
one consumer ./consumer
mkdir out
while :; do busybox true; done & load=$!
./example out 20 || echo "not ok - the example ends well"
kill "$load"
one "what the example wrote" ./consumer out 20
one "then" unloads
END
boots "2 CPUs" "$tmp/run" "${modules[@]}" "$kmod/guest/one" "$tmp/programs/consumer" "$tmp/example"
