// SPDX-License-Identifier: GPL-2.0-only
/*
 * weir run: makes a trace that records one program and what it starts, runs it, says where to look.
 *
 * The program must not notice: its child waits at a pipe until the trace is ready, so that its pid
 * is known before its first instruction, and execs with the signal mask, dispositions and
 * descriptors that we got.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmd_i.h"
#include "run_i.h"

static const char usage_text[] =
	"run [-q] [-t TRACE] [-p LIST] [--] PROG ARG...\n"
	"\n"
	"Runs PROG with libweir and records it and the processes that it starts.\n"
	"  -t TRACE  the trace, made if it is not there (default: PROG's name)\n"
	"  -p LIST   also record calls of unchanged programs: any of malloc,pthread,io\n"
	"  -q        say nothing afterwards\n"
	"The exit code is that of PROG; 126 if it could not be run, 127 if there is none.\n";

struct run {
	int mount;
	int trace; /* its directory */
	char name[64];
	bool created;
	bool quiet;
	char *preload;
};

/* PROG's base name, with what a trace name cannot hold made `_`. */
static void default_name(char name[64], const char *prog)
{
	const char *base = strrchr(prog, '/');
	size_t i;

	base = base ? base + 1 : prog;
	for (i = 0; base[i] && i < 63; i++)
		name[i] = base[i];
	name[i] = '\0';
	for (i = 0; name[i]; i++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.",
			    name[i]))
			name[i] = '_';
	if (name[0] == '.' || !name[0])
		name[0] = '_';
}

static int open_trace(struct run *run)
{
	run->created = !mkdirat(run->mount, run->name, 0777);
	if (!run->created && errno != EEXIST)
		return weir_fail_rejected(run->mount, run->name, -errno);
	run->trace = openat(run->mount, run->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (run->trace < 0)
		return weir_fail("%s/%s", weir_mountpoint(), run->name);
	return 0;
}

static void drop_trace(struct run *run)
{
	if (run->created)
		unlinkat(run->mount, run->name, AT_REMOVEDIR);
}

static int set(struct run *run, const char *file, const char *value)
{
	int err = weir_write_file(run->trace, file, value);
	char what[128];

	if (!err)
		return 0;
	snprintf(what, sizeof(what), "%s/%s", run->name, file);
	return weir_fail_rejected(run->mount, what, err);
}

/* Programs of other `weir run`s in the same trace stay in, those that have ended go. */
static int restrict_to(struct run *run, pid_t pid)
{
	char *old = weir_read_file(run->trace, "control/processes");
	char *words = NULL, *rest = old, *word;
	size_t size;
	FILE *out = open_memstream(&words, &size);
	int ret = 1;

	if (!old || !out) {
		weir_fail("%s/%s/control/processes", weir_mountpoint(), run->name);
		goto out;
	}
	while ((word = strsep(&rest, " \t\n"))) {
		bool ended = word[0] == '+' && kill((pid_t)atol(word + 1), 0) && errno == ESRCH;

		if (*word && !ended && strcmp(word, "all"))
			fprintf(out, "%s ", word);
	}
	fprintf(out, "+%ld\n", (long)pid);
	if (fflush(out))
		goto out;
	ret = set(run, "control/processes", words);
out:
	if (out)
		fclose(out);
	free(words);
	free(old);
	return ret;
}

static int prepare(struct run *run, pid_t pid)
{
	int ret;

	flock(run->trace, LOCK_EX); /* two of us may share a trace */
	ret = restrict_to(run, pid) || set(run, "control/enabled", "1\n");
	flock(run->trace, LOCK_UN);
	return ret;
}

/* A user's own daemon comes first for libweir; a trace of root's mount needs root's. */
static void choose_daemon(int mount)
{
	const char *rundir = getenv("WEIR_RUNDIR");
	struct stat st;

	if (geteuid() && !(rundir && *rundir) && !fstat(mount, &st) && st.st_uid == 0)
		setenv("WEIR_RUNDIR", "/run/weir", 1);
}

static int execute(struct run *run, char **argv)
{
	struct weir_child child;
	int status, err;

	if (weir_child_start(&child, argv, run->preload))
		return weir_fail("fork");
	if (prepare(run, child.pid)) {
		weir_child_abort(&child);
		drop_trace(run);
		return 1;
	}
	err = weir_child_go(&child);
	status = weir_child_wait(&child);
	if (err) {
		errno = err;
		weir_fail("%s", argv[0]);
		drop_trace(run);
		return err == ENOENT ? 127 : 126;
	}
	if (!run->quiet)
		weir_report(run->trace, run->name);
	return weir_child_exit(&child, status);
}

int weir_run_main(int argc, char **argv)
{
	static const struct option longs[] = { { "help", no_argument, NULL, 'h' }, { 0 } };
	struct run run = { .trace = -1 };
	const char *list = NULL;
	const char *name = NULL;
	int opt, ret = 1;

	while ((opt = getopt_long(argc, argv, "+t:p:qh", longs, NULL)) != -1) {
		switch (opt) {
		case 't':
			name = optarg;
			break;
		case 'p':
			list = optarg;
			break;
		case 'q':
			run.quiet = true;
			break;
		default:
			return weir_usage(opt == 'h', usage_text);
		}
	}
	if (optind == argc)
		return weir_usage(false, usage_text);
	if (!name)
		default_name(run.name, argv[optind]);
	else if (!*name || snprintf(run.name, sizeof(run.name), "%s", name) >= (int)sizeof(run.name))
		return weir_fail_why(*name ? name : "-t", "a trace's name has 1 to 63 characters");
	run.preload = weir_ld_preload(list);
	if (!run.preload)
		return 1;
	run.mount = weir_open_mount();
	if (run.mount < 0)
		goto out;
	choose_daemon(run.mount);
	ret = open_trace(&run);
	if (!ret)
		ret = execute(&run, argv + optind);
	if (run.trace >= 0)
		close(run.trace);
	close(run.mount);
out:
	free(run.preload);
	return ret;
}
