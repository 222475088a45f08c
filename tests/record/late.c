// SPDX-License-Identifier: GPL-2.0-only
/*
 * late: writes 10 events; at every line of input 10 of a kind that nobody knew of before: it loads a plugin, which is this
 * file compiled with -DPLUGIN.
 *
 *   late PLUGIN.SO...
 */
#include <weir/trace.h>

#ifdef PLUGIN
#define EVENT(name) weir_trace(late, name, i)

void write_late(void);

void write_late(void)
{
	int i;

	for (i = 0; i < 10; i++)
		EVENT(PLUGIN);
}
#else
#include <dlfcn.h>
#include <stdio.h>

int main(int argc, char **argv)
{
	int i, c;

	for (i = 0; i < 10; i++)
		weir_trace(late, early, i);
	puts("written");
	fflush(stdout);
	for (i = 1; i < argc; i++) {
		void *plugin;
		void (*late)(void) = NULL;

		while ((c = getchar()) != '\n' && c != EOF)
			;
		plugin = dlopen(argv[i], RTLD_NOW);
		if (plugin)
			*(void **)&late = dlsym(plugin, "write_late");
		if (!late)
			return 1;
		late();
		puts("written");
		fflush(stdout);
	}
	while (getchar() != EOF)
		;
	return 0;
}
#endif
