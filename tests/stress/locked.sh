# SPDX-License-Identifier: GPL-2.0-only
# The ring that threads without rseq share under a lock: many threads write while sites are matched anew all the time,
# everything is read meanwhile, programs attach and end, and a marker is written. What was written is there or is counted.
# In a TSan build the program is instrumented as well as libweir and the daemon, and none of them reports a race.
. "${top_srcdir:-.}/tests/stress/common.sh"
[ "$WEIR_SANITIZE" != tsan ] || build $CC -fsanitize=thread -std=gnu11 -D_GNU_SOURCE -O1 -g -I"$top_srcdir/include" \
	-o "$tmp/writer" "$stress/writer.c" -pthread
export GLIBC_TUNABLES=glibc.pthread.rseq=0
weir_mount
rounds=$(soak 1000 10 5)
jobs=()

background() { "$@" >>"$tmp/said.$1" 2>&1 & jobs+=($!); }	# FUNCTION [ARGUMENT...]
over() { [ -e "$tmp/over" ]; }

reads() {	# of all that there is; a source may go meanwhile
	until over; do
		cat "$mnt"/{kept,turned,switched}/{status,text,*/metadata,*/cpu*} >/dev/null 2>&1
	done
}

marks() { until over; do echo "a mark" >"$mnt/marked/marker" || return; done; }

reads_marks() { until over; do cat "$mnt"/marked/{status,text,marker-0/*} >/dev/null 2>&1; done; }

comes_and_goes() {	# a program whose events count as well
	traced "$tmp/writer" -t 2 -n 100 "$counts"
}

# The rings of one trace go to new epochs and back under its writers.
switches() {
	local d=$mnt/switched i
	for ((i = 0; i < rounds; i++)); do
		mkdir "$d" && echo 4K >"$d/control/subbuf_size" && echo $((2 << i % 3)) >"$d/control/subbuf_count" &&
			echo 1 >"$d/control/enabled" || return
		comes_and_goes
		echo 1 >"$d/control/clear" || return
		echo '!*' >>"$d/control/events" || return
		echo 0 >"$d/control/enabled" || return
		"$tmp/ctfread" -c "$counts" "$d" >/dev/null || "$tmp/ctfread" -c "$counts" "$d" || return
		rmdir "$d" || return
	done
}

is_over() { printf '\1' | dd of="$counts" bs=1 seek=4 conv=notrunc status=none; }	# sets counts->stop

write_until_over() {	# in $writer; TRACE shows it
	env LD_PRELOAD="$(weir_preload)" "$tmp/writer" -t 4 "$counts" >>"$tmp/said.writer" 2>&1 &
	writer=$!
	wait_for test -e "$mnt/$1/writer-$writer/metadata" || fail "nothing is written"
}

new_trace kept mode=discard subbuf_size=64K subbuf_count=8
weir_trace turned mode=overwrite subbuf_size=16K subbuf_count=4
weir_trace marked mode=overwrite subbuf_size=4K subbuf_count=4 events='!*'
write_until_over kept
background reads
background marks
background reads_marks
switches >"$tmp/said.switches" 2>&1
is_over
wait "$writer"
is "the writer ends well" $? 0
touch "$tmp/over"
wait "${jobs[@]}"
settle
for f in switches marks; do is "$f: nothing was said" "$(head -c 20000 "$tmp/said.$f")" ""; done
counted kept discard
decoded kept
counted turned overwrite -o 16384:24
is "threads without rseq write to the last ring alone" "$(cd "$mnt/kept/writer-$writer" && echo cpu*)" cpux
bt "$mnt/marked" >"$tmp/marks" || fail "the marks decode" "$?"
ok "there are marks, and nothing else" sh -c "grep -q . $tmp/marks && ! grep -v marker:print $tmp/marks"

# Another daemon: one of the threads attaches anew, beneath the others.
rm "$counts"
write_until_over kept
for ((i = 0; i < 2; i++)); do
	weir_umount || fail "the daemon ended well" "status $?"
	weir_mount
	weir_trace next mode=discard subbuf_size=64K subbuf_count=8
	ok "the writer joins the next daemon" wait_for test -e "$mnt/next/writer-$writer/metadata"
done
is_over
wait "$writer"
is "the writer ends well" $? 0
counted next gapless
is "the writers said nothing" "$(head -c 20000 "$tmp/said.writer")" ""
