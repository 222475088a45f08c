// SPDX-License-Identifier: GPL-2.0-only
/*
 * crash_pid: what a process that lives has recorded, while no daemon does. Its memory is found by name in
 * /proc/PID/maps and read through /proc/PID/map_files, where that is allowed, as the files that they are; else, and
 * where the kernel module has them, through /proc/PID/mem. Nothing of the process is stopped or written.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../fs/registry_i.h"
#include "cmd_i.h"
#include "crash_i.h"

#define WEIR_CLOCK_SLACK (1ull << 40) /* two clocks drift apart */

/* One of the two regions. Its mapping may be in pieces, of which the first is enough to know where it begins. */
struct weir_region {
	u64 address; /* of its first byte; 0: not found */
	u64 end;     /* of its last piece */
	char piece[64]; /* of /proc/PID/map_files */
	int fd;
	u64 base; /* of its first byte in fd */
};

struct weir_victim {
	struct weir_region process, buffers;
	u64 stride;
	int mem;
};

/* ---- where ------------------------------------------------------------------------------------*/

/* Several mappings of one kind: a fork child's, or what something else left. The first region is taken. */
static void weir_region_add(struct weir_region *region, u64 start, u64 end, u64 offset, u64 base)
{
	u64 address = start - (offset - base);

	if (!region->address) {
		region->address = address;
		snprintf(region->piece, sizeof(region->piece), "%llx-%llx", (unsigned long long)start,
			 (unsigned long long)end);
	}
	if (region->address == address)
		region->end = end;
}

static void weir_victim_line(struct weir_victim *victim, const char *line)
{
	unsigned long long start, end, offset;
	int path = 0;

	if (sscanf(line, "%llx-%llx %*s %llx %*s %*s %n", &start, &end, &offset, &path) < 3 || !path)
		return;
	line += path;
	if (!strncmp(line, "/memfd:weir-control", 19))
		weir_region_add(&victim->process, start, end, offset, 0);
	else if (!strncmp(line, "/memfd:weir-buffers", 19))
		weir_region_add(&victim->buffers, start, end, offset, 0);
	else if (!strncmp(line, WEIR_DEVICE, sizeof(WEIR_DEVICE) - 1) && offset >= WEIR_DEV_BUFFERS)
		weir_region_add(&victim->buffers, start, end, offset, WEIR_DEV_BUFFERS);
	else if (!strncmp(line, WEIR_DEVICE, sizeof(WEIR_DEVICE) - 1) && offset >= WEIR_DEV_PROCESS)
		weir_region_add(&victim->process, start, end, offset, WEIR_DEV_PROCESS);
}

static int weir_victim_maps(struct weir_victim *victim, const char *pid)
{
	char path[64], line[4096];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%s/maps", pid);
	file = fopen(path, "re");
	if (!file)
		return weir_fail("%s", path);
	while (fgets(line, sizeof(line), file))
		weir_victim_line(victim, line);
	fclose(file);
	if (!victim->process.address || !victim->buffers.address)
		return weir_fail_why(pid, "this process records nothing: it has no memory of weir's");
	return 0;
}

/* ---- reading ----------------------------------------------------------------------------------*/

/* Only what has seals is read as a file: another's server might never answer. */
static void weir_region_open(struct weir_region *region, const char *pid, int mem)
{
	char path[160];
	int fd;

	region->fd = mem;
	region->base = region->address;
	snprintf(path, sizeof(path), "/proc/%s/map_files/%s", pid, region->piece);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return;
	if (fcntl(fd, F_GET_SEALS) < 0) {
		close(fd);
		return;
	}
	region->fd = fd;
	region->base = 0;
}

/* A page at a time, where not all can be had. */
static size_t weir_region_read(const struct weir_region *region, u64 offset, void *dst, size_t len)
{
	size_t missing = 0, n;

	if (!weir_dump_pread(region->fd, dst, len, region->base + offset))
		return 0;
	for (; len; offset += n, dst = (u8 *)dst + n, len -= n) {
		n = min(len, WEIR_PAGE - (size_t)(offset % WEIR_PAGE));
		if (!weir_dump_pread(region->fd, dst, n, region->base + offset))
			continue;
		memset(dst, 0, n);
		missing += n;
	}
	return missing;
}

