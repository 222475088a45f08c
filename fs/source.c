// SPDX-License-Identifier: GPL-2.0-only
/*
 * source: one process, the kernel or a marker: what it is called, and what it has in a trace. The set of them is in registry.c.
 */
#include <sys/random.h>
#include <time.h>

#include "news.h"
#include "registry_i.h"
#include "snapshot.h"

/**
 * weir_source_new() - a source that nobody can find yet
 * @comm: the process's name for itself, NUL-terminated
 * @pid: as the daemon sees it
 * @uid: whose it is
 * @backend: who holds its memory
 * @private: the backend's; on failure still the caller's
 *
 * Return: the source with one reference, which weir_source_add() hands to the registry; NULL: no memory.
 */
struct weir_source *weir_source_new(const char *comm, pid_t pid, uid_t uid, const struct weir_backend *backend,
				    void *private)
{
	struct weir_source *source = weir_alloc(sizeof(*source));

	if (!source)
		return NULL;
	if (getrandom(source->uuid, sizeof(source->uuid), 0) != (ssize_t)sizeof(source->uuid)) {
		weir_free(source);
		return NULL;
	}
	strncpy(source->comm, comm, sizeof(source->comm) - 1);
	source->pid = pid;
	source->uid = uid;
	source->dir_uid = uid;
	source->backend = backend;
	source->private = private;
	clock_gettime(CLOCK_REALTIME, &source->attached);
	weir_ref_init(&source->ref);
	return source;
}

static bool weir_name_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
	       c == '_' || c == '-';
}

/**
 * weir_source_plain_name() - name a source <comm>-<pid>
 * @source: its name is set
 *
 * A name never starts with a dot, which hides it, nor with a minus, which makes an option of it.
 */
void weir_source_plain_name(struct weir_source *source)
{
	char *p;

	snprintf(source->name, sizeof(source->name), "%s-%d", source->comm[0] ? source->comm : "_",
		 (int)source->pid);
	for (p = source->name; *p; p++)
		if (!weir_name_byte(*p) || (p == source->name && (*p == '.' || *p == '-')))
			*p = '_';
}

/* ---- a source in a trace ----------------------------------------------------------------------*/

/**
 * weir_source_sample() - one moment of a ring
 * @source: whose
 * @trace: the ring of this trace
 * @cpu: its number, the extra ring's included
 * @view: filled in
 *
 * Return: 0; -ENODATA nothing of this trace; -EIO damaged.
 */
int weir_source_sample(struct weir_source *source, struct weir_trace *trace, unsigned int cpu,
		       struct weir_ring_view *view)
{
	return source->backend->sample(source, trace->slot, cpu, READ_ONCE(trace->epoch), view);
}

/* There is something in it. Who finds that first tells. */
static void weir_source_show(struct weir_source *source, struct weir_trace *trace, u64 epoch)
{
	if (__atomic_exchange_n(&source->shown[trace->slot], epoch, __ATOMIC_RELAXED) != epoch)
		weir_news_tell(trace, source);
}

/**
 * weir_source_in() - does a source belong to a trace?
 * @source: the source
 * @trace: the trace
 *
 * Return: whether the trace records this source's user and there are records or losses of it.
 */
bool weir_source_in(struct weir_source *source, struct weir_trace *trace)
{
	u64 epoch = READ_ONCE(trace->epoch);
	struct weir_ring_view view;
	unsigned int cpu;

	if (trace->snapshot)
		return weir_snapshot_has(trace->snapshot, source);
	if (!trace->all && source->uid != trace->owner)
		return false;
	if (READ_ONCE(source->ended))
		return weir_image_there(source, trace, true);
	if (READ_ONCE(source->shown[trace->slot]) == epoch)
		return true;
	for (cpu = 0; cpu <= weir_daemon.nr_cpus; cpu++)
		if (!weir_source_sample(source, trace, cpu, &view) && (view.end > view.begin || view.lost)) {
			weir_source_show(source, trace, view.epoch);
			return true;
		}
	return false;
}

bool weir_source_found(struct weir_source *source, struct weir_trace *trace)
{
	return weir_source_in(source, trace) ||
	       (READ_ONCE(source->ended) && weir_image_there(source, trace, false));
}

/* splitmix64's finalizer */
static u64 weir_mix(u64 x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
	x = (x ^ x >> 27) * 0x94d049bb133111ebull;
	return x ^ x >> 31;
}

/**
 * weir_source_uuid() - a CTF trace's uuid: another one for every source, trace and epoch
 * @source: has a random one
 * @trace: the trace
 * @epoch: of the trace
 * @uuid: filled in
 */
void weir_source_uuid(const struct weir_source *source, const struct weir_trace *trace, u64 epoch, u8 uuid[16])
{
	u64 half[2];

	memcpy(half, source->uuid, sizeof(half));
	half[0] = weir_mix(half[0] ^ weir_mix(epoch));
	half[1] = weir_mix(half[1] + weir_mix(epoch + trace->serial));
	memcpy(uuid, half, sizeof(half));
	uuid[6] = (u8)((uuid[6] & 0x0f) | 0x40);
	uuid[8] = (u8)((uuid[8] & 0x3f) | 0x80);
}
