/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the sub-commands share. Each main gets `weir NAME` as argv[0] and returns 0, 1 (failed)
 * or 2 (usage).
 */
#ifndef WEIR_CMD_I_H
#define WEIR_CMD_I_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define WEIR_MOUNT_DEFAULT "/mnt/traces"
#ifndef ARRAY_SIZE
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#endif

int weir_mount_main(int argc, char **argv); /* fs/main.c */
int weir_umount_main(int argc, char **argv);
int weir_record_main(int argc, char **argv);
int weir_run_main(int argc, char **argv);
int weir_status_main(int argc, char **argv);
int weir_crash_main(int argc, char **argv);
int weir_snapshot_main(int argc, char **argv);

/* $WEIR_MOUNT or the default. */
const char *weir_mountpoint(void);

/* Prints `weir: WHAT: strerror(errno)`, returns 1. */
int weir_fail(const char *what, ...) __attribute__((format(printf, 1, 2)));
/* Prints `weir: WHAT: WHY`, returns 1. */
int weir_fail_why(const char *what, const char *why);
/* Prints `usage: weir TEXT`: asked for, on stdout, and returns 0; else on stderr, and returns 2. */
int weir_usage(bool asked, const char *text);
/* The sub-command has names and no option but --help. -1: `least` to `most` of them follow argv[optind]; else as weir_usage(). */
int weir_names(int argc, char **argv, int least, int most, const char *text);

/* ---- files.c: small files ---------------------------------------------------------------------*/

/* The mount point's directory, for the paths below; -1 after having printed why. */
int weir_open_mount(void);
/* Reads the file, NUL-terminated; a newline at its end is cut. To be freed; NULL with errno. */
char *weir_read_file(int dir, const char *path);
/* One write(2) of the whole text: 0 or -errno. */
int weir_write_file(int dir, const char *path, const char *text);
/* Something about `what` was refused with `err`: prints what the mount says about it, returns 1. */
int weir_fail_rejected(int mount, const char *what, int err);

/* ---- preload.c --------------------------------------------------------------------------------*/

/*
 * The value of LD_PRELOAD that traces a program: what is there already, libweir, and the preload
 * libraries named in `list` (comma-separated, or NULL). To be freed; NULL after having printed why.
 */
char *weir_ld_preload(const char *list);

#endif /* WEIR_CMD_I_H */
