// SPDX-License-Identifier: GPL-2.0-only
/*
 * Cases of the relay: pages, wrappers, caches, and the self-test with every legal jump.
 *
 * The buffer of most cases: 4 sub-buffers of 4 pages of 256 bytes.
 */
#include "cases.h"
#include "weir_relay.h"

#define FRAME_SHIFT 8
#define SUBBUF_SHIFT 10
#define FRAME ((size_t)1 << FRAME_SHIFT)
#define SUBBUF ((size_t)1 << SUBBUF_SHIFT)
#define BUFFER (4 * SUBBUF)

/* ---- memory that counts what is asked of it ---------------------------------------------------*/

struct memory {
	unsigned int populated, released, refuse_from;
	u8 bytes[BUFFER];
};

static void *memory_populate(void *priv, size_t offset)
{
	struct memory *memory = priv;

	if (memory->populated >= memory->refuse_from)
		return NULL;
	memory->populated++;
	return memory->bytes + offset;
}

static void memory_release(void *priv, void *page)
{
	struct memory *memory = priv;

	(void)page;
	memory->released++;
}

static int memory_write(void *priv, void *page, size_t offset, const void *src, size_t len)
{
	(void)priv;
	memcpy((u8 *)page + (offset & (FRAME - 1)), src, len);
	return 0;
}

static int memory_read(void *priv, void *page, size_t offset, void *dst, size_t len)
{
	(void)priv;
	memcpy(dst, (u8 *)page + (offset & (FRAME - 1)), len);
	return 0;
}

static void *memory_lookup(void *priv, size_t offset)
{
	return ((struct memory *)priv)->bytes + offset;
}

static void *memory_address(void *priv, void *page)
{
	(void)priv;
	return page;
}

static int memory_error(void *priv, void *page, size_t offset, const void *src, size_t len)
{
	(void)priv, (void)page, (void)offset, (void)src, (void)len;
	return -EIO;
}

static const struct weir_relay_ops counting = {
	.populate = memory_populate,
	.release = memory_release,
	.write = memory_write,
	.read = memory_read,
	.address = memory_address,
};

/* As a reader sees memory that somebody else writes: frames are there without having been populated. */
static const struct weir_relay_ops foreign = {
	.populate = memory_populate,
	.lookup = memory_lookup,
	.release = memory_release,
	.write = memory_write,
	.read = memory_read,
};

static const struct weir_relay_ops failing = {
	.populate = memory_populate,
	.release = memory_release,
	.write = memory_error,
	.read = memory_read,
};

struct fixture {
	struct weir_relay relay;
	struct weir_relay_cursor cursor;
	struct memory memory;
	u8 src[BUFFER], dst[BUFFER];
};

static struct fixture *fixture_new(const struct weir_relay_ops *ops)
{
	struct fixture *f = weir_alloc(sizeof(*f));
	size_t i;

	if (!f)
		return NULL;
	f->memory.refuse_from = ~0u;
	for (i = 0; i < BUFFER; i++)
		f->src[i] = (u8)(i * 7 + (i >> 8) + 1);
	memset(f->dst, 0xee, BUFFER);
	if (weir_relay_init(&f->relay, BUFFER, FRAME_SHIFT, SUBBUF_SHIFT, ops, &f->memory)) {
		weir_free(f);
		return NULL;
	}
	return f;
}

static void fixture_free(struct fixture *f)
{
	weir_relay_destroy(&f->relay);
	weir_free(f);
}

/* A write of the source's bytes at `offset`; true if it went through. */
static bool put(struct fixture *f, size_t offset, size_t len)
{
	return !weir_relay_write(&f->relay, offset, f->src + offset, len);
}

/* A read at `offset` that finds the source's bytes. */
static bool get(struct fixture *f, size_t offset, size_t len)
{
	return !weir_relay_read(&f->relay, &f->cursor, offset, f->dst, len) &&
	       !memcmp(f->dst, f->src + offset, len);
}

static bool zeros(const u8 *bytes, size_t len)
{
	while (len--)
		if (*bytes++)
			return false;
	return true;
}

/* ---- pages ------------------------------------------------------------------------------------*/

