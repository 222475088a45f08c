# SPDX-License-Identifier: GPL-2.0-only
# common.sh: sourced by the tests of this folder, on the host. Guests, and their results as this script's own.
#
#   boots NAME [OPTION-OF-vm...] SCRIPT FILE...    # a guest; its TAP lines become results, a bad log a failure
#   acceptance NAME BACKEND CPUS TEST...           # test scripts of this tree in a guest
#   kmod_modules; kmod_programs NAME...            # $modules, $tmp/programs/NAME
. "${top_srcdir:-.}/tests/lib/mount.sh"
need qemu-system-x86_64 cpio busybox dpkg-deb flock

kmod=$top_srcdir/tests/kmod
: "${WEIR_KERNEL:=cloud}"

# What a guest needs of the source and build tree, where its scripts look for it. Compiled once, for all guests.
guest_tree() {
	local name files=$tmp/guest flags=(-std=gnu11 -D_GNU_SOURCE -O2 -g1 -I"$top_srcdir/include" -pthread)
	[ ! -e "$files" ] || return 0
	mkdir -p "$files"/{programs,bin,build/lib/client,build/lib/preload,build/tests/{mount,live},build/cmd} || return
	for name in writer ctfread killer read_writer read_check hostile_writer hostile_client hostile_limits; do
		$CC "${flags[@]}" -o "$files/programs/$name" "$top_srcdir/tests/stress/$name.c" || return
	done
	$CC "${flags[@]}" -fPIC -shared -o "$files/programs/plugin_c.so" "$top_srcdir/tests/stress/plugin.c" &&
		${CXX:-c++} -x c++ -O2 -g1 -I"$top_srcdir/include" -fPIC -shared -o "$files/programs/plugin_cxx.so" \
			"$top_srcdir/tests/stress/plugin.c" &&
		$CC "${flags[@]}" -fPIC -shared -o "$files/programs/read_plugin" "$top_srcdir/tests/stress/read_plugin.c" &&
		$CC "${flags[@]}" -o "$files/programs/paced" "$top_srcdir/tests/record/paced.c" &&
		$CC "${flags[@]}" -o "$files/programs/ping" "$top_srcdir/tests/mount/ping.c" -ldl &&
		$CC "${flags[@]}" -o "$files/programs/inotify" "$top_srcdir/tests/mount/inotify.c" &&
		$CC "${flags[@]}" -o "$files/programs/more" "$top_srcdir/tests/mount/more.c" -ldl &&
		$CC "${flags[@]}" -fPIC -shared -DLIBRARY -o "$files/programs/libmore.so" "$top_srcdir/tests/mount/more.c" &&
		cp "$files/programs/plugin_c.so" "$files/programs/plugin.so" || return
	make -s -C "$top_builddir" tests/mount/tick tests/live/asks tests/live/lively >/dev/null || return
	cp "$kmod"/guest/{cc,tests} "$files/bin/" && cp "$kmod/guest/cc" "$files/bin/c++" &&
		cp "$top_builddir"/cmd/{weir,control} "$files/build/cmd/" &&
		cp "$top_builddir/tests/mount/tick" "$files/build/tests/mount/" &&
		cp "$top_builddir"/tests/live/{asks,lively} "$files/build/tests/live/" || return
	for name in client preload; do
		mkdir "$files/build/lib/$name/.libs" &&
			cp -L "$top_builddir/lib/$name/.libs/"*.so* "$files/build/lib/$name/.libs/" || return
	done
	mkdir "$files/src" && cp -r "$top_srcdir/tests" "$files/src/"
}

# $modules: the modules, without what is for debuggers, to be given to a guest.
core=()
kmod_modules() {
	local dir file
	dir=$("$kmod/modules/build" "$WEIR_KERNEL" 2>"$tmp/made") || { echo "Bail out! modules"; diag "$(cat "$tmp/made")"; exit 99; }
	modules=()
	mkdir -p "$tmp/modules"
	for file in "$dir"/*.ko; do
		strip -g -o "$tmp/modules/${file##*/}" "$file"
		modules+=("$tmp/modules/${file##*/}")
	done
}

