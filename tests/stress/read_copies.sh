# SPDX-License-Identifier: GPL-2.0-only
# Reading while two threads write at full speed into overwrite-mode rings: every copy decodes on its own, has all
# that had been written before it was opened, and no event is missing or torn.
. "${top_srcdir:-.}/tests/stress/read_common.sh"
stress_program read_writer -pthread
stress_program read_check
percent=100 samples=4
[ "$WEIR_SANITIZE" = none ] || percent=10 samples=1
[ -n "$WEIR_SHORT" ] && percent=2 samples=1
[ -n "$WEIR_SOAK" ] && percent=2000 samples=100
weir_mount

# As many lines as our checker finds records.
same_count() {	# TEXT DIRECTORY
	local records
	records=$("$tmp/read_check" "$2" | sed 's/.* records \([0-9]*\).*/\1/')
	[ "$(wc -l <"$1")" = "$records" ] || { echo "$records records, $(wc -l <"$1") lines"; return 1; }
}

sample() {	# TRACE SOURCE: copies decode, too, by our checker and by babeltrace2
	local i
	for ((i = 0; i < samples; i++)); do
		rm -rf "$tmp/copy"
		cp -r "$mnt/$1/$2" "$tmp/copy" || return
		"$tmp/read_check" -q "$tmp/copy" || return
		bt "$tmp/copy" >"$tmp/copy.txt" || return
		same_count "$tmp/copy.txt" "$tmp/copy" || return
	done
}

read_rings() {	# READS SUBBUF_SIZE SUBBUF_COUNT WRITER-OPTION...
	local reads=$(($1 * percent / 100)) name=ring-$2-$3 out=$tmp/$2-$3.out readers sampled
	((reads >= 3)) || reads=3 # one a reader
	weir_trace "$name" subbuf_size="$2" subbuf_count="$3" || fail "no trace"
	shift 3
	truncate -s 0 "$tmp/counters" && truncate -s 4096 "$tmp/counters"
	writer writer -t 2 -c "$tmp/counters" "$@"
	wait_for has "$mnt/$name/writer-$writer/"cpu{0,1} || fail "$name: nothing is written"
	mkdir -p "$tmp/bad"
	"$tmp/read_check" -n "$reads" -j 3 -c "$tmp/counters" -k "$tmp/bad" "$mnt/$name/writer-$writer" \
		>"$out" 2>&1 &
	readers=$!
	sample "$name" "writer-$writer" >"$out.sample" 2>&1
	sampled=$?
	wait "$readers"
	is "$name: $reads reads by three readers decode" "$? $(grep -v ^streams "$out")" "0 "
	is "$name: babeltrace2 reads $samples copies" "$sampled $(grep -v ^streams "$out.sample")" "0 "
	diag "$name: $(tail -n 1 "$out"); $(status_sum "$name" overwritten) bytes overwritten"
	like "$name: the copies had events" "$(tail -n 1 "$out")" "checksums [1-9][0-9]{3,} "
	not_ok "$name: the writer had turned its rings over" test "$(status_sum "$name" overwritten)" = 0
	writers_end "$name: the writer ends" "$writer"
	ok "$name: what it left behind decodes" "$tmp/read_check" "$mnt/$name/writer-$writer"
	is "$name: no packet was found damaged" "$(status_sum "$name" damaged)" 0
	rmdir "$mnt/$name"
}

# Small rings are gone before they are copied if they are written to at full speed.
read_rings 2502 4K 4 -r 100000
read_rings 2202 64K 4
read_rings 252 256K 4
read_rings 51 1M 4