WEIR_CASE(relay_init)
{
	struct weir_relay relay;
	struct weir_relay_page *page;
	size_t expected = 0;

	WEIR_EXPECT(weir_relay_init(&relay, 0, 8, 10, &counting, NULL) == -EINVAL);
	WEIR_EXPECT(weir_relay_init(&relay, 4096 + 256, 8, 10, &counting, NULL) == -EINVAL);
	WEIR_EXPECT(weir_relay_init(&relay, 4096 + 1024, 11, 10, &counting, NULL) == -EINVAL);
	WEIR_EXPECT(weir_relay_init(&relay, 4096, sizeof(size_t) * 8, 10, &counting, NULL) ==
		    -EINVAL);
	WEIR_EXPECT(weir_relay_init(&relay, 4096, 8, 200, &counting, NULL) == -EINVAL);
	weir_relay_destroy(&relay); /* of one that failed */
	WEIR_EXPECT(!weir_relay_init(&relay, 4096, 8, 10, &counting, NULL));
	list_for_each_entry (page, &relay.pages, list) {
		WEIR_EXPECT(page->offset == expected);
		WEIR_EXPECT(!page->page);
		expected += 256;
	}
	WEIR_EXPECT(expected == 4096);
	weir_relay_destroy(&relay);
	WEIR_EXPECT(list_empty(&relay.pages));
}

WEIR_CASE(relay_lazy_pages)
{
	struct fixture *f = fixture_new(&counting);

	WEIR_EXPECT(f);
	WEIR_EXPECT(!weir_relay_read(&f->relay, &f->cursor, 0, f->dst, BUFFER));
	WEIR_EXPECT(zeros(f->dst, BUFFER));
	WEIR_EXPECT(!weir_relay_header(&f->relay, &f->cursor, 0));
	WEIR_EXPECT(f->memory.populated == 0);
	WEIR_EXPECT(put(f, 0, 8) && put(f, 8, 8));
	WEIR_EXPECT(f->memory.populated == 1);
	WEIR_EXPECT(put(f, 16, 2 * FRAME));
	WEIR_EXPECT(f->memory.populated == 3);
	WEIR_EXPECT(put(f, 16 + 2 * FRAME, FRAME - 16)); /* to the page's last byte, no further */
	WEIR_EXPECT(f->memory.populated == 3);
	memset(f->dst, 0xee, BUFFER);
	WEIR_EXPECT(
		!weir_relay_read(&f->relay, &f->cursor, 0, f->dst, BUFFER)); /* populated and not */
	WEIR_EXPECT(!memcmp(f->dst, f->src, 3 * FRAME));
	WEIR_EXPECT(zeros(f->dst + 3 * FRAME, BUFFER - 3 * FRAME));
	WEIR_EXPECT(f->memory.populated == 3 && f->memory.released == 0);
	weir_relay_destroy(&f->relay);
	WEIR_EXPECT(f->memory.released == 3);
	weir_free(f);
}

WEIR_CASE(relay_large_records)
{
	struct fixture *f = fixture_new(&counting);

	WEIR_EXPECT(f);
	WEIR_EXPECT(put(f, 0, 100));
	WEIR_EXPECT(put(f, 100, 3 * FRAME + 56)); /* ends amid a page */
	WEIR_EXPECT(put(f, 924, SUBBUF));	  /* over a sub-buffer's end */
	WEIR_EXPECT(put(f, 924 + SUBBUF, BUFFER - 924 - SUBBUF));
	WEIR_EXPECT(!memcmp(f->memory.bytes, f->src, BUFFER));
	WEIR_EXPECT(get(f, 0, BUFFER));
	WEIR_EXPECT(get(f, 0, FRAME - 1) && get(f, FRAME - 1, 2) && get(f, FRAME + 1, 700));
	WEIR_EXPECT(f->relay.random == 0);
	fixture_free(f);
}

