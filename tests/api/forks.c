// SPDX-License-Identifier: GPL-2.0-only
/*
 * Children that leave something behind, or find something left: `forks WHAT`
 *
 *   vfork    a vfork child and its own are killed: the parent is as before; reads a byte before its last event
 *   stages   children of a process whose other threads are inside of large events have large ones themselves
 *   trap     a child whose memfd_create() is answered by a handler of SIGSYS lives
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>
#include <weir/trace.h>

static int ended(pid_t pid)
{
	int status;

	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && !WEXITSTATUS(status) ? 0 : 1;
}

/* ---- vfork ------------------------------------------------------------------------------------*/

static int forks_vfork(void)
{
	pid_t child;
	int i;
	char c;

	weir_trace(api, before, 0);
	child = vfork();
	if (!child) {
		setpgid(0, 0);
		if (!vfork())
			kill(0, SIGKILL); /* both: who is left alone would run on its grandparent's stack */
		_exit(1);
	}
	waitpid(child, NULL, 0);
	for (i = 0; i < 3; i++)
		weir_trace(api, after, i);
	puts("ready");
	fflush(stdout);
	if (read(0, &c, 1) != 1)
		return 1;
	weir_trace(api, late, 0);
	return 0;
}

/* ---- stages -----------------------------------------------------------------------------------*/

#define THREADS 40
#define CHILDREN 20

static char large[60001];

static void *trace_large(void *unused)
{
	(void)unused;
	for (;;)
		weir_trace(other, large, large);
	return NULL;
}

static int forks_stages(void)
{
	pthread_t thread;
	pid_t child;
	int i, err = 0;

	memset(large, 'x', sizeof(large) - 1);
	for (i = 0; i < THREADS; i++)
		if (pthread_create(&thread, NULL, trace_large, NULL))
			return 1;
	for (i = 0; i < CHILDREN; i++) {
		child = fork();
		if (!child) {
			large[1000] = '\0';
			weir_trace(api, child, large, i);
			_exit(0);
		}
		err |= ended(child);
	}
	return err;
}

/* ---- trap -------------------------------------------------------------------------------------*/

static void refuse(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)info;
#ifdef __x86_64__
	((ucontext_t *)context)->uc_mcontext.gregs[REG_RAX] = -EPERM;
#else
	(void)context;
#endif
}

static int forks_trap(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_memfd_create, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { 4, filter };
	struct sigaction action = { .sa_sigaction = refuse, .sa_flags = SA_SIGINFO };
	pid_t child;

	weir_trace(api, before, 0);
	if (sigaction(SIGSYS, &action, NULL) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		return 1;
	child = fork();
	if (!child)
		_exit(0);
	return ended(child);
}

int main(int argc, char **argv)
{
	const char *what = argc == 2 ? argv[1] : "";

	if (!strcmp(what, "vfork"))
		return forks_vfork();
	if (!strcmp(what, "stages"))
		return forks_stages();
	if (!strcmp(what, "trap"))
		return forks_trap();
	return 2;
}
