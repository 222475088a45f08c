// SPDX-License-Identifier: GPL-2.0-only
#include "inline.h"

int other(int value)
{
	twice(value);
	plain(value);
	return 0;
}
