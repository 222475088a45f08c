// SPDX-License-Identifier: GPL-2.0-only
/*
 * mkdump FILE: a dump of a machine's memory as the kernel module leaves it, in the kind of ELF that QEMU writes
 * (e_ehsize 8, nothing aligned): an anchor, the kernel's own events on CPU 0, a process with two CPUs whose rings
 * have turned over, and one that has recorded nothing. Frames are scattered. Prints, as a shell's assignments, where
 * things are in the file.
 */
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weir_ring.h"
#include "weir_schema.h"

#define FRAMES 4096u
#define FIRST 0x100u /* frame of the segment's first page */
#define CPUS 2u
#define PAGE 4096u
#define EPOCH(n) weir_epoch_make(n, 12, 2, 0)
#define STRIDE (1u << 20)

static u8 memory[FRAMES][PAGE];
static u32 taken;
static const u64 file_offset = 0x2b1; /* of the first page: unaligned */

static u64 where(u64 pfn)
{
	return file_offset + (pfn - FIRST) * PAGE;
}

/* Scattered: each number once, since 2731 has no common divisor with 4096. */
static u64 frame(void)
{
	if (taken == FRAMES)
		exit(1);
	return FIRST + (u64)taken++ * 2731 % FRAMES;
}

static void *at(u64 pfn)
{
	return memory[pfn - FIRST];
}

/* A table of two levels' worth of generality: one page, or a page of frame numbers. */
static struct weir_anchor_table table(u32 pages)
{
	struct weir_anchor_table t = { frame(), pages, pages > 1 };
	u32 i;

	for (i = 0; t.levels && i < pages; i++)
		((u64 *)at(t.pfn))[i] = frame();
	return t;
}

static u64 table_frame(const struct weir_anchor_table *t, u64 index)
{
	return t->levels ? ((u64 *)at(t->pfn))[index] : t->pfn;
}

static void table_write(const struct weir_anchor_table *t, u64 offset, const void *src, size_t len)
{
	const u8 *p = src;

	for (; len; len--, offset++)
		((u8 *)at(table_frame(t, offset / PAGE)))[offset % PAGE] = *p++;
}

/* ---- a source ---------------------------------------------------------------------------------*/

static void describe(struct weir_anchor_source *source, const char *event)
{
	static const char *const names[] = { "n" };
	static const u8 types[] = { WEIR_TYPE_U64 };
	struct weir_process process = { .magic = WEIR_PROCESS_MAGIC, .version = WEIR_ABI_VERSION, .nr_cpus = CPUS };
	u64 desc[64];
	int size = weir_desc_write(desc, sizeof(desc), event, 1, names, types);

	process.ring_stride = STRIDE;
	process.schema_bytes = (u64)size;
	table_write(&source->process, 0, &process, sizeof(process));
	table_write(&source->process, weir_schema_offset(CPUS), desc, (size_t)size);
}

static u64 make_source(struct weir_anchor_source *source, u64 id, s32 pid, const char *comm)
{
	u64 rings = (weir_ring_index(CPUS, WEIR_SLOTS, 0) + WEIR_ANCHOR_RINGS - 1) / WEIR_ANCHOR_RINGS;

	*source = (struct weir_anchor_source){ .magic = WEIR_ANCHOR_SOURCE_MAGIC,
					       .self = frame(),
					       .id = id,
					       .pid = pid,
					       .nr_cpus = CPUS,
					       .ring_stride = STRIDE };
	memcpy(source->comm, comm, strlen(comm));
	source->process = table((u32)(weir_schema_offset(CPUS) + WEIR_SCHEMA_SIZE) / PAGE);
	source->rings = table((u32)rings);
	memcpy(at(source->self), source, sizeof(*source));
	return source->self;
}

static void *heap_populate(void *priv, size_t offset)
{
	return (u8 *)priv + offset;
}

static void heap_release(void *priv, void *page)
{
	(void)priv;
	(void)page;
}

static int heap_write(void *priv, void *page, size_t offset, const void *src, size_t len)
{
	(void)page;
	memcpy((u8 *)priv + offset, src, len);
	return 0;
}

static void *heap_address(void *priv, void *page)
{
	(void)priv;
	return page;
}

static const struct weir_relay_ops heap = {
	.populate = heap_populate,
	.release = heap_release,
	.write = heap_write,
	.address = heap_address,
};

