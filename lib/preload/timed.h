/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * timed.h: wrappers whose event is recorded when the call returns.
 *
 *   WEIR_TIMED(int, fsync, (int fd), (fd), weir_i32(fd, fd))
 *
 * defines fsync() with the event libc:fsync {fd, result, duration}. A field may use `ret`, what the
 * call returned. The event's result is ret, or -errno when that is negative; duration is in
 * nanoseconds. A call that does not return (cancelled, left by longjmp, cut short by the end of the
 * process) leaves no event.
 *
 * WEIR_TIMED_AS names the event apart, for calls that are one to the user (open and open64).
 */
#ifndef WEIR_PRELOAD_TIMED_H
#define WEIR_PRELOAD_TIMED_H

#include "next.h"

static inline __s64 weir_result(__s64 ret)
{
	return ret < 0 ? -(__s64)errno : ret;
}

/* The wrapper itself, of `linkage`; next_NAME is there already. */
#define WEIR_TIMED_CALL(linkage, event, type, name, next, params, args, ...)                       \
	static WEIR_APART type traced_##name params                                                \
	{                                                                                          \
		__u64 start = weir_now();                                                          \
		type ret = next args;                                                              \
                                                                                                   \
		weir_trace_fields(libc, event, __VA_ARGS__, weir_i64(result, weir_result(ret)),    \
				  weir_u64(duration, weir_now() - start));                         \
		return ret;                                                                        \
	}                                                                                          \
	linkage type name params                                                                   \
	{                                                                                          \
		if (weir_likely(!weir_enabled(libc, event)))                                       \
			return next args;                                                          \
		return traced_##name args;                                                         \
	}

#define WEIR_TIMED_AS(event, type, name, params, args, ...)                                        \
	WEIR_NEXT(type, name, params, args)                                                        \
	WEIR_TIMED_CALL(WEIR_EXPORT, event, type, name, next_##name, params, args, __VA_ARGS__)

/* As WEIR_TIMED, of a function of which libc has several versions. */
#define WEIR_TIMED_VERSION(version, type, name, params, args, ...)                                 \
	WEIR_NEXT_VERSION(type, name, version, params, args)                                       \
	WEIR_TIMED_CALL(WEIR_EXPORT, name, type, name, next_##name, params, args, __VA_ARGS__)

#define WEIR_TIMED(type, name, params, args, ...)                                                  \
	WEIR_TIMED_AS(name, type, name, params, args, __VA_ARGS__)

#endif /* WEIR_PRELOAD_TIMED_H */
