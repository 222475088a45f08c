#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# The daemon's life: becoming one, what goes wrong before, stale mounts, ends, users' own mounts.
. "${top_srcdir:-.}/tests/lib/mount.sh"
tick=$top_builddir/tests/mount/tick
need setpriv unshare chrt
become_root
mkdir -p "$mnt" "$WEIR_RUNDIR"
run() { out=$("$WEIR" mount "$@" 2>&1); status=$?; }
daemon() { cat "$tmp"/pid; }	# of a daemonised mount: who has the control file open
find_daemon() { fuser "$WEIR_RUNDIR/control" 2>/dev/null || for p in /proc/[0-9]*; do
	[ "$p/exe" -ef "$WEIR" ] && ls -l "$p/fd" 2>/dev/null | grep -q "$WEIR_RUNDIR/control" && echo "${p#/proc/}"; done; }
gone() { [ -z "$(find_daemon)" ]; }

auto=shm
if [ -e /dev/weir ]; then
	auto=kmod
	mkdir "$tmp/other"
	ok "--backend=kmod" env WEIR_RUNDIR="$tmp/other.run" "$WEIR" mount --backend=kmod "$tmp/other"
	is "it says so" "$(cat "$tmp/other/.weir/backend")" kmod
	run --backend=kmod "$mnt"
	is "the module has one daemon" "$status $out" "1 weir: /dev/weir: Device or resource busy"
	run "$mnt"
	is "the second one takes shared memory" "$status $out $(cat "$mnt/.weir/backend")" "0  shm"
	ok "umount" "$WEIR" umount "$mnt"
	ok "umount" "$WEIR" umount "$tmp/other"
	ok "they end" wait_for gone
else
	run --backend=kmod "$mnt"
	is "no kernel module" "$status $out" "1 weir: /dev/weir: No such file or directory"
fi
for bad in '--backend=x' '--clock=x' '--nonsense' '-x' 'a b c'; do
	run $bad "$mnt"
	is "usage: $bad" "$status" 2
	like "says how: $bad" "$out" 'usage: weir mount'
	case $bad in *=x) like "names it: $bad" "$out" "^weir: $bad: not one of them" ;; esac
done
run "$mnt/nothing/here"
is "no such directory" "$status $out" "1 weir: $mnt/nothing/here: No such file or directory"
touch "$tmp/file"
run "$tmp/file"
is "not a directory" "$status $out" "1 weir: $tmp/file: Not a directory"
run -o nonsense "$mnt"
is "a bad option" "$status $(echo "$out" | wc -l)" "1 1"
like "says which" "$out" '^weir: .*nonsense'
not_ok "nothing is mounted" mountpoint -q "$mnt"

run "$mnt"
is "mount comes back when it is there" "$status $out" "0 "
ok "at once" grep -q . "$mnt/.weir/version"
run "$mnt"
is "a second daemon" "$status" 1
like "is told" "$out" '^weir: .+: .+'
out=$(WEIR_RUNDIR=$tmp/run2 "$WEIR" mount "$mnt" 2>&1); status=$?
is "a second mount here" "$status $out" "1 weir: $mnt: weir is mounted there already"
pid=$(find_daemon | tr -d ' ')
is "the daemon holds no terminal, and nothing of ours" \
	"$(readlink /proc/$pid/fd/0 /proc/$pid/fd/1 /proc/$pid/fd/2 | sort -u; readlink /proc/$pid/cwd)" "/dev/null
