# SPDX-License-Identifier: LGPL-2.1-only
weirincludedir = $(includedir)/weir
weirinclude_HEADERS = \
	include/weir/abi.h \
	include/weir/consumer.h \
	include/weir/trace.h
