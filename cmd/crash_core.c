// SPDX-License-Identifier: GPL-2.0-only
/*
 * crash_core: the kernel module's rings in a dump. From the anchor page on everything is page frame numbers
 * (abi.h, "crash anchor"): no address of the dead kernel is looked at.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../fs/registry.h"
#include "cmd_i.h"
#include "crash_i.h"

#define WEIR_CACHE 512u /* pages that were read lately */
#define WEIR_CPUS_MAX 8192u

struct weir_core {
	struct weir_dump dump;
	const char *path, *dir;
	struct weir_anchor anchor;
	u64 epochs[WEIR_SLOTS];
	struct weir_extract_count *count;
	struct {
		u64 pfn; /* 0: nothing */
		u8 page[WEIR_PAGE];
	} cache[WEIR_CACHE];
};

/* ---- pages and tables of pages ----------------------------------------------------------------*/

/* NULL: it is not there. Good until the next call. */
static const u8 *weir_core_page(struct weir_core *core, u64 pfn)
{
	u64 n = pfn % WEIR_CACHE;

	if (core->cache[n].pfn != pfn || !pfn) {
		core->cache[n].pfn = 0;
		if (!pfn || core->dump.page(&core->dump, pfn, core->cache[n].page))
			return NULL;
		core->cache[n].pfn = pfn;
	}
	return core->cache[n].page;
}

/* The frame of a table's page: 0 a hole, WEIR_NOWHERE the table itself is damaged. */
static u64 weir_core_frame(struct weir_core *core, const struct weir_anchor_table *table, u64 index)
{
	u64 pfn = table->pfn, step = 1, level;
	const u8 *page;

	if (table->levels > 2 || index >= table->pages)
		return WEIR_NOWHERE;
	for (level = 0; level < table->levels; level++)
		step *= WEIR_ANCHOR_FANOUT;
	if (index >= step)
		return WEIR_NOWHERE;
	while (step > 1 && pfn) {
		step /= WEIR_ANCHOR_FANOUT;
		page = weir_core_page(core, pfn);
		if (!page)
			return WEIR_NOWHERE;
		memcpy(&pfn, page + index / step % WEIR_ANCHOR_FANOUT * sizeof(pfn), sizeof(pfn));
	}
	return pfn;
}

/* Bytes of what a table lists; returns how many were not there. Holes are zeros. */
static size_t weir_core_read(struct weir_core *core, const struct weir_anchor_table *table, u64 offset, void *dst,
			     size_t len)
{
	size_t missing = 0, in, n;
	const u8 *page;
	u64 pfn;

	for (; len; offset += n, dst = (u8 *)dst + n, len -= n) {
		in = offset % WEIR_PAGE;
		n = min(len, WEIR_PAGE - in);
		pfn = weir_core_frame(core, table, offset / WEIR_PAGE);
		page = pfn == WEIR_NOWHERE ? NULL : weir_core_page(core, pfn);
		if (page) {
			memcpy(dst, page + in, n);
			continue;
		}
		memset(dst, 0, n);
		missing += pfn ? n : 0;
	}
	return missing;
}

/* ---- a process, or the kernel -----------------------------------------------------------------*/

struct weir_core_source {
	struct weir_core *core;
	struct weir_anchor_source anchor;
};

static size_t weir_core_process(void *priv, u64 offset, void *dst, size_t len)
{
	struct weir_core_source *source = priv;

	return weir_core_read(source->core, &source->anchor.process, offset, dst, len);
}

static bool weir_core_find_ring(struct weir_core_source *source, unsigned int slot, unsigned int cpu,
				struct weir_anchor_ring *ring)
{
	u64 index = weir_ring_index(source->core->anchor.nr_cpus, slot, cpu);

	return !weir_core_read(source->core, &source->anchor.rings,
			       index / WEIR_ANCHOR_RINGS * WEIR_PAGE + index % WEIR_ANCHOR_RINGS * sizeof(*ring),
			       ring, sizeof(*ring));
}

static size_t weir_core_ring(void *priv, unsigned int slot, unsigned int cpu, u64 offset, void *dst, size_t len)
{
	struct weir_core_source *source = priv;
	struct weir_anchor_ring ring;

	if (weir_core_find_ring(source, slot, cpu, &ring))
		return weir_core_read(source->core, &ring.pages, offset, dst, len);
	memset(dst, 0, len);
	return len;
}

static u64 weir_core_epoch(void *priv, unsigned int slot, unsigned int cpu)
{
	struct weir_anchor_ring ring;

	return weir_core_find_ring(priv, slot, cpu, &ring) ? ring.epoch : 0;
}

static const struct weir_extract_ops weir_core_ops = {
	.process = weir_core_process,
	.ring = weir_core_ring,
	.epoch = weir_core_epoch,
};

static int weir_core_extract(struct weir_core *core, const struct weir_anchor_source *anchor)
{
	struct weir_core_source source = { core, *anchor };
	char comm[sizeof(anchor->comm) + 1] = "";
	struct weir_extract_source from = {
		.ops = &weir_core_ops,
		.priv = &source,
		.comm = comm,
		.pid = anchor->pid,
		.uid = anchor->uid,
		.kernel = anchor->id == WEIR_DEV_KERNEL_ID,
		.ring_stride = anchor->ring_stride,
	};

	memcpy(comm, anchor->comm, sizeof(anchor->comm));
	return weir_extract(&from, core->epochs, core->dir, core->count);
}

