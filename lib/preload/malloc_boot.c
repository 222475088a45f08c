// SPDX-License-Identifier: LGPL-2.1-only
#include "malloc_boot.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "next.h"

#define BOOT_ALIGN 16u
#define BOOT_PAGE 4096u

enum boot_state { BOOT_NEW, BOOT_LOADING, BOOT_READY };

static int boot_state;
static size_t boot_used;
static char boot_arena[64 * 1024] __attribute__((aligned(BOOT_PAGE)));

static bool boot_load(void);

static bool boot_owns(const void *p)
{
	return (uintptr_t)p - (uintptr_t)boot_arena < sizeof(boot_arena);
}

/* Never given back. The block's size stands before it, for realloc. A new block is zero. */
static void *boot_alloc(size_t alignment, size_t size)
{
	size_t room, at;
	char *p;

	if (alignment < BOOT_ALIGN)
		alignment = BOOT_ALIGN;
	if (size > sizeof(boot_arena) || alignment > sizeof(boot_arena))
		goto full;
	room = (size + BOOT_ALIGN - 1) / BOOT_ALIGN * BOOT_ALIGN + alignment + BOOT_ALIGN;
	at = __atomic_fetch_add(&boot_used, room, __ATOMIC_RELAXED);
	if (at > sizeof(boot_arena) || room > sizeof(boot_arena) - at)
		goto full;
	p = boot_arena + at + BOOT_ALIGN;
	p += -(uintptr_t)p & (alignment - 1);
	memcpy(p - BOOT_ALIGN, &size, sizeof(size));
	return p;
full:
	errno = ENOMEM;
	return NULL;
}

static size_t boot_size(const void *p)
{
	size_t size;

	memcpy(&size, (const char *)p - BOOT_ALIGN, sizeof(size));
	return size;
}

/* A block of the arena moves to wherever next_malloc gets its memory now. */
static void *boot_move(void *old, size_t size)
{
	size_t had = boot_size(old);
	void *p = next_malloc(size);

	return p ? memcpy(p, old, had < size ? had : size) : NULL;
}

static void *first_malloc(size_t size)
{
	return boot_load() ? next_malloc(size) : boot_alloc(0, size);
}

/* While the functions are looked up, a block that is not the arena's can only be kept. */
static void first_free(void *p)
{
	if (!boot_owns(p) && boot_load())
		next_free(p);
}

static void *first_calloc(size_t nmemb, size_t size)
{
	size_t bytes;

	if (boot_load())
		return next_calloc(nmemb, size);
	if (__builtin_mul_overflow(nmemb, size, &bytes))
		bytes = SIZE_MAX;
	return boot_alloc(0, bytes);
}

static void *first_realloc(void *old, size_t size)
{
	if (old && boot_owns(old))
		return boot_move(old, size);
	if (boot_load())
		return next_realloc(old, size);
	return old ? NULL : boot_alloc(0, size);
}

static void *first_reallocarray(void *old, size_t nmemb, size_t size)
{
	size_t bytes;

	if (boot_load())
		return next_reallocarray(old, nmemb, size);
	return first_realloc(old, __builtin_mul_overflow(nmemb, size, &bytes) ? SIZE_MAX : bytes);
}

static void *first_memalign(size_t alignment, size_t size)
{
	return boot_load() ? next_memalign(alignment, size) : boot_alloc(alignment, size);
}

static void *first_aligned_alloc(size_t alignment, size_t size)
{
	return boot_load() ? next_aligned_alloc(alignment, size) : boot_alloc(alignment, size);
}

static int first_posix_memalign(void **out, size_t alignment, size_t size)
{
	void *p;

	if (boot_load())
		return next_posix_memalign(out, alignment, size);
	p = boot_alloc(alignment, size);
	if (!p)
		return ENOMEM;
	*out = p;
	return 0;
}

static void *first_valloc(size_t size)
{
	return boot_load() ? next_valloc(size) : boot_alloc(BOOT_PAGE, size);
}

static void *first_pvalloc(size_t size)
{
	return boot_load() ? next_pvalloc(size) : boot_alloc(BOOT_PAGE, size);
}

void *(*next_malloc)(size_t size) = first_malloc;
void (*next_free)(void *p) = first_free;
void *(*next_calloc)(size_t nmemb, size_t size) = first_calloc;
void *(*next_realloc)(void *old, size_t size) = first_realloc;
void *(*next_reallocarray)(void *old, size_t nmemb, size_t size) = first_reallocarray;
void *(*next_memalign)(size_t alignment, size_t size) = first_memalign;
void *(*next_aligned_alloc)(size_t alignment, size_t size) = first_aligned_alloc;
int (*next_posix_memalign)(void **out, size_t alignment, size_t size) = first_posix_memalign;
void *(*next_valloc)(size_t size) = first_valloc;
void *(*next_pvalloc)(size_t size) = first_pvalloc;

/* What the functions below hand on to, once the arena has given a block away. */
static void (*real_free)(void *p);
static void *(*real_realloc)(void *old, size_t size);
static void *(*real_reallocarray)(void *old, size_t nmemb, size_t size);

static void checked_free(void *p)
{
	if (!boot_owns(p))
		real_free(p);
}

static void *checked_realloc(void *old, size_t size)
{
	return old && boot_owns(old) ? boot_move(old, size) : real_realloc(old, size);
}

static void *checked_reallocarray(void *old, size_t nmemb, size_t size)
{
	size_t bytes;

	if (!old || !boot_owns(old))
		return real_reallocarray(old, nmemb, size);
	return boot_move(old, __builtin_mul_overflow(nmemb, size, &bytes) ? SIZE_MAX : bytes);
}

static void boot_lookup(void)
{
	static const struct {
		const char *name;
		void *next; /* of a pointer to a function */
	} row[] = {
		{ "free", &next_free },
		{ "malloc", &next_malloc },
		{ "calloc", &next_calloc },
		{ "realloc", &next_realloc },
		{ "reallocarray", &next_reallocarray },
		{ "memalign", &next_memalign },
		{ "aligned_alloc", &next_aligned_alloc },
		{ "posix_memalign", &next_posix_memalign },
		{ "valloc", &next_valloc },
		{ "pvalloc", &next_pvalloc },
	};
	void *next[sizeof(row) / sizeof(row[0])];
	size_t i;

	for (i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		next[i] = weir_next(row[i].name, NULL);
		if (!next[i])
			abort(); /* neither the program nor its C library has one */
	}
	for (i = 0; i < sizeof(row) / sizeof(row[0]); i++)
		memcpy(row[i].next, &next[i], sizeof(next[i]));
}

/*
 * True when next_* are the allocator's; false to a call that comes while they are looked up.
 *
 *   ready:A / load:A   next_* and real_* before the state that says so
 */
static bool boot_load(void)
{
	int state = BOOT_NEW, error = errno;

	if (!__atomic_compare_exchange_n(&boot_state, &state, BOOT_LOADING, false, __ATOMIC_ACQUIRE,
					 __ATOMIC_ACQUIRE)) /* load:A */
		return state == BOOT_READY;
	boot_lookup();
	if (boot_used) {
		real_free = next_free;
		real_realloc = next_realloc;
		real_reallocarray = next_reallocarray;
		next_free = checked_free;
		next_realloc = checked_realloc;
		next_reallocarray = checked_reallocarray;
	}
	__atomic_store_n(&boot_state, BOOT_READY, __ATOMIC_RELEASE); /* ready:A */
	errno = error;
	return true;
}

static void __attribute__((constructor(101))) boot_start(void)
{
	boot_load();
}
