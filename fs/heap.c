// SPDX-License-Identifier: GPL-2.0-only
/*
 * heap: what was freed in pieces goes back to the system. glibc gives back the end of an arena, no
 * holes, and has up to eight arenas a CPU. Sooner or later each of them serves a snapshot of
 * hundreds of processes, and something small lives on behind it: what was needed for a moment would
 * be held for ever, once in each arena (150 MiB after ten minutes of snapshots, on two CPUs). So
 * when more is resident than in use, by more than the last time could not give back, the holes are
 * given back.
 */
#include <malloc.h>

#include "tree_i.h"

#define WEIR_HEAP_HELD (8u << 20) /* bytes that are not worth it */

/* Resident, not in files; 0: not known. */
static size_t weir_heap_resident(void)
{
	unsigned long resident = 0, shared = 0;
	FILE *file = fopen("/proc/self/statm", "re");

	if (!file)
		return 0;
	if (fscanf(file, "%*u %lu %lu", &resident, &shared) != 2)
		resident = shared;
	fclose(file);
	return (resident - shared) * (size_t)sysconf(_SC_PAGESIZE);
}

/* Resident, and in nobody's use: free pieces, and what does not change much, stacks and the like. */
static size_t weir_heap_unused(void)
{
	const struct mallinfo2 info = mallinfo2();
	size_t resident = weir_heap_resident(), used = info.uordblks + info.hblkhd;

	return resident > used ? resident - used : 0;
}

/* Context: one thread. Walks all arenas: now and then. */
void weir_heap_sweep(void)
{
	static size_t rest; /* after the last time, or less: it cannot be given back */
	size_t unused = weir_heap_unused();

	rest = min(rest, unused);
	if (unused - rest <= WEIR_HEAP_HELD)
		return;
	malloc_trim(0);
	rest = weir_heap_unused();
}
