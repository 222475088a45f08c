// SPDX-License-Identifier: GPL-2.0-only
/*
 * weir record: moves a trace's packets to disk while they are written.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cmd_i.h"
#include "record_i.h"

static const char usage_text[] =
	"record TRACE -o DIR [--rotate-size N] [--max-size N]\n"
	"       weir record TRACE/PROCESS/cpuN -o -\n"
	"\n"
	"Moves what is written to TRACE into files, until ^C or the trace ends.\n"
	"  -o, --output=DIR   a CTF directory a process is made there; -: one stream to standard output\n"
	"  --rotate-size=N    a new directory, DIR/000000 and so on, every N bytes (K, M, G)\n"
	"  --max-size=N       the oldest of these go, so that no more than N bytes are kept\n";

/* ---- numbers ----------------------------------------------------------------------------------*/

char *record_human(char buf[32], uint64_t bytes)
{
	static const char units[] = "KMGT";
	double n = (double)bytes / 1024;
	unsigned int unit = 0;

	if (bytes < 1024) {
		snprintf(buf, 32, "%llu", (unsigned long long)bytes);
		return buf;
	}
	for (; n >= 1024 && units[unit + 1]; unit++)
		n /= 1024;
	snprintf(buf, 32, "%.1f%c", n, units[unit]);
	return buf;
}

/* 0: it is no size. */
static uint64_t parse_size(const char *text)
{
	static const char units[] = "KMGT";
	unsigned long long n;
	const char *unit;
	unsigned int shift = 0;
	char *end;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || errno)
		return 0;
	if (*end) {
		unit = strchr(units, *end);
		if (!unit || end[1])
			return 0;
		shift = (unsigned int)(unit - units + 1) * 10;
	}
	return n > UINT64_MAX >> shift ? 0 : n << shift;
}

/* ---- moving -----------------------------------------------------------------------------------*/

void record_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGHUP);
}

/* A process has a stream a CPU, each of which is open, and their files. */
static void many_files(void)
{
	struct rlimit limit;

	if (!getrlimit(RLIMIT_NOFILE, &limit)) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* Another recorder would take packets away from this one. `weir run` locks the directory itself. */
static int lock_trace(const struct recorder *rec)
{
	int fd = openat(rec->trace, "status", O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return flock(fd, LOCK_EX | LOCK_NB) ? -EBUSY : 0;
}

/* Writers may be faster than we are: what a stream had when we were stopped is a ring at most. */
static uint64_t ring_bytes(const struct recorder *rec)
{
	char *size = weir_read_file(rec->trace, "control/subbuf_size");
	char *count = weir_read_file(rec->trace, "control/subbuf_count");
	uint64_t bytes = size && count ? parse_size(size) * parse_size(count) : 0;

	free(size);
	free(count);
	return bytes ? bytes : 64 << 20;
}

static int report(const struct recorder *rec, int err)
{
	char bytes[32];

	if (err) {
		errno = err;
		weir_fail("%s", rec->dir);
	}
	if (rec->unsaved)
		fprintf(stderr, "weir: %s: no room: %s that had been taken are lost\n", rec->dir,
			record_human(bytes, rec->unsaved));
	fprintf(stderr, "weir: %s in %llu packets of %u processes, %llu events lost",
		record_human(bytes, rec->bytes), (unsigned long long)rec->packets, rec->known,
		(unsigned long long)rec->lost);
	if (rec->missed)
		fprintf(stderr, ", %llu packets overwritten", (unsigned long long)rec->missed);
	fprintf(stderr, ": %s\n", rec->dir);
	return err || rec->unsaved;
}

static int move(struct recorder *rec)
{
	sigset_t set;
	int err;

	record_signals(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGXFSZ, SIG_IGN);
	many_files();
	pthread_mutex_init(&rec->lock, NULL);
	rec->wake = eventfd(0, EFD_CLOEXEC);
	rec->stop_bytes = ring_bytes(rec);
	err = rec->wake < 0 ? -errno : record_out_open(rec);
	if (err) {
		errno = -err;
		return weir_fail("%s", rec->dir);
	}
	err = record_watch(rec);
	record_threads_join(rec);
	syncfs(rec->out);
	return report(rec, err ? -err : rec->failed);
}

/* ---- the beginning ----------------------------------------------------------------------------*/

static int start(struct recorder *rec)
{
	int err;

	rec->terminal = isatty(STDERR_FILENO);
	rec->mount = weir_open_mount();
	if (rec->mount < 0)
		return 1;
	rec->trace = openat(rec->mount, rec->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (rec->trace < 0)
		return weir_fail("%s/%s", weir_mountpoint(), rec->name);
	err = lock_trace(rec);
	if (err) { /* not the directory's fault */
		errno = -err;
		return weir_fail("%s", rec->name);
	}
	return move(rec);
}

/* 0; -1: not understood; 1: help was asked for. */
static int parse(struct recorder *rec, int argc, char **argv)
{
	static const struct option options[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "output", required_argument, NULL, 'o' },
		{ "rotate-size", required_argument, NULL, 'r' },
		{ "max-size", required_argument, NULL, 'm' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "ho:", options, NULL)) != -1) {
		switch (c) {
		case 'o':
			rec->dir = optarg;
			break;
		case 'r':
			rec->rotate = parse_size(optarg);
			if (!rec->rotate)
				return -1;
			break;
		case 'm':
			rec->max = parse_size(optarg);
			if (!rec->max)
				return -1;
			break;
		default:
			return c == 'h' ? 1 : -1;
		}
	}
	rec->name = argv[optind];
	return rec->dir && *rec->dir && rec->name && !argv[optind + 1] ? 0 : -1;
}

int weir_record_main(int argc, char **argv)
{
	static struct recorder rec;
	int asked = parse(&rec, argc, argv);

	if (asked)
		return weir_usage(asked > 0, usage_text);
	if (!strcmp(rec.dir, "-"))
		return record_pipe(rec.name);
	if (strchr(rec.name, '/') || rec.name[0] == '.') {
		errno = EINVAL;
		return weir_fail("%s", rec.name);
	}
	if (strchr(rec.name, '@'))
		return weir_fail_why(rec.name, "a snapshot does not change any more: cp -r copies it");
	return start(&rec);
}
