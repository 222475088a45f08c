// SPDX-License-Identifier: GPL-2.0-only
/*
 * preload: where libweir and the preload libraries are. A command in its build tree (cmd/weir
 * beside lib/client/.libs) takes those of the build tree, an installed one takes the installed
 * ones.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd_i.h"

struct places {
	char libweir[PATH_MAX + 64];
	char preload[PATH_MAX + 64]; /* directory */
};

static void find_places(struct places *places)
{
	char exe[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	char *end = NULL;

	if (len > 0) {
		exe[len] = '\0';
		end = strstr(exe + (len < 9 ? len : len - 9), "/cmd/weir");
	}
	if (end) {
		*end = '\0';
		snprintf(places->libweir, sizeof(places->libweir),
			 "%s/lib/client/.libs/libweir.so.0", exe);
		snprintf(places->preload, sizeof(places->preload), "%s/lib/preload/.libs", exe);
		if (!access(places->libweir, R_OK))
			return;
	}
	snprintf(places->libweir, sizeof(places->libweir), "%s/libweir.so.0", WEIR_LIBDIR);
	snprintf(places->preload, sizeof(places->preload), "%s/preload", WEIR_PKGLIBDIR);
}

/* Appends `path` after a colon. The dynamic linker knows no way to quote in LD_PRELOAD. */
static int add(char **value, const char *path)
{
	char *longer;

	if (access(path, R_OK))
		return weir_fail("%s", path);
	if (strpbrk(path, ": "))
		return weir_fail_why(path, "LD_PRELOAD cannot hold a path with a space or a colon");
	if (asprintf(&longer, "%s%s%s", *value, **value ? ":" : "", path) < 0)
		return weir_fail("%s", path);
	free(*value);
	*value = longer;
	return 0;
}

static int add_module(char **value, const struct places *places, const char *name)
{
	char path[PATH_MAX + 256];

	if (!*name || strspn(name, "abcdefghijklmnopqrstuvwxyz") != strlen(name) ||
	    strlen(name) > 100)
		return weir_fail_why(name, "not a preload library (malloc, pthread, io)");
	snprintf(path, sizeof(path), "%s/libweir-%s.so", places->preload, name);
	if (access(path, F_OK) && errno == ENOENT)
		return weir_fail_why(name, "not a preload library (malloc, pthread, io)");
	return add(value, path);
}

char *weir_ld_preload(const char *list)
{
	const char *old = getenv("LD_PRELOAD");
	char *value = strdup(old ? old : "");
	char *names = strdup(list ? list : "");
	char *rest = names, *name;
	struct places places;

	if (!value || !names)
		goto fail;
	find_places(&places);
	if (add(&value, places.libweir))
		goto fail;
	while (list && (name = strsep(&rest, ",")))
		if (add_module(&value, &places, name))
			goto fail;
	free(names);
	return value;
fail:
	free(value);
	free(names);
	return NULL;
}
