// SPDX-License-Identifier: LGPL-2.1-only
/*
 * stage: strings and sequences on their way into a record.
 *
 * A site stages on its own stack, with WEIR_STAGE_ROOM bytes for what varies. What does not fit moves to one
 * of a few larger stages; when all are taken, or WEIR_RECORD_MAX is not enough, the event is lost. Their pages
 * are touched only when they are used. Each has its owner's name on it, by which a fork child knows those that
 * nobody will give back.
 *
 *   give:A / take:A   the last access to a stage, before it is nobody's; it is somebody's before the next one
 */
#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif
#include "client_i.h"

#define WEIR_STAGES 16
#define WEIR_STAGE_RESERVE (8 * WEIR_FIELDS_MAX + 32) /* for the fixed fields after a string, and padding */
#define WEIR_STAGE_LARGE (WEIR_RECORD_MAX + WEIR_STAGE_HEAD + WEIR_STAGE_RESERVE)

static char weir_stages[WEIR_STAGES][WEIR_STAGE_LARGE] __attribute__((aligned(64)));
static void *weir_stage_owner[WEIR_STAGES]; /* a thread's TLS; NULL: nobody's */

static int weir_stage_take(void)
{
	void *nobody;
	int n;

	for (n = 0; n < WEIR_STAGES; n++) {
		nobody = NULL;
		if (!READ_ONCE(weir_stage_owner[n]) &&
		    __atomic_compare_exchange_n(&weir_stage_owner[n], &nobody, &weir_client_thread, 0,
						__ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) /* take:A */
			return n;
	}
	return -1;
}

void weir_stage_release(struct weir_cursor *cursor)
{
	size_t n = (size_t)(cursor->stage - weir_stages[0]) / WEIR_STAGE_LARGE;

	__atomic_store_n(&weir_stage_owner[n], NULL, __ATOMIC_RELEASE); /* give:A */
}

/* In a fork child: this thread's are all that is in use, below a handler that forked. */
void weir_stages_forked(void)
{
	int n;

	for (n = 0; n < WEIR_STAGES; n++)
		if (weir_stage_owner[n] != &weir_client_thread)
			weir_stage_owner[n] = NULL;
}

/* Bytes that may still be staged for fields that vary. A cursor in a larger stage has no limit of its own. */
static size_t weir_stage_room(const struct weir_cursor *cursor)
{
	const char *limit = cursor->limit ? cursor->limit : cursor->stage + WEIR_STAGE_LARGE - WEIR_STAGE_RESERVE;

	return limit > cursor->p ? (size_t)(limit - cursor->p) : 0;
}

/* Moves to a larger stage. False: there is none, or this is one already; the event is lost. */
static bool weir_stage_grow(struct weir_cursor *cursor)
{
	size_t len = (size_t)(cursor->p - cursor->stage);
	int n = cursor->limit && !cursor->lost ? weir_stage_take() : -1;

	if (n < 0) {
		cursor->lost = 1;
		return false;
	}
	memcpy(weir_stages[n], cursor->stage, len);
	cursor->stage = weir_stages[n];
	cursor->p = cursor->stage + len;
	cursor->limit = NULL;
	return true;
}

/* A word has a zero byte (Mycroft): its lowest set bit is in the first one. */
static inline u64 weir_zero_byte(u64 word)
{
	return (word - 0x0101010101010101ull) & ~word & 0x8080808080808080ull;
}

/*
 * Copies up to and with the NUL; returns the bytes copied, or 0 if there is none within `room`. Every byte is
 * read once, so the length is that of the copy even while somebody changes the string. Words are read aligned:
 * they may reach beyond the string, never into another page. May write up to 16 bytes beyond what it returns.
 */
__attribute__((no_sanitize("address"), no_sanitize("thread"))) static size_t weir_copy_string(char *dst, const char *s,
											      size_t room)
{
	size_t n = 0;
	u64 word, zero;

	while ((uintptr_t)(s + n) & 7) {
		if (n == room)
			return 0;
		dst[n] = *(const volatile char *)(s + n);
		if (!dst[n++])
			return n;
	}
	while (n < room) {
#ifdef __SSE2__
		if (!((uintptr_t)(s + n) & 15)) {
			__m128i wide = _mm_load_si128((const __m128i *)(s + n));
			int mask;

			__asm__ __volatile__("" : "+x"(wide)); /* loaded once */
			mask = _mm_movemask_epi8(_mm_cmpeq_epi8(wide, _mm_setzero_si128()));
			_mm_storeu_si128((__m128i *)(dst + n), wide);
			if (mask) {
				n += (size_t)__builtin_ctz((unsigned int)mask) + 1;
				return n <= room ? n : 0;
			}
			n += 16;
			continue;
		}
#endif
		word = *(const volatile u64 __attribute__((may_alias)) *)(s + n);
		memcpy(dst + n, &word, sizeof(word));
		zero = weir_zero_byte(word);
		if (zero) {
			n += (size_t)__builtin_ctzll(zero) / 8 + 1;
			return n <= room ? n : 0;
		}
		n += 8;
	}
	return 0;
}

/* A field of type WEIR_TYPE_STR. NULL is recorded as "(null)". */
void weir_client_string(struct weir_cursor *cursor, const char *s)
{
	size_t n;

	if (!s)
		s = "(null)";
	n = weir_copy_string(cursor->p, s, weir_stage_room(cursor));
	if (unlikely(!n) && weir_stage_grow(cursor))
		n = weir_copy_string(cursor->p, s, weir_stage_room(cursor));
	if (unlikely(!n))
		cursor->lost = 1;
	cursor->p += n;
}

/* A field of type WEIR_TYPE_BYTES or WEIR_TYPE_TEXT: u16 length, then as many bytes. */
void weir_client_bytes(struct weir_cursor *cursor, const void *p, size_t n)
{
	u16 len = (u16)n;

	if (!p)
		len = 0;
	else if (n > UINT16_MAX)
		cursor->lost = 1;
	if (cursor->lost || (weir_stage_room(cursor) < sizeof(len) + len && !weir_stage_grow(cursor)))
		return;
	if (weir_stage_room(cursor) < sizeof(len) + len) {
		cursor->lost = 1;
		return;
	}
	memcpy(cursor->p, &len, sizeof(len));
	memcpy(cursor->p + sizeof(len), p ? p : "", len);
	cursor->p += sizeof(len) + len;
}
