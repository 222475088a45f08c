# SPDX-License-Identifier: GPL-2.0-only
# The command: its table, exit codes, umount, status.
. "${top_srcdir:-.}/tests/lib/mount.sh"
hello=$top_builddir/examples/hello

run() { out=$("$@" 2>"$tmp/err"); status=$?; err=$(cat "$tmp/err"); }

run "$WEIR" --version;		is "--version: 0" $status 0; like "--version" "$out" '^weir [0-9.]+$'
run "$WEIR" --help;		is "--help: 0" $status 0; like "--help" "$out" '^usage: weir COMMAND'
run "$WEIR";			is "nothing: 2" $status 2; is "nothing: stdout" "$out" ""
run "$WEIR" nonsense;		is "nonsense: 2" $status 2
is "nonsense: why" "$err" "weir: nonsense: unknown command (weir --help lists them)"
for c in mount umount run snapshot record status crash; do
	for o in -h --help; do
		run "$WEIR" $c $o; is "$c $o: 0" $status 0; like "$c $o" "$out" "^usage: weir $c"
	done
	run "$WEIR" $c --nonsense; is "$c --nonsense: 2" $status 2
	like "$c --nonsense: why" "$err" "^weir $c: unrecognized option '--nonsense'
usage: weir $c"
done
run "$WEIR" run -t;		like "run -t: why" "$err" "^weir run: option requires an argument -- 't'"
run "$WEIR" status a b;		like "status a b: why" "$err" "^usage: weir status"
run "$WEIR" umount "$tmp";	is "umount of something else: 1" $status 1
is "umount of something else: why" "$err" "weir: $tmp: no trace file system is mounted here"
run "$WEIR" umount "$tmp/nothing/here"; is "umount of nothing: 1" $status 1
run "$WEIR" status;		is "status without a mount: 1" $status 1
is "status without a mount: one line" "$(wc -l <"$tmp/err")" 1

weir_mount
run "$WEIR" status;		is "status: 0" $status 0
like "status: the mount" "$out" "mount +$mnt"
weir_run -q -t web "$hello" one two >/dev/null
run "$WEIR" status;		like "status: a trace" "$out" 'web +enabled +overwrite +1 +[0-9]+ +0'
run "$WEIR" status web;		is "status TRACE: 0" $status 0
like "status TRACE: settings" "$out" 'subbuf_size +262144'
like "status TRACE: streams" "$out" 'hello-[0-9]+ +cpu[0-9]+ +overwrite +[0-9]+'
run "$WEIR" status none;	is "status of no trace: 1" $status 1
is "status of no trace: why" "$err" "weir: $mnt/none: No such file or directory"
if has_users; then
	is "status of one user's mount by another" "$(as_uid 65534 "$WEIR" status >/dev/null 2>&1; echo $?)" \
		"$(as_uid 65534 cat "$mnt/.weir/version" >/dev/null 2>&1; echo $?)"
else
	skip "status of one user's mount by another" "$no_users"
fi

exec 8<"$mnt/web/control/mode"
run "$WEIR" umount;		is "umount while in use: 1" $status 1
# whoever is not root asks fusermount3, which says it itself
is "umount while in use: why" "$err" \
	"$([ "$(id -u)" = 0 ] && echo weir: || echo fusermount3: failed to unmount) $mnt: Device or resource busy"
exec 8<&-
run "$WEIR" umount "$mnt/";	is "umount: 0" $status 0
not_ok "umount: gone" mountpoint -q "$mnt"
ok "umount: the daemon ends" wait_for eval '! kill -0 $daemon_pid'

# a mount of its own from the background, as users start it
run "$WEIR" mount "$mnt";	is "mount: 0" $status 0; is "mount: silent" "$out$err" ""
is "mount: it is there when mount returns" "$(cat "$mnt/.weir/backend")" shm
run "$WEIR" mount "$mnt";	is "mount again: 1" $status 1
is "mount again: one line" "$(grep -c '^weir: .*: ' "$tmp/err")" 1
run "$WEIR" umount;		is "umount of it" $status 0

# mount(8) runs mount.fuse for a line of /etc/fstab, and that `weir SOURCE MOUNTPOINT -o OPTIONS`
gone() { [ ! -e "$WEIR_RUNDIR/socket" ]; }
wait_for gone
run "$WEIR" none "$mnt" -o rw;	is "as mount.fuse runs it: 0" $status 0; is "as mount.fuse runs it: silent" "$out$err" ""
is "as mount.fuse runs it: it is there" "$(cat "$mnt/.weir/backend")" shm
run "$WEIR" umount;		is "umount of that" $status 0
ok "its daemon ends" wait_for gone
run "$WEIR" none "$mnt" -x rw;	is "no options: 2" $status 2
