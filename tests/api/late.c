// SPDX-License-Identifier: GPL-2.0-only
/* late PLUGIN TIMES: loads it, runs it, unloads it. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <weir/trace.h>

int main(int argc, char **argv)
{
	int i, times = argc == 3 ? atoi(argv[2]) : 0;

	for (i = 1; i <= times; i++) {
		void *plugin = dlopen(argv[1], RTLD_NOW);
		void (*run)(int) = plugin ? (void (*)(int))dlsym(plugin, "run") : NULL;

		if (!run) {
			fprintf(stderr, "%s\n", dlerror());
			return 1;
		}
		run(i);
		dlclose(plugin);
		if (dlopen(argv[1], RTLD_NOW | RTLD_NOLOAD)) {
			fprintf(stderr, "it was not unloaded\n");
			return 1;
		}
		weir_trace(api, unloaded, i);
	}
	return !times;
}
