// SPDX-License-Identifier: GPL-2.0-only
/* Two threads load and unload a library each; constructors and destructors make calls. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static void *run(void *path)
{
	void (*library)(void);
	int i;

	for (i = 0; i < 200; i++) {
		void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);

		if (!handle)
			abort();
		library = (void (*)(void))dlsym(handle, "library");
		if (i % 50 == 0)
			library();
		if (dlsym(handle, "none") || !dlerror() || dlerror())
			abort();
		dlclose(handle);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t t;

	if (argc != 3)
		return 2;
	printf("%s\n", dlerror() ? "an error before the first call" : "no error yet");
	pthread_create(&t, NULL, run, argv[1]);
	run(argv[2]);
	pthread_join(t, NULL);
	printf("done\n");
	return 0;
}
