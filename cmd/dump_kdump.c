// SPDX-License-Identifier: GPL-2.0-only
/* dump_kdump: makedumpfile's compressed dumps, by libkdumpfile where it was found. */
#include <errno.h>

#include "crash_i.h"

#ifdef HAVE_LIBKDUMPFILE
#include <libkdumpfile/kdumpfile.h>

#define WEIR_KDUMP_FRAMES (1ull << 34)

struct weir_kdump {
	kdump_ctx_t *ctx;
	u64 frames;
};

static struct weir_kdump weir_kdump;

static int weir_kdump_page(struct weir_dump *dump, u64 pfn, void *page)
{
	size_t len = WEIR_PAGE;

	(void)dump;
	if (pfn >= weir_kdump.frames)
		return -ENODATA;
	if (kdump_read(weir_kdump.ctx, KDUMP_MACHPHYSADDR, pfn * WEIR_PAGE, page, &len) == KDUMP_OK && len == WEIR_PAGE)
		return 0;
	kdump_clear_err(weir_kdump.ctx);
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
	kdump_free(weir_kdump.ctx);
}

int weir_dump_kdump(struct weir_dump *dump, const char **why)
{
	kdump_num_t frames = 0;

	weir_kdump.ctx = kdump_new();
	if (!weir_kdump.ctx)
		return -ENOMEM;
	if (kdump_set_number_attr(weir_kdump.ctx, KDUMP_ATTR_FILE_FD, (kdump_num_t)dump->fd) != KDUMP_OK ||
	    kdump_get_number_attr(weir_kdump.ctx, "max_pfn", &frames) != KDUMP_OK) {
		kdump_free(weir_kdump.ctx);
		*why = "neither an ELF dump nor one that libkdumpfile understands";
		return -EINVAL;
	}
	weir_kdump.frames = min((u64)frames, WEIR_KDUMP_FRAMES);
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
