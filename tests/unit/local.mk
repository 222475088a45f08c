# SPDX-License-Identifier: GPL-2.0-only
# cmocka programs: the core, and the daemon's registry.
UNIT_TESTS = \
	tests/unit/attach \
	tests/unit/cases \
	tests/unit/ctf \
	tests/unit/hostile \
	tests/unit/kmod \
	tests/unit/latch \
	tests/unit/packet \
	tests/unit/registry \
	tests/unit/relay_user \
	tests/unit/schema \
	tests/unit/stream \
	tests/unit/text \
	tests/unit/tsdl \
	tests/unit/walk
check_PROGRAMS += $(UNIT_TESTS)
TESTS += $(UNIT_TESTS)

UNIT_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/cases $(CMOCKA_CFLAGS)
UNIT_LIBS = lib/core/libcore.la $(CMOCKA_LIBS)
DAEMON_CPPFLAGS = $(UNIT_CPPFLAGS) $(FUSE_CFLAGS) $(URCU_CFLAGS)
DAEMON_LIBS = fs/libfs.la $(CMOCKA_LIBS)

# cases that a kernel module runs, too
tests_unit_cases_SOURCES = \
	tests/cases/cases.h \
	tests/cases/packet.c \
	tests/cases/relay.c \
	tests/cases/ring.c \
	tests/unit/run_cases.c
tests_unit_cases_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_cases_LDADD = $(UNIT_LIBS)

# includes relay.c and relay_pages.c
tests_unit_relay_user_SOURCES = tests/unit/relay_user.c
tests_unit_relay_user_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_relay_user_LDADD = $(CMOCKA_LIBS)

tests_unit_ctf_SOURCES = tests/unit/make.h tests/unit/ctf.c
tests_unit_ctf_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_ctf_LDADD = $(UNIT_LIBS)

tests_unit_packet_SOURCES = tests/unit/make.h tests/unit/packet.c
tests_unit_packet_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_packet_LDADD = $(UNIT_LIBS)

tests_unit_schema_SOURCES = tests/unit/make.h tests/unit/schema.c
tests_unit_schema_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_schema_LDADD = $(UNIT_LIBS)

tests_unit_text_SOURCES = tests/unit/make.h tests/unit/text.c
tests_unit_text_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_text_LDADD = $(UNIT_LIBS) -lm

tests_unit_tsdl_SOURCES = tests/unit/make.h tests/unit/tsdl.c
tests_unit_tsdl_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_tsdl_LDADD = $(UNIT_LIBS)

tests_unit_walk_SOURCES = tests/unit/make.h tests/unit/walk.c
tests_unit_walk_CPPFLAGS = $(UNIT_CPPFLAGS)
tests_unit_walk_LDADD = $(UNIT_LIBS)

tests_unit_attach_SOURCES = tests/unit/daemon.h tests/unit/attach.c
tests_unit_attach_CPPFLAGS = $(DAEMON_CPPFLAGS)
tests_unit_attach_LDADD = $(DAEMON_LIBS)

tests_unit_hostile_SOURCES = tests/unit/daemon.h tests/unit/hostile.c
tests_unit_hostile_CPPFLAGS = $(DAEMON_CPPFLAGS)
tests_unit_hostile_LDADD = $(DAEMON_LIBS)

tests_unit_kmod_SOURCES = tests/unit/daemon.h tests/unit/kmod.c
tests_unit_kmod_CPPFLAGS = $(DAEMON_CPPFLAGS)
tests_unit_kmod_LDADD = $(DAEMON_LIBS)

tests_unit_latch_SOURCES = tests/unit/daemon.h tests/unit/latch.c
tests_unit_latch_CPPFLAGS = $(DAEMON_CPPFLAGS)
tests_unit_latch_LDADD = $(DAEMON_LIBS)

tests_unit_registry_SOURCES = tests/unit/daemon.h tests/unit/registry.c
tests_unit_registry_CPPFLAGS = $(DAEMON_CPPFLAGS)
tests_unit_registry_LDADD = $(DAEMON_LIBS)

tests_unit_stream_SOURCES = tests/unit/daemon.h tests/unit/stream.c
tests_unit_stream_CPPFLAGS = $(DAEMON_CPPFLAGS)
tests_unit_stream_LDADD = $(DAEMON_LIBS)

UNIT_SH_TESTS = tests/unit/kernel.sh
TESTS += $(UNIT_SH_TESTS)
EXTRA_DIST += $(UNIT_SH_TESTS)
