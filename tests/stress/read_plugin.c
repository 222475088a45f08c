// SPDX-License-Identifier: GPL-2.0-only
/* read_plugin: an object with events of its own. Copies of it have other events: the tests replace the name, which
 * keeps its length. */
#include <weir/trace.h>

#include "read_sum.h"

struct read_part {
	uint32_t thread;
	uint64_t seq;
	uint32_t extra;
} __attribute__((packed));

#define PLUGIN_EVENT(name, extra_)                                                                       \
	do {                                                                                             \
		struct read_part part = { thread, ++*seq, extra_ };                                      \
		weir_trace_fields(plugin, name, weir_u32(thread, part.thread), weir_u64(seq, part.seq),  \
				  weir_u32(extra, part.extra), weir_u64(sum, read_sum(&part, sizeof(part)))); \
	} while (0)

/* Three events; `seq` is the calling thread's. */
void plugin_fire(uint32_t thread, uint64_t *seq)
{
	PLUGIN_EVENT(number_00000_a, 1);
	PLUGIN_EVENT(number_00000_b, 2);
	PLUGIN_EVENT(number_00000_c, 3);
}
