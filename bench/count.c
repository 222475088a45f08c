// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench/count: one loop of events after the other, for callgrind to count instructions. Run by
 * bench/compare.sh.
 *
 * valgrind does not know rseq(2), so that libweir would take its locked ring. But with one thread,
 * which a section need not be restarted for, the area that the C library would have registered is
 * all that matters: this program writes there what the kernel would have, and the sections run as
 * they are.
 */
#include <sys/rseq.h>
#include <valgrind/callgrind.h>
#include <weir/trace.h>
#include "bench.h"

#define EVENTS 20000u

#define LOOP(name, statement)                            \
	static __attribute__((noinline)) void name(void) \
	{                                                \
		uint64_t i;                              \
                                                         \
		for (i = 0; i < EVENTS; i++) {           \
			statement;                       \
			barrier();                       \
		}                                        \
	}

static char text[] = "0123456789abcdefghijklmnopqrstu"; /* 31 and the NUL */

LOOP(loop_empty, __asm__ volatile("" : : "r"(i)))
LOOP(loop_off, weir_trace(off, pair, i, i * 3))
LOOP(loop_0, weir_trace(bench, none))
LOOP(loop_12, weir_trace(bench, num, (uint32_t)i, i * 3))
LOOP(loop_16, weir_trace(bench, pair, i, i * 3))
LOOP(loop_48, weir_trace(bench, six, i, i * 3, i * 5, i * 7, i * 9, i * 11))
LOOP(loop_string, weir_trace(bench, str, (uint32_t)i, i * 3, text))

static const struct {
	const char *name;
	void (*loop)(void);
} questions[] = {
	{ "empty", loop_empty },
	{ "disabled", loop_off },
	{ "0", loop_0 },
	{ "12", loop_12 },
	{ "16", loop_16 },
	{ "48", loop_48 },
	{ "12+string32", loop_string },
};

int main(void)
{
	struct rseq *rseq = (struct rseq *)((char *)__builtin_thread_pointer() + __rseq_offset);
	unsigned int i;

	if ((int32_t)rseq->cpu_id >= 0) {
		fputs("bench/count runs under callgrind\n", stderr);
		return 1;
	}
	rseq->cpu_id_start = rseq->cpu_id = 0;
	for (i = 0; i < sizeof(questions) / sizeof(questions[0]); i++) {
		questions[i].loop(); /* pages, the match of the site */
		CALLGRIND_ZERO_STATS;
		CALLGRIND_TOGGLE_COLLECT;
		questions[i].loop();
		CALLGRIND_TOGGLE_COLLECT;
		CALLGRIND_DUMP_STATS_AT(questions[i].name);
	}
	printf("%u\n", EVENTS);
	return 0;
}
