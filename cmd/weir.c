// SPDX-License-Identifier: GPL-2.0-only
/*
 * weir: the one command, a table of sub-commands.
 */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd_i.h"

static int help_main(int argc, char **argv);
static int version_main(int argc, char **argv);

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *usage; /* NULL: not listed */
	const char *what;
} commands[] = {
	{ "mount", weir_mount_main, "mount [-f] [OPTIONS] [MOUNTPOINT]",
	  "mount the trace file system" },
	{ "umount", weir_umount_main, "umount [MOUNTPOINT]", "unmount it" },
	{ "run", weir_run_main, "run [-t TRACE] [-p LIST] [--] PROG ARG...",
	  "run a program, traced" },
	{ "snapshot", weir_snapshot_main, "snapshot TRACE [NAME]",
	  "freeze what a trace holds, as TRACE@NAME" },
	{ "record", weir_record_main, "record TRACE -o DIR [OPTIONS]",
	  "move a trace to disk while it is written" },
	{ "status", weir_status_main, "status [TRACE]", "show traces, streams and losses" },
	{ "crash", weir_crash_main, "crash VMCORE | --pid PID -o DIR", "traces out of a dump, or of a process" },
	{ "--help", help_main, NULL, NULL },
	{ "-h", help_main, NULL, NULL },
	{ "help", help_main, NULL, NULL },
	{ "--version", version_main, NULL, NULL },
	{ "-V", version_main, NULL, NULL },
};

static void usage(FILE *out)
{
	fprintf(out, "usage: weir COMMAND [ARG...]\n\n");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (commands[i].usage)
			fprintf(out, "  weir %-42s %s\n", commands[i].usage, commands[i].what);
	fprintf(out, "  weir %-42s %s\n", "--help | --version", "weir COMMAND --help tells more");
	fprintf(out, "\nMOUNTPOINT defaults to $WEIR_MOUNT, then %s.\n", WEIR_MOUNT_DEFAULT);
}

static int help_main(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	usage(stdout);
	return 0;
}

static int version_main(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	printf("weir %s\n", PACKAGE_VERSION);
	return 0;
}

const char *weir_mountpoint(void)
{
	const char *env = getenv("WEIR_MOUNT");

	return env && *env ? env : WEIR_MOUNT_DEFAULT;
}

int weir_fail(const char *what, ...)
{
	int err = errno;
	va_list args;

	fputs("weir: ", stderr);
	va_start(args, what);
	vfprintf(stderr, what, args);
	va_end(args);
	fprintf(stderr, ": %s\n", strerror(err));
	return 1;
}

int weir_fail_why(const char *what, const char *why)
{
	fprintf(stderr, "weir: %s: %s\n", what, why);
	return 1;
}

int weir_usage(bool asked, const char *text)
{
	fprintf(asked ? stdout : stderr, "usage: weir %s", text);
	return asked ? 0 : 2;
}

int weir_names(int argc, char **argv, int least, int most, const char *text)
{
	static const struct option longs[] = { { "help", no_argument, NULL, 'h' }, { 0 } };
	int opt = getopt_long(argc, argv, "h", longs, NULL);

	if (opt == -1 && argc - optind >= least && argc - optind <= most)
		return -1;
	return weir_usage(opt == 'h', text);
}

/* getopt() says argv[0] in front of what is wrong. */
static int run(const struct command *command, int argc, char **argv)
{
	char name[32];

	snprintf(name, sizeof(name), "weir %s", command->name);
	argv[0] = name;
	return command->run(argc, argv);
}

/* mount(8) runs mount.fuse, which runs `weir SOURCE MOUNTPOINT -o OPTIONS`. */
static int mount_fuse(char **argv)
{
	char *mount[] = { "mount", argv[3], argv[4], argv[2], NULL };

	return weir_mount_main(4, mount);
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		usage(stderr);
		return 2;
	}
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(argv[1], commands[i].name))
			return run(&commands[i], argc - 1, argv + 1);
	if (argc == 5 && !strcmp(argv[3], "-o"))
		return mount_fuse(argv);
	weir_fail_why(argv[1], "unknown command (weir --help lists them)");
	return 2;
}
