// SPDX-License-Identifier: GPL-2.0-only
/*
 * wide: records of many sizes. wide EVENTS: event i holds i and i * 7919 % 60000 bytes of it, every
 * fourth of them as a string as well; then says "done" and waits until its standard input ends.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <weir/trace.h>

#define MOST 60000u

int main(int argc, char **argv)
{
	unsigned long events = argc > 1 ? strtoul(argv[1], NULL, 10) : 10, i;
	static char bytes[MOST];
	char c;

	for (i = 0; i < events; i++) {
		unsigned int len = (unsigned int)(i * 7919 % MOST);

		memset(bytes, (int)('a' + i % 26), sizeof(bytes));
		weir_trace_fields(wide, bytes, weir_u64(i, i), weir_bytes(p, bytes, len));
		if (i % 4)
			continue;
		bytes[len] = 0;
		if (len)
			bytes[len / 2] = '\n';
		weir_trace_fields(wide, text, weir_u64(i, i), weir_str(s, bytes));
	}
	puts("done");
	fflush(stdout);
	while (read(0, &c, 1) > 0)
		;
	return 0;
}
