# SPDX-License-Identifier: GPL-2.0-only
# Examples are built by `make check`, so that they stay right.
check_PROGRAMS += examples/hello
examples_hello_SOURCES = examples/hello.c
examples_hello_LDFLAGS = -no-install
examples_hello_LDADD = lib/client/libweir.la

# For the kernel module, without libweir. Always compiled: tests/kmod/consumer.sh runs it.
noinst_PROGRAMS += examples/consumer
examples_consumer_SOURCES = examples/consumer.c
examples_consumer_CFLAGS = $(AM_CFLAGS) -std=c11 -Wall -Wextra -Werror
