# SPDX-License-Identifier: GPL-2.0-only
# The daemon, linked into the command (cmd/).
noinst_LTLIBRARIES += fs/libfs.la
fs_libfs_la_SOURCES = \
	fs/answer.c \
	fs/attach.c \
	fs/backend.h \
	fs/backend_kmod.c \
	fs/backend_shm.c \
	fs/available_events.c \
	fs/buf.c \
	fs/caller.c \
	fs/clock.c \
	fs/connection.c \
	fs/connection_i.h \
	fs/control.c \
	fs/copy.c \
	fs/daemon.c \
	fs/dir.c \
	fs/doorbell.c \
	fs/doorbell_i.h \
	fs/drain.c \
	fs/errors.c \
	fs/extract.c \
	fs/extract.h \
	fs/file.c \
	fs/freeze.c \
	fs/freeze_i.h \
	fs/follow.c \
	fs/follow.h \
	fs/frozen.c \
	fs/live.c \
	fs/live.h \
	fs/live_batch.c \
	fs/live_open.c \
	fs/live_packet.c \
	fs/main.c \
	fs/marker.c \
	fs/memfds.c \
	fs/message.c \
	fs/metadata.c \
	fs/mountpoint.c \
	fs/news.c \
	fs/news.h \
	fs/nodes_control.c \
	fs/nodes_live.c \
	fs/nodes_root.c \
	fs/nodes_snapshot.c \
	fs/nodes_source.c \
	fs/nodes_trace.c \
	fs/ops.c \
	fs/passthrough.c \
	fs/process.c \
	fs/quota.c \
	fs/rcu.h \
	fs/registry.c \
	fs/registry.h \
	fs/registry_i.h \
	fs/rules.c \
	fs/settings.c \
	fs/snapshot.c \
	fs/snapshot.h \
	fs/sources.c \
	fs/stream.c \
	fs/sweeper.c \
	fs/switch.c \
	fs/text.c \
	fs/text_heap.c \
	fs/text_i.h \
	fs/text_line.c \
	fs/text_stream.c \
	fs/trace.c \
	fs/tree.c \
	fs/tree_i.h \
	fs/view.c \
	fs/waiter.c
fs_libfs_la_CFLAGS = $(AM_CFLAGS) $(FUSE_CFLAGS) $(URCU_CFLAGS)
fs_libfs_la_LIBADD = lib/core/libcore.la $(FUSE_LIBS) $(URCU_LIBS)
