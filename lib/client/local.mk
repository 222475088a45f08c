# SPDX-License-Identifier: LGPL-2.1-only
lib_LTLIBRARIES += lib/client/libweir.la
lib_client_libweir_la_SOURCES = \
	lib/client/attach.c \
	lib/client/client_i.h \
	lib/client/device.c \
	lib/client/fallback.c \
	lib/client/lock.c \
	lib/client/raw.h \
	lib/client/reload.c \
	lib/client/rseq.h \
	lib/client/rseq_x86_64.h \
	lib/client/rules.c \
	lib/client/rules_i.h \
	lib/client/site.c \
	lib/client/sites.c \
	lib/client/stage.c \
	lib/client/start.c \
	lib/client/vfork.S
EXTRA_DIST += lib/client/libweir.map

# Never unloaded: a thread may stand in its sections, objects hold pointers into it.
lib_client_libweir_la_CFLAGS = $(AM_CFLAGS) -fvisibility=hidden -ftls-model=initial-exec
lib_client_libweir_la_LDFLAGS = -version-info 0:0:0 -Wl,-z,nodelete -Wl,-z,now -Wl,--gc-sections \
	-Wl,--version-script=$(srcdir)/lib/client/libweir.map
lib_client_libweir_la_LIBADD = lib/core/libcore.la
lib_client_libweir_la_DEPENDENCIES = lib/core/libcore.la lib/client/libweir.map
