#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# weir record keeps up: two writers, 1,000,000 events a second in all, discard mode, rings of 16 MiB: nothing is
# lost. At full speed what is lost is counted. 5 s here, 60 s in the long form.
. "${top_srcdir:-.}/tests/record/common.sh"
become_root
seconds=$(soak 60 5)
weir_mount
mkdir "$tmp/ram"
mount -t tmpfs -o size=90% none "$tmp/ram"
for context in none tid; do
	rm -f "$counts"
	weir_trace steady mode=discard subbuf_size=256K subbuf_count=64 context=$context
	record steady "$tmp/ram/steady-$context"
	paced 1000000 $((seconds * 500000)) 2
	settle
	recorded; is "stops" $? 0
	counted_in "$tmp/ram/steady-$context" exact
	rmdir "$mnt/steady"
	rm -rf "$tmp/ram/steady-$context"
done

rm -f "$counts"
weir_trace full mode=discard subbuf_size=256K subbuf_count=64 context=none
record full "$tmp/ram/full"
paced 0 $((seconds * 1000000)) 2
settle
recorded; is "stops" $? 0
counted_in "$tmp/ram/full" discard
ok "babeltrace2 reads it" eval 'babeltrace2 "$tmp/ram/full" -o dummy 2>"$tmp/warned"; [ $? = 0 ] && ! grep -v "Tracer discarded" "$tmp/warned"'
umount "$tmp/ram"
