// SPDX-License-Identifier: LGPL-2.1-only
/*
 * reload: the generation changed, so match all sites against the traces' rules.
 *
 * One thread does it, from whichever event site noticed, perhaps in a signal handler; the others go on with
 * what they have. errno is kept; nothing is allocated.
 *
 *   latch:E / reload:E   the daemon completes the latch, then stores generation; generation is loaded before the
 *                        latch is read, so what is read is at least as new. Its other orders: weir_latch.h
 *   reload:D, reload:F   what the event path finds together: site.c
 */
#include <errno.h>
#include <sys/mman.h>
#include <time.h>
#include "client_i.h"
#include "rules_i.h"
#include "weir_glob.h"

static struct weir_config weir_config; /* the last one read; under the lock */

/* The daemon may be storing these words: each is loaded once, whole; read:B tells whether they belong together. */
static void weir_copy_words(void *dst, const void *src, size_t size)
{
	const u64 *from = src;
	u64 *to = dst;
	size_t i;

	for (i = 0; i < size / sizeof(*to); i++)
		to[i] = READ_ONCE(from[i]);
}

/*
 * Reads the header and the slots that are in use. The latch: see abi.h. At most three tries: a daemon that
 * was killed while it wrote leaves one copy whole, and one that writes without end must not spin anybody.
 */
bool weir_client_read_config(struct weir_config *config, u32 *slots)
{
	const struct weir_control *control = weir_client_state.control;
	const struct weir_config *copy;
	u64 sequence;
	int tries, i;

	for (tries = 0; tries < 3; tries++) {
		sequence = smp_load_acquire(&control->sequence); /* read:A */
		copy = &control->copy[sequence & 1];
		weir_copy_words(config, copy, offsetof(struct weir_config, slot));
		*slots = 0;
		for (i = 0; i < (int)WEIR_SLOTS; i++) {
			if (!READ_ONCE(copy->slot[i].epoch))
				continue;
			weir_copy_words(&config->slot[i], &copy->slot[i], sizeof(config->slot[i]));
			*slots |= 1u << i;
		}
		smp_rmb(); /* read:B */
		if (READ_ONCE(control->sequence) == sequence)
			return true;
	}
	return false;
}

/* Does this process record into the slot at all? */
static bool weir_slot_wanted(const struct weir_slot *slot)
{
	unsigned int shift = weir_epoch_ring_shift(slot->epoch);

	return (slot->flags & WEIR_SLOT_ENABLED) && ((slot->flags & WEIR_SLOT_ALL) || slot->owner == weir_client_state.uid) &&
	       weir_epoch_subbuf_shift(slot->epoch) >= WEIR_SUBBUF_SHIFT_MIN && shift <= weir_client_state.stride_shift &&
	       weir_processes_match(slot->processes);
}

#define WEIR_APART_MAX 64u /* CPUs; of more, each would be two mappings of the many that a program may have */

/* The buffers of a slot are made accessible when its trace first matches, and no more of them than it has: a program
 * that calls mlockall(2) locks all that is accessible. */
static bool weir_slot_map(unsigned int n, size_t size)
{
	struct weir_client_state *c = &weir_client_state;
	const int prot = PROT_READ | PROT_WRITE;
	u32 cpu;

	if (c->accessible[n] >= size)
		return true;
	if (c->whole) {
		if (mprotect(c->buffers, c->buffers_size, prot))
			return false;
		weir_client_accessible();
		return true;
	}
	for (cpu = 0; cpu <= c->nr_cpus && c->nr_cpus <= WEIR_APART_MAX; cpu++)
		if (mprotect(c->slot[n].data + ((size_t)cpu << c->stride_shift), size, prot))
			break;
	if (cpu <= c->nr_cpus) { /* as one */
		size = (size_t)1 << c->stride_shift;
		if (mprotect(c->slot[n].data, ((size_t)c->nr_cpus + 1) << c->stride_shift, prot))
			return false;
	}
	c->accessible[n] = size;
	return true;
}

static u32 weir_wanted; /* slots; under the lock */

