/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * malloc_boot.h: the allocator behind the wrappers, from the first call on.
 *
 * The first call, which may come from the dynamic linker or another object's constructor, looks all
 * functions up. dlsym() may allocate while it does: those blocks come from a small static arena.
 * Once they exist, next_free and next_realloc stay functions that know them; else they are the
 * allocator's own.
 */
#ifndef WEIR_PRELOAD_MALLOC_BOOT_H
#define WEIR_PRELOAD_MALLOC_BOOT_H

#include <stddef.h>

#pragma GCC visibility push(hidden)

extern void *(*next_malloc)(size_t size);
extern void (*next_free)(void *p);
extern void *(*next_calloc)(size_t nmemb, size_t size);
extern void *(*next_realloc)(void *old, size_t size);
extern void *(*next_reallocarray)(void *old, size_t nmemb, size_t size);
extern void *(*next_memalign)(size_t alignment, size_t size);
extern void *(*next_aligned_alloc)(size_t alignment, size_t size);
extern int (*next_posix_memalign)(void **out, size_t alignment, size_t size);
extern void *(*next_valloc)(size_t size);
extern void *(*next_pvalloc)(size_t size);

#pragma GCC visibility pop

#endif /* WEIR_PRELOAD_MALLOC_BOOT_H */
