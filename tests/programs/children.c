// SPDX-License-Identifier: GPL-2.0-only
/*
 * Children of every kind, in two threads: vfork with exec, with a failing exec, with _exit, killed
 * inside; posix_spawn; fork with and without exec; system; popen. The parent's own calls after each
 * show whether it is still whole.
 *
 *   children [ROUNDS]
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
static int rounds = 10;
static char *const argv_true[] = { "/bin/true", NULL };

static int finish(pid_t pid)
{
	int status = -1;

	waitpid(pid, &status, 0);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Not inlined: a function that calls vfork must not be left by the child. */
static __attribute__((noinline)) pid_t vforked(int how)
{
	pid_t pid = vfork();

	if (pid)
		return pid;
	close(open("/dev/null", O_RDONLY));
	if (how == 0)
		execve(argv_true[0], argv_true, environ);
	if (how == 1)
		execve("/none/none", argv_true, environ);
	if (how == 2)
		kill(getpid(), SIGKILL);
	if (write(-1, "", 1) >= 0 || close(-1) == 0)
		_exit(1);
	_exit(40 + how);
}

static pid_t spawned(void)
{
	posix_spawn_file_actions_t actions;
	pid_t pid = -1;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addclose(&actions, 0);
	if (posix_spawn(&pid, argv_true[0], &actions, NULL, argv_true, environ))
		pid = -1;
	posix_spawn_file_actions_destroy(&actions);
	return pid;
}

static pid_t forked(int how)
{
	pid_t pid = fork();
	char *p;

	if (pid)
		return pid;
	p = malloc(1000);
	close(open("/dev/null", O_RDONLY));
	if (how == 0)
		execve(argv_true[0], argv_true, environ);
	if (how == 1) /* a grandchild */
		_exit(finish(forked(2)));
	free(p);
	_exit(how);
}

static void *run(void *sum)
{
	char line[100];
	int i, how;
	FILE *f;

	for (i = 0; i < rounds; i++) {
		for (how = 0; how < 4; how++)
			*(long *)sum += finish(vforked(how));
		*(long *)sum += finish(spawned());
		for (how = 0; how < 4; how++)
			*(long *)sum += finish(forked(how));
		*(long *)sum += system("exit 3");
		f = popen("echo popened", "r");
		if (f && fgets(line, sizeof(line), f))
			*(long *)sum += (long)strlen(line);
		if (f)
			pclose(f);
		free(malloc(10));
		close(open("/dev/null", O_RDONLY));
	}
	return NULL;
}

int main(int argc, char **argv)
{
	long sum[2] = { 0, 0 };
	pthread_t t;

	if (argc > 1)
		rounds = atoi(argv[1]);
	pthread_create(&t, NULL, run, &sum[1]);
	run(&sum[0]);
	pthread_join(t, NULL);
	printf("%ld %ld\n", sum[0], sum[1]);
	return 0;
}
