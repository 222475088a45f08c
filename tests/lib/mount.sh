# SPDX-License-Identifier: GPL-2.0-only
# mount.sh: sourced by test scripts (bash). TAP functions, and a mount of one's own.
#
#   . "${top_srcdir:-.}/tests/lib/mount.sh"
#   weir_mount                     # sets $mnt, exports WEIR_MOUNT and WEIR_RUNDIR; options are passed on; $WEIR_BACKEND
#   weir_trace web subbuf_size=4K mode=discard      # mkdir, settings, enabled
#   ok "a trace is listed" test -d "$mnt/web"
#   is "its version" "$(cat "$mnt/.weir/version")" "0.1.0"
#
# The plan is printed at the end, so that nobody counts; `plan N` in front makes a lost test a failure.
# On exit, whatever the reason: end what was started, unmount, fail if the daemon said anything, remove $tmp. See
# `guard` for scripts that hang. Scripts may run side by side.

set -u
: "${top_srcdir:=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)}"
: "${top_builddir:=$top_srcdir}"
: "${WEIR_SANITIZE:=none}" "${WEIR_SOAK:=}" "${WEIR_SHORT:=}" "${CC:=cc}"

# The hang guard, also for a script that is run by hand.
[ -n "${WEIR_GUARDED:-}" ] || exec bash "$top_srcdir/tests/lib/guard" bash "$0" "$@"
unset WEIR_GUARDED

: "${WEIR:=$top_builddir/cmd/weir}"
: "${LIBWEIR:=$top_builddir/lib/client/.libs/libweir.so}"
: "${PRELOAD_DIR:=$top_builddir/lib/preload/.libs}"

tmp=$(mktemp -d "${TMPDIR:-/tmp}/weir-test.XXXXXX") || exit 99
chmod 755 "$tmp"
export LC_ALL=C
unset WEIR_DISABLE WEIR_DEBUG LD_PRELOAD

# ---- TAP -------------------------------------------------------------------------------------------------
tap_nr=0 tap_failed=0 tap_plan=

plan() { tap_plan=$1; }

pass() { tap_nr=$((tap_nr + 1)); echo "ok $tap_nr - $1"; }

