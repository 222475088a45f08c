// SPDX-License-Identifier: GPL-2.0-only
/*
 * child: a program started, watched and imitated, so that `weir run PROG` looks like PROG to
 * whoever waits.
 *
 * All signals stay blocked here and are taken by sigwaitinfo(). What a terminal sends reaches the
 * child without us (same process group); what somebody sends to us by kill(2) is passed on. A child
 * that stops stops us, as job control expects.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "run_i.h"

static void child_main(struct weir_child *child, int go, int failed, char **argv,
		       const char *preload)
{
	char pid[24];
	char byte;
	int err;

	if (read(go, &byte, 1) != 1)
		_exit(1);
	snprintf(pid, sizeof(pid), "%ld", (long)getpid());
	if (!setenv("LD_PRELOAD", preload, 1) && !setenv("WEIR_RUN", pid, 1)) {
		sigaction(SIGCHLD, &child->chld, NULL);
		sigprocmask(SIG_SETMASK, &child->mask, NULL);
		execvp(argv[0], argv);
	}
	err = errno;
	if (write(failed, &err, sizeof(err)) < 0)
		_exit(126);
	_exit(127);
}

int weir_child_start(struct weir_child *child, char **argv, const char *preload)
{
	const struct sigaction dfl = { .sa_handler = SIG_DFL };
	int go[2], failed[2];
	sigset_t all;

	if (pipe2(go, O_CLOEXEC))
		return -1;
	if (pipe2(failed, O_CLOEXEC))
		goto fail;
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &child->mask);
	sigaction(SIGCHLD, &dfl, &child->chld); /* an ignored one would reap for us */
	child->pid = fork();
	if (child->pid == 0) {
		close(go[1]);
		child_main(child, go[0], failed[1], argv, preload);
	}
	close(go[0]);
	close(failed[1]);
	child->go = go[1];
	child->failed = failed[0];
	return child->pid < 0 ? -1 : 0;
fail:
	close(go[0]);
	close(go[1]);
	return -1;
}

void weir_child_abort(struct weir_child *child)
{
	close(child->go);
	close(child->failed);
	waitpid(child->pid, NULL, 0);
}

int weir_child_go(struct weir_child *child)
{
	int err = 0;

	if (write(child->go, "", 1) != 1)
		err = errno;
	close(child->go);
	/* a failed exec sends an errno, a good one end of file */
	if (read(child->failed, &err, sizeof(err)) != sizeof(err))
		err = 0;
	close(child->failed);
	return err;
}

int weir_child_wait(struct weir_child *child)
{
	siginfo_t info;
	sigset_t all;
	int status;

	sigfillset(&all);
	for (;;) {
		pid_t pid = waitpid(child->pid, &status, WNOHANG | WUNTRACED);

		if (pid < 0)
			return 0;
		if (pid > 0 && !WIFSTOPPED(status))
			return status;
		if (pid > 0) {
			raise(SIGSTOP);
			kill(child->pid, SIGCONT);
			continue;
		}
		if (sigwaitinfo(&all, &info) < 0 || info.si_signo == SIGCHLD)
			continue;
		if (info.si_code <= 0) /* a process sent it, not the terminal */
			kill(child->pid, info.si_signo);
	}
}

int weir_child_exit(struct weir_child *child, int status)
{
	const struct rlimit no_core = { 0, 0 };
	const struct sigaction dfl = { .sa_handler = SIG_DFL };
	sigset_t one;

	if (!WIFSIGNALED(status)) {
		sigprocmask(SIG_SETMASK, &child->mask, NULL);
		return WEXITSTATUS(status);
	}
	setrlimit(RLIMIT_CORE, &no_core); /* the child's core is the one of interest */
	sigaction(WTERMSIG(status), &dfl, NULL);
	sigemptyset(&one);
	sigaddset(&one, WTERMSIG(status));
	raise(WTERMSIG(status));
	sigprocmask(SIG_UNBLOCK, &one, NULL);
	return 128 + WTERMSIG(status);
}
