// SPDX-License-Identifier: GPL-2.0-only
/*
 * copy: the bytes of data files. They are made when a file is opened, once for all who open the
 * same state, and stay for a while after the last close, since readers come back: the oldest go
 * first when the idle ones are more than WEIR_COPY_IDLE_BYTES, or when their owner's quota is
 * needed for new ones.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>

#include "tree_i.h"

#define WEIR_COPY_IDLE_BYTES (256ull << 20) /* and no more than a 16th of the memory */
#define WEIR_COPY_IDLE_MS 3000u
#define WEIR_COPY_BUCKETS 1024u

struct weir_copy {
	struct list_head list; /* most recently used last */
	struct list_head bucket;
	struct weir_place place;
	unsigned int opens;
	u64 used;	      /* ms */
	uid_t uid;	      /* whose quota holds it */
	pthread_mutex_t lock; /* while the bytes are made */
	bool made;
	int error;
	void *data;
	size_t size;
	int backing; /* id of its memfd with the kernel, which reads it without asking; 0: none */
};

static struct list_head weir_copies = { &weir_copies, &weir_copies };
static struct list_head weir_copy_buckets[WEIR_COPY_BUCKETS];
static pthread_mutex_t weir_copies_lock = PTHREAD_MUTEX_INITIALIZER;
static u64 weir_copies_idle_max;
static u64 weir_copies_bytes;	   /* all that are charged */
static u64 weir_copies_idle_bytes; /* nobody has them open */

void weir_copy_init(void)
{
	struct sysinfo info;
	unsigned int i;

	weir_copies_idle_max = WEIR_COPY_IDLE_BYTES;
	if (!sysinfo(&info))
		weir_copies_idle_max =
			min(weir_copies_idle_max, (u64)info.totalram * info.mem_unit / 16);
	for (i = 0; i < WEIR_COPY_BUCKETS; i++)
		INIT_LIST_HEAD(&weir_copy_buckets[i]);
}

static struct list_head *weir_copy_bucket(const struct weir_place *place)
{
	u64 hash = place->source->serial << 32 ^ place->trace->serial << 16 ^ place->state.cpu;

	return &weir_copy_buckets[(hash ^ place->row->ino) * 0x9e3779b97f4a7c15ull >> 54];
}

/* Under the lock. */
static void weir_copy_unlist(struct weir_copy *copy)
{
	list_del(&copy->list);
	list_del(&copy->bucket);
	weir_copies_bytes -= copy->size;
}

const void *weir_copy_data(const struct weir_copy *copy)
{
	return copy->data;
}

int weir_copy_backing(const struct weir_copy *copy)
{
	return copy->backing;
}

u64 weir_copy_bytes(void)
{
	u64 bytes;

	pthread_mutex_lock(&weir_copies_lock);
	bytes = weir_copies_bytes;
	pthread_mutex_unlock(&weir_copies_lock);
	return bytes;
}

static bool weir_copy_is(const struct weir_copy *copy, const struct weir_place *place)
{
	const struct weir_state *a = &copy->place.state, *b = &place->state;

	return copy->place.row == place->row && copy->place.trace == place->trace &&
	       copy->place.source == place->source && a->cpu == b->cpu &&
	       a->ring.end == b->ring.end && a->ring.begin == b->ring.begin &&
	       a->ring.epoch == b->ring.epoch && a->ring.lost == b->ring.lost &&
	       a->count == b->count && a->size == b->size;
}

static void weir_copy_free(struct weir_copy *copy)
{
	weir_passthrough_close(copy->backing);
	if (copy->data)
		munmap(copy->data, copy->size);
	weir_quota_give(copy->uid, WEIR_QUOTA_COPIES, copy->size);
	pthread_mutex_destroy(&copy->lock);
	weir_place_put(&copy->place);
	free(copy);
}

/* The idle copy to go, out of the list; NULL: none. Under the lock. */
static struct weir_copy *weir_copy_oldest(uid_t uid, bool any, u64 now)
{
	struct weir_copy *copy;

	list_for_each_entry (copy, &weir_copies, list) {
		if (copy->opens)
			continue;
		if (any ? copy->uid == uid
			: weir_copies_idle_bytes > weir_copies_idle_max ||
				    now - copy->used > WEIR_COPY_IDLE_MS) {
			weir_copy_unlist(copy);
			weir_copies_idle_bytes -= copy->size;
			return copy;
		}
	}
	return NULL;
}

static bool weir_copy_evict(uid_t uid, bool any)
{
	struct weir_copy *copy;

	pthread_mutex_lock(&weir_copies_lock);
	copy = weir_copy_oldest(uid, any, weir_now_ms());
	pthread_mutex_unlock(&weir_copies_lock);
	if (copy)
		weir_copy_free(copy);
	return copy;
}

