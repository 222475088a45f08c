// SPDX-License-Identifier: GPL-2.0-only
/*
 * relay_user: what of the relay can only be tried in user space. Descriptors that cannot be allocated, the
 * text of the warning, a sparse file behind the pages, a reader that runs beside the writer.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "env.h"
#include <cmocka.h>

static size_t allocations_left = SIZE_MAX;
static unsigned int allocations, warnings;

static void *test_alloc_some(size_t size)
{
	if (!allocations_left)
		return NULL;
	allocations_left--;
	allocations++;
	return calloc(1, size);
}

static void test_free_some(void *p)
{
	allocations -= !!p;
	free(p);
}

#undef weir_alloc
#define weir_alloc(size) test_alloc_some(size)
#undef weir_free
#define weir_free(p) test_free_some(p)
#undef weir_warn
#define weir_warn(...) ((void)printf("# " __VA_ARGS__), (void)puts(""), warnings++)
#include "../../lib/core/relay.c"
#include "../../lib/core/relay_heap.c"
#include "../../lib/core/relay_pages.c"

#define PAGE_SHIFT 12
#define SUBBUF_SHIFT 14
#define SIZE ((size_t)1 << 16)

static void descriptors_cannot_be_had(void **state)
{
	struct weir_relay relay;
	size_t left;

	(void)state;
	for (left = 0; left < SIZE >> PAGE_SHIFT; left++) {
		allocations_left = left;
		assert_int_equal(weir_relay_init(&relay, SIZE, PAGE_SHIFT, SUBBUF_SHIFT,
						 &weir_relay_heap, (void *)(1ul << PAGE_SHIFT)),
				 -ENOMEM);
		assert_int_equal(allocations, 0);
		weir_relay_destroy(&relay);
	}
	allocations_left = SIZE_MAX;
}

static void heap_frames_cannot_be_had(void **state)
{
	struct weir_relay relay;
	char record[2 << PAGE_SHIFT] = { 1, 2, 3 };

	(void)state;
	assert_int_equal(weir_relay_init(&relay, SIZE, PAGE_SHIFT, SUBBUF_SHIFT, &weir_relay_heap,
					 (void *)(1ul << PAGE_SHIFT)),
			 0);
	allocations_left = 1;
	assert_int_equal(weir_relay_write(&relay, 8, record, sizeof(record)), -ENOMEM);
	allocations_left = SIZE_MAX;
	assert_int_equal(weir_relay_write(&relay, 8, record, sizeof(record)), 0);
	weir_relay_destroy(&relay);
	assert_int_equal(allocations, 0);
}

static void warns_once(void **state)
{
	struct weir_relay relay;
	struct weir_relay_cursor cursor = {};
	char byte = 1;

	(void)state;
	warnings = 0;
	assert_int_equal(weir_relay_init(&relay, SIZE, 6, 12, &weir_relay_heap, (void *)64ul), 0);
	assert_int_equal(weir_relay_write(&relay, 0, &byte, 1), 0);
	assert_int_equal(warnings, 0);
	assert_int_equal(weir_relay_write(&relay, 9000, &byte, 1), 0);
	assert_int_equal(warnings, 1);
	assert_int_equal(weir_relay_write(&relay, 300, &byte, 1), 0);
	assert_int_equal(weir_relay_read(&relay, &cursor, 0, &byte, 1), 0);
	assert_int_equal(weir_relay_read(&relay, &cursor, 9000, &byte, 1), 0);
	assert_non_null(weir_relay_header(&relay, &cursor, 9000));
	assert_int_equal(warnings, 1);
	assert_int_equal(relay.random, 4);
	weir_relay_destroy(&relay);
}

/* ---- a sparse file: how the daemon reads rings ------------------------------------------------*/

static int file_of(void *priv)
{
	return *(int *)priv;
}

static void *file_extent(void *priv, size_t offset)
{
	(void)offset;
	return priv; /* any token: the offset says all */
}

static void file_release(void *priv, void *page)
{
	(void)priv;
	(void)page;
}

static int file_write(void *priv, void *page, size_t offset, const void *src, size_t len)
{
	(void)page;
	return pwrite(file_of(priv), src, len, (off_t)offset) == (ssize_t)len ? 0 : -EIO;
}

static int file_read(void *priv, void *page, size_t offset, void *dst, size_t len)
{
	(void)page;
	return pread(file_of(priv), dst, len, (off_t)offset) == (ssize_t)len ? 0 : -EIO;
}

