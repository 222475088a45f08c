# SPDX-License-Identifier: GPL-2.0-only
# packages.sh: what to install on Debian and Ubuntu; sourced by ./check and ./quickstart.
BUILD_PACKAGES=(autoconf automake gcc g++ libc6-dev libfuse3-dev libtool liburcu-dev make pkg-config fuse3)
TEST_PACKAGES=(babeltrace2 clang gdb git inotify-tools less libcmocka-dev libkdumpfile-dev lld procps python3 rsync spin sqlite3 strace tar
	util-linux valgrind xz-utils)
# shellcheck disable=SC2034
BENCH_PACKAGES=(debootstrap gnuplot-nox liblttng-ust-dev lttng-tools)
# the core is compiled for a kernel, too; the module runs in emulated machines (the kernel itself: tests/kmod/kernel)
[ "$(dpkg --print-architecture 2>/dev/null)" != amd64 ] ||
	TEST_PACKAGES+=(linux-headers-cloud-amd64 sparse qemu-system-x86 busybox-static cpio)

install_packages() {	# PACKAGE...: those that are missing; says so if it cannot
	local p missing=() sudo=()
	command -v dpkg-query >/dev/null || return 0
	for p; do
		[ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || missing+=("$p")
	done
	[ ${#missing[@]} -gt 0 ] || return 0
	if [ "$(id -u)" != 0 ]; then
		command -v sudo >/dev/null || { echo "please install: ${missing[*]}" >&2; return 1; }
		sudo=(sudo)
	fi
	echo "installing: ${missing[*]}"
	"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq update &&
		"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
			apt-get -qq install -y --no-install-recommends "${missing[@]}" >/dev/null
}
