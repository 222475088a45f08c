# SPDX-License-Identifier: LGPL-2.1-only
# Libraries for LD_PRELOAD, in a folder of their own: nobody links with them. They are never
# instrumented, since they run before a sanitizer's own start.
preloaddir = $(pkglibdir)/preload
preload_LTLIBRARIES = \
	lib/preload/libweir-malloc.la \
	lib/preload/libweir-pthread.la \
	lib/preload/libweir-io.la

PRELOAD_CFLAGS = -std=gnu11 $(WARNINGS) -Wstrict-prototypes -Wmissing-prototypes \
	-fvisibility=hidden -fexceptions
PRELOAD_LDFLAGS = -module -avoid-version -shared -Wl,-z,now -Wl,-z,nodelete \
	-Wl,--version-script=$(srcdir)/lib/preload/preload.map
EXTRA_DIST += lib/preload/preload.map

lib_preload_libweir_malloc_la_SOURCES = \
	lib/preload/malloc.c \
	lib/preload/malloc_boot.c \
	lib/preload/malloc_boot.h \
	lib/preload/next.h
# next_calloc() must not be made of malloc() and memset(), nor the other way round
lib_preload_libweir_malloc_la_CFLAGS = $(PRELOAD_CFLAGS) -fno-builtin-malloc -fno-builtin-calloc \
	-fno-builtin-realloc -fno-builtin-free
lib_preload_libweir_malloc_la_LDFLAGS = $(PRELOAD_LDFLAGS)
lib_preload_libweir_malloc_la_LIBADD = lib/client/libweir.la
lib_preload_libweir_malloc_la_DEPENDENCIES = lib/client/libweir.la lib/preload/preload.map

lib_preload_libweir_pthread_la_SOURCES = \
	lib/preload/pthread.c \
	lib/preload/next.h \
	lib/preload/timed.h
lib_preload_libweir_pthread_la_CFLAGS = $(PRELOAD_CFLAGS)
lib_preload_libweir_pthread_la_LDFLAGS = $(PRELOAD_LDFLAGS)
lib_preload_libweir_pthread_la_LIBADD = lib/client/libweir.la
lib_preload_libweir_pthread_la_DEPENDENCIES = lib/client/libweir.la lib/preload/preload.map

lib_preload_libweir_io_la_SOURCES = \
	lib/preload/io.c \
	lib/preload/io_socket.c \
	lib/preload/next.h \
	lib/preload/timed.h
lib_preload_libweir_io_la_CFLAGS = $(PRELOAD_CFLAGS)
lib_preload_libweir_io_la_LDFLAGS = $(PRELOAD_LDFLAGS)
lib_preload_libweir_io_la_LIBADD = lib/client/libweir.la
lib_preload_libweir_io_la_DEPENDENCIES = lib/client/libweir.la lib/preload/preload.map