static const struct weir_relay_ops file_ops = {
	.populate = file_extent,
	.lookup = file_extent,
	.release = file_release,
	.write = file_write,
	.read = file_read,
};

static blkcnt_t file_blocks(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return st.st_blocks;
}

static void sparse_file(void **state)
{
	struct weir_relay_cursor cursor = {};
	struct weir_relay relay;
	static char all[SIZE], page[1 << PAGE_SHIFT];
	int fd = memfd_create("relay", MFD_CLOEXEC);
	blkcnt_t one;
	size_t i;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, SIZE), 0);
	assert_int_equal(weir_relay_init(&relay, SIZE, PAGE_SHIFT, SUBBUF_SHIFT, &file_ops, &fd),
			 0);
	memset(all, 0xee, SIZE);
	assert_int_equal(weir_relay_read(&relay, &cursor, 0, all, SIZE), 0);
	for (i = 0; i < SIZE; i++)
		assert_int_equal(all[i], 0);
	assert_int_equal(file_blocks(fd), 0); /* holes stay holes */
	memset(page, 'w', sizeof(page));
	assert_int_equal(weir_relay_write(&relay, 0, page, sizeof(page)), 0);
	one = file_blocks(fd);
	assert_true(one > 0);
	assert_int_equal(weir_relay_read(&relay, &cursor, 0, all, SIZE), 0);
	assert_memory_equal(all, page, sizeof(page));
	assert_int_equal(file_blocks(fd), one);
	assert_null(weir_relay_header(&relay, &cursor, 0));
	assert_int_equal(weir_relay_read(&relay, &cursor, 0, all, SIZE), 0);
	assert_int_equal(ftruncate(fd, 1 << PAGE_SHIFT), 0); /* a file shorter than the buffer */
	assert_int_equal(weir_relay_read(&relay, &cursor, 0, all, SIZE), -EIO);
	weir_relay_destroy(&relay);
	close(fd);
}

/* ---- readers beside the writer, from the first page on ----------------------------------------*/

#define BESIDE_SIZE ((size_t)1 << 20)
#define BESIDE_RECORD 96u

static struct weir_relay beside;
static size_t beside_position;

/* Below position every byte tells its offset; above there are zeros or bytes to come. */
static void *beside_reader(void *arg)
{
	struct weir_relay_cursor cursor = {};
	u8 copy[BESIDE_RECORD];
	size_t at = 0, i;

	(void)arg;
	while (at < BESIDE_SIZE / BESIDE_RECORD * BESIDE_RECORD) {
		bool below = at < __atomic_load_n(&beside_position, __ATOMIC_ACQUIRE);

		if (weir_relay_read(&beside, &cursor, at, copy, sizeof(copy)))
			return "read failed";
		for (i = 0; below && i < sizeof(copy); i++)
			if (copy[i] != (u8)((at + i) * 13 + 1))
				return "wrong bytes";
		at += below ? sizeof(copy) : 0;
	}
	return NULL;
}

static void readers_beside_writer(void **state)
{
	pthread_t readers[2];
	u8 record[BESIDE_RECORD];
	void *failure;
	size_t at, i;

	(void)state;
	assert_int_equal(
		weir_relay_init(&beside, BESIDE_SIZE, 8, 12, &weir_relay_heap, (void *)256ul), 0);
	for (i = 0; i < ARRAY_SIZE(readers); i++)
		assert_int_equal(pthread_create(&readers[i], NULL, beside_reader, NULL), 0);
	for (at = 0; at + sizeof(record) <= BESIDE_SIZE; at += sizeof(record)) {
		for (i = 0; i < sizeof(record); i++)
			record[i] = (u8)((at + i) * 13 + 1);
		assert_int_equal(weir_relay_write(&beside, at, record, sizeof(record)), 0);
		__atomic_store_n(&beside_position, at + sizeof(record), __ATOMIC_RELEASE);
	}
	for (i = 0; i < ARRAY_SIZE(readers); i++) {
		assert_int_equal(pthread_join(readers[i], &failure), 0);
		assert_null(failure);
	}
	assert_int_equal(beside.random, 0);
	weir_relay_destroy(&beside);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(descriptors_cannot_be_had),
		cmocka_unit_test(heap_frames_cannot_be_had),
		cmocka_unit_test(warns_once),
		cmocka_unit_test(sparse_file),
		cmocka_unit_test(readers_beside_writer),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests_name("relay_user", tests, NULL, NULL);
}
