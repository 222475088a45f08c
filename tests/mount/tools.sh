#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Ordinary tools on a live mount, while a program writes at full speed: none fails, none complains.
. "${top_srcdir:-.}/tests/lib/mount.sh"
tick=$top_builddir/tests/mount/tick
need babeltrace2 rsync tar less python3
weir_mount
weir_trace web subbuf_size=64K
mkfifo "$tmp/stop"
traced "$tick" 5000 2 linger <"$tmp/stop" >"$tmp/out" &
exec 9>"$tmp/stop"
wait_for grep -q done "$tmp/out"
quiet=$(basename "$mnt"/web/tick-*)
(exec env LD_PRELOAD="$(weir_preload)" "$tick" -1 2 9>&-) &
busy=tick-$!
wait_for test -e "$mnt/web/$busy/cpu0" -o -e "$mnt/web/$busy/cpu1"
cd "$mnt" || exit 99

silent() {	# NAME COMMAND...: succeeds and says nothing on stderr
	local name=$1 err
	shift
	if err=$("$@" 2>&1 >/dev/null); then is "$name" "$err" ""; else fail "$name" "status $?: $*" "$err"; fi
}

silent "ls -lR" ls -lR .
silent "ls -la" ls -la web "web/$busy"
silent "find" find . -ls
silent "du" du -a .
silent "df" df .
like "df says something" "$(df --output=size,avail . | tail -1)" '[0-9]+ +[0-9]+'
silent "stat" stat . web "web/$busy/metadata"
silent "stat -f" stat -f .
silent "grep -r" grep -r tick:count .
silent "grep -rl in a process" grep -rla 'tick' "web/$busy"
for i in 1 2 3; do
	silent "cp -r $i" cp -r web "$tmp/cp$i"
	silent "cp -a $i" cp -a web "$tmp/cpa$i"
	silent "tar $i" tar cf "$tmp/$i.tar" web
	silent "rsync -a $i" rsync -a web/ "$tmp/rs$i/"
	mkdir "$tmp/tar$i" && tar xf "$tmp/$i.tar" -C "$tmp/tar$i"
	for copy in "cp$i" "cpa$i" "tar$i/web" "rs$i"; do
		chmod -R u+rwX "$tmp/$copy"
		ok "a copy decodes ($copy)" bt "$tmp/$copy"
		is "with all of what is quiet ($copy)" "$(bt "$tmp/$copy/$quiet" | wc -l)" 10000
	done
done
silent "rsync -aX" rsync -aX web/ "$tmp/rsx/"
silent "tar of all" tar cf "$tmp/all.tar" .
mkdir "$tmp/one"
cp "web/$busy/metadata" "$tmp/one/"
silent "cat a stream" cat "web/$busy/metadata" web/"$busy"/cpu?
silent "wc" wc web/text "web/$busy/text" web/"$busy"/cpu?
silent "tail" tail -n 3 web/text
is "tail -n" "$(tail -n 3 "web/$quiet/text" | wc -l)" 3
silent "head" head -n 3 web/text
silent "less" sh -c 'less -E web/text </dev/null | head -5'
silent "md5sum" md5sum web/"$busy"/cpu?
silent "file read by a pipe that closes early" sh -c 'head -c 100 web/text'

# ---- one open file never changes
for cpu in web/"$busy"/cpu?; do
	exec 8<"$cpu"
	one=$(md5sum </proc/self/fd/8) size=$(stat -Lc %s /proc/self/fd/8)
	exec 7<"$cpu"
	two=$(python3 -c 'import os,hashlib,sys; os.lseek(8, 0, 0); d = os.read(8, 1 << 26)
print(hashlib.md5(d).hexdigest())')
	like "twice from one open file" "$two" '^[0-9a-f]{32}$'
	is "md5sum twice of one open file" "$(python3 -c 'import os,hashlib; os.lseek(8, 0, 0); d = b""
while True:
    p = os.read(8, 777)
    if not p: break
    d += p
print(hashlib.md5(d).hexdigest())')" "$two"
	is "its size" "$(python3 -c 'import os; os.lseek(8, 0, 0); print(sum(iter(lambda: len(os.read(8, 4096)), 0)))')" "$size"
	exec 8<&- 7<&-
done
for bs in 1 7 511 513 777 4097 65537; do
	[ $bs -lt 512 ] && file=metadata || file=$(basename "$(ls web/"$quiet"/cpu? -d | head -1)")
	is "dd bs=$bs" "$(dd if="web/$quiet/$file" bs=$bs status=none | md5sum)" "$(md5sum <"web/$quiet/$file")"
done
ok "mmap, two moments at once" python3 - "web/$busy" <<'PY'
import mmap, os, sys, time, struct
cpu = sorted(f for f in os.listdir(sys.argv[1]) if f.startswith("cpu"))[0]
path = os.path.join(sys.argv[1], cpu)
def take():
    with open(path, "rb") as f:
        size = os.fstat(f.fileno()).st_size
        m = mmap.mmap(f.fileno(), size, prot=mmap.PROT_READ)
        assert len(m) == size
        return m, bytes(m)
m1, b1 = take()
pid = os.fork()			# another reader process, another moment
if pid == 0:
    m2, b2 = take()
    time.sleep(.1)
    os._exit(bytes(m2) != b2)
assert os.waitpid(pid, 0)[1] == 0
assert bytes(m1) == b1
at = 0
while at < len(b1):				# packets follow one another exactly to the end
    magic, = struct.unpack_from("<I", b1, at)
    content, size = struct.unpack_from("<QQ", b1, at + 48)
    assert magic == 0xc1fc1fc1 and content <= size and size % 64 == 0
    at += size // 8
assert at == len(b1)
PY
ok "text does not end in the middle of a line, whatever the reads" python3 - "web/$quiet/text" <<'PY'
import os, sys
def read(bs):
    fd = os.open(sys.argv[1], os.O_RDONLY)
    d = b"".join(iter(lambda: os.read(fd, bs), b""))
    assert os.pread(fd, 100, 0) == d[:100]		# back to the start
    assert os.pread(fd, 100, 5000) == d[5000:5100]
    os.close(fd)
    return d
a = read(1 << 20)
assert a.endswith(b"\n") and a.count(b"\n") == 10000
assert read(777) == a and read(1 << 16) == a
PY
exec 9>&-
kill -KILL "${busy#tick-}"; wait "${busy#tick-}" 2>/dev/null
cd /
