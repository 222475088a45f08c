# SPDX-License-Identifier: GPL-2.0-only
# The daemon: registry and backends (what there is), the tree (what users see of it).
noinst_LTLIBRARIES += fs/libfs.la
fs_libfs_la_SOURCES = $(WEIR_REGISTRY) $(WEIR_TREE)
fs_libfs_la_CFLAGS = $(AM_CFLAGS) $(FUSE_CFLAGS) $(URCU_CFLAGS)
fs_libfs_la_LIBADD = lib/core/libcore.la $(FUSE_LIBS) $(URCU_LIBS)

WEIR_REGISTRY = \
	fs/backend.h \
	fs/backend_shm.c \
	fs/clock.c \
	fs/control.c \
	fs/frozen.c \
	fs/marker.c \
	fs/quota.c \
	fs/rcu.h \
	fs/registry.c \
	fs/registry.h \
	fs/registry_i.h \
	fs/rules.c \
	fs/trace.c

WEIR_TREE = \
	fs/buf.c \
	fs/caller.c \
	fs/copy.c \
	fs/dir.c \
	fs/errors.c \
	fs/file.c \
	fs/main.c \
	fs/metadata.c \
	fs/mountpoint.c \
	fs/nodes_control.c \
	fs/nodes_root.c \
	fs/nodes_source.c \
	fs/nodes_trace.c \
	fs/ops.c \
	fs/sources.c \
	fs/stream.c \
	fs/sweeper.c \
	fs/text.c \
	fs/text_i.h \
	fs/text_stream.c \
	fs/tree.c \
	fs/tree_i.h \
	fs/view.c
