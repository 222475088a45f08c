/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * latch: how the tracing control (abi.h) is published, by the daemon and by the kernel module, so that a process finds a
 * whole copy whenever it looks, also after the writer was killed in the middle:
 *
 *   sequence odd   copy 0 is being written, readers use copy 1
 *   sequence even  copy 1 may be being written, readers use copy 0
 *
 *   latch:A / read:B     odd before the first byte of copy 0
 *   latch:B / read:A     bytes of copy 0 before even
 *   latch:C / read:B     even before the first byte of copy 1
 *   latch:D / read:A     bytes of copy 1 before the next odd
 *   latch:E / reload:E   everything before the generation that makes sites look
 *
 * The reader: read:A loads the sequence (acquire), copies, read:B (read barrier) loads the sequence again. Its three tries
 * are in lib/client/reload.c.
 */
#ifndef WEIR_LATCH_H
#define WEIR_LATCH_H

#include "env.h"

/*
 * weir_latch_publish: `config` is what processes find from now on. One writer at a time. An odd sequence was left by one that
 * was killed: copy 0 is written once more, nobody reads it.
 */
void weir_latch_publish(struct weir_control *control, const struct weir_config *config);

/* Copy 1 is as copy 0 again: the next odd sequence sends readers there. Before anything is published. */
void weir_latch_repair(struct weir_control *control);

#endif /* WEIR_LATCH_H */
