/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * crash, inside: what a dump or a process is read by. Whatever is read may be damaged, or hostile.
 */
#ifndef WEIR_CRASH_I_H
#define WEIR_CRASH_I_H

#include "../fs/extract.h"

#define WEIR_PAGE 4096u
#define WEIR_NOWHERE (~0ull)

/* ---- dump.c: a dump of a machine's memory by page frame numbers -------------------------------*/

struct weir_dump {
	int fd;
	/* 0; -ENODATA: the page is not in the dump; -errno */
	int (*page)(struct weir_dump *dump, u64 pfn, void *page);
	/* The first frame from `pfn` on that may be there; WEIR_NOWHERE. */
	u64 (*next)(struct weir_dump *dump, u64 pfn);
	void (*close)(struct weir_dump *dump);
	void *priv;
};

/* `dir`: where a temporary file may be made. 0, or -errno and `why`. */
int weir_dump_open(struct weir_dump *dump, const char *path, const char *dir, const char **why);
void weir_dump_close(struct weir_dump *dump);

/* Each: -EMEDIUMTYPE the file is of another kind. */
int weir_dump_elf(struct weir_dump *dump);		       /* dump_elf.c */
int weir_dump_unflatten(struct weir_dump *dump, const char *dir); /* dump_flat.c: the descriptor becomes another file's */
int weir_dump_kdump(struct weir_dump *dump, const char **why); /* dump_kdump.c */

/* All of [offset, offset + len), or -errno; -ENODATA: the file is shorter. */
int weir_dump_pread(int fd, void *dst, size_t len, u64 offset);

/* ---- crash_core.c, crash_pid.c: 0, or 1 after having printed why ------------------------------*/

int weir_crash_core(const char *path, const char *dir, struct weir_extract_count *count);
int weir_crash_pid(const char *pid, const char *dir, struct weir_extract_count *count);

#endif /* WEIR_CRASH_I_H */
