// SPDX-License-Identifier: LGPL-2.1-only
/*
 * libweir-pthread.so: events of POSIX threads, for programs that nobody can change.
 *
 *   libc:pthread_mutex_lock        mutex result duration         also trylock, timedlock, clocklock
 *   libc:pthread_mutex_unlock      mutex
 *   libc:pthread_cond_wait         cond mutex result duration    also timedwait, clockwait
 *   libc:pthread_create            thread start arg result duration
 *   libc:pthread_join              thread result duration
 *
 * result is 0 or a positive error number; duration is the time in the call, for a lock the time
 * that it was waited for. unlock is recorded before the mutex is given back, so its next owner has
 * the later time. What libc does inside itself (C11's mtx_lock, stdio's locks) does not come by
 * here.
 */
#include <pthread.h>

#include "timed.h"

#define CONST_TIME const struct timespec *restrict

WEIR_TIMED(int, pthread_mutex_lock, (pthread_mutex_t * mutex), (mutex), weir_ptr(mutex, mutex))

WEIR_TIMED(int, pthread_mutex_trylock, (pthread_mutex_t * mutex), (mutex), weir_ptr(mutex, mutex))

WEIR_TIMED(int, pthread_mutex_timedlock, (pthread_mutex_t *restrict mutex, CONST_TIME until),
	   (mutex, until), weir_ptr(mutex, mutex))

WEIR_TIMED(int, pthread_mutex_clocklock,
	   (pthread_mutex_t *restrict mutex, clockid_t clock, CONST_TIME until),
	   (mutex, clock, until), weir_ptr(mutex, mutex))

WEIR_NEXT(int, pthread_mutex_unlock, (pthread_mutex_t * mutex), (mutex))

static WEIR_APART int traced_pthread_mutex_unlock(pthread_mutex_t *mutex)
{
	weir_trace_fields(libc, pthread_mutex_unlock, weir_ptr(mutex, mutex));
	return next_pthread_mutex_unlock(mutex);
}

WEIR_EXPORT int pthread_mutex_unlock(pthread_mutex_t *mutex)
{
	if (weir_likely(!weir_enabled(libc, pthread_mutex_unlock)))
		return next_pthread_mutex_unlock(mutex);
	return traced_pthread_mutex_unlock(mutex);
}

/* The condition variables of before glibc 2.3.2 have another layout. */
#define COND_VERSION "GLIBC_2.3.2"

WEIR_TIMED_VERSION(COND_VERSION, int, pthread_cond_wait,
		   (pthread_cond_t *restrict cond, pthread_mutex_t *restrict mutex), (cond, mutex),
		   weir_ptr(cond, cond), weir_ptr(mutex, mutex))

WEIR_TIMED_VERSION(COND_VERSION, int, pthread_cond_timedwait,
		   (pthread_cond_t *restrict cond, pthread_mutex_t *restrict mutex,
		    CONST_TIME until),
		   (cond, mutex, until), weir_ptr(cond, cond), weir_ptr(mutex, mutex))

WEIR_TIMED(int, pthread_cond_clockwait,
	   (pthread_cond_t *restrict cond, pthread_mutex_t *restrict mutex, clockid_t clock,
	    CONST_TIME until),
	   (cond, mutex, clock, until), weir_ptr(cond, cond), weir_ptr(mutex, mutex))

/* The new thread may already have freed what `thread` points to: its address only. */
WEIR_TIMED(int, pthread_create,
	   (pthread_t *restrict thread, const pthread_attr_t *restrict attr,
	    void *(*start_routine)(void *), void *restrict arg),
	   (thread, attr, start_routine, arg), weir_ptr(thread, thread),
	   weir_ptr(start, (void *)start_routine), weir_ptr(arg, arg))

WEIR_TIMED(int, pthread_join, (pthread_t thread, void **value), (thread, value),
	   weir_u64(thread, (__u64)thread))
