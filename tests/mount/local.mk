# SPDX-License-Identifier: GPL-2.0-only
# The tree: real mounts.
MOUNT_TESTS = \
	tests/mount/control.sh \
	tests/mount/inotify.sh \
	tests/mount/life.sh \
	tests/mount/memory.sh \
	tests/mount/snapshot.sh \
	tests/mount/snapshot_load.sh \
	tests/mount/status.sh \
	tests/mount/text.sh \
	tests/mount/text_live.sh \
	tests/mount/tools.sh \
	tests/mount/tree.sh \
	tests/mount/users.sh \
	tests/mount/view.sh
TESTS += $(MOUNT_TESTS)
SOAK_TESTS += tests/mount/inotify.sh tests/mount/snapshot.sh tests/mount/snapshot_load.sh tests/mount/view.sh

check_PROGRAMS += tests/mount/tick tests/mount/wide
tests_mount_tick_SOURCES = tests/mount/tick.c
tests_mount_tick_LDFLAGS = -Wl,--no-as-needed -no-install
tests_mount_tick_LDADD = lib/client/libweir.la

tests_mount_wide_SOURCES = tests/mount/wide.c
tests_mount_wide_LDFLAGS = -Wl,--no-as-needed -no-install
tests_mount_wide_LDADD = lib/client/libweir.la

EXTRA_DIST += \
	$(MOUNT_TESTS) \
	tests/mount/inotify.c \
	tests/mount/more.c \
	tests/mount/ping.c
