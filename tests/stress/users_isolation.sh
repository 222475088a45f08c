# SPDX-License-Identifier: GPL-2.0-only
# Two users in one mount: nothing of the one can be found, read or changed by the other, by whatever path. Quotas. A
# set-user-ID program takes nothing from its environment.
if [ -z "${WEIR_NAMESPACE:-}" ] && [ "$(id -u)" = 0 ]; then
	WEIR_NAMESPACE=1 exec unshare --mount --propagation private bash "$0" "$@"
fi
. "${top_srcdir:-.}/tests/stress/read_common.sh"
PATH=/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin # what every user can run
need setpriv python3
become_root
has_users || skip_all "$no_users"
stress_program read_writer -pthread
stress_program read_plugin -shared -fPIC
mkdir -m 1777 "$tmp/copies"
weir_mount
a() { as_uid 2000 "$@"; }
b() { as_uid 65534 "$@"; }

# Each user has a program of another name, with a secret in its events and an event of its own.
user_writer() {	# UID NAME SECRET NUMBER
	mkdir "$tmp/$2.d"
	LC_ALL=C sed "s/number_00000/number_$4/g" "$tmp/read_plugin" >"$tmp/$2.d/p.so"
	chown -R "$1" "$tmp/$2.d"
	ln "$tmp/read_writer" "$tmp/$2"
	LD_PRELOAD=$(weir_preload) exec setpriv --reuid="$1" --regid="$1" --clear-groups "$tmp/$2" -t 2 -r 20000 -s "$3" \
		-p "$tmp/$2.d"
}

a mkdir "$mnt/of-a"
b mkdir "$mnt/of-b"
mkdir "$mnt/of-root"
for t in of-a of-b of-root; do
	echo 1 >"$mnt/$t/control/enabled"
	echo "of $t" >"$mnt/$t/marker"
done
user_writer 2000 program-a secretofa 77777 & pa=$!
user_writer 65534 program-b secretofb 88888 & pb=$!
user_writer 0 program-r secretofr 99999 & pr=$!
a sh -c 'echo nonsense-of-a >"$1/of-a/control/mode"' - "$mnt" 2>/dev/null
b sh -c 'echo nonsense-of-b >"$1/of-b/control/mode"' - "$mnt" 2>/dev/null
all_there() {
	compgen -G "$mnt/of-a/program-a-*/cpu1" && compgen -G "$mnt/of-b/program-b-*/cpu1" &&
		compgen -G "$mnt/of-root/program-a-*/cpu1" && compgen -G "$mnt/of-root/program-b-*/cpu1" &&
		compgen -G "$mnt/of-root/program-r-*/cpu1" &&
		[ "$(grep -aoE ' plugin:number_[0-9]*_c' "$mnt/of-root/text" | sort -u | wc -l)" = 3 ]
}
wait_for all_there || fail "they write"

# Everything that a user can find, in one file.
everything_of() {	# UID
	as_uid "$1" python3 - "$mnt" <<-'END'
	import os, sys
	for top, dirs, files in os.walk(sys.argv[1], onerror=lambda e: print("ERROR", e)):
	    print("DIR", top, os.listdir(top))
	    if "metadata" in files or top.endswith("/of-root"):
	        files.append("text")
	    for f in files:
	        path = os.path.join(top, f)
	        try:
	            sys.stdout.flush()
	            with open(path, "rb") as file:
	                sys.stdout.buffer.write(path.encode() + b":" + file.read())
	        except OSError as e:
	            print("ERROR", e)
	END
}
everything_of 2000 >"$tmp/seen.a"
everything_of 65534 >"$tmp/seen.b"
everything_of 0 >"$tmp/seen.root"
contains() { LC_ALL=C grep -aoE "secretof[abr]|program-[abr]-[0-9]|plugin:number_[0-9]+|nonsense-of-[ab]|of-(a|b|root)\b" "$1" |
	sed 's/-[0-9]$//' | sort -u | paste -sd' '; }
is "all that a finds" "$(contains "$tmp/seen.a")" \
	"nonsense-of-a of-a of-root plugin:number_77777 program-a secretofa"
is "all that b finds" "$(contains "$tmp/seen.b")" \
	"nonsense-of-b of-b of-root plugin:number_88888 program-b secretofb"
is "all that root finds" "$(contains "$tmp/seen.root" | wc -w)" 14
is "nobody finds what cannot be read" "$(grep -a ^ERROR "$tmp/seen.a" "$tmp/seen.b" "$tmp/seen.root")" ""

