// SPDX-License-Identifier: LGPL-2.1-only
/*
 * sites: the list of all sites in the process, and their descriptors in the schema log.
 *
 * Objects hand in their sites when they are loaded, so no record precedes its schema. Equal events of several
 * sites share one descriptor; descriptors are never removed: records outlive the object that wrote them.
 */
#include <string.h>
#include "client_i.h"
#include "weir_schema.h"

static void *weir_log(void)
{
	return (char *)weir_client_state.process + weir_schema_offset(weir_client_state.nr_cpus);
}

/* Takes one item of the source text, up to a comma outside of parentheses and quotes; trims it. */
static const char *weir_next_item(const char **text, size_t *len)
{
	const char *s = *text + strspn(*text, " \t\n"), *p = s;
	int depth = 0;
	char quote = 0;

	if (!*s)
		return NULL;
	for (; *p && (quote || depth || *p != ','); p++) {
		if (quote) {
			if (*p == '\\' && p[1])
				p++;
			else if (*p == quote)
				quote = 0;
		} else if (*p == '"' || *p == '\'') {
			quote = *p;
		} else if (strchr("([{", *p)) {
			depth++;
		} else if (strchr(")]}", *p)) {
			depth--;
		}
	}
	*text = *p ? p + 1 : p;
	while (p > s && strchr(" \t\n", p[-1]))
		p--;
	*len = (size_t)(p - s);
	return s;
}

/* weir_u32(port, ntohs(be)) -> port */
static const char *weir_given_name(const char *item, size_t *len)
{
	const char *name = memchr(item, '(', *len);
	size_t n;

	if (!name)
		return item;
	name++;
	name += strspn(name, " \t\n");
	n = strcspn(name, ", \t\n)");
	*len = n;
	return name;
}

/* Bytes of "provider:event" at the head of the site's text. */
size_t weir_site_name(const struct weir_site *site)
{
	return strcspn(site->text, ", \t\n");
}

static char *weir_copy_name(char **buf, const char *name, size_t len)
{
	char *copy = *buf;

	if (len > WEIR_NAME_MAX)
		len = WEIR_NAME_MAX;
	memcpy(copy, name, len);
	copy[len] = '\0';
	*buf += len + 1;
	return copy;
}

static int weir_describe(const struct weir_site *site, void *buf, size_t size)
{
	static char names[(WEIR_FIELDS_MAX + 1) * (WEIR_NAME_MAX + 1)]; /* under the lock */
	const char *field[WEIR_FIELDS_MAX], *item, *text = site->text;
	char *p = names, *event;
	unsigned int n = 0;
	size_t len;

	item = weir_next_item(&text, &len);
	if (!item)
		return -EINVAL;
	event = weir_copy_name(&p, item, len);
	while (n < site->nr_fields && n < WEIR_FIELDS_MAX && (item = weir_next_item(&text, &len))) {
		if (site->flags & WEIR_SITE_FIELDS)
			item = weir_given_name(item, &len);
		field[n++] = weir_copy_name(&p, item, len);
	}
	return n == site->nr_fields ? weir_desc_write(buf, size, event, n, field, site->types) : -EINVAL;
}

/* The place of an equal descriptor among the first `bytes` of the log; how many there are if there is none. */
static u32 weir_find_desc(const struct weir_desc *desc, size_t bytes, bool *found)
{
	const char *log = weir_log();
	size_t at = 0;
	u32 id = 0;

	for (*found = false; at < bytes; id++) {
		const struct weir_desc *d = (const void *)(log + at);

		*found = d->hash == desc->hash && d->size == desc->size && !memcmp(d, desc, desc->size);
		if (*found || d->size < sizeof(*d)) /* somebody else writes here */
			break;
		at += d->size;
	}
	return id;
}

static void weir_site_mute(struct weir_site *site, const char *why)
{
	__atomic_or_fetch(&site->flags, WEIR_SITE_MUTE, __ATOMIC_RELAXED);
	weir_client_debug("%.*s: not traced: %s", (int)weir_site_name(site), site->text, why);
}

/**
 * weir_schema_add() - give a site an id, and its event a descriptor in the log
 * @site: a guard has none
 *
 * Context: client.lock. The descriptor is written behind what is committed and committed by one store, so that
 * readers see whole ones only. A site whose event cannot be described stays mute.
 */
void weir_schema_add(struct weir_site *site)
{
	size_t bytes = weir_client_state.schema_bytes;
	struct weir_desc *desc = (void *)((char *)weir_log() + bytes);
	bool found;
	int size;
	u32 id;

	if (site->flags & WEIR_SITE_GUARD)
		return;
	size = weir_describe(site, desc, WEIR_SCHEMA_SIZE - bytes);
	if (size < 0) {
		weir_site_mute(site, size == -ENOSPC ? "the schema log is full" : "bad names or fields");
		return;
	}
	id = weir_find_desc(desc, bytes, &found);
	if (id >= WEIR_EVENTS_MAX) {
		weir_site_mute(site, "too many events");
		return;
	}
	if (!found) {
		weir_client_state.schema_bytes = bytes + (size_t)size;
		/* log:A / parse:A   the descriptor before the size of the log (fs/backend_shm.c) */
		__atomic_store_n(&weir_client_state.process->schema_bytes, weir_client_state.schema_bytes,
				 __ATOMIC_RELEASE); /* log:A */
	}
	site->id = id;
}

/* Lists one site; with a schema at once if the process is attached. Context: client.lock. */
void weir_client_list(struct weir_site *site)
{
	if (site->flags & WEIR_SITE_LISTED)
		return;
	if (weir_client_state.process)
		weir_schema_add(site);
	site->next = weir_client_state.sites;
	weir_client_state.sites = site; /* one store: a fork in between finds a whole list */
	__atomic_or_fetch(&site->flags, WEIR_SITE_LISTED, __ATOMIC_RELAXED);
	weir_client_rematch(site); /* after its id */
}

/**
 * weir_client_add() - an object was loaded
 * @first: the first of its pointers to sites
 * @last: behind the last
 *
 * Context: constructors, under the loader's lock; not in signal handlers.
 */
void weir_client_add(struct weir_site **first, struct weir_site **last)
{
	weir_client_init();
	if (!weir_client_state.control)
		return;
	if (!weir_client_lock())
		return; /* they are listed at their first events */
	for (; first < last; first++)
		weir_client_list(*first);
	weir_client_unlock();
}

/* An object is about to be unloaded. Context: as weir_client_add(). */
void weir_client_remove(struct weir_site **first, struct weir_site **last)
{
	struct weir_site **p, **link;

	if (!weir_client_state.control)
		return;
	if (!weir_client_lock())
		return;
	for (p = first; p < last; p++) {
		__atomic_and_fetch(&(*p)->flags, (__u16)~WEIR_SITE_LISTED, __ATOMIC_RELAXED);
		weir_client_forget(*p); /* no reload will find it */
	}
	for (link = &weir_client_state.sites; *link;) {
		if ((*link)->flags & WEIR_SITE_LISTED)
			link = &(*link)->next;
		else
			*link = (*link)->next;
	}
	weir_client_unlock();
}