WEIR_CASE(relay_bounds)
{
	struct fixture *f = fixture_new(&counting);
	size_t most = ~(size_t)0;

	WEIR_EXPECT(f);
	WEIR_EXPECT(weir_relay_write(&f->relay, BUFFER, f->src, 1) == -EINVAL);
	WEIR_EXPECT(weir_relay_write(&f->relay, BUFFER - 7, f->src, 8) == -EINVAL);
	WEIR_EXPECT(weir_relay_write(&f->relay, 0, f->src, BUFFER + 1) == -EINVAL);
	WEIR_EXPECT(weir_relay_write(&f->relay, most - 7, f->src, 8) == -EINVAL);
	WEIR_EXPECT(weir_relay_write(&f->relay, 8, f->src, most - 7) == -EINVAL);
	WEIR_EXPECT(weir_relay_read(&f->relay, &f->cursor, BUFFER, f->dst, 1) == -EINVAL);
	WEIR_EXPECT(weir_relay_read(&f->relay, &f->cursor, most - 7, f->dst, 16) == -EINVAL);
	WEIR_EXPECT(weir_relay_read(&f->relay, &f->cursor, 16, f->dst, most - 7) == -EINVAL);
	WEIR_EXPECT(!weir_relay_header(&f->relay, &f->cursor, BUFFER));
	WEIR_EXPECT(!weir_relay_header(&f->relay, &f->cursor, most - 7));
	WEIR_EXPECT(weir_relay_write(&f->relay, BUFFER + 1, f->src, 0) == -EINVAL);
	WEIR_EXPECT(!weir_relay_write(&f->relay, BUFFER, f->src, 0));
	WEIR_EXPECT(!weir_relay_read(&f->relay, &f->cursor, BUFFER, f->dst, 0));
	WEIR_EXPECT(!f->relay.write && !f->cursor.read && !f->memory.populated && !f->relay.random);
	WEIR_EXPECT(put(f, BUFFER - 8, 8) && get(f, BUFFER - 8, 8));
	fixture_free(f);
}

WEIR_CASE(relay_no_page)
{
	struct fixture *f = fixture_new(&counting);

	WEIR_EXPECT(f);
	f->memory.refuse_from = 0;
	WEIR_EXPECT(weir_relay_write(&f->relay, 0, f->src, 8) == -ENOMEM);
	f->memory.refuse_from = 2; /* the third of three pages: nothing of the record is stored */
	WEIR_EXPECT(weir_relay_write(&f->relay, 0, f->src, 3 * FRAME) == -ENOMEM);
	WEIR_EXPECT(zeros(f->memory.bytes, BUFFER));
	f->memory.refuse_from = ~0u;
	WEIR_EXPECT(put(f, 0, 3 * FRAME) && get(f, 0, 3 * FRAME));
	WEIR_EXPECT(f->memory.populated == 3);
	weir_relay_destroy(&f->relay);
	WEIR_EXPECT(f->memory.released == 3);
	weir_free(f);
}

WEIR_CASE(relay_error_passed_on)
{
	struct fixture *f = fixture_new(&failing);

	WEIR_EXPECT(f);
	WEIR_EXPECT(weir_relay_write(&f->relay, 0, f->src, 3 * FRAME) == -EIO);
	fixture_free(f);
}

WEIR_CASE(relay_borrowed_frames)
{
	struct fixture *f = fixture_new(&foreign);

	WEIR_EXPECT(f);
	memcpy(f->memory.bytes, f->src, BUFFER);
	WEIR_EXPECT(get(f, 0, BUFFER));
	WEIR_EXPECT(!weir_relay_header(&f->relay, &f->cursor, 0)); /* its frames have no address */
	WEIR_EXPECT(f->memory.populated == 0);
	weir_relay_destroy(&f->relay);
	WEIR_EXPECT(f->memory.released == 0);
	weir_free(f);
}

WEIR_CASE(relay_heap)
{
	struct fixture *f = fixture_new(&counting);
	struct weir_relay *relay;

	WEIR_EXPECT(f);
	relay = &f->relay;
	weir_relay_destroy(relay);
	WEIR_EXPECT(!weir_relay_init(relay, BUFFER, FRAME_SHIFT, SUBBUF_SHIFT, &weir_relay_heap,
				     (void *)(1ul << FRAME_SHIFT)));
	WEIR_EXPECT(put(f, 0, SUBBUF + 300) && put(f, SUBBUF + 300, BUFFER - SUBBUF - 300));
	WEIR_EXPECT(get(f, 0, BUFFER) && get(f, SUBBUF, 2 * SUBBUF));
	WEIR_EXPECT(!memcmp(weir_relay_header(relay, &f->cursor, SUBBUF), f->src + SUBBUF, FRAME));
	fixture_free(f);
}

