#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
# Programs under limits: a fork child that cannot attach lets go of its parent's memory and tries again; nobody is
# killed.
. "${top_srcdir:-.}/tests/lib/mount.sh"

detach=$top_builddir/tests/api/detach
limited() { env LD_PRELOAD="$(sanitizer_libs)" "$@"; }
weir_mount
weir_trace t
ok "a child without descriptors shares no memory with its parent" limited "$detach"
is "its events go nowhere, its parent's are there; it joins when it can" \
	"$(grep -v api:joined "$mnt/t/text" | grep -o 'api:.*' | sort)" "api:late: 1=1
api:parent: 1=1
api:parent: 2=2"
if [ "$WEIR_SANITIZE" = none ]; then
	not_harmed() { (ulimit "$@" && "$top_builddir/tests/api/behave" >/dev/null; [ $? -lt 128 ]); }
	ok "a limited file size kills nobody" not_harmed -f 1000
	ok "nor does one that leaves room for smaller rings" not_harmed -f 500000
	ok "and those record" grep -q 'behave-.* api:destructor' "$mnt/t/text"
	ok "limited address space kills nobody" not_harmed -v 900000
	ok "no descriptor to be had kills nobody" not_harmed -n 4
fi