fail() {	# NAME [DIAGNOSTIC...]
	tap_nr=$((tap_nr + 1)) tap_failed=$((tap_failed + 1))
	echo "not ok $tap_nr - $1"
	shift
	[ $# -eq 0 ] || diag "$@"
}

diag() { printf '%s\n' "$@" | sed 's/^/# /'; }

skip() { tap_nr=$((tap_nr + 1)); echo "ok $tap_nr - $1 # SKIP $2"; }	# NAME WHY

skip_all() { echo "1..0 # SKIP $1"; tap_plan=skipped; exit 0; }	# before any other result

ok() {	# NAME COMMAND...: passes if it succeeds; its output is shown if not
	local name=$1 out
	shift
	if out=$("$@" 2>&1); then pass "$name"; else fail "$name" "status $?: $*" "${out:0:4000}"; fi
}

not_ok() {	# NAME COMMAND...: passes if it fails
	local name=$1 out
	shift
	if out=$("$@" 2>&1); then fail "$name" "succeeded: $*" "${out:0:4000}"; else pass "$name"; fi
}

is() {	# NAME GOT WANTED
	if [ "$2" = "$3" ]; then pass "$1"; else fail "$1" "got:    ${2:0:2000}" "wanted: ${3:0:2000}"; fi
}

like() {	# NAME GOT EXTENDED-REGEXP
	if [[ $2 =~ $3 ]]; then pass "$1"; else fail "$1" "got:         ${2:0:2000}" "wanted like: $3"; fi
}

need() {	# PROGRAM...: a test must have what it needs
	local p
	for p; do command -v "$p" >/dev/null || { echo "Bail out! $p is not installed"; exit 99; }; done
}

# What is slow (an emulated guest, WEIR_SHORT) or looks for other faults (a sanitizer) does less.
less=$WEIR_SHORT
[ "$WEIR_SANITIZE" = none ] || less=1
soak() {	# LONG SHORT [LESS]: where it is less, a tenth of SHORT if it does not say so
	if [ -n "$WEIR_SOAK" ]; then
		echo "$1"
	elif [ -n "$less" ]; then
		echo "${3:-$((($2 + 9) / 10))}"
	else
		echo "$2"
	fi
}

mkfifo "$tmp/never"
exec {never}<>"$tmp/never"	# nobody writes: read(1) of it sleeps without another process
wait_for() {	# COMMAND...: until it succeeds; 60 s is the hang guard
	local i
	for ((i = 0; i < 1200; i++)); do "$@" >/dev/null 2>&1 && return 0; read -rt 0.05 -u "$never"; done
	return 1
}

# ---- a mount of one's own ----------------------------------------------------------------------------------
daemon_pid= guard_pid= mnt=$tmp/mnt
export WEIR_RUNDIR=$tmp/run WEIR_MOUNT=$mnt
daemon_log=$tmp/daemon.log

sanitizer_options() {
	export ASAN_OPTIONS=detect_leaks=${1:-0}:verify_asan_link_order=0:handle_segv=0:handle_sigbus=0:handle_sigfpe=0
	export UBSAN_OPTIONS=print_stacktrace=1:handle_segv=0:handle_sigbus=0:handle_sigfpe=0
	export TSAN_OPTIONS=halt_on_error=0:report_signal_unsafe=0
}
sanitizer_options 0

weir_mount() {	# [OPTION...]
	mkdir -p "$mnt" "$WEIR_RUNDIR"
	chmod 755 "$mnt" "$WEIR_RUNDIR"
	# shellcheck disable=SC2086
	(sanitizer_options 1; exec ${WEIR_WRAPPER:-} "$WEIR" mount -f ${WEIR_BACKEND:+--backend="$WEIR_BACKEND"} "$@" "$mnt") >>"$daemon_log" 2>&1 &
	daemon_pid=$!
	# should this shell be killed, somebody has to clean up
	setsid bash -c 'tail --pid="$1" -f /dev/null; kill "$2"; umount -l "$3"; rm -rf "$4"' - \
		$$ "$daemon_pid" "$mnt" "$tmp" </dev/null >/dev/null 2>&1 &
	guard_pid=$!
	wait_for weir_mount_ready || { echo "Bail out! no mount"; diag "$(cat "$daemon_log")"; exit 99; }
	kill -0 "$daemon_pid" 2>/dev/null || { echo "Bail out! no daemon"; diag "$(cat "$daemon_log")"; exit 99; }
}

weir_mount_ready() { ! kill -0 "$daemon_pid" 2>/dev/null || grep -q . "$mnt/.weir/version"; }

weir_umount() {	# unmounts, waits for the daemon; its exit status
	local pid=$daemon_pid status=0
	[ -n "$pid" ] || return 0
	daemon_pid=
	umount "$mnt" 2>/dev/null || fusermount3 -u "$mnt" 2>/dev/null || umount -l "$mnt" 2>/dev/null
	( for ((i = 0; i < 600; i++)); do kill -0 "$pid" 2>/dev/null || exit 0; sleep 0.1; done
	  echo "weir-test: the daemon did not end" >>"$daemon_log"; kill -ABRT "$pid" ) &
	wait "$pid" || status=$?
	wait $!
	kill -- "-$guard_pid" 2>/dev/null
	wait "$guard_pid" 2>/dev/null
	return $status
}

weir_kill() {	# SIGKILLs the daemon and unmounts what is left
	[ -n "$daemon_pid" ] || return 0
	kill -KILL "$daemon_pid"
	wait "$daemon_pid" 2>/dev/null
	daemon_pid=
	umount -l "$mnt" 2>/dev/null
	kill -- "-$guard_pid" 2>/dev/null
	wait "$guard_pid" 2>/dev/null
}

weir_trace() {	# NAME [SETTING=VALUE...]: makes it, sets it, enables it
	local name=$1 s
	shift
	mkdir "$mnt/$name" || return
	for s; do printf '%s\n' "${s#*=}" >"$mnt/$name/control/${s%%=*}" || return; done
	echo 1 >"$mnt/$name/control/enabled"
}

# ---- rights ----------------------------------------------------------------------------------------------------
# A test that mounts other file systems or is several users calls become_root. Whoever is not root gets a user
# namespace of its own there, with the subordinate uids that /etc/subuid and newuidmap(1) give it, if any; $WEIR_BECAME_ROOT says so.
become_root() {	# in front of everything else: the script starts again
	local namespace=(unshare --user --map-root-user --mount)
	[ "$(id -u)" != 0 ] || return 0
	! "${namespace[@]}" --map-auto true 2>/dev/null || namespace+=(--map-auto)
	"${namespace[@]}" true 2>/dev/null || skip_all "needs root, or a user namespace"
	trap - EXIT
	rm -rf "$tmp"
	WEIR_GUARDED=1 WEIR_BECAME_ROOT=1 exec "${namespace[@]}" bash "$0"
}

has_users() { as_uid 65534 true 2>/dev/null; }
no_users="needs a second uid: root, or uidmap and a line in /etc/subuid"

# ---- traced programs -------------------------------------------------------------------------------------------
sanitizer_libs() {	# what an instrumented library needs loaded first in a program that is not
	local l libs=
	case $WEIR_SANITIZE in
	asan) libs='asan ubsan' ;;
	tsan) libs=tsan ;;
	esac
	for l in $libs; do $CC -print-file-name=lib$l.so; done | paste -sd:
}