static u64 weir_client_match(const struct weir_site *site)
{
	u64 match = weir_client_state.generation;
	size_t len = weir_site_name(site);
	u32 left;
	int n;

	for (left = site->flags & WEIR_SITE_MUTE ? 0 : weir_wanted; left; left &= left - 1) {
		n = __builtin_ctz(left);
		if (weir_rules_match(weir_config.slot[n].rules, site->text, len))
			match |= 1u << n;
	}
	return match;
}

static void weir_site_store(struct weir_site *site, const struct weir_client_slot *slot, u64 match)
{
	__atomic_store_n(&site->slot, slot, __ATOMIC_RELEASE);	 /* reload:D, and reload:F where it is NULL */
	__atomic_store_n(&site->match, match, __ATOMIC_RELEASE); /* reload:D, reload:F */
}

/* Step 1: no site writes into a slot whose trace goes or changes. */
static void weir_unmatch(u32 slots)
{
	struct weir_site *site;

	if (!slots)
		return;
	for (site = weir_client_state.sites; site; site = site->next)
		if (site->match & slots)
			weir_site_store(site, NULL, site->match & ~(u64)slots);
}

/**
 * weir_client_rematch() - a site's match, by the configuration that was matched last
 * @site: listed, with an id
 *
 * Context: client.lock; any.
 */
void weir_client_rematch(struct weir_site *site)
{
	u64 match = weir_client_match(site);
	u32 slots = match & (WEIR_GENERATION_STEP - 1);
	bool one = slots && !(slots & (slots - 1));

	weir_site_store(site, one ? &weir_client_state.slot[__builtin_ctz(slots)] : NULL, match);
}

/**
 * weir_client_forget() - a site is recorded by nobody, and asks at its next event
 * @site: any
 *
 * Its match is one that was never there before: generations count up from 0, these down.
 *
 * Context: client.lock; any.
 */
void weir_client_forget(struct weir_site *site)
{
	static u64 match;

	match -= WEIR_GENERATION_STEP;
	weir_site_store(site, NULL, match);
}

/* A fork may have come between the stores below: then the child finds one without the others. */
static bool weir_slot_is(const struct weir_client_slot *slot, u64 epoch)
{
	return slot->epoch == epoch && slot->subbuf_mask == weir_epoch_subbuf_size(epoch) - 1 &&
	       slot->ring_mask == weir_epoch_ring_size(epoch) - 1;
}

static void weir_rematch(u32 slots)
{
	struct weir_client_slot *slot;
	struct weir_site *site;
	u32 wanted = 0, changed = 0;
	u64 epoch;
	unsigned int n;

	for (n = 0; n < WEIR_SLOTS; n++) {
		epoch = slots & 1u << n ? weir_config.slot[n].epoch : 0;
		if (epoch && weir_slot_wanted(&weir_config.slot[n]) &&
		    weir_slot_map(n, weir_epoch_ring_size(epoch)))
			wanted |= 1u << n;
		if (!weir_slot_is(&weir_client_state.slot[n], epoch))
			changed |= 1u << n;
	}
	weir_unmatch(changed | (~wanted & (WEIR_GENERATION_STEP - 1)));
	for (n = 0; n < WEIR_SLOTS; n++) {
		if (!(changed & 1u << n))
			continue;
		slot = &weir_client_state.slot[n];
		epoch = slots & 1u << n ? weir_config.slot[n].epoch : 0;
		__atomic_store_n(&slot->epoch, epoch, __ATOMIC_RELEASE); /* reload:F, and the two below */
		__atomic_store_n(&slot->subbuf_mask, weir_epoch_subbuf_size(epoch) - 1, __ATOMIC_RELEASE);
		__atomic_store_n(&slot->ring_mask, weir_epoch_ring_size(epoch) - 1, __ATOMIC_RELEASE);
	}
	weir_wanted = wanted;
	for (site = weir_client_state.sites; site; site = site->next)
		weir_client_rematch(site);
}

/* The generation, then a config that is at least as new; of the module's only what is still served. */
static bool weir_client_look(u64 *generation, u32 *slots)
{
	struct weir_client_state *c = &weir_client_state;

	*generation = smp_load_acquire(&c->control->generation); /* reload:E */
	if (!weir_client_read_config(&weir_config, slots))
		return false;
	if (!c->device || weir_device_served(weir_config.server))
		return true;
	weir_device_leave();
	weir_client_unmatch(); /* the file counts for itself: its number may be the one that was matched */
	*generation = smp_load_acquire(&c->control->generation); /* reload:E */
	return weir_client_read_config(&weir_config, slots);
}

