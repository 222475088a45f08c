# SPDX-License-Identifier: GPL-2.0-only
# A user's own mount, by fusermount3. Where /dev/fuse is for root alone the test gives itself another one, in a mount
# namespace of its own.
if [ -z "${WEIR_NAMESPACE:-}" ] && [ "$(id -u)" = 0 ]; then
	WEIR_NAMESPACE=1 exec unshare --mount --propagation private bash "$0" "$@"
fi
. "${top_srcdir:-.}/tests/stress/read_common.sh"
PATH=/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin # what every user can run
need setpriv fusermount3 inotifywait
# not become_root: there fusermount3 is not set-user-ID root. What one user can do alone, all other tests do.
[ "$(id -u)" = 0 ] || skip_all "needs root, for a second uid with its own /dev/fuse"
stress_program read_writer -pthread

mkdir "$tmp/dev"
mount -t tmpfs -o mode=755 tmpfs "$tmp/dev" && mknod -m 666 "$tmp/dev/fuse" c 10 229 &&
	mount --bind "$tmp/dev/fuse" /dev/fuse || fail "a /dev/fuse of our own"
# fusermount3 wants to know a user's name
{ cat /etc/passwd; printf '%s\n' weir1:x:2000:2000::/:/bin/sh weir2:x:2001:2001::/:/bin/sh; } >"$tmp/passwd"
mount --bind "$tmp/passwd" /etc/passwd || fail "an /etc/passwd of our own"

unset WEIR_RUNDIR WEIR_MOUNT
mkdir "$tmp/xdg" "$tmp/mnt" "$tmp/mnt2"
chown 2000:2000 "$tmp/xdg" "$tmp/mnt" "$tmp/mnt2"
chmod 700 "$tmp/xdg"
user() { as_uid 2000 env XDG_RUNTIME_DIR="$tmp/xdg" "$@"; }
other() { as_uid 2001 "$@"; }

# not `weir_mount`: as a user does it, in the background, with nothing but XDG_RUNTIME_DIR
ok "weir mount, as a user" user "$WEIR" mount "$mnt"
trap 'user fusermount3 -u -z "$mnt" 2>/dev/null; umount -l "$mnt" 2>/dev/null; umount -l /run "$tmp/system" 2>/dev/null; umount -l /dev/fuse /etc/passwd "$tmp/dev"; weir_finish' EXIT
is "it is there" "$(user cat "$mnt/.weir/version")" 0.1.0
is "control and socket are the user's" "$(stat -c '%u %a' "$tmp/xdg/weir" "$tmp/xdg/weir/socket" | paste -sd' ')" "2000 700 2000 600"
is "where it is mounted" "$(findmnt -no FSTYPE "$mnt")" fuse.weir
like "a second one is refused" "$(user "$WEIR" mount "$tmp/mnt2" 2>&1)" '^weir: .*another daemon is running'
not_ok "another user does not see the mount" other ls "$mnt"
not_ok "and has no way to the socket" other ls "$tmp/xdg"

ok "the user makes a trace" user mkdir "$mnt/web"
user "$(command -v inotifywait)" -m "$mnt/web" --format '%e %f' >"$tmp/told" 2>"$tmp/told.err" &
wait_for grep -q established "$tmp/told.err"
ok "and enables it" user sh -c 'echo 1 >"$1"/web/control/enabled' - "$mnt"
user env LD_PRELOAD="$(weir_preload)" "$tmp/read_writer" -t 2 -n 500
is "a program of the user is traced" "$(user cat "$mnt/web/text" | grep -c ' stress:')" 1000
ok "inotify tells of it" wait_for grep -q '^CREATE,ISDIR read_writer-' "$tmp/told"
kill $!
user babeltrace2 "$mnt/web" >"$tmp/bt.out" 2>"$tmp/bt.err"
is "babeltrace2" "$? $(wc -l <"$tmp/bt.out") $(cat "$tmp/bt.err")" "0 1000 "
case $WEIR_SANITIZE in
none) ok "weir run" user env WEIR_MOUNT="$mnt" "$WEIR" run -t run -p malloc -- ls / ;;
*) ok "weir run" user env WEIR_MOUNT="$mnt" LD_PRELOAD="$(sanitizer_libs)" "$WEIR" run -t run -p malloc -- ls / ;;
esac
# the sanitizer's malloc comes first
[ "$WEIR_SANITIZE" != none ] || like "it was traced" "$(user cat "$mnt/run/text" | grep -c libc:malloc)" '^[1-9]'

# Nobody else's programs come here, whatever their environment says: not another user's, and not root's, which trusts
# only what is root's or, by XDG_RUNTIME_DIR, its own.
chmod 755 "$tmp/xdg" "$tmp/xdg/weir"
other env XDG_RUNTIME_DIR="$tmp/xdg" LD_PRELOAD="$(weir_preload)" "$tmp/read_writer" -t 1 -n 10
other env WEIR_RUNDIR="$tmp/xdg/weir" LD_PRELOAD="$(weir_preload)" "$tmp/read_writer" -t 1 -n 10
env XDG_RUNTIME_DIR="$tmp/xdg" LD_PRELOAD="$(weir_preload)" "$tmp/read_writer" -t 1 -n 10
env WEIR_RUNDIR="$tmp/xdg/weir" LD_PRELOAD="$(weir_preload)" "$tmp/read_writer" -t 1 -n 10
is "other users' programs do not come" "$(user cat "$mnt/web/text" | grep -c ' stress:')" 1000
like "they say why" "$(other env WEIR_DEBUG=1 WEIR_RUNDIR="$tmp/xdg/weir" LD_PRELOAD="$(weir_preload)" "$tmp/read_writer" -t 1 -n 10 2>&1)" \
	'not trusted'

