# SPDX-License-Identifier: GPL-2.0-only
# Programs that nobody here wrote, traced: they behave as before, and every call is an event.
. "${top_srcdir:-.}/tests/programs/common.sh"
need git sqlite3 xz tar sort
weir_mount

make_repo() {
	local i
	git init -q "$work/repo" && cd "$work/repo" || return
	git config user.name weir && git config user.email weir@example.org
	for i in $(seq 60); do
		seq "$i" $((i * 3)) >"file$((i % 7))"
		git add -A && git commit -q -m "commit $i" || return
	done
}
ok "a repository" make_repo
seq 1 200000 >"$work/numbers"

counted git malloc,io git -C repo log --stat

cat >"$work/children.py" <<'END'
import subprocess, sys, threading
print(subprocess.run(["sh", "-c", "echo out; echo err >&2; exit 3"], capture_output=True))
for i in range(20):
    subprocess.check_call(["true"], close_fds=i % 2 == 0)
print(subprocess.run(["/none/none"] if len(sys.argv) > 9 else "cat | wc -c", shell=True,
                     input=b"x" * 100000, stdout=subprocess.PIPE).stdout)
threads = [threading.Thread(target=lambda: [bytearray(2000) for _ in range(500)]) for _ in range(4)]
for t in threads:
    t.start()
for t in threads:
    t.join()
sys.exit(5)
END
counted python malloc,io python3 children.py

counted sqlite malloc,io sqlite3 test.db "
	drop table if exists t;
	create table t(a, b);
	with recursive c(x) as (select 1 union all select x + 1 from c limit 5000) insert into t select x, x * x from c;
	create index i on t(b);
	select count(*), sum(b) from t where b > 1000;"

counted xz malloc,pthread,io xz -T2 --block-size=200KiB -k -c numbers
counted tar malloc,io tar -cf - --sort=name repo
counted pipeline malloc,pthread,io bash -c 'set -o pipefail
	cat numbers | sort -rn | sed -n 100,140p | tr 0-9 a-j | tee copy | wc -c
	for i in 1 2 3; do echo $(seq $i | wc -l) $(tail -n 1 copy); done
	grep -c 77 <numbers
	false | true'
