// SPDX-License-Identifier: GPL-2.0-only
/*
 * dump_kdump: makedumpfile's compressed dumps, by libkdumpfile where it was found. It is loaded when it is wanted:
 * the daemon is the same program, and needs nothing of what that brings along.
 */
#include <errno.h>

#include "crash_i.h"

#ifdef HAVE_LIBKDUMPFILE
#include <dlfcn.h>
#include <libkdumpfile/kdumpfile.h>

#define WEIR_KDUMP_LIBRARY "libkdumpfile.so.10"
#define WEIR_KDUMP_FRAMES (1ull << 34)

static struct {
	typeof(&kdump_new) create;
	typeof(&kdump_free) destroy;
	typeof(&kdump_read) read;
	typeof(&kdump_clear_err) clear_err;
	typeof(&kdump_set_attr) set;
	typeof(&kdump_get_typed_attr) get;
	kdump_ctx_t *ctx;
	u64 frames;
} weir_kdump;

static int weir_kdump_load(void)
{
	static const struct {
		const char *name;
		void *place;
	} functions[] = {
		{ "kdump_new", &weir_kdump.create },	      { "kdump_free", &weir_kdump.destroy },
		{ "kdump_read", &weir_kdump.read },	      { "kdump_clear_err", &weir_kdump.clear_err },
		{ "kdump_set_attr", &weir_kdump.set }, { "kdump_get_typed_attr", &weir_kdump.get },
	};
	void *library = dlopen(WEIR_KDUMP_LIBRARY, RTLD_NOW | RTLD_LOCAL), *function;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(functions); i++) {
		function = library ? dlsym(library, functions[i].name) : NULL;
		if (!function)
			return -ENOENT;
		memcpy(functions[i].place, &function, sizeof(function));
	}
	return 0;
}

static int weir_kdump_page(struct weir_dump *dump, u64 pfn, void *page)
{
	size_t len = WEIR_PAGE;

	(void)dump;
	if (pfn >= weir_kdump.frames)
		return -ENODATA;
	if (weir_kdump.read(weir_kdump.ctx, KDUMP_MACHPHYSADDR, pfn * WEIR_PAGE, page, &len) == KDUMP_OK &&
	    len == WEIR_PAGE)
		return 0;
	weir_kdump.clear_err(weir_kdump.ctx);
	return -ENODATA;
}

static u64 weir_kdump_next(struct weir_dump *dump, u64 pfn)
{
	(void)dump;
	return pfn < weir_kdump.frames ? pfn : WEIR_NOWHERE;
}

static void weir_kdump_close(struct weir_dump *dump)
{
	(void)dump;
	weir_kdump.destroy(weir_kdump.ctx);
}

static int weir_kdump_start(int fd)
{
	kdump_attr_t file = { .type = KDUMP_NUMBER, .val.number = (kdump_num_t)fd };
	kdump_attr_t frames = { .type = KDUMP_NUMBER };

	if (weir_kdump.set(weir_kdump.ctx, KDUMP_ATTR_FILE_FD, &file) != KDUMP_OK ||
	    weir_kdump.get(weir_kdump.ctx, "max_pfn", &frames) != KDUMP_OK)
		return -EINVAL;
	weir_kdump.frames = min((u64)frames.val.number, WEIR_KDUMP_FRAMES);
	return 0;
}

int weir_dump_kdump(struct weir_dump *dump, const char **why)
{
	*why = "not an ELF dump, and " WEIR_KDUMP_LIBRARY " cannot be loaded";
	if (weir_kdump_load())
		return -ENOENT;
	*why = "neither an ELF dump nor one that libkdumpfile understands";
	weir_kdump.ctx = weir_kdump.create();
	if (!weir_kdump.ctx)
		return -ENOMEM;
	if (weir_kdump_start(dump->fd)) {
		weir_kdump.destroy(weir_kdump.ctx);
		return -EINVAL;
	}
	dump->page = weir_kdump_page;
	dump->next = weir_kdump_next;
	dump->close = weir_kdump_close;
	return 0;
}
#else
int weir_dump_kdump(struct weir_dump *dump, const char **why)
{
	(void)dump;
	*why = "not an ELF dump, and weir was built without libkdumpfile";
	return -EOPNOTSUPP;
}
#endif