# A control file that is trusted, beside a socket that another user serves: nothing is sent there.
cat >"$tmp/serve.py" <<'END'
import os, socket, sys
server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
server.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o777)
server.listen()
print("listens", flush=True)
data, fds, _, _ = socket.recv_fds(server.accept()[0], 4096, 2)
print("message" if data else "nothing", len(fds))
END
rundir() {	# UID: $tmp/rundir with a control file of that user, and no socket
	rm -rf "$tmp/rundir" "$tmp/said"
	mkdir -m 777 "$tmp/rundir"
	cp "$tmp/xdg/weir/control" "$tmp/rundir/control"
	chown "$1" "$tmp/rundir/control"
}
served_by() {	# WHO: what a program of the user sends to a server of theirs
	rundir 2000
	$1 timeout -s KILL 60 python3 "$tmp/serve.py" "$tmp/rundir/socket" >"$tmp/said" &
	wait_for grep -q listens "$tmp/said"
	user env WEIR_RUNDIR="$tmp/rundir" LD_PRELOAD="$(weir_preload)" "$tmp/read_writer" -t 1 -n 10
	wait $!
	tail -n 1 "$tmp/said"
}
is "a server of the user's own is sent memory" "$(served_by user)" "message 2"
is "another user's is not" "$(served_by other)" "nothing 0"

# Nor does the user's daemon take anybody else who has found a way to its socket, and believes in it.
cat >"$tmp/believes.c" <<'END'
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

int getsockopt(int fd, int level, int name, void *restrict value, socklen_t *restrict len)
{
	int ret = (int)syscall(SYS_getsockopt, fd, level, name, value, len);

	if (!ret && level == SOL_SOCKET && name == SO_PEERCRED)
		((struct ucred *)value)->uid = geteuid();
	return ret;
}
END
$CC -std=gnu11 -D_GNU_SOURCE -O2 -shared -fPIC -o "$tmp/believes.so" "$tmp/believes.c" || fail "believes.c"
believer() {	# UID: a process that stays; its pid is in $believer
	rundir "$1"
	ln -s "$tmp/xdg/weir/socket" "$tmp/rundir/socket"
	setpriv --reuid="$1" --regid="$1" --clear-groups env WEIR_RUNDIR="$tmp/rundir" \
		LD_PRELOAD="$(weir_preload):$tmp/believes.so" "$top_builddir/tests/mount/tick" 1 1 stays <&"$never" >"$tmp/said" &
	believer=$!
	wait_for grep -q done "$tmp/said" || fail "uid $1: it runs"
}
user chmod 666 "$tmp/xdg/weir/socket"
believer 2001; other_pid=$believer
believer 0; root_pid=$believer
believer 2000; user_pid=$believer # they are taken in their order
taken() { user grep -Eo "^$1 [0-9]+ " "$mnt/.weir/processes"; }
ok "the daemon takes its user's process" wait_for taken "$user_pid"
is "and nobody else's" "$(taken "($other_pid|$root_pid)")" ""
is "it says so" "$(user grep -c ' attach of process .*: Operation not permitted' "$mnt/.weir/errors")" 2
kill "$other_pid" "$root_pid" "$user_pid"
wait "$other_pid" "$root_pid" "$user_pid"
user chmod 600 "$tmp/xdg/weir/socket"
chmod 700 "$tmp/xdg/weir"

# What lies where a control file is looked for makes nobody wait, be it one's own.
mkdir -p "$tmp/fifo/weir"
mkfifo "$tmp/fifo/weir/control"
chown -R 2001:2001 "$tmp/fifo"
for who in user other; do
	for var in XDG_RUNTIME_DIR="$tmp/fifo" WEIR_RUNDIR="$tmp/fifo/weir"; do
		ok "a FIFO keeps nobody: $who, ${var%%=*}" $who timeout -s KILL 60 env "$var" LD_PRELOAD="$(weir_preload)" "$tmp/read_writer" -t 1 -n 10
	done
done

ok "the user unmounts" user "$WEIR" umount "$mnt"
socket_gone() { [ ! -e "$tmp/xdg/weir/socket" ]; }
ok "the daemon is gone" wait_for socket_gone
not_ok "the mount is gone" mountpoint -q "$mnt"
# Root's daemon has a user's programs while the user's own is gone.
mount -t tmpfs -o mode=755 tmpfs /run || fail "a /run of our own"
mkdir "$tmp/system"
ok "root mounts" "$WEIR" mount "$tmp/system"
mkdir "$tmp/system/all"
echo 1 >"$tmp/system/all/control/enabled"
user env LD_PRELOAD="$(weir_preload)" "$tmp/read_writer" -t 1 -n 10
is "the user's programs are root's" "$(grep -c ' stress:' "$tmp/system/all/text")" 10
ok "root unmounts" "$WEIR" umount "$tmp/system"
system_gone() { [ ! -e /run/weir/socket ]; }
ok "and is gone" wait_for system_gone
ok "a program is not harmed" user env LD_PRELOAD="$(weir_preload)" "$tmp/read_writer" -t 1 -n 10
ok "and it mounts again" user "$WEIR" mount "$mnt"
is "anew" "$(user ls "$mnt")" ""
ok "and unmounts" user fusermount3 -u "$mnt"
ok "for good" wait_for socket_gone
