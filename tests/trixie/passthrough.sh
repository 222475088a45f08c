#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# That the kernel reads data files without the daemon: it is stopped while they are read. Not part of `make check`,
# since it fails where passthrough is not to be had: check-trixie runs it.
. "${top_srcdir:-.}/tests/lib/mount.sh"
tick=$top_builddir/tests/mount/tick
need python3 babeltrace2 setpriv
weir_mount
weir_trace web subbuf_size=64K subbuf_count=16
mkfifo "$tmp/stop"
env LD_PRELOAD="$(weir_preload)" taskset -c 0 "$tick" 20000 1 linger <"$tmp/stop" >"$tmp/out" &
exec 9>"$tmp/stop"
wait_for grep -q done "$tmp/out"
dir=$(echo "$mnt"/web/tick-*)
cp "$dir/cpu0" "$tmp/cpu0"
cp "$dir/metadata" "$tmp/metadata"
ok "there is something to read" [ "$(stat -c %s "$tmp/cpu0")" -gt 400000 ]

# stop the daemon once FILE is open, then do what is in `read`
stopped() {	# NAME PYTHON
	ok "$1" timeout -k 1 60 python3 - "$daemon_pid" "$dir" "$tmp" <<PY
import mmap, os, signal, sys
daemon, dir, tmp = int(sys.argv[1]), sys.argv[2], sys.argv[3]
def opened(name): return os.open(f"{dir}/{name}", os.O_RDONLY)
def want(name): return open(f"{tmp}/{name}", "rb").read()
def read(fd): return b"".join(iter(lambda: os.read(fd, 100000), b""))
class Stopped:
    def __enter__(self):
        os.kill(daemon, signal.SIGSTOP)
        while open(f"/proc/{daemon}/stat").read().rsplit(")", 1)[1].split()[0] != "T": pass
    def __exit__(self, *args): os.kill(daemon, signal.SIGCONT)
$2
PY
	kill -CONT "$daemon_pid"
}

stopped "a stream is read while the daemon is stopped" '
fd = opened("cpu0")
with Stopped(): assert read(fd) == want("cpu0")'
stopped "metadata, too" '
fd = opened("metadata")
with Stopped(): assert read(fd) == want("metadata")'
stopped "at any offset, and beyond the end" '
fd, all = opened("cpu0"), want("cpu0")
with Stopped():
    for at in 1, 4095, 4096, 70001, len(all) - 1, len(all), len(all) + 1, 1 << 40:
        assert os.pread(fd, 9999, at) == all[at:at + 9999], at'
stopped "through a mapping" '
fd, all = opened("cpu0"), want("cpu0")
map = mmap.mmap(fd, len(all), prot=mmap.PROT_READ)
with Stopped(): assert map[:] == all'
stopped "with O_DIRECT, by sendfile and by splice" '
fd, all = opened("cpu0"), want("cpu0")
direct, buf = os.open(f"{dir}/cpu0", os.O_RDONLY | os.O_DIRECT), mmap.mmap(-1, 1 << 20)
r, w = os.pipe()
with Stopped():
    assert buf[:os.readv(direct, [buf])] == all
    with open(f"{tmp}/sent", "wb") as out:
        while os.sendfile(out.fileno(), fd, None, 1 << 20): pass
    assert want("sent") == all
    n = os.splice(fd, w, 60000, offset_src=4096)
    assert n > 0 and os.read(r, n) == all[4096:4096 + n]'
stopped "by many that have it open at once, while some close it" '
fds = [opened("cpu0") for i in range(100)]
for fd in fds[1::2]: os.close(fd)
fds[1::2] = [opened("cpu0") for i in range(50)]
with Stopped():
    for fd in fds: assert read(fd) == want("cpu0")'
stopped "after everybody has closed it" '
for i in range(3): os.close(opened("cpu0"))
fd = opened("cpu0")
with Stopped(): assert read(fd) == want("cpu0")'
stopped "by a process of another user that was given the open file" '
fd, all = opened("cpu0"), want("cpu0")
with Stopped():
    if os.fork() == 0:
        os.setgroups([]); os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)
        os._exit(0 if read(fd) == all else 1)
    assert os.wait()[1] == 0'
stopped "nobody writes to it, nor maps it to be written" '
fd = opened("cpu0")
for bad in (lambda: open(f"{dir}/cpu0", "r+b"), lambda: os.write(fd, b"x"), lambda: os.ftruncate(fd, 1),
            lambda: mmap.mmap(fd, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE)):
    try: bad()
    except OSError: continue
    raise AssertionError("allowed")
with Stopped(): assert read(fd) == want("cpu0")'
stopped "opened and closed by several at once, all the time" '
import threading
def again():
    for i in range(300):
        fd = opened("cpu0" if i % 3 else "metadata")
        assert os.read(fd, 10000) == want("cpu0" if i % 3 else "metadata")[:10000]
        os.close(fd)
errors = []
def run():
    try: again()
    except BaseException as e: errors.append(e)
threads = [threading.Thread(target=run) for i in range(8)]
for t in threads: t.start()
for t in threads: t.join()
assert not errors, errors'
mkdir "$mnt/web@then"
frozen=$(echo "$mnt"/web@then/tick-*)
cp "$frozen/cpu0" "$tmp/frozen"
stopped "a snapshot, too" '
fd = os.open("'"$frozen"'/cpu0", os.O_RDONLY)
with Stopped(): assert read(fd) == want("frozen") and len(want("frozen")) > 400000'
ok "no descriptor of a copy stays open" [ -z "$(find "/proc/$daemon_pid/fd" -lname '*weir-copy*')" ]
exec 9>&-
wait %% 2>/dev/null
ok "babeltrace2 reads what is left" [ "$(bt "$mnt/web" | wc -l)" -gt 10000 ]
