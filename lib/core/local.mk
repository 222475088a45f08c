# SPDX-License-Identifier: LGPL-2.1-only
# The core: compiled here for user space; a kernel module compiles the same files.
noinst_LTLIBRARIES += lib/core/libcore.la
lib_core_libcore_la_SOURCES = \
	lib/core/desc.c \
	lib/core/env.h \
	lib/core/glob.c \
	lib/core/latch.c \
	lib/core/name.c \
	lib/core/name_i.h \
	lib/core/out.c \
	lib/core/out_i.h \
	lib/core/packet.c \
	lib/core/put.c \
	lib/core/relay.c \
	lib/core/relay_heap.c \
	lib/core/relay_i.h \
	lib/core/relay_pages.c \
	lib/core/ring_append.c \
	lib/core/ring_read.c \
	lib/core/schema.c \
	lib/core/text.c \
	lib/core/tsdl.c \
	lib/core/walk.c \
	lib/core/weir_glob.h \
	lib/core/weir_latch.h \
	lib/core/weir_packet.h \
	lib/core/weir_put.h \
	lib/core/weir_relay.h \
	lib/core/weir_ring.h \
	lib/core/weir_schema.h
# libweir takes what it needs of it
lib_core_libcore_la_CFLAGS = $(AM_CFLAGS) -ffunction-sections -fdata-sections
