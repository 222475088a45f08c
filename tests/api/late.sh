#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Plug-ins whose static objects trace as they are destroyed: recorded, and nothing of them stays behind.
. "${top_srcdir:-.}/tests/lib/mount.sh"
need cc c++ clang clang++

src=$top_srcdir/tests/api
weir_mount
libs=(-L"$top_builddir/lib/client/.libs" -Wl,--no-as-needed -lweir -Wl,-rpath,"$top_builddir/lib/client/.libs")
cc -O2 -g -I"$top_srcdir/include" -o "$tmp/late" "$src/late.c" "${libs[@]}" -ldl || exit 99
for compiler in c++ clang++; do
	for standard in c++11 c++20; do
		name=$compiler-$standard
		"$compiler" -std=$standard -O2 -g -fPIC -shared -I"$top_srcdir/include" -o "$tmp/$name.so" "$src/late.cc" || exit 99
		weir_trace t "events=api:*"
		ok "$name: comes and goes" env LD_PRELOAD="$(sanitizer_libs)" "$tmp/late" "$tmp/$name.so" 3
		is "$name: all is recorded" "$(sed -n 's/.* api://p' "$mnt/t/text" | xargs)" \
			"$(for i in 1 2 3; do echo "late: number=$i late: number=10$i unloaded: i=$i"; done | xargs)"
		rmdir "$mnt/t"
	done
done
