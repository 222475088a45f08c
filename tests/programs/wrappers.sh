# SPDX-License-Identifier: GPL-2.0-only
# Programs made to notice a wrapper: errors, errno, alignment, cancellation, signal handlers, early
# and late calls, libraries that come and go, threads of every kind.
. "${top_srcdir:-.}/tests/programs/common.sh"
all=malloc,pthread,io

for name in semantics cancel threads signals loads; do
	program $name -pthread
done
program early -DLIBRARY -shared -fPIC -Wl,-soname,libearly.so
mv "$tmp/early" "$tmp/libearly.so"
cp "$tmp/libearly.so" "$tmp/libearly2.so"
program early -L"$tmp" -learly -Wl,-rpath,"$tmp"
weir_mount

# A sanitizer's allocator and its own wrappers would answer in libc's place.
[ "$WEIR_SANITIZE" != none ] || counted semantics $all "$tmp/semantics" "$work"
counted cancel $all "$tmp/cancel"
counted threads $all "$tmp/threads"
counted signals $all "$tmp/signals"
counted early $all "$tmp/early"
counted loads $all sh -c '"$0" "$1" "$2" | sort | uniq -c' "$tmp/loads" "$tmp/libearly.so" "$tmp/libearly2.so"

# Each library alone, and the counter behind weir's libraries.
for list in malloc pthread io; do
	[ "$WEIR_SANITIZE$list" != asanmalloc ] || continue # a sanitizer's allocator comes first
	counted "only-$list" $list "$tmp/early"
done

new_trace behind && echo 1 >"$mnt/behind/control/enabled"
truncate -s 4096 "$tmp/behind.counts"
is "the counter behind weir's libraries: exit code" "$(
	COUNT_FILE=$tmp/behind.counts LD_PRELOAD=$(weir_preload io,pthread,malloc):$tmp/count.so "$tmp/early" >/dev/null
	echo $?)" 7
check_counts behind $all

# A dlsym() that allocates while the libraries look for what is behind them.
if [ "$WEIR_SANITIZE" = none ]; then
	program dlsym -shared -fPIC -fno-builtin
	mv "$tmp/dlsym" "$tmp/dlsym.so"
	for name in semantics cancel threads; do
		"$tmp/$name" "$work" >"$tmp/dlsym.out"
		LD_PRELOAD="$(weir_preload io,malloc):$tmp/dlsym.so" "$tmp/$name" "$work" >"$tmp/dlsym.out2"
		is "dlsym allocates: $name: exit code" $? 0
		ok "dlsym allocates: $name: the same output" diff "$tmp/dlsym.out" "$tmp/dlsym.out2"
	done
fi

# A handler that leaves by siglongjmp may do so between a library's event and the counter's.
"$tmp/signals" jump >"$tmp/jump.out"
new_trace jump
is "siglongjmp: the same exit code" "$( (run_counted jump $all "$tmp/signals" jump) >"$tmp/jump.out2"; echo $?)" 0
ok "siglongjmp: the same output" cmp "$tmp/jump.out" "$tmp/jump.out2"
ok "siglongjmp: babeltrace2 reads the trace" bt_to "$tmp/jump.txt" "$mnt/jump"
is "siglongjmp: all events but those cut off" "$(
	counter_says "$tmp/jump.counts" | sort >"$tmp/jump.counted"
	trace_says "$tmp/jump.txt" | sort >"$tmp/jump.traced"
	join -a1 -a2 -e0 -o 0,1.2,2.2 "$tmp/jump.counted" "$tmp/jump.traced" |
		awk '{ d = $2 - $3; n += d < 0 ? -d : d } END { print (n > 400) ? n : "few" }')" few
