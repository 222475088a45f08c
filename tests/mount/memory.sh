#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# What readers can make the daemon hold: little an open file, whatever was read from it.
. "${top_srcdir:-.}/tests/lib/mount.sh"
tick=$top_builddir/tests/mount/tick
PATH=/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin # what every user can run
need setpriv python3
become_root
weir_mount
weir_trace web subbuf_size=256K subbuf_count=32
chmod 755 "$tmp"
# somebody's, whose quotas hold; without a second uid, root's
if has_users; then
	user() { as_uid 65534 "$@"; }
else
	user() { "$@"; }
	skip "a user's quotas" "$no_users"
fi
user mkdir "$mnt/own"
for f in subbuf_size=256K subbuf_count=32 enabled=1; do
	user sh -c "echo ${f#*=} >$mnt/own/control/${f%=*}"
done
mkfifo "$tmp/stop"
user env LD_PRELOAD="$(weir_preload)" "$tick" 200000 1 linger <"$tmp/stop" >"$tmp/out" &
exec 9>"$tmp/stop"
wait_for grep -q done "$tmp/out"

rss() { awk '/^VmRSS/ {print $2}' "/proc/$daemon_pid/status"; }	# KiB
held() {	# FILE HOW: 300 open files of that user, each read, stay open; the daemon's RSS then
	user python3 - "$daemon_pid" "$mnt/own/$1" "$2" <<'PY'
import os, sys
daemon, path, how = sys.argv[1:]
fds = [os.open(path, os.O_RDONLY) for i in range(300)]
for fd in fds:
    if how == "dir":
        os.listdir(fd)
    elif how == "end":
        while os.read(fd, 1 << 20): pass
    else:
        assert os.read(fd, int(how))
rss = [l for l in open(f"/proc/{daemon}/status") if l.startswith("VmRSS")][0]
print(rss.split()[1])
PY
}
ok "the text is long" [ "$(wc -c <"$mnt/own/text")" -gt 10000000 ]
first=$(rss)
most=${WEIR_MEMORY_MOST:-32768}
[ "$WEIR_SANITIZE" = none ] || most=1000000
for case in 'text 1048576' 'text 1' 'control/available_events end' 'status end' 'control dir'; do
	set -- $case
	now=$(held "$1" "$2")
	ok "300 open files, $case: $first KiB, then ${now:-nothing}" [ "$((${now:-$most + first} - first))" -lt "$most" ]
done

ok "a text is the same, however it is read" python3 - "$mnt/own/text" <<'PY'
import os, random, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
whole = b"".join(iter(lambda: os.read(fd, 1 << 20), b""))
assert whole.count(b"\n") == 200000
for at in 0, 3, 8000, 9000, 100, 1 << 20, (1 << 20) - 5000, (1 << 20) - 20000, len(whole) - 7, len(whole), 5:
    assert os.pread(fd, 70000, at) == whole[at:at + 70000], at
os.lseek(fd, 0, 0)
at = 0
random.seed(1)
while at < 300000:	# as shells do: a block, then back to behind the first line
    block = os.read(fd, 4096)
    assert block == whole[at:at + 4096]
    at += block.index(b"\n") + 1 if random.random() < .5 else len(block)
    os.lseek(fd, at, 0)
PY
ok "far forward is not one request, but gets there" python3 - "$mnt/own/text" <<'PY'
import ctypes, errno, os, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.pread.argtypes = [ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_long]
fd = os.open(sys.argv[1], os.O_RDONLY)
buf = ctypes.create_string_buffer(100)
def interrupted(): return libc.pread(fd, buf, 100, 1 << 40) == -1 and ctypes.get_errno() == errno.EINTR
assert interrupted(), "one request renders it all"
assert os.pread(fd, 100, 1 << 40) == b""	# which tries again
assert os.pread(fd, 100, 1 << 40) == b""
whole = open(sys.argv[1], "rb").read()
at = 9 << 20
assert os.pread(fd, 100, at) == whole[at:at + 100] and os.pread(fd, 100, 0) == whole[:100]
assert interrupted()
assert os.pread(fd, 100, at) == whole[at:at + 100]
PY
ok "a control file read to its end, and again" python3 - "$mnt/own/status" <<'PY'
import os, sys
fd = os.open(sys.argv[1], os.O_RDONLY)
a = os.read(fd, 1 << 16)
assert os.read(fd, 100) == b"" and os.read(fd, 100) == b""
assert os.pread(fd, 1 << 16, 0) == a and os.pread(fd, 10, 5) == a[5:15]
assert os.read(fd, 100) == b"" and os.pread(fd, 10, 5) == a[5:15] and os.pread(fd, 10, 1 << 30) == b""
PY
exec 9>&-
wait %% 2>/dev/null
