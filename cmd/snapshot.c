// SPDX-License-Identifier: GPL-2.0-only
/*
 * snapshot: weir snapshot TRACE [NAME]. Makes the directory TRACE@NAME, prints its path.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cmd_i.h"

#define NAME_TRIES 1000u /* of names that are made up: so many a second */

static int make(int mount, const char *name)
{
	return mkdirat(mount, name, 0555) ? -errno : 0;
}

/* The local time, with a number behind it if somebody was as quick. */
static int make_now(int mount, const char *trace, char *name, size_t size)
{
	char now[32] = "";
	time_t t = time(NULL);
	struct tm tm;
	unsigned int i;
	int err, len;

	if (!localtime_r(&t, &tm) || !strftime(now, sizeof(now), "%Y%m%d-%H%M%S", &tm))
		return -EINVAL;
	len = snprintf(name, size, "%s@%s", trace, now);
	err = make(mount, name);
	for (i = 1; err == -EEXIST && i < NAME_TRIES && (size_t)len < size; i++) {
		snprintf(name + len, size - (size_t)len, ".%u", i);
		err = make(mount, name);
	}
	return err;
}

static int take(int mount, const char *trace, const char *wanted)
{
	char name[512];
	int err;

	if (strchr(trace, '/') || strlen(trace) + (wanted ? strlen(wanted) : 0) > 255)
		return weir_fail_why(trace, strerror(strchr(trace, '/') ? EINVAL : ENAMETOOLONG));
	if (wanted) {
		snprintf(name, sizeof(name), "%s@%s", trace, wanted);
		err = strchr(wanted, '/') ? -EINVAL : make(mount, name);
	} else {
		err = make_now(mount, trace, name, sizeof(name));
	}
	if (err == -ENOENT)
		return weir_fail_why(trace, "there is no such trace");
	if (err)
		return weir_fail_rejected(mount, name, err);
	printf("%s/%s\n", weir_mountpoint(), name);
	return 0;
}

int weir_snapshot_main(int argc, char **argv)
{
	int mount, ret = weir_names(argc, argv, 1, 2, "snapshot TRACE [NAME]\n");

	if (ret >= 0)
		return ret;
	mount = weir_open_mount();
	if (mount < 0)
		return 1;
	ret = take(mount, argv[optind], argv[optind + 1]);
	close(mount);
	return ret;
}
