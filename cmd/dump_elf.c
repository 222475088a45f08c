// SPDX-License-Identifier: GPL-2.0-only
/*
 * dump_elf: an ELF core file of a machine, /proc/vmcore's or QEMU's. Of its header little is believed: QEMU writes
 * an e_ehsize of 8 and does not align what follows. Segments are where e_phoff says.
 */
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "crash_i.h"

#define WEIR_SEGMENTS_MAX (1u << 20)

struct weir_segment {
	u64 first, end; /* frames */
	u64 offset;	/* of the first one's bytes in the file */
};

struct weir_elf {
	size_t nr, last; /* the last one that was hit */
	struct weir_segment segment[];
};

static struct weir_segment *weir_elf_segment(struct weir_elf *elf, u64 pfn)
{
	size_t i;

	if (elf->nr && pfn >= elf->segment[elf->last].first && pfn < elf->segment[elf->last].end)
		return &elf->segment[elf->last];
	for (i = 0; i < elf->nr; i++) {
		if (pfn >= elf->segment[i].first && pfn < elf->segment[i].end) {
			elf->last = i;
			return &elf->segment[i];
		}
	}
	return NULL;
}

static int weir_elf_page(struct weir_dump *dump, u64 pfn, void *page)
{
	const struct weir_segment *segment = weir_elf_segment(dump->priv, pfn);

	if (!segment)
		return -ENODATA;
	return weir_dump_pread(dump->fd, page, WEIR_PAGE, segment->offset + (pfn - segment->first) * WEIR_PAGE);
}

static u64 weir_elf_next(struct weir_dump *dump, u64 pfn)
{
	struct weir_elf *elf = dump->priv;
	u64 next = WEIR_NOWHERE;
	size_t i;

	if (weir_elf_segment(elf, pfn))
		return pfn;
	for (i = 0; i < elf->nr; i++)
		if (elf->segment[i].first >= pfn && elf->segment[i].first < elf->segment[i].end)
			next = min(next, elf->segment[i].first);
	return next;
}

static void weir_elf_close(struct weir_dump *dump)
{
	free(dump->priv);
}

/* Whole pages of a segment, as far as the file goes. */
static void weir_elf_add(struct weir_elf *elf, const Elf64_Phdr *ph, u64 file_size)
{
	u64 skip = -ph->p_paddr & (WEIR_PAGE - 1), size, pages;

	if (ph->p_type != PT_LOAD || ph->p_offset >= file_size || ph->p_paddr > 1ull << 62)
		return;
	size = min(ph->p_filesz, file_size - ph->p_offset);
	pages = size > skip ? (size - skip) / WEIR_PAGE : 0;
	if (!pages)
		return;
	elf->segment[elf->nr++] = (struct weir_segment){
		.first = (ph->p_paddr + skip) / WEIR_PAGE,
		.end = (ph->p_paddr + skip) / WEIR_PAGE + pages,
		.offset = ph->p_offset + skip,
	};
}

/* More than 65534 are counted in the first section header. */
static int weir_elf_count(int fd, const Elf64_Ehdr *eh, u64 *nr)
{
	Elf64_Shdr sh;
	int err = 0;

	*nr = eh->e_phnum;
	if (eh->e_phnum == PN_XNUM) {
		err = weir_dump_pread(fd, &sh, sizeof(sh), eh->e_shoff);
		*nr = err ? 0 : sh.sh_info;
	}
	if (!err && (!*nr || *nr > WEIR_SEGMENTS_MAX || eh->e_phentsize != sizeof(Elf64_Phdr) || eh->e_phoff > 1ull << 62))
		err = -EINVAL;
	return err;
}

int weir_dump_elf(struct weir_dump *dump)
{
	struct weir_elf *elf;
	Elf64_Ehdr eh;
	Elf64_Phdr ph;
	struct stat st;
	u64 nr = 0, i;
	int err;

	err = weir_dump_pread(dump->fd, &eh, sizeof(eh), 0);
	if (err || memcmp(eh.e_ident, ELFMAG, SELFMAG))
		return -EMEDIUMTYPE;
	if (eh.e_ident[EI_CLASS] != ELFCLASS64 || eh.e_ident[EI_DATA] != ELFDATA2LSB)
		return -EINVAL;
	err = fstat(dump->fd, &st) ? -errno : weir_elf_count(dump->fd, &eh, &nr);
	if (err)
		return err;
	elf = malloc(sizeof(*elf) + nr * sizeof(elf->segment[0]));
	if (!elf)
		return -ENOMEM;
	elf->nr = elf->last = 0;
	for (i = 0; i < nr && !weir_dump_pread(dump->fd, &ph, sizeof(ph), eh.e_phoff + i * sizeof(ph)); i++)
		weir_elf_add(elf, &ph, (u64)st.st_size);
	dump->priv = elf;
	dump->page = weir_elf_page;
	dump->next = weir_elf_next;
	dump->close = weir_elf_close;
	return 0;
}