/* ---- an attach that failed --------------------------------------------------------------------*/

#define WEIR_RETRY_MAX_MS 1024u

static struct {
	u64 at; /* ms */
	u32 ms; /* from one try to the next; 0: none failed. Set under the lock, looked at before it is taken */
} weir_retry;

static u64 weir_retry_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (u64)now.tv_sec * 1000 + (u64)now.tv_nsec / 1000000;
}

/* What there may be more of in a while: descriptors, memory, room in the queue of a daemon that is behind. All else
 * stays as it is until the next generation. */
static bool weir_attach_may_pass(int err)
{
	return err == -EMFILE || err == -ENFILE || err == -ENOMEM || err == -ENOBUFS || err == -EAGAIN ||
	       err == -ETOOMANYREFS;
}

/**
 * weir_client_unmatch() - record nothing, and look again at the next event
 *
 * Context: client.lock; any.
 */
void weir_client_unmatch(void)
{
	struct weir_site *site;

	weir_wanted = 0;
	weir_client_state.generation = 0;
	for (site = weir_client_state.sites; site; site = site->next)
		weir_client_forget(site);
}

/* True: it is tried again, by an event that comes at least so much later, twice as much each time. */
static bool weir_attach_later(int err)
{
	u32 ms = weir_retry.ms;

	if (!weir_attach_may_pass(err)) {
		WRITE_ONCE(weir_retry.ms, 0);
		return false;
	}
	if (ms < WEIR_RETRY_MAX_MS)
		ms = ms ? ms * 2 : 1;
	WRITE_ONCE(weir_retry.at, weir_retry_now() + ms);
	WRITE_ONCE(weir_retry.ms, ms);
	weir_client_unmatch();
	return true;
}

static bool weir_attach_is_due(void)
{
	return !READ_ONCE(weir_retry.ms) || weir_retry_now() >= READ_ONCE(weir_retry.at);
}

/* Of a fork child: its own may well succeed. */
void weir_client_retry_now(void)
{
	WRITE_ONCE(weir_retry.ms, 0);
}

/**
 * weir_client_reload() - match all sites anew
 *
 * Attaches first if the daemon is another one than before, or is there for the first time.
 *
 * Context: client.lock; any, also signal handlers. Makes system calls.
 */
void weir_client_reload(void)
{
	struct weir_client_state *c = &weir_client_state;
	bool device;
	u64 generation;
	u32 slots;
	int err;

	if (!weir_attach_is_due() || !weir_client_look(&generation, &slots))
		return;
	if (weir_config.server != c->server) {
		device = c->device;
		err = weir_client_attach(&weir_config);
		if (weir_attach_later(err))
			return;
		if (err)
			slots = 0; /* not seen by anybody: record nothing until the next generation */
		if (c->device != device && !weir_client_look(&generation, &slots)) {
			weir_client_unmatch();
			return;
		}
		slots = c->server ? slots : 0;
	}
	c->generation = generation;
	weir_rematch(slots);
}

/**
 * weir_client_refresh() - a site found its word stale
 * @site: a listed one, or one whose object's constructors have not come to it yet
 *
 * Context: any; errno is kept. A vfork child leaves it to its parent: the daemon would take the child for the
 * one that attaches, and its end for the end of both; and it may be killed, holding the lock.
 *
 * Return: nonzero if the site is recorded. While another thread reloads, by the old match.
 */
int weir_client_refresh(struct weir_site *site)
{
	int saved = errno;

	/* while an attach is to be tried again, but not yet, no event makes a system call for it */
	if (!weir_client_thread.vforked && weir_attach_is_due() && weir_client_trylock()) {
		if (!(site->flags & WEIR_SITE_LISTED))
			weir_client_list(site);
		if (READ_ONCE(weir_client_state.control->generation) != weir_client_state.generation)
			weir_client_reload();
		weir_client_unlock();
		errno = saved;
	}
	return (READ_ONCE(site->match) & (WEIR_GENERATION_STEP - 1)) != 0;
}