/* The page size is a parameter: one page for all, a page larger than a sub-buffer, many small ones. */
WEIR_CASE(relay_page_sizes)
{
	struct fixture *f = fixture_new(&counting);
	unsigned int shift;
	size_t at;

	WEIR_EXPECT(f);
	for (shift = 3; shift <= 12; shift++) {
		weir_relay_destroy(&f->relay);
		memset(&f->cursor, 0, sizeof(f->cursor));
		WEIR_EXPECT(!weir_relay_init(&f->relay, BUFFER, shift, SUBBUF_SHIFT,
					     &weir_relay_heap, (void *)(1ul << shift)));
		for (at = 0; at + 40 <= BUFFER; at += 40)
			WEIR_EXPECT(put(f, at, 40));
		for (at = 0; at + 40 <= BUFFER; at += 40)
			WEIR_EXPECT(get(f, at, 40));
		WEIR_EXPECT(f->relay.random == 0);
	}
	fixture_free(f);
}

/* ---- caches -----------------------------------------------------------------------------------*/

WEIR_CASE(relay_caches)
{
	struct fixture *f = fixture_new(&counting);
	struct weir_relay_cursor other = {};

	WEIR_EXPECT(f);
	WEIR_EXPECT(put(f, 0, SUBBUF - 8));
	WEIR_EXPECT(f->relay.write->offset == SUBBUF - FRAME); /* the page of the last byte */
	WEIR_EXPECT(put(f, SUBBUF, 8) && f->relay.write->offset == SUBBUF);
	WEIR_EXPECT(get(f, 0, 300) && f->cursor.read->offset == FRAME);
	WEIR_EXPECT(f->cursor.next == 300);
	/* two contiguous headers stay cached beside each other, and beside the pages read and written */
	WEIR_EXPECT(weir_relay_header(&f->relay, &f->cursor, 0) == f->memory.bytes);
	WEIR_EXPECT(weir_relay_header(&f->relay, &f->cursor, SUBBUF + 48) ==
		    f->memory.bytes + SUBBUF + 48);
	WEIR_EXPECT(f->cursor.header[0]->offset == 0 && f->cursor.header[1]->offset == SUBBUF);
	WEIR_EXPECT(!weir_relay_header(&f->relay, &f->cursor, 2 * SUBBUF));
	WEIR_EXPECT(f->cursor.header[0]->offset == 2 * SUBBUF &&
		    f->cursor.header[1]->offset == SUBBUF);
	WEIR_EXPECT(f->cursor.read->offset == FRAME && f->relay.write->offset == SUBBUF);
	/* a reader's place is its own */
	WEIR_EXPECT(!weir_relay_read(&f->relay, &other, 3 * SUBBUF, f->dst, 8));
	WEIR_EXPECT(f->cursor.read->offset == FRAME && other.read->offset == 3 * SUBBUF);
	WEIR_EXPECT(f->relay.random == 0);
	fixture_free(f);
}

/* A hit and a neighbour touch no page but their own: with the rest of the list cut off, they still work. */
WEIR_CASE(relay_cache_hit)
{
	struct fixture *f = fixture_new(&counting);
	struct weir_relay_page *page;
	struct list_head *next, *prev;

	WEIR_EXPECT(f);
	WEIR_EXPECT(put(f, 0, SUBBUF + 8) && get(f, 0, SUBBUF + 8));
	WEIR_EXPECT(weir_relay_header(&f->relay, &f->cursor, SUBBUF));
	page = f->relay.write;
	WEIR_EXPECT(page->offset == SUBBUF && f->cursor.read == page &&
		    f->cursor.header[1] == page);
	next = page->list.next, prev = page->list.prev;
	page->list.next = page->list.prev = NULL;
	WEIR_EXPECT(put(f, SUBBUF + 8, 8) && get(f, SUBBUF + 8, 8));
	WEIR_EXPECT(weir_relay_header(&f->relay, &f->cursor, SUBBUF + 8) ==
		    f->memory.bytes + SUBBUF + 8);
	page->list.next = next; /* one step ahead */
	page = list_next_entry(page, list);
	next = page->list.next;
	page->list.next = NULL;
	WEIR_EXPECT(put(f, SUBBUF + 16, FRAME) && get(f, SUBBUF + 16, FRAME));
	WEIR_EXPECT(f->relay.write == page && f->cursor.read == page);
	page->list.next = next;
	page = list_prev_entry(page, list);
	page->list.prev = prev;
	fixture_free(f);
}