# By every path that root sees and the user does not: not there, not denied.
other_paths() {	# UID PATTERN
	(cd "$mnt" && find . -regextype posix-extended -regex "$2" | sed 's/^..//') >"$tmp/paths"
	(cd "$mnt" && find of-*/*-* -maxdepth 0 -regextype posix-extended -regex "${2#./}" -exec printf '%s/text\n' {} +) >>"$tmp/paths"
	as_uid "$1" python3 - "$mnt" "$tmp/paths" <<-'END'
	import errno, os, sys
	os.chdir(sys.argv[1])
	paths = open(sys.argv[2]).read().split()
	calls = [os.stat, os.listdir, lambda p: open(p, "rb"), lambda p: open(p, "r+b"), lambda p: os.open(p, os.O_WRONLY | os.O_TRUNC),
	         os.rmdir, os.unlink, lambda p: os.chmod(p, 0o777), lambda p: os.rename(p, "x"), os.chdir,
	         lambda p: os.chown(p, os.getuid(), -1), lambda p: os.utime(p), lambda p: os.truncate(p, 0),
	         lambda p: os.symlink("x", p + "/x"), lambda p: os.mkdir(p + "/x")]
	for path in paths:
	    for n, call in enumerate(calls):
	        try:
	            call(path)
	            print("call", n, path, "succeeded")
	        except OSError as e:
	            if e.errno != errno.ENOENT:
	                print("call", n, path, e)
	print(len(paths) > 10)
	END
}
is "b has no path to what is a's" "$(other_paths 65534 '\./(of-a(/.*)?|of-root/program-[ar]-.*)')" True
is "a has no path to what is b's" "$(other_paths 2000 '\./(of-b(/.*)?|of-root/program-[br]-.*)')" True
ok "it is all still there" all_there

for f in "$mnt"/of-root/control/* "$mnt/of-root/marker"; do
	not_ok "a cannot write to of-root/${f##*/}" a sh -c 'echo 1 >>"$1"' - "$f"
done
like "nor remove the trace" "$(a rmdir "$mnt/of-root" 2>&1)" 'not permitted'
ok "a may write to its own" a sh -c 'echo 1 >"$1/of-a/control/enabled"' - "$mnt"

read_as() {	# UID PATH: as bt()
	as_uid "$1" babeltrace2 "$2" >"$tmp/bt.out" 2>"$tmp/bt.err" && [ ! -s "$tmp/bt.err" ] || { cat "$tmp/bt.err"; return 1; }
}
for who in "a 2000" "b 65534"; do
	user=${who% *} uid=${who#* }
	ok "$user reads root's trace with babeltrace2" read_as "$uid" "$mnt/of-root"
	is "there is what is $user's" "$(contains "$tmp/bt.out")" "plugin:number_$([ $user = a ] && echo 77777 || echo 88888) secretof$user"
	ok "$user reads its own" read_as "$uid" "$mnt/of-$user"
	ok "$user copies root's trace" as_uid "$uid" cp -r "$mnt/of-root" "$(as_uid "$uid" mktemp -d "$tmp/copies/XXXXXX")/x"
	is "text and status: only $user's" "$(as_uid "$uid" cat "$mnt"/of-root/{text,status} | grep -aoE 'program-[abr]' | sort -u)" "program-$user"
done

# Quotas: of each user alone.
is "the fifth trace of a user" "$(for i in 1 2 3 4; do a mkdir "$mnt/q$i" 2>&1 || break; done)" \
	"mkdir: cannot create directory '$mnt/q4': Disk quota exceeded"
like "why" "$(a cat "$mnt/.weir/errors")" 'mkdir q4: a user who is not root has four traces'
ok "b may make one" b mkdir "$mnt/qb"
for i in $(seq 1 20); do mkdir "$mnt/r$i" 2>"$tmp/mkdir.err" || break; done
like "the 17th trace" "$(cat "$tmp/mkdir.err")" 'No space left on device'
is "there are 16" "$(ls "$mnt" | wc -l)" 16
like "b's second finds no room either" "$(b mkdir "$mnt/qb2" 2>&1)" 'No space left on device'
ok "a gives one back" a rmdir "$mnt/q1"
ok "and may make another" a mkdir "$mnt/q1"
rmdir "$mnt"/r*

kill "$pa" "$pb" "$pr"
for pid in $pa $pb $pr; do wait "$pid" || fail "the program"; done

# A set-user-ID program is traced by the system's mount or not at all. The same program without the bit obeys.
case $WEIR_SANITIZE in asan) san=-fsanitize=address,undefined ;; *) san= ;; esac
cat >"$tmp/suid.c" <<'END'
#include <stdio.h>
#include <unistd.h>
#include <weir/trace.h>
int main(void)
{
	int uid = (int)getuid(), euid = (int)geteuid();

	weir_trace(suid, ran, uid, euid);
	printf("%d %d %s\n", uid, euid, weir_object_.client ? "linked" : "not linked");
	return 0;
}
END
# shellcheck disable=SC2086
$CC $san -I"$top_srcdir/include" -o "$tmp/suid" "$tmp/suid.c" -Wl,--no-as-needed -L"${LIBWEIR%/*}" -lweir \
	-Wl,-rpath,"$(realpath "${LIBWEIR%/*}")" || fail "suid.c"
cat >"$tmp/evil.c" <<'END'
#include <unistd.h>
__attribute__((constructor)) static void start(void) { write(2, "evil\n", 5); }
END
$CC -shared -fPIC -o "$tmp/evil.so" "$tmp/evil.c" || fail "evil.c"
cp "$tmp/suid" "$tmp/plain"
chown root "$tmp/suid"
chmod u+s "$tmp/suid"
suid_events() { cat "$mnt/of-root/text" | grep -c ' suid:ran: '; }
run_suid() { a env WEIR_RUNDIR="$WEIR_RUNDIR" WEIR_DEBUG=1 XDG_RUNTIME_DIR="$tmp" WEIR_RUN=1 "$@" 2>&1; }
like "without the bit it runs" "$(run_suid "$tmp/plain")" '2000 2000 linked$'
is "and is traced where the environment says" "$(suid_events)" 1
like "without the bit WEIR_DEBUG is heard" "$(a env WEIR_RUNDIR=/none WEIR_DEBUG=1 "$tmp/plain" 2>&1)" 'weir: '
is "with the bit it says nothing of weir" "$(run_suid env "$tmp/suid")" "2000 0 linked"
is "and is not traced where the environment says" "$(suid_events)" 1
like "LD_PRELOAD is heard without the bit" "$(run_suid env LD_PRELOAD="$tmp/evil.so" "$tmp/plain")" evil
is "and not with it" "$(run_suid env LD_PRELOAD="$tmp/evil.so" "$tmp/suid")" "2000 0 linked"

# The system's mount, in a /run of our own: there it is traced, and nobody who starts it can keep it away.
mount -t tmpfs -o mode=755 tmpfs /run || fail "a /run of our own"
mkdir "$tmp/system" "$tmp/xdg"
ln -s "$WEIR_RUNDIR" "$tmp/xdg/weir" # a control file that root trusts, with a daemon
trap 'status=$?; umount -l "$tmp/system" /run 2>/dev/null; (exit $status); weir_finish' EXIT
ok "the system's mount" env -u WEIR_RUNDIR "$WEIR" mount "$tmp/system"
mkdir "$tmp/system/all"
echo 1 >"$tmp/system/all/control/enabled"
where() {	# COMMAND...: it is traced
	local own system
	echo 1 >"$mnt/of-root/control/clear"
	echo 1 >"$tmp/system/all/control/clear"
	(unset WEIR_RUNDIR; "$@") >/dev/null 2>&1
	own=$(suid_events)
	system=$(grep -c ' suid:ran: ' "$tmp/system/all/text")
	echo "own $own, system's $system"
}
is "without the bit it is the system's, too" "$(where a "$tmp/plain")" "own 0, system's 1"
is "or nobody's, with WEIR_DISABLE" "$(where a env WEIR_DISABLE=1 "$tmp/plain")" "own 0, system's 0"
is "with the bit WEIR_DISABLE is not heard" "$(where a env WEIR_DISABLE=1 "$tmp/suid")" "own 0, system's 1"
is "without the bit it is a mount's by XDG_RUNTIME_DIR" "$(where env XDG_RUNTIME_DIR="$tmp/xdg" "$tmp/plain")" "own 1, system's 0"
is "with the bit XDG_RUNTIME_DIR is not heard" "$(where a env XDG_RUNTIME_DIR="$tmp/xdg" "$tmp/suid")" "own 0, system's 1"
ok "the system's mount ends" "$WEIR" umount "$tmp/system"

# What another user can open, he can lock.
weir_umount
b flock -s "$WEIR_RUNDIR/control" cat <&"$never" & locker=$!
not_locked() { flock -n "$WEIR_RUNDIR/control" true; }
wait_for eval '! not_locked' || fail "it is locked"
weir_mount
ok "no lock of another user keeps the daemon from starting" grep -q . "$mnt/.weir/version"
not_ok "what the daemon locks he cannot open" b cat "$WEIR_RUNDIR/control.lock"
kill $locker
