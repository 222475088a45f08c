// SPDX-License-Identifier: LGPL-2.1-only
/* latch: see weir_latch.h. */
#include "weir_latch.h"

/* Stores what differs, a word at a time: a reader's cache lines stay where nothing changed. */
static void weir_latch_copy(struct weir_config *dst, const struct weir_config *src)
{
	u64 *to = (u64 *)dst;
	const u64 *from = (const u64 *)src;
	size_t i;

	for (i = 0; i < sizeof(*dst) / sizeof(*to); i++)
		if (to[i] != from[i])
			WRITE_ONCE(to[i], from[i]);
}

void weir_latch_publish(struct weir_control *control, const struct weir_config *config)
{
	u64 odd = control->sequence | 1;

	smp_store_release(&control->sequence, odd); /* latch:D */
	smp_wmb();				    /* latch:A */
	weir_latch_copy(&control->copy[0], config);
	smp_store_release(&control->sequence, odd + 1); /* latch:B */
	smp_wmb();					/* latch:C */
	weir_latch_copy(&control->copy[1], config);
	smp_store_release(&control->generation, /* latch:E */
			  (control->generation + WEIR_GENERATION_STEP) & ~(u64)(WEIR_GENERATION_STEP - 1));
}

void weir_latch_repair(struct weir_control *control)
{
	if (!(control->sequence & 1))
		weir_latch_copy(&control->copy[1], &control->copy[0]);
}
