// SPDX-License-Identifier: GPL-2.0-only
/*
 * dlsym.so: a dlsym() that allocates, as that of older C libraries, and moves and frees the blocks
 * at once or at the end of the process. For LD_PRELOAD, right behind the library to be tested:
 * RTLD_NEXT is then the same for both.
 */
#include <dlfcn.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *kept[64];
static unsigned int nr_kept;

static void check(int good)
{
	if (!good && write(2, "dlsym.so: a bad block\n", 22))
		_exit(70);
}

static void allocate(void)
{
	char *p = malloc(30), *q = calloc(3, 30), *r = realloc(NULL, 40);
	void *aligned = memalign(256, 10), *out = NULL;

	check(p && q && r && aligned && (uintptr_t)aligned % 256 == 0);
	check(!posix_memalign(&out, 64, 10) && (uintptr_t)out % 64 == 0);
	check(q[0] == 0 && q[89] == 0);
	memset(p, 'p', 30);
	memset(r, 'r', 40);
	p = realloc(p, 300);
	check(p && p[0] == 'p' && p[29] == 'p');
	free(out);
	free(q);
	if (nr_kept + 3 > 64)
		return;
	kept[nr_kept++] = p;
	kept[nr_kept++] = r;
	kept[nr_kept++] = aligned;
}

void *dlsym(void *restrict handle, const char *restrict name)
{
	static void *(*next)(void *, const char *);
	static int depth;

	if (!next)
		next = (void *(*)(void *, const char *))dlvsym(RTLD_NEXT, "dlsym", "GLIBC_2.34");
	if (depth++ < 2)
		allocate();
	depth--;
	return next(handle, name);
}

static void __attribute__((destructor)) end(void)
{
	unsigned int i;

	for (i = 0; i < nr_kept; i++) {
		if (i % 3 != 2)
			kept[i] = realloc(kept[i], 5000);
		check(i % 3 != 1 || ((char *)kept[i])[39] == 'r');
		free(kept[i]);
	}
}
