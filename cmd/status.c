// SPDX-License-Identifier: GPL-2.0-only
/*
 * weir status: the mount's and a trace's status files, made readable. What `weir run` says at its
 * end comes from here too.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd_i.h"
#include "run_i.h"

#define COUNT_LIMIT (16u << 20) /* bytes of records up to which the report counts events */

struct totals {
	unsigned int streams;
	unsigned long long bytes, overwritten, lost, damaged;
};

/* source cpu mode produced consumed overwritten lost_events damaged subbufs */
static bool add_line(struct totals *totals, const char *line)
{
	unsigned long long produced, consumed, overwritten, lost, damaged;

	if (sscanf(line, "%*s %*s %*s %llu %llu %llu %llu %llu", &produced, &consumed, &overwritten,
		   &lost, &damaged) != 5)
		return false; /* the heading */
	totals->streams++;
	totals->bytes += produced - overwritten;
	totals->overwritten += overwritten;
	totals->lost += lost;
	totals->damaged += damaged;
	return true;
}

static void add_up(struct totals *totals, const char *status)
{
	memset(totals, 0, sizeof(*totals));
	while (status) {
		add_line(totals, status);
		status = strchr(status, '\n');
		if (status)
			status++;
	}
}

static const char *human(char buf[32], unsigned long long bytes)
{
	static const char units[] = "BKMGT";
	double n = (double)bytes;
	unsigned int unit = 0;

	for (; n >= 1024 && units[unit + 1]; unit++)
		n /= 1024;
	if (unit)
		snprintf(buf, 32, "%.1f%c", n, units[unit]);
	else
		snprintf(buf, 32, "%llu", bytes);
	return buf;
}

static long count_events(int trace)
{
	int fd = openat(trace, "text", O_RDONLY | O_CLOEXEC);
	static char buf[65536];
	long lines = 0;
	ssize_t n;

	if (fd < 0)
		return -1;
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		for (char *p = buf; (p = memchr(p, '\n', (size_t)(buf + n - p))); p++)
			lines++;
	close(fd);
	return n < 0 ? -1 : lines;
}

void weir_report(int trace, const char *name)
{
	char *status = weir_read_file(trace, "status");
	struct totals totals;
	char bytes[32];
	long events;

	add_up(&totals, status);
	free(status);
	events = totals.bytes <= COUNT_LIMIT ? count_events(trace) : -1;
	fprintf(stderr, "weir: ");
	if (events >= 0)
		fprintf(stderr, "%ld events, ", events);
	fprintf(stderr, "%s bytes in %u streams, %llu events lost", human(bytes, totals.bytes),
		totals.streams, totals.lost);
	if (totals.overwritten)
		fprintf(stderr, ", %s bytes overwritten", human(bytes, totals.overwritten));
	fprintf(stderr, ": %s/%s\n", weir_mountpoint(), name);
}

/* ---- weir status ------------------------------------------------------------------------------*/

/* Columns as wide as their widest word; the first is flush left. */
static void print_table(const char *text)
{
	enum { COLUMNS = 16 };
	size_t width[COLUMNS] = { 0 };

	for (int print = 0; print < 2; print++) {
		const char *p = text;

		while (*p) {
			for (unsigned int col = 0; *p && *p != '\n'; col++) {
				size_t len = strcspn(p, " \t\n");
				size_t *w = &width[col < COLUMNS ? col : COLUMNS - 1];

				if (print && col)
					printf("  %*.*s", (int)*w, (int)len, p);
				else if (print)
					printf("%-*.*s", (int)*w, (int)len, p);
				else if (len > *w)
					*w = len;
				p += len;
				p += strspn(p, " \t");
			}
			if (print)
				putchar('\n');
			p += *p == '\n';
		}
	}
}

static void print_setting(int dir, const char *file, const char *label)
{
	char *value = weir_read_file(dir, file);
	char *p;

	for (p = value; p && (p = strchr(p, '\n'));)
		*p = ' ';
	printf("%-14s %s\n", label, value ? value : "-");
	free(value);
}

static int trace_status(int mount, const char *name)
{
	static const char *const settings[] = { "enabled", "mode",   "subbuf_size", "subbuf_count",
						"context", "events", "processes" };
	static const char heading[] =
		"source cpu mode produced consumed overwritten lost_events damaged subbufs\n";
	int trace = openat(mount, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct totals first;
	char *status;
	char file[64], *table;

	if (trace >= 0 && *name == '.') { /* .weir is no trace */
		close(trace);
		trace = -1;
		errno = ENOENT;
	}
	if (trace < 0)
		return weir_fail("%s/%s", weir_mountpoint(), name);
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
		snprintf(file, sizeof(file), "control/%s", settings[i]);
		print_setting(trace, file, settings[i]);
	}
	status = weir_read_file(trace, "status");
	close(trace);
	if (!status)
		return weir_fail("%s/%s/status", weir_mountpoint(), name);
	memset(&first, 0, sizeof(first));
	if (*status &&
	    asprintf(&table, "%s%s", add_line(&first, status) ? heading : "", status) >= 0) {
		putchar('\n');
		print_table(table);
		free(table);
	}
	free(status);
	return 0;
}

static void trace_summary(FILE *out, int mount, const char *name)
{
	char file[512];
	char *enabled, *mode, *status;
	struct totals totals;
	char bytes[32];

	snprintf(file, sizeof(file), "%s/control/enabled", name);
	enabled = weir_read_file(mount, file);
	snprintf(file, sizeof(file), "%s/control/mode", name);
	mode = weir_read_file(mount, file);
	snprintf(file, sizeof(file), "%s/status", name);
	status = weir_read_file(mount, file);
	add_up(&totals, status);
	fprintf(out, "%s %s %s %u %s %llu\n", name,
		enabled && *enabled == '1' ? "enabled" : "disabled", mode ? mode : "-",
		totals.streams, human(bytes, totals.bytes), totals.lost);
	free(enabled);
	free(mode);
	free(status);
}

static int mount_status(int mount)
{
	static const char *const files[] = { "version", "backend", "clock" };
	char *table = NULL, *processes, file[64];
	size_t size;
	FILE *out = open_memstream(&table, &size);
	struct dirent *entry;
	int fd = openat(mount, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!out || !dir)
		return weir_fail("%s", weir_mountpoint());
	printf("%-14s %s\n", "mount", weir_mountpoint());
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		snprintf(file, sizeof(file), ".weir/%s", files[i]);
		print_setting(mount, file, files[i]);
	}
	fprintf(out, "trace state mode streams bytes lost_events\n");
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			trace_summary(out, mount, entry->d_name);
	closedir(dir);
	fclose(out);
	putchar('\n');
	print_table(table);
	free(table);
	processes = weir_read_file(mount, ".weir/processes");
	if (processes && strchr(processes, '\n')) { /* more than the heading */
		putchar('\n');
		print_table(processes);
	}
	free(processes);
	return 0;
}

int weir_status_main(int argc, char **argv)
{
	int mount, ret = weir_names(argc, argv, 0, 1, "status [TRACE]\n");

	if (ret >= 0)
		return ret;
	mount = weir_open_mount();
	if (mount < 0)
		return 1;
	ret = argv[optind] ? trace_status(mount, argv[optind]) : mount_status(mount);
	close(mount);
	return ret;
}
