// SPDX-License-Identifier: GPL-2.0-only
/*
 * control: the tracing control, RUNDIR/control, which programs map read-only.
 *
 * Everything is composed in a private config and then published through the latch (weir_latch.h), so that a program
 * finds a whole copy whenever it looks, also after a daemon was killed in the middle.
 *
 *   format:F / map:F   version, size and the empty copies before the magic of a new file
 *
 * A file of the same version is adopted in place, never replaced or shrunk: programs that mapped it earlier
 * join. A second daemon is told that it is one too many by the lock of a file beside it, which nobody else may
 * open: whoever can read a file can lock it.
 */
#include <fcntl.h>
#include <limits.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "registry_i.h"
#include "../lib/core/weir_latch.h"

static struct {
	int fd, lock;
	struct weir_control *map;
	struct weir_config config;
} weir_tracing = { .fd = -1, .lock = -1 };

struct weir_config *weir_control_config(void)
{
	return &weir_tracing.config;
}

u64 weir_control_counter(void)
{
	return ++weir_tracing.config.counter;
}

/**
 * weir_control_publish() - let programs see the private config
 *
 * Context: locked, or before threads start.
 */
void weir_control_publish(void)
{
	weir_kmod_publish(&weir_tracing.config);
	weir_latch_publish(weir_tracing.map, &weir_tracing.config);
}

void weir_control_slot(const struct weir_trace *trace)
{
	struct weir_slot *slot = &weir_tracing.config.slot[trace->slot];

	slot->epoch = trace->epoch;
	slot->flags = (trace->enabled ? WEIR_SLOT_ENABLED : 0) | (trace->all ? WEIR_SLOT_ALL : 0);
	slot->owner = trace->owner;
	slot->kernel = weir_kmod_events(trace);
	memcpy(slot->rules, trace->rules, sizeof(slot->rules));
	memcpy(slot->processes, trace->processes, sizeof(slot->processes));
}

void weir_control_free_slot(unsigned int slot)
{
	memset(&weir_tracing.config.slot[slot], 0, sizeof(struct weir_slot));
}

/* ---- opening ----------------------------------------------------------------------------------*/

/* A regular file of our own. */
static int weir_control_check(int fd, off_t *size)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	if (st.st_uid != geteuid())
		return -EPERM;
	*size = st.st_size;
	return 0;
}

static int weir_control_open_file(const char *path, mode_t mode)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, mode);

	return fd < 0 ? -errno : fd;
}

static int weir_control_lock(const char *path)
{
	char lock[PATH_MAX];
	off_t size;
	int fd, err;

	snprintf(lock, sizeof(lock), "%s.lock", path);
	fd = weir_control_open_file(lock, 0600);
	if (fd < 0)
		return fd;
	err = weir_control_check(fd, &size);
	if (!err && (fchmod(fd, 0600) || flock(fd, LOCK_EX | LOCK_NB)))
		err = errno == EWOULDBLOCK ? -EBUSY : -errno;
	if (err)
		close(fd);
	else
		weir_tracing.lock = fd;
	return err;
}

static void weir_control_unlock(void)
{
	if (weir_tracing.lock >= 0)
		close(weir_tracing.lock);
	weir_tracing.lock = -1;
}

