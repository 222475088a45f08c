# SPDX-License-Identifier: GPL-2.0-only
# make installcheck: a program is built against what was installed, and traced by it.
PRELOAD_DIR=$libdir/weir/preload LIBWEIR=$libdir/libweir.so.0
. "${top_srcdir:-.}/tests/lib/mount.sh"
need pkg-config

ok "the command" "$WEIR" --version
ok "pkg-config" env PKG_CONFIG_PATH="$libdir/pkgconfig" pkg-config --exists weir
flags=$(PKG_CONFIG_PATH=$libdir/pkgconfig pkg-config --cflags --libs weir)
# shellcheck disable=SC2086
ok "a program is built" $CC -O2 -Wall -Wextra -o "$tmp/hello" "$top_srcdir/examples/hello.c" $flags
for f in "$pkgdatadir/control" "$tmpfilesdir/weir.conf" "$mandir/man1/weir.1"; do
	ok "installed: ${f##*/}" test -s "$f"
done
ok "tmpfiles.d finds its file" grep -q "^C /run/weir/control .* ${pkgdatadir}/control\$" "$tmpfilesdir/weir.conf"

# the daemon takes over the file that tmpfiles.d has put there at boot
mkdir -p "$WEIR_RUNDIR"
cp "$pkgdatadir/control" "$WEIR_RUNDIR/control"
inode=$(stat -c %i "$WEIR_RUNDIR/control")
weir_mount
is "the control file is used in place" "$(stat -c %i "$WEIR_RUNDIR/control")" "$inode"
mkdir "$mnt/web" && echo 1 >"$mnt/web/control/enabled"
is "linked" "$(LD_LIBRARY_PATH=$libdir "$tmp/hello" word)" word
ok "linked: traced" grep -q 'hello:word: i=1 word="word" length=4' "$mnt/web/text"
weir_run -q -t files -p malloc,pthread,io cat /dev/null
ok "preloaded: traced" grep -q 'libc:open: path="/dev/null"' "$mnt/files/text"
[ "$tap_failed" -eq 0 ]