weir_preload() {	# [LIST,OF,LIBRARIES]: the LD_PRELOAD that traces a program
	local p=$LIBWEIR l san
	for l in $(echo "${1:-}" | tr , ' '); do p=$p:$PRELOAD_DIR/libweir-$l.so; done
	san=$(sanitizer_libs)
	echo "${san:+$san:}$p"
}

traced() { env LD_PRELOAD="$(weir_preload)" "$@"; }	# COMMAND...

weir_run() {	# as `weir run`, sanitized builds included
	local san
	san=$(sanitizer_libs)
	env ${san:+LD_PRELOAD="$san"} "$WEIR" run "$@"
}

bt() {	# DIR [OPTION...]: babeltrace2's text; fails if it fails or says anything else
	local err=$tmp/bt.$BASHPID.err status
	babeltrace2 "$@" 2>"$err"
	status=$?
	[ -s "$err" ] && { cat "$err" >&2; status=1; }
	return $status
}

as_uid() {	# UID COMMAND...: as somebody without groups
	local uid=$1
	shift
	[ "$uid" != 0 ] || { "$@"; return; }
	setpriv --reuid="$uid" --regid="$uid" --clear-groups "$@"
}

ping_program() {	# $tmp/ping: two threads that count each after the other, on two CPUs
	$CC -std=gnu11 -D_GNU_SOURCE -O2 -I"$top_srcdir/include" -o "$tmp/ping" "$top_srcdir/tests/mount/ping.c" -ldl -pthread ||
		{ echo "Bail out! no compiler"; exit 99; }
}

# ---- the end ----------------------------------------------------------------------------------------------------
# DAEMON_MAY_SAY: extended regexp of lines that the daemon is expected to print
weir_finish() {
	local status=$? said job
	trap - EXIT
	trap '' TERM INT HUP
	# what this script has started, by its process group; $PPID is the guard
	for job in $(pgrep -g 0); do
		case $job in "$$" | "$PPID" | "$daemon_pid") ;; *) kill "$job" 2>/dev/null ;; esac
	done
	[ "${tap_plan:-skipped}" = skipped ] || [ "$tap_nr" = "$tap_plan" ] ||
		fail "all planned tests ran" "planned $tap_plan, ran $tap_nr"
	if [ -n "$daemon_pid" ]; then
		weir_umount || fail "the daemon ended well" "status $?"
	fi
	if [ -e "$daemon_log" ]; then
		said=$(grep -Ev "${DAEMON_MAY_SAY:-^$}" "$daemon_log")
		if [ -z "$said" ]; then pass "the daemon said nothing"; else
			fail "the daemon said nothing" "${said:0:20000}"; fi
	fi
	[ "$tap_plan" = skipped ] || echo "1..$tap_nr"
	if mountpoint -q "$mnt"; then umount -l "$mnt"; fi
	rm -rf "$tmp"
	exit $status
}
trap weir_finish EXIT
trap 'exit 143' TERM
trap 'exit 130' INT HUP