static size_t weir_victim_process(void *priv, u64 offset, void *dst, size_t len)
{
	const struct weir_victim *victim = priv;

	return weir_region_read(&victim->process, offset, dst, len);
}

static size_t weir_victim_ring(void *priv, unsigned int slot, unsigned int cpu, u64 offset, void *dst, size_t len)
{
	const struct weir_victim *victim = priv;

	return weir_region_read(&victim->buffers,
				weir_ring_index(weir_daemon.nr_cpus, slot, cpu) * victim->stride + offset, dst, len);
}

static const struct weir_extract_ops weir_victim_ops = {
	.process = weir_victim_process,
	.ring = weir_victim_ring,
};

/* ---- what -------------------------------------------------------------------------------------*/

/* It can say what it likes; sizes that do not fit together are none of weir's. */
static bool weir_victim_sane(struct weir_victim *victim)
{
	struct weir_process process;
	u64 stride, rings;

	if (weir_victim_process(victim, 0, &process, sizeof(process)) || process.magic != WEIR_PROCESS_MAGIC ||
	    process.version != WEIR_ABI_VERSION || !process.nr_cpus || process.nr_cpus > 8192)
		return false;
	stride = process.ring_stride;
	rings = weir_ring_index(process.nr_cpus, WEIR_SLOTS, 0);
	if (!stride || stride & (stride - 1) || stride > 1ull << WEIR_RING_SHIFT_MAX ||
	    victim->buffers.end - victim->buffers.address != rings * stride ||
	    victim->process.end - victim->process.address != weir_schema_offset(process.nr_cpus) + WEIR_SCHEMA_SIZE)
		return false;
	weir_daemon.nr_cpus = process.nr_cpus;
	victim->stride = stride;
	return true;
}

static int weir_victim_extract(struct weir_victim *victim, const char *pid, const char *dir,
			       struct weir_extract_count *count)
{
	static const u64 newest[WEIR_SLOTS];
	char path[64], comm[32] = "";
	struct weir_extract_source from = {
		.ops = &weir_victim_ops,
		.priv = victim,
		.comm = comm,
		.pid = (pid_t)atoi(pid),
		.ring_stride = victim->stride,
		.latest = weir_clock_now() + WEIR_CLOCK_SLACK,
	};
	FILE *file;
	int err;

	snprintf(path, sizeof(path), "/proc/%s/comm", pid);
	file = fopen(path, "re");
	if (file && fgets(comm, sizeof(comm), file))
		comm[strcspn(comm, "\n")] = 0;
	if (file)
		fclose(file);
	if (gethostname(weir_daemon.hostname, sizeof(weir_daemon.hostname) - 1))
		strcpy(weir_daemon.hostname, "localhost");
	err = weir_extract(&from, newest, dir, count);
	errno = -err;
	return err ? weir_fail("%s", dir) : 0;
}

static int weir_victim_run(struct weir_victim *victim, const char *pid, const char *dir,
			   struct weir_extract_count *count)
{
	if (!weir_victim_sane(victim))
		return weir_fail_why(pid, "its memory of weir's is of another version, or damaged");
	if (weir_clock_init("monotonic"))
		return weir_fail("clock");
	return weir_victim_extract(victim, pid, dir, count);
}

int weir_crash_pid(const char *pid, const char *dir, struct weir_extract_count *count)
{
	struct weir_victim victim = { .mem = -1 };
	char path[64];
	int status;

	if (!*pid || strspn(pid, "0123456789") != strlen(pid) || strlen(pid) > 9)
		return weir_fail_why(pid, "not a process's number");
	status = weir_victim_maps(&victim, pid);
	if (status)
		return status;
	snprintf(path, sizeof(path), "/proc/%s/mem", pid);
	victim.mem = open(path, O_RDONLY | O_CLOEXEC);
	if (victim.mem < 0)
		return weir_fail("%s", path);
	weir_region_open(&victim.process, pid, victim.mem);
	weir_region_open(&victim.buffers, pid, victim.mem);
	status = weir_victim_run(&victim, pid, dir, count);
	if (victim.process.fd != victim.mem)
		close(victim.process.fd);
	if (victim.buffers.fd != victim.mem)
		close(victim.buffers.fd);
	close(victim.mem);
	return status;
}