/* Space is allocated now: a program that reads a hole of a full tmpfs would get SIGBUS. */
static int weir_control_map(int fd, off_t size)
{
	const off_t need = sizeof(struct weir_control);
	void *map;
	int err = 0;

	if (size < need && ftruncate(fd, need))
		return -errno;
	err = posix_fallocate(fd, 0, need);
	if (err && err != EOPNOTSUPP)
		return -err;
	if (fchmod(fd, 0644))
		return -errno;
	map = mmap(NULL, sizeof(struct weir_control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	weir_tracing.map = map;
	return 0;
}

/* A new file. Programs take it for one when its magic is there. Epochs start at the time of day, so that they
 * are newer than those of a file that was lost. */
static void weir_control_format(struct weir_control *map)
{
	memset(map, 0, sizeof(*map));
	memset(&weir_tracing.config, 0, sizeof(weir_tracing.config));
	weir_tracing.config.counter = (u64)time(NULL) << 8;
	map->version = WEIR_ABI_VERSION;
	map->size = sizeof(*map);
	smp_store_release(&map->magic, WEIR_CONTROL_MAGIC); /* format:F */
}

/* Counters of both copies count: a torn one holds whole words. Rings of processes do not: they can write them,
 * and an honest ring has no epoch that this file never had. */
static void weir_control_adopt(struct weir_control *map)
{
	u64 newest = max(map->copy[0].counter, map->copy[1].counter);
	unsigned int i;

	for (i = 0; i < 2 * WEIR_SLOTS; i++)
		newest = max(newest, map->copy[i & 1].slot[i / 2].epoch >> WEIR_EPOCH_COUNTER_SHIFT);
	memcpy(&weir_tracing.config, &map->copy[map->sequence & 1], sizeof(weir_tracing.config));
	weir_latch_repair(map); /* killed while it wrote copy 1 */
	weir_tracing.config.counter = newest;
}

/* What an opened file is: 0 ours now, -ESTALE of another version, to be replaced. */
static int weir_control_take(int fd, off_t size)
{
	struct weir_control *map;
	int err = weir_control_map(fd, size);

	if (err)
		return err;
	map = weir_tracing.map;
	if (!map->magic)
		weir_control_format(map);
	else if (map->magic == WEIR_CONTROL_MAGIC && map->version == WEIR_ABI_VERSION &&
		 map->size == sizeof(*map))
		weir_control_adopt(map);
	else
		err = -ESTALE;
	if (err) {
		munmap(map, sizeof(*map));
		weir_tracing.map = NULL;
	}
	return err;
}

/* -EAGAIN: there was one of another version, which is gone now. */
static int weir_control_try(const char *path)
{
	int fd = weir_control_open_file(path, 0644), err;
	off_t size = 0;

	if (fd < 0)
		return fd;
	err = weir_control_check(fd, &size);
	if (!err)
		err = weir_control_take(fd, size);
	if (!err) {
		weir_tracing.fd = fd;
		return 0;
	}
	if (err == -ESTALE)
		err = unlink(path) ? -errno : -EAGAIN;
	close(fd);
	return err;
}

/**
 * weir_control_open() - create or adopt the control file, and become its one daemon
 * @path: RUNDIR/control
 *
 * All slots are free afterwards and `server` has grown, in the private config: publish when the socket is there.
 *
 * Return: 0; -EBUSY another daemon has it; -EPERM it belongs to somebody else; -errno.
 */
int weir_control_open(const char *path)
{
	int err = weir_control_lock(path);

	if (err)
		return err;
	err = weir_control_try(path);
	if (err == -EAGAIN)
		err = weir_control_try(path);
	if (err) {
		weir_control_unlock();
		return err;
	}
	memset(weir_tracing.config.slot, 0, sizeof(weir_tracing.config.slot));
	weir_tracing.config.server++;
	weir_tracing.config.flags = 0;
	weir_tracing.config.nr_slots = WEIR_SLOTS;
	return 0;
}

/**
 * weir_control_close() - programs see no trace any more, and the lock goes
 *
 * Context: nobody else uses the registry.
 */
void weir_control_close(void)
{
	if (weir_tracing.fd < 0)
		return;
	memset(weir_tracing.config.slot, 0, sizeof(weir_tracing.config.slot));
	weir_tracing.config.flags = 0;
	weir_control_publish();
	weir_kmod_close();
	munmap(weir_tracing.map, sizeof(*weir_tracing.map));
	close(weir_tracing.fd);
	weir_tracing.map = NULL;
	weir_tracing.fd = -1;
	weir_control_unlock();
}