/"
mkdir "$mnt/t"
stat "$mnt" >/dev/null # the kernel knows its attributes for a while
kill -KILL "$pid"
wait_for gone
not_ok "a daemon died" ls "$mnt"
run "$mnt"
is "mounting again clears what it left" "$status $out" "0 "
is "and is empty" "$(ls "$mnt")" ""
is "one mount, not one on another" "$(grep -c " $mnt " /proc/mounts)" 1
exec 9<"$mnt/.weir/version"
kill -TERM "$(find_daemon | tr -d ' ')"
ok "a signal ends it" wait_for gone
exec 9<&-
not_ok "the mount is gone" mountpoint -q "$mnt"
not_ok "the socket too" test -e "$WEIR_RUNDIR/socket"
run --clock=monotonic "$mnt"
is "--clock" "$(cat "$mnt/.weir/clock")" monotonic
pid=$(find_daemon | tr -d ' ')
policies() { cut -d' ' -f41 /proc/"$pid"/task/*/stat | sort | uniq -c | awk '{ print $2 "x" $1 }' | xargs; }	# sched(7)
two_are_batch() { policies | grep -qx '0x[0-9]* 3x2'; }
ok "the threads that programs wake do not preempt them" wait_for two_are_batch
ok "umount" "$WEIR" umount "$mnt"
ok "ends it" wait_for gone
chrt --idle 0 "$WEIR" mount "$mnt"
pid=$(find_daemon | tr -d ' ')
mkdir "$mnt/t"
ok "by then all threads run" rmdir "$mnt/t"
like "a policy that was chosen is kept" "$(policies)" '^5x[0-9]+$'
ok "umount" "$WEIR" umount "$mnt"
ok "ends it" wait_for gone
out=$(cd "$tmp" && WEIR_RUNDIR=run "$WEIR" mount mnt 2>&1)
is "relative paths" "$out $(cat "$mnt/.weir/backend")" " $auto"
kill -TERM "$(find_daemon | tr -d ' ')"
wait_for gone
not_ok "come to an end too" mountpoint -q "$mnt"
not_ok "socket and all" test -e "$WEIR_RUNDIR/socket"
rmdir "$mnt"
run -o noatime "$mnt"
is "root's mount point is made" "$status $out" "0 "
umount "$mnt"
ok "umount(8) ends it" wait_for gone
out=$(WEIR_MOUNT=$mnt "$WEIR" mount 2>&1)
ok "\$WEIR_MOUNT" mountpoint -q "$mnt"
umount "$mnt"
wait_for gone
"$WEIR" mount none "$mnt" -o rw,dev,suid
ok "as mount(8) says it" mountpoint -q "$mnt"
umount "$mnt"
wait_for gone

# ---- a user's own mount. In a mount namespace whose /dev/fuse is as udev makes it; a user namespace has no
# fusermount3 that is set-user-ID root.
if [ -n "${WEIR_BECAME_ROOT:-}" ]; then
	skip "a user's own mount" "needs root, for a second uid with its own /dev/fuse"
	exit
fi
mkdir -m 755 "$tmp/user" "$tmp/user/mnt" "$tmp/user/run"
mknod -m 666 "$tmp/fuse" c 10 229
chown -R 65534:65534 "$tmp/user"
cat >"$tmp/user.sh" <<'USER'
unset WEIR_RUNDIR
export XDG_RUNTIME_DIR=$tmp/user/run
m=$tmp/user/mnt
"$WEIR" mount $m || exit 1
mkdir $m/mine && echo 1 >$m/mine/control/enabled || exit 2
LD_PRELOAD=$preload "$tick" 10
echo "own process: $(cat $m/mine/text | wc -l)"
echo "decodes: $(babeltrace2 $m/mine 2>&1 | wc -l)"
ls -ld $m/mine | cut -d' ' -f3
"$WEIR" umount $m || exit 3
i=0
while [ -e $XDG_RUNTIME_DIR/weir/socket ] && [ $i -lt 600 ]; do sleep 0.1; i=$((i + 1)); done
mountpoint -q $m || echo unmounted
USER
export WEIR tick tmp preload="$(weir_preload)"
out=$(unshare -m sh -c "mount --bind $tmp/fuse /dev/fuse && exec setpriv --reuid=65534 --regid=65534 --clear-groups sh $tmp/user.sh" 2>&1)
is "a user's own mount" "$out" "own process: 10
decodes: 10
nobody
unmounted"
