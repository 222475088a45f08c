// SPDX-License-Identifier: LGPL-2.1-only
/*
 * hello: a program with event sites.
 *
 *   cc hello.c $(pkg-config --cflags --libs weir) -o hello
 *   mkdir /mnt/traces/hello && echo 1 > /mnt/traces/hello/control/enabled
 *   ./hello one two three
 *   cat /mnt/traces/hello/text
 */
#include <stdio.h>
#include <string.h>
#include <weir/trace.h>

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const char *word = argv[i];
		size_t length = strlen(word);

		/* names and types are those of the arguments */
		weir_trace(hello, word, i, word, length);
		printf("%s\n", word);
	}
	/* or say them */
	weir_trace_fields(hello, done, weir_u32(words, argc - 1));
	return 0;
}
