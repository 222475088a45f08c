// SPDX-License-Identifier: GPL-2.0-only
/*
 * more LIBRARY: an event, and a word for every line of its standard input. With the line "load" the
 * library is loaded, whose event types are then there as well, and writes one of each. The library is this file, too.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include <weir/trace.h>

#ifdef LIBRARY
void more(void)
{
	weir_trace(more, loaded);
	weir_trace(more, again);
}
#else
int main(int argc, char **argv)
{
	char line[64];
	void (*load)(void) = NULL;
	void *library;
	int n = 0;

	if (argc != 2)
		return 2;
	while (fgets(line, sizeof(line), stdin)) {
		if (!strcmp(line, "load\n")) {
			library = dlopen(argv[1], RTLD_NOW);
			if (library)
				*(void **)&load = dlsym(library, "more");
			if (!load)
				return 1;
			load();
		}
		n++;
		weir_trace(more, line, n);
		puts("done");
		fflush(stdout);
	}
	return 0;
}
#endif