/* `count` events numbered from 0; returns the frame of the ring's page 1. */
static u64 record(struct weir_anchor_source *source, unsigned int cpu, u64 epoch, u64 count)
{
	size_t size = weir_epoch_ring_size(epoch);
	u64 index = weir_ring_index(CPUS, 0, cpu), n, event[2];
	struct weir_anchor_ring made = { .epoch = epoch, .pages = table((u32)(size / PAGE)) };
	struct weir_ring ring = { 0 };
	struct weir_relay relay;
	u8 *bytes = calloc(1, size);

	if (weir_relay_init(&relay, size, weir_epoch_ring_shift(epoch), weir_epoch_subbuf_shift(epoch), &heap, bytes))
		exit(1);
	for (n = 0; n < count; n++) {
		event[0] = (1000000 + n * 10 + cpu) << WEIR_TIME_SHIFT;
		event[1] = n;
		weir_ring_append_locked(&ring, &relay, epoch, cpu, 1000000 + n * 10 + cpu, event, sizeof(event));
	}
	weir_relay_destroy(&relay);
	table_write(&source->process, WEIR_RINGS_OFFSET + index * sizeof(ring), &ring, sizeof(ring));
	table_write(&source->rings, index / WEIR_ANCHOR_RINGS * PAGE + index % WEIR_ANCHOR_RINGS * sizeof(made), &made,
		    sizeof(made));
	table_write(&made.pages, 0, bytes, size);
	free(bytes);
	return table_frame(&made.pages, 1);
}

/* ---- the machine ------------------------------------------------------------------------------*/

static struct weir_anchor_table make_control(u64 epoch)
{
	struct weir_anchor_table t = table(sizeof(struct weir_control) / PAGE);
	struct weir_control *control = calloc(1, sizeof(*control));

	control->magic = WEIR_CONTROL_MAGIC;
	control->version = WEIR_ABI_VERSION;
	control->copy[0].slot[0].epoch = epoch;
	table_write(&t, 0, control, sizeof(*control));
	free(control);
	return t;
}

static void make_anchor(struct weir_anchor *anchor)
{
	anchor->magic[0] = ~WEIR_ANCHOR_MAGIC0;
	anchor->magic[1] = ~WEIR_ANCHOR_MAGIC1;
	anchor->self = frame();
	anchor->version = WEIR_ANCHOR_VERSION;
	anchor->abi_version = WEIR_ABI_VERSION;
	anchor->page_shift = 12;
	anchor->nr_cpus = CPUS;
	anchor->realtime = 1700000000ll * 1000000000;
	strcpy(anchor->nodename, "gone");
}

static int save(const char *path)
{
	Elf64_Ehdr eh = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
			  .e_type = ET_CORE,
			  .e_machine = EM_X86_64,
			  .e_phoff = 0x47,
			  .e_ehsize = 8,
			  .e_phentsize = sizeof(Elf64_Phdr),
			  .e_phnum = 2 };
	Elf64_Phdr ph[2] = { { .p_type = PT_NOTE },
			     { .p_type = PT_LOAD,
			       .p_offset = file_offset,
			       .p_paddr = (u64)FIRST * PAGE,
			       .p_filesz = sizeof(memory),
			       .p_memsz = sizeof(memory) } };
	FILE *file = fopen(path, "we");
	int bad = !file || fwrite(&eh, sizeof(eh), 1, file) != 1 || fseek(file, (long)eh.e_phoff, SEEK_SET) ||
		  fwrite(ph, sizeof(ph), 1, file) != 1 || fseek(file, (long)file_offset, SEEK_SET) ||
		  fwrite(memory, sizeof(memory), 1, file) != 1;

	return !file || fclose(file) || bad;
}

int main(int argc, char **argv)
{
	struct weir_anchor_source kernel, web, idle;
	static struct weir_anchor anchor;
	u64 *list, page;

	if (argc != 2)
		return 2;
	make_anchor(&anchor);
	anchor.control = make_control(EPOCH(7));
	anchor.sources = table(4);
	list = at(anchor.sources.pfn);
	list[0] = make_source(&kernel, WEIR_DEV_KERNEL_ID, 0, "kernel");
	list[1] = 0;
	list[2] = make_source(&web, 5, 812, "we/b");
	list[3] = make_source(&idle, 6, 813, "idle");
	describe(&kernel, "kernel:tick");
	describe(&web, "web:request");
	describe(&idle, "idle:nothing");
	record(&kernel, 0, EPOCH(7), 500);
	page = record(&web, 0, EPOCH(7), 5000);
	record(&web, 1, EPOCH(7), 3000);
	record(&idle, 0, EPOCH(3), 10);
	memcpy(at(anchor.self), &anchor, sizeof(anchor));
	printf("anchor=%llu control=%llu sources=%llu kernel=%llu web=%llu web_page=%llu web_process=%llu\n",
	       where(anchor.self), where(table_frame(&anchor.control, 0)), where(anchor.sources.pfn), where(kernel.self),
	       where(web.self), where(page), where(table_frame(&web.process, 0)));
	return save(argv[1]);
}