/* The way round is the shorter one: from the last page to the first, and back, in one step. */
WEIR_CASE(relay_walk_around)
{
	struct fixture *f = fixture_new(&counting);
	struct weir_relay_page *second;
	struct list_head *next;

	WEIR_EXPECT(f);
	WEIR_EXPECT(put(f, BUFFER - 8, 8));
	second = list_next_entry(list_first_entry(&f->relay.pages, struct weir_relay_page, list),
				 list);
	next = second->list.next;
	second->list.next = NULL; /* whoever walks through the middle falls */
	WEIR_EXPECT(put(f, 0, 8) && f->relay.write->offset == 0);
	WEIR_EXPECT(get(f, 0, 8) && get(f, BUFFER - 8, 8) && get(f, 0, 8));
	second->list.next = next;
	fixture_free(f);
}

/* ---- self-test --------------------------------------------------------------------------------*/

WEIR_CASE(relay_random_write)
{
	struct fixture *f = fixture_new(&counting);

	WEIR_EXPECT(f);
	WEIR_EXPECT(put(f, 2 * SUBBUF + 40, 8)); /* the first access may be anywhere */
	WEIR_EXPECT(!f->relay.random && !f->relay.warned);
	WEIR_EXPECT(put(f, 40, 8)); /* another sub-buffer, not its start */
	WEIR_EXPECT(f->relay.random == 1 && f->relay.warned);
	WEIR_EXPECT(put(f, 48, 8) && f->relay.random == 1);
	WEIR_EXPECT(put(f, 3 * SUBBUF, 8)); /* the start of a sub-buffer, but not of the next one */
	WEIR_EXPECT(f->relay.random == 2);
	WEIR_EXPECT(put(f, 2 * SUBBUF + 2 * FRAME + 80, 8)); /* back */
	WEIR_EXPECT(f->relay.random == 3 && f->relay.warned);
	/* and all was done as asked */
	WEIR_EXPECT(get(f, 2 * SUBBUF + 40, 8) && get(f, 40, 16) && get(f, 3 * SUBBUF, 8));
	WEIR_EXPECT(get(f, 2 * SUBBUF + 2 * FRAME + 80, 8));
	fixture_free(f);
}

/* Over bytes ahead in the same sub-buffer: once is a nested writer's right, twice is a habit. */
WEIR_CASE(relay_random_skips)
{
	struct fixture *f = fixture_new(&counting);

	WEIR_EXPECT(f);
	WEIR_EXPECT(put(f, SUBBUF, 8));
	WEIR_EXPECT(put(f, SUBBUF + 2 * FRAME, 8));
	WEIR_EXPECT(f->relay.random == 0);
	WEIR_EXPECT(put(f, 2 * SUBBUF, 8));
	WEIR_EXPECT(put(f, 2 * SUBBUF + 2 * FRAME, 8));
	WEIR_EXPECT(f->relay.random == 1);
	fixture_free(f);
}

WEIR_CASE(relay_random_read)
{
	struct fixture *f = fixture_new(&counting);
	struct weir_relay_cursor other = {};

	WEIR_EXPECT(f);
	WEIR_EXPECT(put(f, 0, BUFFER));
	WEIR_EXPECT(get(f, SUBBUF + 520, 8)); /* first */
	WEIR_EXPECT(f->relay.random == 0);
	WEIR_EXPECT(get(f, 3 * SUBBUF + 40, 8));
	WEIR_EXPECT(f->relay.random == 1 && f->relay.warned);
	WEIR_EXPECT(get(f, 3 * SUBBUF + 40 + 2 * FRAME, 8) && f->relay.random == 2);
	WEIR_EXPECT(get(f, 40, 8) && f->relay.random == 3);
	/* another reader's place has nothing to do with it, nor with the writer's */
	WEIR_EXPECT(!weir_relay_read(&f->relay, &other, 2 * SUBBUF + 600, f->dst, 8));
	WEIR_EXPECT(f->relay.random == 3);
	fixture_free(f);
}

