// SPDX-License-Identifier: GPL-2.0-only
/*
 * bench/read: how fast a full per-CPU buffer is read. Run by bench/read.sh.
 *
 *   read fill BYTES         for each line of its input fills its ring of CPU 0 anew, and says so
 *   read marker FILE BYTES  fills a buffer of tracefs, of CPU 0, through trace_marker_raw
 *   read cat FILE TIMES     reads it to the end in blocks of 128 KiB, as cat(1) does, opened anew
 * each time; prints bytes and GB/s of each
 */
#include <fcntl.h>
#include <weir/trace.h>
#include "bench.h"

#define BLOCK (128u << 10)
#define RECORD 32u /* of the event below: header word, tid, two numbers, aligned */

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static int fill(uint64_t bytes)
{
	uint64_t n = 0, i;
	char line[16];

	bench_pin(0);
	while (fgets(line, sizeof(line), stdin)) {
		for (i = 0; i < bytes / RECORD; i++, n++)
			weir_trace(bench, pair, n, i);
		puts("full");
		fflush(stdout);
	}
	return 0;
}

static int marker(const char *file, uint64_t bytes)
{
	struct {
		uint32_t id;
		char data[1020];
	} record = { .id = 42 };
	int fd = open(file, O_WRONLY);
	uint64_t i;

	if (fd < 0)
		die(file);
	bench_pin(0);
	for (i = 0; i < bytes; i += sizeof(record)) {
		if (write(fd, &record, sizeof(record)) < 0)
			die("write");
	}
	return close(fd);
}

static int cat(const char *file, int times)
{
	char *block = malloc(BLOCK);
	uint64_t t, bytes;
	ssize_t got;
	int fd;

	if (!block)
		return 1;
	memset(block, 1, BLOCK);
	while (times--) {
		bytes = 0;
		t = bench_clock(CLOCK_MONOTONIC);
		fd = open(file, O_RDONLY | O_NONBLOCK);
		if (fd < 0)
			die(file);
		posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
		while ((got = read(fd, block, BLOCK)) > 0)
			bytes += (uint64_t)got;
		if (got < 0 && errno != EAGAIN)
			die("read");
		close(fd);
		t = bench_clock(CLOCK_MONOTONIC) - t;
		printf("%llu %.4f\n", (unsigned long long)bytes, (double)bytes / (double)t);
	}
	free(block);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "fill"))
		return fill(strtoull(argv[2], NULL, 0));
	if (argc == 4 && !strcmp(argv[1], "marker"))
		return marker(argv[2], strtoull(argv[3], NULL, 0));
	if (argc == 4 && !strcmp(argv[1], "cat"))
		return cat(argv[2], atoi(argv[3]));
	return 2;
}
