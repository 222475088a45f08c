# SPDX-License-Identifier: GPL-2.0-only
# The one command. fs/ is its daemon.
bin_PROGRAMS += cmd/weir
cmd_weir_SOURCES = \
	cmd/child.c \
	cmd/cmd_i.h \
	cmd/crash.c \
	cmd/crash_core.c \
	cmd/crash_i.h \
	cmd/crash_pid.c \
	cmd/dump.c \
	cmd/dump_elf.c \
	cmd/dump_flat.c \
	cmd/dump_kdump.c \
	cmd/files.c \
	cmd/preload.c \
	cmd/record.c \
	cmd/record_cut.c \
	cmd/record_file.c \
	cmd/record_i.h \
	cmd/record_pipe.c \
	cmd/record_segment.c \
	cmd/record_stream.c \
	cmd/record_watch.c \
	cmd/run.c \
	cmd/run_i.h \
	cmd/snapshot.c \
	cmd/status.c \
	cmd/umount.c \
	cmd/weir.c
cmd_weir_CPPFLAGS = $(AM_CPPFLAGS) -DWEIR_LIBDIR='"$(libdir)"' -DWEIR_PKGLIBDIR='"$(pkglibdir)"'
cmd_weir_CFLAGS = $(AM_CFLAGS) $(FUSE_CFLAGS) $(URCU_CFLAGS) $(KDUMPFILE_CFLAGS)
cmd_weir_LDADD = fs/libfs.la

# What tmpfiles.d(5) puts to /run/weir at boot.
noinst_PROGRAMS += cmd/control_file
cmd_control_file_SOURCES = cmd/control_file.c

nodist_pkgdata_DATA = cmd/control
cmd/control: cmd/control_file$(EXEEXT)
	$(AM_V_GEN)cmd/control_file$(EXEEXT) >$@.new && mv $@.new $@

nodist_tmpfiles_DATA = cmd/weir.conf
cmd/weir.conf: $(srcdir)/cmd/weir.conf.in Makefile
	$(AM_V_GEN)$(SED) 's|@pkgdatadir[@]|$(pkgdatadir)|' $(srcdir)/cmd/weir.conf.in >$@.new && mv $@.new $@

EXTRA_DIST += cmd/weir.conf.in
CLEANFILES += cmd/control cmd/control.new cmd/weir.conf cmd/weir.conf.new
