/* SPDX-License-Identifier: GPL-2.0-only */
/* raw_irq.h: the record that tests/kmod/raw_irq.c and its module write. One that was torn does not fit its sum. */
#ifndef WEIR_TEST_RAW_IRQ_H
#define WEIR_TEST_RAW_IRQ_H

#define RAW_USER 1
#define RAW_KERNEL 2

struct raw_record {
	__u64 word; /* who << 56 | number */
	__u64 mixed[5];
};

static inline void raw_record_fill(struct raw_record *r, __u64 who, __u64 number)
{
	int i;

	r->word = who << 56 | number;
	for (i = 0; i < 5; i++)
		r->mixed[i] = (r->word + i) * 0x9e3779b97f4a7c15ull;
}

#endif /* WEIR_TEST_RAW_IRQ_H */
