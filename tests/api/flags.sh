#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Event sites compile cleanly, and record the same, under every kind of compilation; without libweir they are silent.
. "${top_srcdir:-.}/tests/lib/mount.sh"
need cc c++ clang clang++ ld.lld

src=$top_srcdir/tests/api
weir_mount
weir_trace t "events=api:*"
cd "$tmp" || exit 99

# what is recorded, without time, source, CPU and tid, and addresses of functions
recorded() { sed -n "s/^[0-9.]* $1-[0-9]* cpu[0-9x]* [0-9]* //p" "$mnt/t/text" |
	sed '/api:functions/s/0x[0-9a-f]*/0x1/g'; }

cat >want.c <<'END'
api:none:
api:integers: c=65 sc=-128 uc=255 s=-32768 us=65535 i=-2147483648 u=4294967295 l=-9223372036854775808 ul=18446744073709551615 ll=-1 ull=9223372036854775808
api:others: yes=true f=0.5 d=-2.25 p=0x1234 null=0x0 path="/index.html" req_id=7 req_name="name" req_colour=7 lit_x="lit, (x)"
api:bits: bits_four=9 bits_rest=268435455 bits_five=-3 bits_flag=true bits_seven=127 bits_forty=1099511627775 bits_sixty=-5 bits_all=18446744073709551615 bits_four_1=10
api:sixteen: i=-2147483648 i_2=-2147483648 i_3=-2147483648 i_4=-2147483648 i_5=-2147483648 i_6=-2147483648 i_7=-2147483648 i_8=-2147483648 i_9=-2147483648 i_10=-2147483648 i_11=-2147483648 i_12=-2147483648 i_13=-2147483648 i_14=-2147483648 i_15=-2147483648 u=4294967295
api:given: a=44 b=4464 c=4294967295 d=18446744073709551615 e=-1 f=-2 g=-3 h=-4 k=1.5 l=2.5 m=true n=0x1234 o="/index.html" q=0x01abff r="hello"
api:guarded:
END
{ echo api:initialiser:; cat want.c; cat <<'END'; } >want.cxx
api:functions: printf=0x1 no_throw=0x1 other=0x1
api:member: this_id=3 id=3
api:lambda: id=3
api:templated: value=1
api:templated: value="text"
api:inlined: value=2
api:templated: value=3
api:inlined: value=3
END

libs="-L$top_builddir/lib/client/.libs -Wl,--no-as-needed -lweir -Wl,-rpath,$top_builddir/lib/client/.libs"
n=0
try() {	# LANGUAGE COMPILER FLAGS...
	local lang=$1 compiler=$2 files name
	shift 2
	n=$((n + 1))
	case $lang in c) files=$src/types_c.c ;; *) files="$src/types_cxx.cc $src/other.cc" ;; esac
	for name in alone$n linked$n; do
		# shellcheck disable=SC2086
		ok "$compiler $* compiles, $name" "$compiler" -Wall -Wextra -Werror "$@" -I"$top_srcdir/include" \
			$files -o $name $([ $name = linked$n ] && echo "$libs")
	done
	ok "$compiler $*: alone it runs" ./alone$n
	is "$compiler $*: and is silent" "$(recorded alone$n)" ""
	ok "$compiler $*: it runs with libweir preloaded" traced ./alone$n
	is "$compiler $*: and records" "$(recorded alone$n)" "$(cat want.$lang)"
	ok "$compiler $*: it runs with libweir linked" traced_linked ./linked$n
	is "$compiler $*: and records" "$(recorded linked$n)" "$(cat want.$lang)"
}
traced_linked() { env LD_PRELOAD="$(sanitizer_libs)" "$@"; }

try c cc -std=c11 -pedantic
try c cc -std=gnu17 -O2
try c cc -std=gnu11 -O2 -no-pie -fno-pic
try c cc -O2 -fvisibility=hidden -ffunction-sections -Wl,--gc-sections
try c cc -O2 -flto
try c clang -std=c11 -O1 -pedantic
try cxx c++ -std=c++11 -pedantic
try cxx c++ -std=c++17 -O2
try cxx c++ -std=c++17 -O2 -no-pie -fno-pic
try cxx c++ -std=c++20 -O2 -fvisibility=hidden -fvisibility-inlines-hidden -flto
try cxx clang++ -std=c++17 -O2 -pedantic

# a library that is unloaded takes its sites along, whatever the linker thinks of their list
echo '#include <weir/trace.h>
	void f(int i); void f(int i) { weir_trace(api, f, i); }' >list.c
for linker in bfd gold lld; do
	for flags in '-O2 -ffunction-sections -Wl,--gc-sections' '-O2 -flto -Wl,--gc-sections'; do
		# shellcheck disable=SC2086
		ok "$linker: a library, $flags" clang $flags -fuse-ld=$linker -fPIC -shared -I"$top_srcdir/include" list.c -o list.so
		like "$linker: has the list of its sites" "$(readelf -SW list.so | grep -w weir_sites)" weir_sites
	done
done

mkdir -p none/gnu && : >none/gnu/stubs-32.h
ok "where a pointer has 32 bits it compiles, too" cc -m32 -fsyntax-only -Inone -isystem "/usr/include/$(cc -print-multiarch)" -I"$top_srcdir/include" $src/types_c.c

# more than 16 fields are refused by name
for more in i i,i,i,i; do
	echo "#include <weir/trace.h>
		void f(int i) { weir_trace(api, many, i,i,i,i,i,i,i,i,i,i,i,i,i,i,i,i,$more); }" >many.c
	cp many.c many.cc
	for try in 'cc many.c' 'clang many.c' 'c++ many.cc'; do
		# shellcheck disable=SC2086
		like "$try: too many fields ($more)" "$($try -c -I"$top_srcdir/include" -o many.o 2>&1 || echo refused)" \
			'WEIR_MAP_at_most_16_fields.*refused$'
	done
done

ok "babeltrace2 reads them all" bt "$mnt/t"
