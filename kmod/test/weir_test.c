// SPDX-License-Identifier: GPL-2.0-only
/*
 * weir_test: the shared cases (tests/cases) and the kernel's writer's (nest.c) in the kernel, once, when it is loaded. Says KTAP, version 1, in the
 * kernel's log. One that fails makes loading fail.
 */
#include <linux/module.h>

#include "cases.h"

static bool fail;
module_param(fail, bool, 0);
MODULE_PARM_DESC(fail, "one more case, which fails: shows that loading does, too");

static void weir_test_fails(void)
{
	if (fail)
		weir_case_failed("this case to be asked for", __FILE__, __LINE__);
}

static const struct weir_case weir_fail_cases[] = {
	{ "fails if it is asked to", weir_test_fails },
	{},
};

static const struct {
	const char *name;
	const struct weir_case *cases;
} weir_test_tables[] = {
	{ "relay", weir_relay_cases },
	{ "packet", weir_packet_cases },
	{ "ring", weir_ring_cases },
	{ "nest", weir_nest_cases },
	{ "fail", weir_fail_cases },
};

static bool weir_test_failed;

void weir_case_failed(const char *what, const char *file, int line)
{
	pr_info("    # %s:%d: expected %s\n", file, line, what);
	weir_test_failed = true;
}

static unsigned int weir_test_count(const struct weir_case *row)
{
	unsigned int n = 0;

	while (row[n].name)
		n++;
	return n;
}

/* Returns how many failed. */
static unsigned int weir_test_table(const struct weir_case *row)
{
	unsigned int n, failed = 0;

	pr_info("    KTAP version 1\n");
	pr_info("    1..%u\n", weir_test_count(row));
	for (n = 1; row->name; row++, n++) {
		weir_test_failed = false;
		row->run();
		failed += weir_test_failed;
		pr_info("    %s %u %s\n", weir_test_failed ? "not ok" : "ok", n, row->name);
	}
	return failed;
}

static int __init weir_test_init(void)
{
	unsigned int n, all = 0;

	pr_info("KTAP version 1\n");
	pr_info("1..%zu\n", ARRAY_SIZE(weir_test_tables));
	for (n = 0; n < ARRAY_SIZE(weir_test_tables); n++) {
		unsigned int failed = weir_test_table(weir_test_tables[n].cases);

		pr_info("%s %u %s\n", failed ? "not ok" : "ok", n + 1, weir_test_tables[n].name);
		all += failed;
	}
	return all ? -EINVAL : 0;
}

static void __exit weir_test_exit(void)
{
}

module_init(weir_test_init);
module_exit(weir_test_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("weir: the core's test cases in the kernel");
