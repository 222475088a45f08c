# SPDX-License-Identifier: GPL-2.0-only
# weir run: the program behaves as without, is recorded from its first instruction, and nobody else is.
. "${top_srcdir:-.}/tests/lib/mount.sh"
weir_mount
hello=$top_builddir/examples/hello

# ---- output and exit code
is "output" "$(weir_run -t a -- "$hello" one two 2>"$tmp/err")" $'one\ntwo'
like "what to look at" "$(cat "$tmp/err")" "^weir: 3 events, .* 0 events lost: $mnt/a\$"
is "quiet" "$(weir_run -q -t a -- "$hello" 2>&1)" ""
weir_run -q -t a sh -c 'exit 7'; is "exit code" $? 7
# shellcheck disable=SC2016
(weir_run -q -t a sh -c 'kill -TERM $$') 2>/dev/null; is "a signal" $? 143
# shellcheck disable=SC2016
is "the same signal" "$(python3 -c 'import subprocess, sys; print(subprocess.run(sys.argv[1:]).returncode)' \
	"$WEIR" run -q -t a sh -c 'kill -USR1 $$')" -10
out=$(weir_run -t nobody "$tmp/nothing" 2>&1); status=$?
is "no program: 127" $status 127
is "no program: why" "$out" "weir: $tmp/nothing: No such file or directory"
weir_run -t nobody "$tmp" 2>/dev/null; is "not a program: 126" $? 126
not_ok "no program, no trace" test -e "$mnt/nobody"
is "input" "$(echo text | weir_run -q -t a cat)" text
rmdir "$mnt/a"

# ---- what the program inherits
inherits() { bash -c 'grep ^Sig[BIC] /proc/self/status; ls /proc/self/fd; ulimit -a; umask; pwd'; }
export -f inherits
state() { trap '' USR2 CHLD; exec 7</dev/null; umask 027; "$@" bash -c inherits; }
is "masks, dispositions, descriptors, limits" "$( (state weir_run -q -t a) )" "$( (state env) )"
is "environment" "$(weir_run -q -t a env | grep -Ev '^(LD_PRELOAD|WEIR_RUN|_)=')" "$(
	san=$(sanitizer_libs); env ${san:+LD_PRELOAD="$san"} env | grep -Ev '^(LD_PRELOAD|_)=')"
san=$(sanitizer_libs)
like "LD_PRELOAD keeps what was there" "$(LD_PRELOAD=libdl.so.2${san:+:$san} "$WEIR" run -q -t a -p io env |
	grep ^LD_PRELOAD=)" '^LD_PRELOAD=libdl\.so\.2:.*libweir\.so\.0:.*libweir-io\.so$'
rmdir "$mnt/a"

# ---- who is recorded
# shellcheck disable=SC2016
pid=$(weir_run -q -t a sh -c 'echo $$; "$0" x >/dev/null; ("$0" y &) >/dev/null; exec "$0" z >/dev/null' "$hello")
is "by pid, from the start" "$(cat "$mnt/a/control/processes")" "+$pid"
traced "$hello" stranger >/dev/null
wait_for grep -q '"y"' "$mnt/a/text"
is "the program and its children" "$(grep -o 'word="[a-z]*"' "$mnt/a/text" | sort | paste -sd' ')" \
	'word="x" word="y" word="z"'
echo 1 >"$mnt/a/control/clear"
weir_run -q -t a "$hello" again >/dev/null
is "a trace is used again" "$(grep -c again "$mnt/a/text")" 1
weir_run -q "$hello" named >/dev/null
ok "named after the program" grep -q named "$mnt/hello/text"
cp "$hello" "$tmp/.odd name+"
weir_run -q "$tmp/.odd name+" odd >/dev/null
ok "a name that a trace can have" grep -q odd "$mnt/_odd_name_/text"
rmdir "$mnt/a" "$mnt/hello" "$mnt/_odd_name_"

mkfifo "$tmp/fifo1" "$tmp/fifo2"
for n in 1 2; do # shellcheck disable=SC2016
	weir_run -q -t both sh -c 'read -r l <"$1"; exec "$0" "$l" >/dev/null' "$hello" "$tmp/fifo$n" &
	eval "run$n=$!"
done
wait_for grep -q '+.*+' "$mnt/both/control/processes"
echo first >"$tmp/fifo1"
echo second >"$tmp/fifo2"
wait "$run1" "$run2"
is "two of us share a trace" "$(grep -oE 'first|second' "$mnt/both/text" | sort | paste -sd' ')" "first second"
rmdir "$mnt/both"

# ---- signals sent to us
cat >"$tmp/waits" <<'E2'
trap 'echo term; exit 5' TERM
trap 'echo hup' HUP
: >"$1"
while :; do sleep 0.1; done
E2
# shellcheck disable=SC2086
env ${san:+LD_PRELOAD="$san"} "$WEIR" run -q -t a bash "$tmp/waits" "$tmp/waiting" >"$tmp/signals" &
pid=$!
wait_for test -e "$tmp/waiting"
kill -HUP $pid
wait_for grep -q hup "$tmp/signals"
kill -TERM $pid
wait $pid; is "SIGTERM is passed on" $? 5
is "SIGHUP, too" "$(cat "$tmp/signals")" $'hup\nterm'

# ---- what cannot be done
is_usage() { "$WEIR" "$@" >/dev/null 2>&1; [ $? = 2 ]; }
ok "usage: no program" is_usage run
ok "usage: an option" is_usage run -x true
ok "--help" "$WEIR" run --help
out=$("$WEIR" run -p nonsense true 2>&1); is "an unknown library: 1" $? 1
is "an unknown library: why" "$out" "weir: nonsense: not a preload library (malloc, pthread, io)"
out=$(WEIR_MOUNT=$tmp "$WEIR" run true 2>&1); is "no mount: 1" $? 1
is "no mount: why" "$out" "weir: $tmp: no trace file system is mounted here (weir mount)"
out=$("$WEIR" run -t .bad true 2>&1); is "a bad name: 1" $? 1
like "a bad name: why" "$out" '^weir: mkdir \.bad: .*start with'
