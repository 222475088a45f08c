// SPDX-License-Identifier: GPL-2.0-only
/*
 * run_cases: the shared cases under cmocka, one test a case, as TAP.
 */
#include <setjmp.h>
#include <stdint.h>
#include "cases.h"
#include <cmocka.h>

#define RUN_CASES_MAX 256

static const struct weir_case *const run_cases_tables[] = {
	weir_relay_cases,
	weir_packet_cases,
	weir_ring_cases,
};

void weir_case_failed(const char *what, const char *file, int line)
{
	print_error("%s:%d: expected %s\n", file, line, what);
	_fail(file, line);
}

static void run_cases_one(void **state)
{
	const struct weir_case *test = *state;

	test->run();
}

int main(void)
{
	static struct CMUnitTest tests[RUN_CASES_MAX];
	size_t table, count = 0;

	for (table = 0; table < ARRAY_SIZE(run_cases_tables); table++) {
		const struct weir_case *row = run_cases_tables[table];

		for (; row->name && count < RUN_CASES_MAX; row++)
			tests[count++] = (struct CMUnitTest){
				.name = row->name,
				.test_func = run_cases_one,
				.initial_state = (void *)row,
			};
	}
	cmocka_set_message_output(CM_OUTPUT_TAP);
	return _cmocka_run_group_tests("cases", tests, count, NULL, NULL);
}
