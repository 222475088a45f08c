// SPDX-License-Identifier: LGPL-2.1-only
/*
 * lock: client.lock, of all that is not the event path. Events and signal handlers only try it; constructors wait.
 *
 * No signal handler runs on top of its holder: there it could leave for ever what is half done (exit, siglongjmp,
 * a cancellation, which is a signal of the C library's), or have it done twice (fork). What a system call or an
 * instruction of the holder itself raises stays unblocked, for the kernel ends a program that blocks such a signal.
 * Should a handler of one of these call exit(), it finds the lock its own.
 *
 *   unlock:G / lock:G   what the last holder did, before the lock is free
 */
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "client_i.h"

#define WEIR_SIGNAL(n) (1ull << ((n) - 1))
#define WEIR_SYNCHRONOUS                                                                                           \
	(WEIR_SIGNAL(SIGSYS) | WEIR_SIGNAL(SIGSEGV) | WEIR_SIGNAL(SIGBUS) | WEIR_SIGNAL(SIGTRAP) |                 \
	 WEIR_SIGNAL(SIGILL) | WEIR_SIGNAL(SIGFPE))

static uintptr_t weir_lock; /* the holder's TLS; 0: free */
static u64 weir_lock_mask;  /* the holder's signals, before */

/* Not by libc, which lets its own signals through. */
u64 weir_signals_block(void)
{
	const u64 set = ~WEIR_SYNCHRONOUS;
	u64 before = 0;

	syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, &before, sizeof(set));
	return before;
}

void weir_signals_restore(u64 before)
{
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, sizeof(before));
}

/* A child that was forked past pthread_atfork may find it held for ever, until it has noticed. */
bool weir_client_trylock(void)
{
	uintptr_t none = 0;
	u64 before;

	if (!READ_ONCE(weir_client_alive.alive))
		weir_client_forked();
	if (READ_ONCE(weir_lock))
		return false;
	before = weir_signals_block();
	if (!__atomic_compare_exchange_n(&weir_lock, &none, (uintptr_t)&weir_client_thread, 0, __ATOMIC_ACQUIRE,
					 __ATOMIC_RELAXED)) { /* lock:G */
		weir_signals_restore(before);
		return false;
	}
	weir_lock_mask = before;
	return true;
}

/* Waits: for constructors only. False: this thread holds it, below the handler that it is in. */
bool weir_client_lock(void)
{
	while (!weir_client_trylock()) {
		if (READ_ONCE(weir_lock) == (uintptr_t)&weir_client_thread)
			return false;
		sched_yield();
	}
	return true;
}

void weir_client_unlock(void)
{
	u64 before = weir_lock_mask;

	__atomic_store_n(&weir_lock, 0, __ATOMIC_RELEASE); /* unlock:G */
	weir_signals_restore(before);
}

/* In a fork child: who held it is not here. */
void weir_client_lock_forked(void)
{
	WRITE_ONCE(weir_lock, 0);
}
