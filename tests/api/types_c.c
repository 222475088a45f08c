// SPDX-License-Identifier: GPL-2.0-only
#include "types.h"

int main(void)
{
	struct request req = { 7, "name", BLUE };
	char path[] = "/index.html";

	if (dlerror()) /* not of weir's looking for itself */
		return 1;
	trace_types(&req, path);
	return 0;
}
