// SPDX-License-Identifier: LGPL-2.1-only
/*
 * libweir-malloc.so: events of the memory allocator, for programs that nobody can change.
 *
 *   libc:malloc          size ptr                 libc:memalign        alignment size ptr
 *   libc:calloc          nmemb size ptr           libc:aligned_alloc   alignment size ptr
 *   libc:realloc         old size ptr             libc:posix_memalign  alignment size ptr result
 *   libc:reallocarray    old nmemb size ptr       libc:valloc          size ptr
 *   libc:free            ptr                      libc:pvalloc         size ptr
 *
 * Works with every allocator that the program brings along, except one linked into the executable
 * itself, which no preloaded library can stand before. free is recorded before the block is given
 * back, so another thread that gets it next has the later time.
 */
#include <malloc.h>

#include "malloc_boot.h"
#include "next.h"

#define WEIR_ALLOC(type, name, params, args, ...)                                                  \
	static WEIR_APART type traced_##name params                                                \
	{                                                                                          \
		type ret = next_##name args;                                                       \
                                                                                                   \
		weir_trace_fields(libc, name, __VA_ARGS__);                                        \
		return ret;                                                                        \
	}                                                                                          \
	WEIR_EXPORT type name params                                                               \
	{                                                                                          \
		if (weir_likely(!weir_enabled(libc, name)))                                        \
			return next_##name args;                                                   \
		return traced_##name args;                                                         \
	}

WEIR_ALLOC(void *, malloc, (size_t size), (size), weir_u64(size, size), weir_ptr(ptr, ret))

WEIR_ALLOC(void *, calloc, (size_t nmemb, size_t size), (nmemb, size), weir_u64(nmemb, nmemb),
	   weir_u64(size, size), weir_ptr(ptr, ret))

WEIR_ALLOC(void *, realloc, (void *old, size_t size), (old, size), weir_ptr(old, old),
	   weir_u64(size, size), weir_ptr(ptr, ret))

WEIR_ALLOC(void *, reallocarray, (void *old, size_t nmemb, size_t size), (old, nmemb, size),
	   weir_ptr(old, old), weir_u64(nmemb, nmemb), weir_u64(size, size), weir_ptr(ptr, ret))

WEIR_ALLOC(void *, memalign, (size_t alignment, size_t size), (alignment, size),
	   weir_u64(alignment, alignment), weir_u64(size, size), weir_ptr(ptr, ret))

WEIR_ALLOC(void *, aligned_alloc, (size_t alignment, size_t size), (alignment, size),
	   weir_u64(alignment, alignment), weir_u64(size, size), weir_ptr(ptr, ret))

WEIR_ALLOC(int, posix_memalign, (void **out, size_t alignment, size_t size), (out, alignment, size),
	   weir_u64(alignment, alignment), weir_u64(size, size), weir_ptr(ptr, ret ? NULL : *out),
	   weir_i32(result, ret))

WEIR_ALLOC(void *, valloc, (size_t size), (size), weir_u64(size, size), weir_ptr(ptr, ret))

WEIR_ALLOC(void *, pvalloc, (size_t size), (size), weir_u64(size, size), weir_ptr(ptr, ret))

static WEIR_APART void traced_free(void *p)
{
	weir_trace_fields(libc, free, weir_ptr(ptr, p));
	next_free(p);
}

WEIR_EXPORT void free(void *p)
{
	if (weir_likely(!weir_enabled(libc, free)))
		next_free(p);
	else
		traced_free(p);
}
