#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Two users and root: who sees what, who may write.
. "${top_srcdir:-.}/tests/lib/mount.sh"
tick=$top_builddir/tests/mount/tick
need setpriv python3
become_root
has_users || skip_all "$no_users"
mkdir -m 1777 "$tmp/copies"
weir_mount
a() { as_uid 65533 "$@"; }
b() { as_uid 65534 "$@"; }
sh_a() { a sh -c "$1" 2>&1; }
sh_b() { b sh -c "$1" 2>&1; }
cd "$mnt" || exit 99

ok "a makes a trace" a mkdir a
ok "b makes a trace" b mkdir b
ok "root makes a trace, of all" mkdir all
is "a sees" "$(a ls | paste -sd' ')" "a all"
is "b sees" "$(b ls | paste -sd' ')" "all b"
is "root sees" "$(ls | paste -sd' ')" "a all b"
is "owner" "$(stat -c %u a a/control/enabled all | paste -sd' ')" "65533 65533 0"
like "b cannot look into a" "$(sh_b 'ls a')" 'No such file'
like "nor by a path" "$(sh_b 'cat a/control/enabled')" 'No such file'
like "b cannot write to all" "$(sh_b 'echo 1 >all/control/enabled')" 'Permission denied'
like "nor its marker" "$(sh_b 'echo 1 >all/marker')" 'Permission denied'
is "but read" "$(b cat all/control/enabled)" 0
like "b cannot remove all" "$(sh_b 'rmdir all')" 'not permitted'
like "b cannot remove a" "$(sh_b 'rmdir a')" 'No such file'
not_ok "the name is taken, though" b mkdir a
for t in a b all; do echo 1 >$t/control/enabled; done
is "root may write everywhere" "$(cat a/control/enabled b/control/enabled all/control/enabled | paste -sd' ')" "1 1 1"

a env LD_PRELOAD="$(weir_preload)" "$tick" 10
b env LD_PRELOAD="$(weir_preload)" "$tick" 20
traced "$tick" 40
pa=$(basename a/tick-*) pb=$(basename b/tick-*)
is "a's trace has a's process" "$(a ls a | grep tick)" "$pa"
is "b's trace has b's" "$(b ls b | grep tick)" "$pb"
is "root's has all" "$(ls all | grep -c tick)" 3
is "in it a sees a's" "$(a ls all | grep tick)" "$pa"
is "in it b sees b's" "$(b ls all | grep tick)" "$pb"
like "b cannot open a's" "$(sh_b "cat all/$pa/cpu*")" 'No such file'
like "b cannot guess" "$(sh_b "cat all/$pa/metadata")" 'No such file'
is "text of all: root" "$(wc -l <all/text)" 70
is "text of all: a, what is a's" "$(a cat all/text | wc -l)" 10
is "text of all: b, what is b's" "$(b cat all/text | wc -l)" 20
is "text of a" "$(a cat a/text | wc -l)" 10
is "status of all: b sees b's" "$(b cat all/status | awk 'NR > 1 {print $1}' | sort -u)" "$pb"
is "babeltrace2 as b, of all" "$(b babeltrace2 all 2>&1 | wc -l)" 20
is "owned as the process was" "$(stat -c %u "all/$pa")" 65533
is "the whole tree can be read by a" "$(a find . -type f -exec cat {} + 2>&1 >/dev/null)" ""
is "cp -r as a" "$(a cp -r all "$(a mktemp -d "$tmp/copies/XXXXXX")/all" 2>&1)" ""

# an open file is its opener's, whoever reads it
handed() {	# PATH: opened by b, read by root; what b and what root see there themselves
	python3 - "$1" <<'PY'
import os, sys
def read(fd): return b"".join(iter(lambda: os.read(fd, 1 << 16), b""))
def take(path, opener, reader):
    os.seteuid(opener)
    fd = os.open(path, os.O_RDONLY)
    os.seteuid(reader)
    got = sorted(os.listdir(fd)) if os.path.isdir(path) else read(fd)
    again = got if os.path.isdir(path) else os.pread(fd, 1 << 16, 0)
    os.close(fd)
    os.seteuid(0)
    assert again == got[:1 << 16]
    return got
b, root = take(sys.argv[1], 65534, 65534), take(sys.argv[1], 0, 0)
assert b != root, "they see the same"
assert take(sys.argv[1], 65534, 0) == b, "root reads what b must not see"
assert take(sys.argv[1], 0, 65534) == root
PY
}
for f in all/status all/text all; do ok "$f, opened by b and read by root" handed $f; done
is "available_events: a's program" "$(a cat a/control/available_events | wc -l)" 1

sh_a 'echo bad >a/control/mode' >/dev/null
sh_b 'echo worse >b/control/mode' >/dev/null
is "a sees a's errors" "$(a cat .weir/errors | grep -c bad),$(a cat .weir/errors | grep -c worse)" 1,0
is "b sees b's" "$(b cat .weir/errors | grep -c bad),$(b cat .weir/errors | grep -c worse)" 0,1
is "root sees both" "$(grep -c 'bad\|worse' .weir/errors)" 2
mkfifo "$tmp/stop"
b env LD_PRELOAD="$(weir_preload)" "$tick" 1 1 linger <"$tmp/stop" >"$tmp/out" &
exec 9>"$tmp/stop"
wait_for grep -q done "$tmp/out"
is "processes: a sees none" "$(a cat .weir/processes | wc -l)" 1
is "processes: b sees its own" "$(b awk 'NR > 1 {print $2, $3}' .weir/processes)" "65534 tick"
is "processes: root sees it" "$(awk 'NR > 1 {print $2, $3}' .weir/processes)" "65534 tick"
exec 9>&-
wait %% 2>/dev/null

for i in 2 3 4; do a mkdir "a$i"; done
not_ok "four traces a user" a mkdir a5
ok "root is exempt" mkdir r1
like "b cannot chown" "$(sh_b 'chown 65533 b')" 'not permitted'
ok "a removes a" a rmdir a
ok "root removes b" rmdir b
cd /
