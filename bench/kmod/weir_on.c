// SPDX-License-Identifier: GPL-2.0-only
/*
 * weir_on [tid]: a trace of all events named bench:*, in overwrite mode, until standard input ends.
 */
#include "kernel.h"

int main(int argc, char **argv)
{
	unsigned int i;
	char c;

	(void)argv;
	serve();
	kernel_open();
	for (i = 0; i < kernel_schemas.count; i++)
		if (!strncmp(weir_schemas_class(&kernel_schemas, i)->name, "bench:", 6))
			config.slot[0].kernel |= 1ull << i;
	config.clock = (struct weir_clock){ .type = WEIR_CLOCK_TSC, .mult = 1ull << 63 };
	put_trace(0, 18, 2, argc > 1 ? WEIR_EPOCH_TID : 0);
	puts("on");
	fflush(stdout);
	while (read(0, &c, 1) > 0)
		;
	return 0;
}
