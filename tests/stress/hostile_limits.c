// SPDX-License-Identifier: GPL-2.0-only
/*
 * hostile_limits: a traced program that lives under a limit, which it sets for itself, since the loader would not get
 * far under some of them.
 *
 *   hostile_limits LIMIT
 *
 * It writes 100 events, sets the limit, writes 100 more, forks (a child attaches anew, under the limit), both write 100
 * more, and it prints `fine`. Before the last hundred it waits for the end of its standard input, so that something can
 * change meanwhile.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weir/trace.h>

static void limit(int resource, rlim_t value)
{
	struct rlimit l = { value, value };

	if (setrlimit(resource, &l)) {
		perror("setrlimit");
		exit(2);
	}
}

static void as(void)
{
	char line[256];
	unsigned long pages = 0;
	FILE *file = fopen("/proc/self/statm", "r");

	if (!file || !fgets(line, sizeof(line), file) || sscanf(line, "%lu", &pages) != 1)
		exit(2);
	fclose(file);
	limit(RLIMIT_AS, (pages + 64) * 4096);
}

static void nofile(void)
{
	limit(RLIMIT_NOFILE, 3);
}

static void fsize(void)
{
	limit(RLIMIT_FSIZE, 0);
}

static void fsize_small(void)
{
	limit(RLIMIT_FSIZE, 100000);
}

static void data(void)
{
	limit(RLIMIT_MEMLOCK, 0);
	limit(RLIMIT_DATA, 1 << 20);
}

static void in_chroot(void)
{
	if (chroot("/var/empty") && (chdir("/") || chroot("/proc/self/fdinfo"))) {
		perror("chroot");
		exit(2);
	}
	if (chdir("/"))
		exit(2);
}

/* Nothing may be called but read, write and exit. (Not the strict mode: it takes the clock away from everybody, the
 * program's own clock_gettime() included.) */
static void seccomp(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_read, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_write, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { sizeof(filter) / sizeof(filter[0]), filter };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog)) {
		perror("seccomp");
		exit(2);
	}
}

static void none(void)
{
}

static const struct {
	const char *name;
	void (*set)(void);
} limits[] = {
	{ "as", as }, { "nofile", nofile }, { "fsize", fsize }, { "fsize_small", fsize_small }, { "data", data },
	{ "chroot", in_chroot }, { "seccomp", seccomp }, { "none", none },
};

static void hundred(const char *part)
{
	int i;

	for (i = 0; i < 100; i++)
		weir_trace(limits, event, i, part);
}

static void fine(void)
{
	if (write(1, "fine\n", 5) != 5)
		syscall(SYS_exit, 3);
}

static void under_seccomp(void)
{
	hundred("last");
	fine();
	syscall(SYS_exit, 0);
}

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "none";
	int status = 0;
	size_t i;
	pid_t pid;
	char c;

	hundred("first");
	for (i = 0; i < sizeof(limits) / sizeof(limits[0]) && strcmp(limits[i].name, name); i++)
		;
	if (i == sizeof(limits) / sizeof(limits[0]))
		return 2;
	limits[i].set();
	hundred("limited");
	if (limits[i].set == seccomp)
		under_seccomp();
	pid = fork();
	if (pid < 0)
		return 5;
	hundred(pid ? "parent" : "child");
	if (!pid) {
		fine();
		_exit(0);
	}
	if (waitpid(pid, &status, 0) != pid || status)
		return 6;
	if (read(0, &c, 1))
		return 7;
	hundred("last");
	fine();
	return 0;
}
