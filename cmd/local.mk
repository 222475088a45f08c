# SPDX-License-Identifier: GPL-2.0-only
# The one command. fs/ is its daemon.
EXTRA_PROGRAMS += cmd/weir
cmd_weir_SOURCES = \
	cmd/child.c \
	cmd/cmd_i.h \
	cmd/files.c \
	cmd/preload.c \
	cmd/run.c \
	cmd/run_i.h \
	cmd/status.c \
	cmd/umount.c \
	cmd/weir.c
cmd_weir_CPPFLAGS = $(AM_CPPFLAGS) -DWEIR_LIBDIR='"$(libdir)"'
cmd_weir_LDADD = fs/libfs.la