WEIR_CASE(relay_random_header)
{
	struct fixture *f = fixture_new(&counting);
	size_t at = SUBBUF + FRAME;

	WEIR_EXPECT(f);
	WEIR_EXPECT(put(f, 0, BUFFER));
	WEIR_EXPECT(weir_relay_header(&f->relay, &f->cursor, SUBBUF + FRAME - 1) &&
		    !f->relay.random);
	WEIR_EXPECT(weir_relay_header(&f->relay, &f->cursor, at) == f->memory.bytes + at);
	WEIR_EXPECT(f->relay.random == 1 && f->relay.warned);
	fixture_free(f);
}

/* Laps of records with switches, headers completed, and readers: nothing of that is random. */
WEIR_CASE(relay_legal_laps)
{
	static const size_t lens[] = { 24, 8, 61, 300, 16, 700 };
	struct fixture *f = fixture_new(&counting);
	size_t at = 88, len;
	unsigned int i;

	WEIR_EXPECT(f);
	WEIR_EXPECT(put(f, 0, 88));
	for (i = 0; i < 200; i++) {
		len = lens[i % ARRAY_SIZE(lens)];
		at = (at + 7) & ~(size_t)7;
		if ((at & (SUBBUF - 1)) + len > SUBBUF || !(at & (SUBBUF - 1))) {
			size_t old = (at - 1) & ~(SUBBUF - 1);

			WEIR_EXPECT(put(f, old + 40, 16)); /* complete the old packet's header */
			at = (old + SUBBUF) & (BUFFER - 1);
			WEIR_EXPECT(put(f, at, 88));
			WEIR_EXPECT(!weir_relay_read(&f->relay, &f->cursor, old, f->dst, SUBBUF));
			at += 88;
		}
		WEIR_EXPECT(put(f, at, len) && get(f, at, len));
		at += len;
		WEIR_EXPECT(f->relay.random == 0);
	}
	fixture_free(f);
}

WEIR_CASE(relay_legal_next_subbuf)
{
	struct fixture *f = fixture_new(&counting);

	WEIR_EXPECT(f);
	WEIR_EXPECT(put(f, 0, 8) && put(f, SUBBUF, 8));		       /* from the first page */
	WEIR_EXPECT(put(f, SUBBUF + 8, 500) && put(f, 2 * SUBBUF, 8)); /* from the second */
	WEIR_EXPECT(put(f, 2 * SUBBUF + 8, SUBBUF - 8));	       /* full to its last byte */
	WEIR_EXPECT(put(f, 3 * SUBBUF, 8) && put(f, 0, 8)); /* the last one, early; wrap */
	WEIR_EXPECT(f->relay.random == 0);
	fixture_free(f);
}

WEIR_CASE(relay_legal_wrap)
{
	struct fixture *f = fixture_new(&counting);

	WEIR_EXPECT(f);
	WEIR_EXPECT(put(f, 0, BUFFER) && put(f, 0, 600)); /* round the end */
	WEIR_EXPECT(put(f, 600, SUBBUF) && put(f, 0, 8)); /* a reset, from anywhere */
	WEIR_EXPECT(put(f, 8, 8));
	WEIR_EXPECT(get(f, SUBBUF, BUFFER - SUBBUF) && get(f, 0, 8) && get(f, 8, 8));
	WEIR_EXPECT(f->relay.random == 0);
	fixture_free(f);
}

WEIR_CASE(relay_legal_alignment)
{
	struct fixture *f = fixture_new(&counting);

	WEIR_EXPECT(f);
	WEIR_EXPECT(put(f, 0, SUBBUF - 5) && put(f, SUBBUF, 2 * FRAME + 1));
	WEIR_EXPECT(put(f, SUBBUF + 2 * FRAME + 8, 9));
	WEIR_EXPECT(put(f, SUBBUF + 2 * FRAME + 24, 3 * FRAME));
	WEIR_EXPECT(f->relay.random == 0 && f->relay.gap == BUFFER);
	fixture_free(f);
}

WEIR_CASE(relay_legal_reader_seeks)
{
	struct fixture *f = fixture_new(&counting);

	WEIR_EXPECT(f);
	WEIR_EXPECT(put(f, 0, BUFFER));
	WEIR_EXPECT(get(f, 3 * SUBBUF, 600) && get(f, SUBBUF, 8) && get(f, 0, 8));
	WEIR_EXPECT(get(f, 2 * SUBBUF, 3) && get(f, 2 * SUBBUF + 8, 8)); /* on, aligned */
	WEIR_EXPECT(get(f, SUBBUF, 8) && get(f, 3 * SUBBUF, SUBBUF) && get(f, 0, 40));
	WEIR_EXPECT(weir_relay_header(&f->relay, &f->cursor, 3 * SUBBUF));
	WEIR_EXPECT(weir_relay_header(&f->relay, &f->cursor, SUBBUF));
	WEIR_EXPECT(weir_relay_header(&f->relay, &f->cursor, 0));
	WEIR_EXPECT(f->relay.random == 0);
	fixture_free(f);
}

