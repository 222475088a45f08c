# SPDX-License-Identifier: GPL-2.0-only
# The last packets of a trace that is removed have events of a kind that came after the recorder had read metadata last:
# what it has written knows them.
. "${top_srcdir:-.}/tests/record/common.sh"
more=$top_srcdir/tests/mount/more.c
build $CC -std=gnu11 -O2 -I"$top_srcdir/include" -o "$tmp/more" "$more"
build $CC -std=gnu11 -O2 -fPIC -shared -DLIBRARY -I"$top_srcdir/include" -o "$tmp/libmore.so" "$more"
weir_mount
mkfifo "$tmp/in"
written() { [ "$(grep -c done "$tmp/out")" = "$1" ]; }

for when in removed ended; do
	weir_trace late context=none
	record late "$tmp/$when"
	env LD_PRELOAD="$(weir_preload)" "$tmp/more" "$tmp/libmore.so" <"$tmp/in" >"$tmp/out" & more=$!
	exec 9>"$tmp/in"
	echo early >&9
	wait_for written 1
	echo all >"$mnt/late/control/switch"
	wait_for eval 'grep -qs "more:line" "$tmp/$when"/more-*/metadata'
	echo load >&9
	wait_for written 2
	if [ $when = removed ]; then
		rmdir "$mnt/late"
	else
		exec 9>&-
		wait $more
		kill -INT "$recorder"
	fi
	wait "$recorder"; is "$when: the recorder ends" $? 0
	is "$when: babeltrace2 reads all events" "$(babeltrace2 "$tmp/$when" 2>&1 | sed -E 's/.* more:([a-z]+):.*/\1/' | sort | uniq -c | awk '{ print $1, $2 }')" \
		"$(printf '1 again\n2 line\n1 loaded')"
	exec 9>&-
	wait $more
	[ $when = removed ] || rmdir "$mnt/late"
done