static bool weir_core_source_sane(const struct weir_core *core, const struct weir_anchor_source *source, u64 pfn)
{
	return source->magic == WEIR_ANCHOR_SOURCE_MAGIC && source->self == pfn &&
	       source->nr_cpus == core->anchor.nr_cpus;
}

/* A page that is none is one more damage; one whose magic is 0 was going. */
static int weir_core_sources(struct weir_core *core)
{
	struct weir_anchor_source source;
	const u8 *page;
	u64 i, pfn;
	int err = 0;

	for (i = 0; !err && i < core->anchor.sources.pages && i < WEIR_ANCHOR_SOURCES; i++) {
		pfn = weir_core_frame(core, &core->anchor.sources, i);
		if (!pfn)
			continue;
		page = pfn == WEIR_NOWHERE ? NULL : weir_core_page(core, pfn);
		if (page)
			memcpy(&source, page, sizeof(source));
		if (page && weir_core_source_sane(core, &source, pfn))
			err = weir_core_extract(core, &source);
		else if (!page || source.magic)
			core->count->damaged++;
	}
	return err;
}

/* ---- the anchor -------------------------------------------------------------------------------*/

static bool weir_core_anchor_sane(const struct weir_anchor *anchor, u64 pfn)
{
	return anchor->magic[0] == ~WEIR_ANCHOR_MAGIC0 && anchor->magic[1] == ~WEIR_ANCHOR_MAGIC1 && anchor->self == pfn &&
	       anchor->version == WEIR_ANCHOR_VERSION && anchor->abi_version == WEIR_ABI_VERSION &&
	       anchor->page_shift == 12 && anchor->nr_cpus && anchor->nr_cpus <= WEIR_CPUS_MAX;
}

/* The slots' traces. A control that cannot be read leaves each source to its rings. */
static void weir_core_epochs(struct weir_core *core, struct weir_clock *clock)
{
	struct weir_control *control = malloc(sizeof(*control));
	const struct weir_config *config;
	unsigned int i;

	if (!control)
		return;
	core->count->missing += weir_core_read(core, &core->anchor.control, 0, control, sizeof(*control));
	config = &control->copy[control->sequence & 1];
	if (control->magic == WEIR_CONTROL_MAGIC && control->version == WEIR_ABI_VERSION) {
		*clock = config->clock;
		for (i = 0; i < WEIR_SLOTS; i++)
			core->epochs[i] = config->slot[i].epoch;
	} else {
		core->count->damaged++;
	}
	free(control);
}

/* What metadata says of the machine that died. */
static void weir_core_machine(struct weir_core *core)
{
	struct weir_daemon *daemon = &weir_daemon;
	const struct weir_anchor *anchor = &core->anchor;
	u64 uuid[2] = { anchor->realtime * 0x9e3779b97f4a7c15ull, anchor->self ^ 0xbf58476d1ce4e5b9ull };

	daemon->nr_cpus = anchor->nr_cpus;
	weir_core_epochs(core, &daemon->clock);
	daemon->clock_name = daemon->clock.type == WEIR_CLOCK_TSC ? "tsc" : "monotonic";
	daemon->clock_offset = anchor->realtime;
	memcpy(daemon->clock_uuid, uuid, sizeof(uuid));
	memcpy(daemon->hostname, anchor->nodename, min(sizeof(anchor->nodename), sizeof(daemon->hostname) - 1));
}

/* Of an earlier load of the module a page may be left over: the one with the newest clock is the last. */
static bool weir_core_find(struct weir_core *core)
{
	bool found = false;
	u64 pfn;

	for (pfn = core->dump.next(&core->dump, 1); pfn != WEIR_NOWHERE; pfn = core->dump.next(&core->dump, pfn + 1)) {
		struct weir_anchor anchor;
		u8 page[WEIR_PAGE];

		if (core->dump.page(&core->dump, pfn, page))
			continue;
		memcpy(&anchor, page, sizeof(anchor));
		if (!weir_core_anchor_sane(&anchor, pfn))
			continue;
		if (!found || anchor.realtime >= core->anchor.realtime)
			core->anchor = anchor;
		found = true;
	}
	return found;
}

static int weir_core_run(struct weir_core *core)
{
	int err;

	if (!weir_core_find(core))
		return weir_fail_why(core->path, "weir's module was not in this machine, or its anchor page is not in the dump");
	weir_core_machine(core);
	err = weir_core_sources(core);
	errno = -err;
	return err ? weir_fail("%s", core->dir) : 0;
}

int weir_crash_core(const char *path, const char *dir, struct weir_extract_count *count)
{
	struct weir_core *core = calloc(1, sizeof(*core));
	const char *why;
	int err = core ? weir_dump_open(&core->dump, path, dir, &why) : -ENOMEM;

	if (err) {
		free(core);
		errno = -err;
		return err != -ENOMEM && why ? weir_fail_why(path, why) : weir_fail("%s", path);
	}
	core->path = path;
	core->dir = dir;
	core->count = count;
	err = weir_core_run(core);
	weir_dump_close(&core->dump);
	free(core);
	return err;
}
