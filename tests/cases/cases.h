/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cases: tests of the core, written once and run in both worlds: by cmocka in user space
 * (tests/unit/run_cases.c), by a test module in the kernel. So a case uses the core and nothing else, and
 * keeps large things off the stack.
 *
 *	WEIR_CASE(some_feature)
 *	{
 *		WEIR_EXPECT(2 + 2 == 4);
 *	}
 *
 *	const struct weir_case weir_some_cases[] = {
 *		WEIR_CASE_ROW(some_feature),
 *		{},
 *	};
 *
 * A failed expectation ends its case; what the case holds is not freed then.
 */
#ifndef WEIR_CASES_H
#define WEIR_CASES_H

#include "env.h"

struct weir_case {
	const char *name; /* NULL ends a table */
	void (*run)(void);
};

/* The runner's: records that the case that runs has failed. */
void weir_case_failed(const char *what, const char *file, int line);

#define WEIR_CASE(name) static void weir_case_##name(void)
#define WEIR_CASE_ROW(name)             \
	{                               \
#name, weir_case_##name \
	}
#define WEIR_EXPECT(cond)                                            \
	do {                                                         \
		if (!(cond)) {                                       \
			weir_case_failed(#cond, __FILE__, __LINE__); \
			return;                                      \
		}                                                    \
	} while (0)

extern const struct weir_case weir_relay_cases[];
extern const struct weir_case weir_packet_cases[];
extern const struct weir_case weir_ring_cases[];
extern const struct weir_case weir_nest_cases[]; /* kmod/test/nest.c */

#endif /* WEIR_CASES_H */
