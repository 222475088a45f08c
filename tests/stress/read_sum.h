/* SPDX-License-Identifier: GPL-2.0-only */
/* read_sum: the checksum that every event of these tests carries as its last field, over the bytes of all the
 * others as they stand in the record. */
#ifndef READ_SUM_H
#define READ_SUM_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t read_sum(const void *bytes, size_t len)
{
	const unsigned char *p = bytes;
	uint64_t sum = len, word;

	for (; len; p += sizeof(word), len -= sizeof(word)) {
		word = 0;
		memcpy(&word, p, len < sizeof(word) ? len : sizeof(word));
		sum = (sum ^ word) * 0x9e3779b97f4a7c15ull;
		sum ^= sum >> 29;
		if (len < sizeof(word))
			break;
	}
	return sum;
}

#endif /* READ_SUM_H */
