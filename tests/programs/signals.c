// SPDX-License-Identifier: GPL-2.0-only
/*
 * Signal handlers that call wrapped functions while the program is inside such functions itself: on
 * the same stack and on another one, nested, errno looked after; with `jump`, left by siglongjmp.
 *
 *   signals [jump]
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SIGNALS 1000
#define CALLS 64 /* for one signal; more would fill a ring where the other thread seldom has its turn */

static volatile sig_atomic_t handled, wrong, jumping;
static volatile unsigned int loops, calls; /* of the main thread */
static sigjmp_buf back;
static int null;

static void handler(int sig)
{
	int error = errno, fd;
	char c;

	fd = open("/dev/zero", O_RDONLY);
	errno = EXFULL;
	if (read(fd, &c, 1) != 1 || errno != EXFULL)
		wrong = 1;
	if (sig == SIGALRM)
		raise(SIGUSR1);
	if (write(-1, "", 1) != -1 || errno != EBADF)
		wrong = 1;
	close(fd);
	handled++;
	errno = error;
	if (jumping && sig == SIGALRM && handled % 3 == 0)
		siglongjmp(back, 1);
}

static void *other(void *arg)
{
	pthread_t target = *(pthread_t *)arg;
	sigset_t set;

	sigfillset(&set);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	while (handled < SIGNALS) {
		unsigned int before = loops;

		/* one at a time: a handler that jumps lets in the next, on top of its frame */
		pthread_kill(target, handled % 5 ? SIGALRM : SIGUSR2);
		while (loops == before && handled < SIGNALS)
			sched_yield();
	}
	return NULL;
}

static void call(void)
{
	calls++;
	errno = EXFULL;
	if (write(null, "abc", 3) != 3 || errno != EXFULL)
		wrong = 2;
	if (!jumping)
		free(malloc(100));
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = handler };
	stack_t stack = { .ss_size = 65536 };
	pthread_t t, self = pthread_self();

	stack.ss_sp = malloc(stack.ss_size);
	sigaltstack(&stack, NULL);
	sigaction(SIGALRM, &action, NULL);
	sigaction(SIGUSR1, &action, NULL);
	action.sa_flags = SA_ONSTACK;
	sigaction(SIGUSR2, &action, NULL);
	null = open("/dev/null", O_WRONLY);
	pthread_create(&t, NULL, other, &self);
	if (!sigsetjmp(back, 1) && argc > 1)
		jumping = !strcmp(argv[1], "jump");
	while (handled < SIGNALS) {
		if (calls < CALLS * (unsigned int)(handled + 1))
			call();
		if (loops++ % 16 == 0)
			usleep(1);
	}
	jumping = 0; /* back would come here again */
	pthread_join(t, NULL);
	printf("wrong %d\n", (int)wrong);
	return 0;
}
