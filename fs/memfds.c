// SPDX-License-Identifier: GPL-2.0-only
/*
 * memfds: what a client of the socket sent, checked and mapped.
 *
 * Can the daemon get SIGBUS? Not by a truncation: the memfds are sealed. Not by missing huge pages: only tmpfs
 * is accepted. A hole that the process punched is filled with a new page by the access. What remains is a
 * machine without memory, where every access of the daemon's own may fail just the same.
 */
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "registry_i.h"

#define WEIR_RING_SHIFT_MIN (WEIR_SUBBUF_SHIFT_MIN + WEIR_COUNT_SHIFT_MIN)
#define WEIR_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL)

/* A memfd whose size is for ever this one. Seals come first: only shared memory has them, so nothing is asked
 * of a file system that may be the client's own and never answer. */
static int weir_shm_check(int fd, u64 size)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct statfs fs;
	struct stat st;

	if (seals < 0 || (seals & WEIR_SEALS) != WEIR_SEALS)
		return -EPERM;
	if (fstatfs(fd, &fs) || (unsigned long)fs.f_type != TMPFS_MAGIC)
		return -EINVAL;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || (u64)st.st_size != size)
		return -EINVAL;
	return 0;
}

static int weir_shm_check_attach(const struct weir_attach *attach)
{
	u64 stride = attach->ring_stride;

	if (attach->magic != WEIR_ATTACH_MAGIC || attach->version != WEIR_ABI_VERSION ||
	    attach->nr_cpus != weir_daemon.nr_cpus)
		return -EINVAL;
	if (stride & (stride - 1) || stride < 1ull << WEIR_RING_SHIFT_MIN || stride > 1ull << WEIR_RING_SHIFT_MAX)
		return -EINVAL;
	return 0;
}

static int weir_shm_map(const struct weir_hello *hello, struct weir_shm_memory *memory)
{
	size_t size = weir_schema_offset(weir_daemon.nr_cpus);
	u64 rings = weir_ring_index(weir_daemon.nr_cpus, WEIR_SLOTS, 0);
	int err = weir_shm_check_attach(&hello->attach);
	void *map;

	if (!err)
		err = weir_shm_check(hello->control, size + WEIR_SCHEMA_SIZE);
	if (!err)
		err = weir_shm_check(hello->buffers, rings * hello->attach.ring_stride);
	if (err)
		return err;
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, hello->control, 0);
	if (map == MAP_FAILED)
		return -errno;
	*memory = (struct weir_shm_memory){
		.control = hello->control,
		.buffers = hello->buffers,
		.map = map,
		.map_size = size,
		.stride = hello->attach.ring_stride,
	};
	return 0;
}

/**
 * weir_shm_open() - check and map what a process sent
 * @hello: the message; its two memfds are taken over on success
 * @shm: set
 *
 * Return: 0; -EINVAL, -EPERM not as abi.h says; -ENOMEM; -errno of mmap().
 */
int weir_shm_open(struct weir_hello *hello, struct weir_shm **shm)
{
	struct weir_shm_memory memory;
	int err = weir_shm_map(hello, &memory);

	if (err)
		return err;
	err = weir_shm_new(&memory, shm);
	if (err)
		munmap(memory.map, memory.map_size);
	else
		hello->control = hello->buffers = -1;
	return err;
}