/* Frees what has been idle for long; at the end, `all`. */
void weir_copy_sweep(bool all)
{
	struct weir_copy *copy, *next;

	while (weir_copy_evict(0, false))
		;
	if (!all)
		return;
	list_for_each_entry_safe (copy, next, &weir_copies, list)
		weir_copy_free(copy);
	INIT_LIST_HEAD(&weir_copies);
}

static int weir_copy_charge(uid_t uid, size_t size)
{
	int err;

	do {
		err = weir_quota_take(uid, WEIR_QUOTA_COPIES, size);
	} while (err == -EDQUOT && weir_copy_evict(uid, true));
	return err;
}

static struct weir_copy *weir_copy_new(const struct weir_place *place, uid_t uid, int *error)
{
	struct weir_copy *copy = calloc(1, sizeof(*copy));

	*error = copy ? weir_copy_charge(uid, place->state.size) : -ENOMEM;
	if (*error) {
		free(copy);
		return NULL;
	}
	copy->place = *place;
	copy->uid = uid;
	copy->size = place->state.size;
	copy->opens = 1;
	pthread_mutex_init(&copy->lock, NULL);
	weir_trace_get(place->trace);
	weir_source_get(place->source);
	return copy;
}

/* The copy of a state, opened once more; under the lock. NULL: there is none. */
static struct weir_copy *weir_copy_reuse(const struct weir_place *place)
{
	struct weir_copy *copy;

	list_for_each_entry (copy, weir_copy_bucket(place), bucket) {
		if (!weir_copy_is(copy, place))
			continue;
		if (!copy->opens++)
			weir_copies_idle_bytes -= copy->size;
		return copy;
	}
	return NULL;
}

static struct weir_copy *weir_copy_get(const struct weir_place *place, uid_t uid, int *error)
{
	struct weir_copy *copy, *made;

	pthread_mutex_lock(&weir_copies_lock);
	copy = weir_copy_reuse(place);
	pthread_mutex_unlock(&weir_copies_lock);
	if (copy)
		return copy;
	made = weir_copy_new(place, uid, error);
	if (!made)
		return NULL;
	pthread_mutex_lock(&weir_copies_lock);
	copy = weir_copy_reuse(place); /* somebody else was as quick */
	if (!copy) {
		list_add_tail(&made->list, &weir_copies);
		list_add(&made->bucket, weir_copy_bucket(place));
		weir_copies_bytes += made->size;
	}
	pthread_mutex_unlock(&weir_copies_lock);
	if (copy)
		weir_copy_free(made);
	return copy ? copy : made;
}

int weir_pwrite(int fd, const void *data, size_t len, u64 offset)
{
	while (len) {
		ssize_t n = pwrite(fd, data, len, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		data = (const char *)data + n;
		offset += (u64)n;
		len -= (size_t)n;
	}
	return 0;
}

/* The bytes are final. The mapping that replies are made of is private, since older kernels take a
 * shared one for one that may become writable, which the seal forbids. */
static int weir_copy_seal(struct weir_copy *copy, int fd)
{
	void *data;

	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL))
		return -errno;
	data = mmap(NULL, copy->size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED)
		return -errno;
	copy->data = data;
	if (weir_passthrough())
		copy->backing = weir_passthrough_open(fd);
	return 0;
}

/* Mapping and backing id hold the memfd; no descriptor stays open. */
static int weir_copy_make(struct weir_copy *copy)
{
	int fd = memfd_create("weir-copy", MFD_CLOEXEC | MFD_ALLOW_SEALING), err = 0;

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)copy->size))
		err = -errno;
	if (!err)
		err = copy->place.row->fill(&copy->place, fd);
	if (!err)
		err = weir_copy_seal(copy, fd);
	close(fd);
	return err;
}

/* `shared`: the bytes had been made before, so pages that the kernel has cached of them are
 * right. */
int weir_copy_open(const struct weir_place *place, uid_t uid, struct weir_copy **opened,
		   bool *shared)
{
	struct weir_copy *copy;
	int err;

	copy = weir_copy_get(place, uid, &err);
	if (!copy)
		return err;
	pthread_mutex_lock(&copy->lock);
	*shared = copy->made;
	if (!copy->made)
		copy->error = weir_copy_make(copy);
	copy->made = true;
	err = copy->error;
	pthread_mutex_unlock(&copy->lock);
	if (err) {
		weir_copy_close(copy);
		return err;
	}
	*opened = copy;
	return 0;
}

void weir_copy_close(struct weir_copy *copy)
{
	bool last = false, full;

	pthread_mutex_lock(&weir_copies_lock);
	if (!--copy->opens) {
		copy->used = weir_now_ms();
		last = copy->error;
		if (last) {
			weir_copy_unlist(copy);
		} else {
			list_del(&copy->list);
			list_add_tail(&copy->list, &weir_copies);
			weir_copies_idle_bytes += copy->size;
		}
	}
	full = weir_copies_idle_bytes > weir_copies_idle_max;
	pthread_mutex_unlock(&weir_copies_lock);
	if (last)
		weir_copy_free(copy);
	while (full && weir_copy_evict(0, false))
		;
}