/* Small records: the outer writer has reserved [48, 96), the nested one goes before it. */
WEIR_CASE(relay_legal_nested_small)
{
	struct fixture *f = fixture_new(&counting);

	WEIR_EXPECT(f);
	WEIR_EXPECT(put(f, 0, 48));
	WEIR_EXPECT(put(f, 96, 2 * FRAME) && put(f, 96 + 2 * FRAME, 80)); /* nested, twice */
	WEIR_EXPECT(put(f, 48, 8) && put(f, 56, 40));			  /* outer, in pieces */
	WEIR_EXPECT(put(f, 176 + 2 * FRAME, 8));			  /* the next record */
	WEIR_EXPECT(put(f, SUBBUF, 8));
	WEIR_EXPECT(f->relay.random == 0 && f->relay.gap == BUFFER);
	WEIR_EXPECT(get(f, 0, 184 + 2 * FRAME));
	fixture_free(f);
}

/* Three levels: what comes back a little does not move the place where sequential writing goes on. */
WEIR_CASE(relay_legal_nested_twice)
{
	struct fixture *f = fixture_new(&counting);

	WEIR_EXPECT(f);
	WEIR_EXPECT(put(f, 0, 48) && put(f, 144, 8));
	WEIR_EXPECT(put(f, 96, 48) && f->relay.next == 152);
	WEIR_EXPECT(put(f, 48, 48) && f->relay.next == 152);
	WEIR_EXPECT(put(f, 152, 600) && put(f, SUBBUF, 8));
	WEIR_EXPECT(f->relay.random == 0);
	fixture_free(f);
}

/* Records larger than a page, the outer one not begun, begun, and again in the next sub-buffer. */
WEIR_CASE(relay_legal_nested_large)
{
	struct fixture *f = fixture_new(&counting);
	size_t at;

	WEIR_EXPECT(f);
	for (at = 0; at < BUFFER; at += SUBBUF) {
		WEIR_EXPECT(put(f, at, 40));
		WEIR_EXPECT(put(f, at + 640, 300)); /* nested: [40, 640) is the outer one's */
		WEIR_EXPECT(put(f, at + 40, 8) && put(f, at + 48, 592));
		WEIR_EXPECT(put(f, at + 940, 4));
		WEIR_EXPECT(f->relay.random == 0);
	}
	for (at = 0; at < BUFFER; at += SUBBUF) {
		WEIR_EXPECT(put(f, at, 40) && put(f, at + 40, 8));
		WEIR_EXPECT(put(f, at + 640, 300)); /* nested: [48, 640) is still to come */
		WEIR_EXPECT(put(f, at + 48, 592));
		WEIR_EXPECT(put(f, at + 944, 4));
		WEIR_EXPECT(f->relay.random == 0);
	}
	WEIR_EXPECT(get(f, 40, 900));
	fixture_free(f);
}

/* The nested writer did not fit, switched, and went on for pages; the outer one comes back. */
WEIR_CASE(relay_legal_nested_switch)
{
	struct fixture *f = fixture_new(&counting);

	WEIR_EXPECT(f);
	WEIR_EXPECT(put(f, 0, 600));
	WEIR_EXPECT(put(f, 40, 8) && put(f, SUBBUF, 88) && put(f, SUBBUF + 88, 600)); /* nested */
	WEIR_EXPECT(put(f, 600, 80));						      /* outer */
	WEIR_EXPECT(put(f, SUBBUF + 688, 100) && put(f, 2 * SUBBUF, 8));
	WEIR_EXPECT(f->relay.random == 0);
	WEIR_EXPECT(get(f, 0, 680) && get(f, SUBBUF, 788));
	fixture_free(f);
}

