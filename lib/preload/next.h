/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * next.h: a wrapper's way to the function that the program would have called without it.
 *
 *   WEIR_NEXT(int, fsync, (int fd), (fd))
 *
 * defines next_fsync, a pointer that is looked up once, when the library loads. Objects initialised
 * earlier may call the wrapper before that; the pointer therefore starts at a function that looks
 * itself up. So a wrapper whose event is disabled costs the site's branch and one indirect jump.
 *
 * Wrappers keep no state of their own, per thread or otherwise: a signal handler that interrupts
 * one, a longjmp out of the function that it calls and a vfork child that shares its parent's thread
 * area have nothing to damage.
 */
#ifndef WEIR_PRELOAD_NEXT_H
#define WEIR_PRELOAD_NEXT_H

#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>

/* Never unloaded: events go on through the destructors of others, to the end. */
#define WEIR_TRACE_RESIDENT
#include <weir/trace.h>

/* Sites look for libweir when this library loads; a linker might think that nobody needs it. */
extern struct weir_client weir_client_2;
static const struct weir_client *const weir_needed __attribute__((used)) = &weir_client_2;

#define WEIR_EXPORT __attribute__((visibility("default")))
/* Keeps the frame of an enabled event out of the disabled path: a branch and a jump. */
#define WEIR_APART __attribute__((noinline))
#define weir_likely(x) __builtin_expect(!!(x), 1)

/*
 * The symbol NAME in the objects after this library, or NULL. Where libc has several versions of
 * it, older C libraries answer dlsym() with the oldest: VERSION (or NULL) names the one that
 * programs are linked with. Another wrapper in front of libc goes first, it need not know versions.
 */
static inline void *weir_next(const char *name, const char *version)
{
	void *any = dlsym(RTLD_NEXT, name), *exact;
	Dl_info a, b;

	if (any && version && (exact = dlvsym(RTLD_NEXT, name, version)) && dladdr(any, &a) &&
	    dladdr(exact, &b) && a.dli_fbase == b.dli_fbase)
		any = exact;
	dlerror(); /* a failure of ours is not the program's */
	return any;
}

#define WEIR_NEXT_POINTER(type, name, version, params)						\
	static type(*next_##name) params = first_##name;					\
	static void __attribute__((constructor(101))) load_##name(void)				\
	{											\
		void *next = weir_next(#name, version);						\
												\
		if (next)									\
			__atomic_store_n(&next_##name, (__typeof__(next_##name))next,		\
					 __ATOMIC_RELAXED);					\
	}											\
	static inline void find_##name(void)							\
	{											\
		load_##name();									\
		if (next_##name == first_##name)						\
			abort(); /* this C library has no such function */			\
	}

#define WEIR_NEXT_VERSION(type, name, version, params, args)					\
	static type first_##name params;							\
	WEIR_NEXT_POINTER(type, name, version, params)						\
	static type first_##name params								\
	{											\
		find_##name();									\
		return next_##name args;							\
	}

#define WEIR_NEXT(type, name, params, args) WEIR_NEXT_VERSION(type, name, NULL, params, args)

/* For durations, in nanoseconds: the vDSO's clock. Asked only while an event is enabled. */
static inline __u64 weir_now(void)
{
	int error = errno;
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	errno = error;
	return (__u64)now.tv_sec * 1000000000u + (__u64)now.tv_nsec;
}

#endif /* WEIR_PRELOAD_NEXT_H */
