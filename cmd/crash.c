// SPDX-License-Identifier: GPL-2.0-only
/*
 * crash: what was recorded, without a daemon: out of a dump of a machine that died, or of a process whose daemon did.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cmd_i.h"
#include "crash_i.h"

static const char crash_usage[] = "crash VMCORE -o DIR\n"
				  "       weir crash --pid PID -o DIR\n"
				  "Writes what weir's kernel module recorded before the machine died, or what a process has\n"
				  "recorded whose daemon is gone, to DIR: a CTF directory a process, by trace slot.\n";

static int crash_report(const char *what, const char *dir, const struct weir_extract_count *count)
{
	if (count->missing)
		fprintf(stderr, "weir: %s: %llu bytes could not be read\n", what, (unsigned long long)count->missing);
	if (count->damaged)
		fprintf(stderr, "weir: %s: damaged in %llu places, which were skipped\n", what,
			(unsigned long long)count->damaged);
	printf("%s: directories %llu, streams %llu, bytes %llu\n", dir, (unsigned long long)count->directories,
	       (unsigned long long)count->streams, (unsigned long long)count->bytes);
	return 0;
}

static int crash_run(const char *path, const char *pid, const char *dir)
{
	struct weir_extract_count count = { 0 };
	int status;

	if (mkdir(dir, 0750) && errno != EEXIST)
		return weir_fail("%s", dir);
	status = pid ? weir_crash_pid(pid, dir, &count) : weir_crash_core(path, dir, &count);
	return status ? status : crash_report(pid ? pid : path, dir, &count);
}

int weir_crash_main(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "output", required_argument, NULL, 'o' },
		{ "pid", required_argument, NULL, 'p' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	const char *dir = NULL, *pid = NULL;
	int opt;

	while ((opt = getopt_long(argc, argv, "o:p:h", longs, NULL)) != -1) {
		if (opt == 'o')
			dir = optarg;
		else if (opt == 'p')
			pid = optarg;
		else
			return weir_usage(opt == 'h', crash_usage);
	}
	if (!dir || argc - optind != (pid ? 0 : 1))
		return weir_usage(false, crash_usage);
	return crash_run(argv[optind], pid, dir);
}
