# SPDX-License-Identifier: GPL-2.0-only
# The last packets of a trace that is removed have events of a kind that came after the recorder had read metadata last:
# what it has written knows them.
. "${top_srcdir:-.}/tests/record/common.sh"
here=$top_srcdir/tests/record
build $CC -std=gnu11 -D_GNU_SOURCE -O2 -I"$top_srcdir/include" -o "$tmp/late" "$here/late.c"
for kind in one two; do
	build $CC -std=gnu11 -O2 -fPIC -shared -DPLUGIN=$kind -I"$top_srcdir/include" -o "$tmp/$kind.so" "$here/late.c"
done
weir_mount
mkfifo "$tmp/in"
written() { [ "$(grep -c written "$tmp/out")" = "$1" ]; }

for when in removed ended; do
	weir_trace late context=none
	record late "$tmp/$when"
	env LD_PRELOAD="$(weir_preload)" "$tmp/late" "$tmp/one.so" "$tmp/two.so" <"$tmp/in" >"$tmp/out" & late=$!
	exec 9>"$tmp/in"
	wait_for written 1
	echo all >"$mnt/late/control/switch"
	wait_for eval 'grep -qs "late:early" "$tmp/$when"/late-*/metadata'
	echo >&9
	wait_for written 2
	echo >&9
	wait_for written 3
	if [ $when = removed ]; then
		rmdir "$mnt/late"
	else
		exec 9>&-
		wait $late
		kill -INT "$recorder"
	fi
	wait "$recorder"; is "$when: the recorder ends" $? 0
	is "$when: babeltrace2 reads all events" "$(babeltrace2 "$tmp/$when" 2>&1 | sed -E 's/.* late:([a-z]+):.*/\1/' | sort | uniq -c | awk '{ print $1, $2 }')" \
		"$(printf '10 early\n10 one\n10 two')"
	exec 9>&-
	wait $late
	[ $when = removed ] || rmdir "$mnt/late"
done