kmod_programs() {	# NAME...: of this folder, into $tmp/programs, with $core of lib/core
	local name
	mkdir -p "$tmp/programs"
	for name; do
		$CC -std=gnu11 -O2 -g1 -Wall -Wextra -I"$top_srcdir/include" -I"$top_srcdir/lib/core" -I"$top_srcdir/lib/client" \
			-I"$kmod" -pthread -o "$tmp/programs/$name" "$kmod/$name.c" "${core[@]/#/$top_srcdir/lib/core/}" 2>"$tmp/made" ||
			{ echo "Bail out! $name.c"; diag "$(cat "$tmp/made")"; exit 99; }
	done
}

# Results out of what a guest printed.
adopt() {	# NAME FILE
	local name=$1 line script='' n=0 plan='' bad=() what=
	flush() { [ -z "$what" ] || fail "$what" "${bad[@]}"; what='' bad=(); }
	while IFS= read -r line; do
		case $line in
		'@begin '*) script=${line#@begin } script=${script##*/} n=0 plan='' ;;
		'@end '*)
			flush
			line=${line#@end }
			[ "${line% *}" = 0 ] || fail "$name: $script" "status ${line% *}"
			[ "$plan" = "$n" ] || fail "$name: $script: all its tests ran" "planned ${plan:-none}, ran $n"
			diag "$name: $script: ${line#* } s"
			script=
			;;
		'ok '*) flush; n=$((n + 1)); pass "$name: ${script:+$script: }${line#* - }" ;;
		'not ok '*) flush; n=$((n + 1)); what="$name: ${script:+$script: }${line#* - }" ;;
		'1..'*) flush; plan=${line#1..} ;;
		'# '*) if [ -n "$what" ]; then bad+=("${line#\# }"); fi ;;
		*) flush; diag "$line" ;;
		esac
	done <"$2"
	flush
	[ -z "$script" ] || fail "$name: $script ends"
}

boots() {	# NAME [OPTION-OF-vm...] SCRIPT FILE...
	local name=$1 status out try
	shift
	out=$(mktemp "$tmp/out.XXXXXX")
	for try in 1 2 3; do
		"$kmod/vm" -k "$WEIR_KERNEL" "$@" >"$out" 2>"$out.err"
		status=$?
		[ $status = 96 ] || break
		diag "$name: ended at the ${try}. try: $(cat "$out.err")"
	done
	adopt "$name" "$out"
	if [ $status = 0 ]; then
		pass "$name: the kernel said nothing"
	else
		fail "$name: the guest" "status $status" "$(cat "$out.err")"
	fi
	rm -f "$out" "$out.err"
}

acceptance() {	# NAME BACKEND CPUS TEST...
	local name=$1 backend=$2 cpus=$3
	shift 3
	guest_tree >"$tmp/made" 2>&1 || { echo "Bail out! guest tree"; diag "$(cat "$tmp/made")"; exit 99; }
	{
		[ "$backend" != kmod ] || echo 'busybox insmod weir.ko || exit'
		echo "bin/tests WEIR_BACKEND=$backend WEIR_SHORT=1 WEIR_GUARD=${WEIR_GUARD:-3000} $*"
		[ "$backend" != kmod ] || echo '. /w/one; one "then" unloads'
	} >"$tmp/run.$name"
	boots "$name" -c "$cpus" -m 1536 -t "${WEIR_GUARD:-3000}" "$tmp/run.$name" "${modules[@]}" "$kmod/guest/one" \
		"$tmp/guest/programs" "$tmp/guest/bin/cc:w/bin/cc" "$tmp/guest/bin/c++:w/bin/c++" \
		"$tmp/guest/bin/tests:w/bin/tests" "$tmp/guest/build" "$tmp/guest/src"
}
