// SPDX-License-Identifier: GPL-2.0-only
/*
 * spare: large buffers that are needed for a moment, again and again: packets that are made for a
 * reader. A few are kept when nobody needs them, since fresh pages cost more than what is done with
 * them. They begin at a page: the kernel's copies take a multiple of the time if both sides are not
 * aligned alike.
 */
#include "tree_i.h"

#define WEIR_SPARES 8u
#define WEIR_SPARES_BYTES (16u << 20) /* of all, at most */

static struct {
	void *data;
	size_t size;
} weir_spare[WEIR_SPARES];
static unsigned int weir_spares;
static size_t weir_spares_bytes;
static pthread_mutex_t weir_spares_lock = PTHREAD_MUTEX_INITIALIZER;

/* Out of the table. Under the lock, as what follows. */
static void *weir_spare_remove(unsigned int i)
{
	void *data = weir_spare[i].data;

	weir_spares--;
	weir_spares_bytes -= weir_spare[i].size;
	memmove(&weir_spare[i], &weir_spare[i + 1], (weir_spares - i) * sizeof(weir_spare[0]));
	return data;
}

/* The last one of this size; NULL: there is none. */
static void *weir_spare_find(size_t size)
{
	unsigned int i = weir_spares;

	while (i && weir_spare[i - 1].size != size)
		i--;
	return i ? weir_spare_remove(i - 1) : NULL;
}

/* A buffer, its contents unknown; NULL: no memory. */
void *weir_spare_take(size_t size)
{
	void *data;

	pthread_mutex_lock(&weir_spares_lock);
	data = weir_spare_find(size);
	pthread_mutex_unlock(&weir_spares_lock);
	if (data)
		return data;
	return posix_memalign(&data, 4096, size) ? NULL : data;
}

void weir_spare_give(void *data, size_t size)
{
	pthread_mutex_lock(&weir_spares_lock);
	if (data && weir_spares < WEIR_SPARES && size <= WEIR_SPARES_BYTES - weir_spares_bytes) {
		weir_spare[weir_spares].data = data;
		weir_spare[weir_spares++].size = size;
		weir_spares_bytes += size;
		data = NULL;
	}
	pthread_mutex_unlock(&weir_spares_lock);
	free(data);
}

/* Frees what has not been needed for longest; at the end, `all`. */
void weir_spare_sweep(bool all)
{
	bool more;

	do {
		void *data = NULL;

		pthread_mutex_lock(&weir_spares_lock);
		if (weir_spares)
			data = weir_spare_remove(0);
		more = weir_spares;
		pthread_mutex_unlock(&weir_spares_lock);
		free(data);
	} while (all && more);
}