/* A page that is touched has its frame before anything is written, once; it is no access. */
WEIR_CASE(relay_touch)
{
	struct fixture *f = fixture_new(&counting);
	struct weir_relay_cursor cursor = { 0 };

	WEIR_EXPECT(f);
	WEIR_EXPECT(weir_relay_touch(&f->relay, &cursor, 5 * FRAME + 3) == f->memory.bytes + 5 * FRAME);
	WEIR_EXPECT(weir_relay_touch(&f->relay, &cursor, 5 * FRAME) == f->memory.bytes + 5 * FRAME);
	WEIR_EXPECT(weir_relay_touch(&f->relay, &cursor, FRAME) == f->memory.bytes + FRAME);
	WEIR_EXPECT(f->memory.populated == 2);
	WEIR_EXPECT(!weir_relay_touch(&f->relay, &cursor, BUFFER));
	f->memory.refuse_from = 2;
	WEIR_EXPECT(!weir_relay_touch(&f->relay, &cursor, 0));
	WEIR_EXPECT(weir_relay_touch(&f->relay, &cursor, FRAME));
	f->memory.refuse_from = ~0u;
	WEIR_EXPECT(put(f, 0, 8) && f->memory.populated == 3 && f->relay.random == 0);
	fixture_free(f);
}

/* A frame that is taken away is whole; what is written and read afterwards is the new one's. */
WEIR_CASE(relay_exchange)
{
	static u8 other[FRAME];
	struct fixture *f = fixture_new(&counting);
	struct weir_relay_cursor cursor = { 0 };
	u8 *old;

	WEIR_EXPECT(f);
	WEIR_EXPECT(put(f, 0, 2 * FRAME));
	memset(other, 0, sizeof(other));
	old = weir_relay_exchange(&f->relay, &cursor, FRAME, other);
	WEIR_EXPECT(old == f->memory.bytes + FRAME && !memcmp(old, f->src + FRAME, FRAME));
	WEIR_EXPECT(!weir_relay_read(&f->relay, &f->cursor, FRAME, f->dst, FRAME));
	WEIR_EXPECT(!memcmp(f->dst, other, FRAME));
	WEIR_EXPECT(put(f, 2 * FRAME, 8) && put(f, FRAME + 8, 16));
	WEIR_EXPECT(!memcmp(other + 8, f->src + FRAME + 8, 16) && !memcmp(old, f->src + FRAME, FRAME));
	WEIR_EXPECT(!weir_relay_exchange(&f->relay, &cursor, 8 * FRAME, other)); /* not populated */
	WEIR_EXPECT(!weir_relay_exchange(&f->relay, &cursor, BUFFER, other));
	WEIR_EXPECT(f->memory.populated == 3);
	fixture_free(f);
}

const struct weir_case weir_relay_cases[] = {
	WEIR_CASE_ROW(relay_init),
	WEIR_CASE_ROW(relay_lazy_pages),
	WEIR_CASE_ROW(relay_large_records),
	WEIR_CASE_ROW(relay_bounds),
	WEIR_CASE_ROW(relay_no_page),
	WEIR_CASE_ROW(relay_error_passed_on),
	WEIR_CASE_ROW(relay_borrowed_frames),
	WEIR_CASE_ROW(relay_heap),
	WEIR_CASE_ROW(relay_page_sizes),
	WEIR_CASE_ROW(relay_caches),
	WEIR_CASE_ROW(relay_cache_hit),
	WEIR_CASE_ROW(relay_touch),
	WEIR_CASE_ROW(relay_exchange),
	WEIR_CASE_ROW(relay_walk_around),
	WEIR_CASE_ROW(relay_random_write),
	WEIR_CASE_ROW(relay_random_skips),
	WEIR_CASE_ROW(relay_random_read),
	WEIR_CASE_ROW(relay_random_header),
	WEIR_CASE_ROW(relay_legal_laps),
	WEIR_CASE_ROW(relay_legal_next_subbuf),
	WEIR_CASE_ROW(relay_legal_wrap),
	WEIR_CASE_ROW(relay_legal_alignment),
	WEIR_CASE_ROW(relay_legal_reader_seeks),
	WEIR_CASE_ROW(relay_legal_nested_small),
	WEIR_CASE_ROW(relay_legal_nested_twice),
	WEIR_CASE_ROW(relay_legal_nested_large),
	WEIR_CASE_ROW(relay_legal_nested_switch),
	{},
};
