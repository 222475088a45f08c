// SPDX-License-Identifier: GPL-2.0-only
/*
 * pages: frames, who pays for them, and tables that find them by number.
 *
 * A frame is one page of the kernel's direct mapping, zeroed, charged to the memory cgroup of who
 * asks, and counted against two limits: the user's and the module's. Nobody is killed for one: what
 * cannot be had is refused, and counted.
 *
 * A table (struct weir_anchor_table) is what a crash dump is read by. It is the only index there
 * is: the running kernel finds pages by it, too.
 *
 *   table:A   a page is filled before its frame number is stored; who finds the number finds that
 */
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/nodemask.h>
#include <linux/slab.h>

#include "weir_kmod.h"

static unsigned long weir_max_mib;
module_param_named(max_mib, weir_max_mib, ulong, 0644);
MODULE_PARM_DESC(max_mib, "memory in all, MiB; 0 (default): a quarter of the machine's");

static unsigned long weir_user_max_mib;
module_param_named(user_max_mib, weir_user_max_mib, ulong, 0644);
MODULE_PARM_DESC(user_max_mib, "memory of one user, MiB; 0 (default): an eighth of the machine's");

static unsigned int weir_max_processes = 4096;
module_param_named(max_processes, weir_max_processes, uint, 0644);
MODULE_PARM_DESC(max_processes, "attached processes in all (4096)");

static unsigned int weir_user_max_processes = 1024;
module_param_named(user_max_processes, weir_user_max_processes, uint, 0644);
MODULE_PARM_DESC(user_max_processes, "attached processes of one user (1024)");

static atomic_long_t weir_pages_used;
static atomic_long_t weir_pages_refused;
weir_counter(pages, weir_pages_used, "pages in use");
weir_counter(refused, weir_pages_refused,
	     "pages that were refused, for a limit or for want of memory");

/* ---- who pays -------------------------------------------------------------------------------- */

static DEFINE_MUTEX(weir_user_lock);
static LIST_HEAD(weir_users);
static unsigned int weir_processes;

static struct weir_user *weir_user_find(kuid_t uid)
{
	struct weir_user *user;

	list_for_each_entry(user, &weir_users, list)
		if (uid_eq(user->uid, uid))
			return user;
	user = kzalloc(sizeof(*user), WEIR_GFP);
	if (user) {
		user->uid = uid;
		list_add(&user->list, &weir_users);
	}
	return user;
}

static void weir_user_drop(struct weir_user *user)
{
	if (user->processes)
		return;
	list_del(&user->list);
	kfree(user);
}

/**
 * weir_user_attach() - count one more process of a user
 * @uid: the user
 * @user: who pays for the process's pages
 *
 * Return: 0; -EDQUOT a limit; -ENOMEM.
 */
int weir_user_attach(kuid_t uid, struct weir_user **user)
{
	int err = 0;

	mutex_lock(&weir_user_lock);
	*user = weir_user_find(uid);
	if (!*user) {
		err = -ENOMEM;
	} else if ((*user)->processes >= READ_ONCE(weir_user_max_processes) ||
		   weir_processes >= READ_ONCE(weir_max_processes)) {
		err = -EDQUOT;
		weir_user_drop(*user);
	} else {
		(*user)->processes++;
		weir_processes++;
	}
	if (err)
		*user = NULL; /* nothing to detach */
	mutex_unlock(&weir_user_lock);
	return err;
}

void weir_user_detach(struct weir_user *user)
{
	mutex_lock(&weir_user_lock);
	user->processes--;
	weir_processes--;
	weir_user_drop(user);
	mutex_unlock(&weir_user_lock);
}

/* ---- frames ---------------------------------------------------------------------------------- */

static long weir_limit(unsigned long mib, unsigned int share)
{
	unsigned long pages = mib << (20 - PAGE_SHIFT);

	if (!mib || pages >> (20 - PAGE_SHIFT) != mib)
		return totalram_pages() / share;
	return min_t(unsigned long, pages, LONG_MAX);
}

/**
 * weir_pages_charge() - count pages, or as much memory of another kind
 * @user: who pays; NULL: the module
 * @pages: how many, also none
 *
 * Return: false: a limit; nothing was counted.
 */
bool weir_pages_charge(struct weir_user *user, long pages)
{
	if (atomic_long_add_return(pages, &weir_pages_used) >
	    weir_limit(READ_ONCE(weir_max_mib), 4))
		goto refuse;
	if (!user || atomic_long_add_return(pages, &user->pages) <=
			     weir_limit(READ_ONCE(weir_user_max_mib), 8))
		return true;
	atomic_long_sub(pages, &user->pages);
refuse:
	atomic_long_sub(pages, &weir_pages_used);
	return false;
}

void weir_pages_uncharge(struct weir_user *user, long pages)
{
	if (user)
		atomic_long_sub(pages, &user->pages);
	atomic_long_sub(pages, &weir_pages_used);
}

/**
 * weir_page_alloc() - a frame
 * @user: who pays; NULL: the module
 * @node: near which memory, or NUMA_NO_NODE
 *
 * Context: may sleep.
 * Return: a zeroed page, or NULL: a limit, or no memory; counted.
 */
struct page *weir_page_alloc(struct weir_user *user, int node)
{
	struct page *page;

	if (node != NUMA_NO_NODE && !node_online(node))
		node = NUMA_NO_NODE;
	if (weir_pages_charge(user, 1)) {
		page = alloc_pages_node(node, WEIR_GFP, 0);
		if (page)
			return page;
		weir_pages_uncharge(user, 1);
	}
	atomic_long_inc(&weir_pages_refused);
	return NULL;
}

/* The module's part in a page: what else holds it (a page table, a pipe) keeps it. */
void weir_page_free(struct weir_user *user, struct page *page)
{
	put_page(page);
	weir_pages_uncharge(user, 1);
}

/* ---- tables ---------------------------------------------------------------------------------- */

static u64 *weir_table_address(u64 pfn)
{
	return page_address(pfn_to_page(pfn));
}

/* The word of a page's frame number; NULL if its table was not made. */
static u64 *weir_pages_word(const struct weir_pages *pages, u32 index)
{
	u64 *table, pfn;

	if (index >= pages->table.pages || !pages->table.pfn)
		return NULL;
	table = weir_table_address(pages->table.pfn);
	if (pages->table.levels == 1)
		return table + index;
	pfn = smp_load_acquire(&table[index / WEIR_ANCHOR_FANOUT]); /* table:A */
	return pfn ? weir_table_address(pfn) + index % WEIR_ANCHOR_FANOUT : NULL;
}

/**
 * weir_pages_get() - a page by its number
 * @pages: the table
 * @index: any number
 *
 * Context: any, beside whoever makes pages.
 * Return: the page, or NULL: not made.
 */
struct page *weir_pages_get(const struct weir_pages *pages, u32 index)
{
	u64 *word = weir_pages_word(pages, index), pfn;

	if (!word)
		return NULL;
	pfn = smp_load_acquire(word); /* table:A */
	return pfn ? pfn_to_page(pfn) : NULL;
}

/**
 * weir_pages_set() - list a page
 * @pages: the table
 * @index: its number, for which weir_pages_room() succeeded
 * @page: NULL takes it off the list
 *
 * Context: the caller excludes other changes.
 */
void weir_pages_set(struct weir_pages *pages, u32 index, struct page *page)
{
	u64 *word = weir_pages_word(pages, index);

	smp_store_release(word, page ? page_to_pfn(page) : 0); /* table:A */
}

/* Makes the table that a page's number stands in. As weir_pages_set(); sleeps. 0, -ENOMEM. */
int weir_pages_room(struct weir_pages *pages, u32 index)
{
	struct page *page;
	u64 *word;

	if (weir_pages_word(pages, index))
		return 0;
	page = weir_page_alloc(pages->user, pages->node);
	if (!page)
		return -ENOMEM;
	word = weir_table_address(pages->table.pfn) + index / WEIR_ANCHOR_FANOUT;
	smp_store_release(word, page_to_pfn(page)); /* table:A */
	return 0;
}

/* The page of a number, made if need be. Context: as weir_pages_room(). NULL: none can be had. */
struct page *weir_pages_make(struct weir_pages *pages, u32 index)
{
	struct page *page = weir_pages_get(pages, index);

	if (page || weir_pages_room(pages, index))
		return page;
	page = weir_page_alloc(pages->user, pages->node);
	if (page)
		weir_pages_set(pages, index, page);
	return page;
}

/**
 * weir_pages_init() - a table without pages
 * @pages: what to initialise
 * @count: of pages, at least 1, at most WEIR_ANCHOR_FANOUT squared
 * @user: who pays
 * @node: near which memory
 *
 * Return: 0 or -ENOMEM.
 */
int weir_pages_init(struct weir_pages *pages, u32 count, struct weir_user *user, int node)
{
	struct page *page = weir_page_alloc(user, node);

	if (!page)
		return -ENOMEM;
	pages->user = user;
	pages->node = node;
	pages->table.pages = count;
	pages->table.levels = count <= WEIR_ANCHOR_FANOUT ? 1 : 2;
	pages->table.pfn = page_to_pfn(page);
	return 0;
}

static void weir_table_free(struct weir_pages *pages, u64 pfn, unsigned int levels)
{
	const u64 *table = weir_table_address(pfn);
	unsigned int i;

	for (i = 0; levels && i < WEIR_ANCHOR_FANOUT; i++)
		if (table[i])
			weir_table_free(pages, table[i], levels - 1);
	weir_page_free(pages->user, pfn_to_page(pfn));
}

/* Frees the table; with `all`, what is listed in it, too. Also a table that was not initialised. */
void weir_pages_destroy(struct weir_pages *pages, bool all)
{
	if (pages->table.pfn)
		weir_table_free(pages, pages->table.pfn,
				all ? pages->table.levels : pages->table.levels - 1);
	pages->table.pfn = 0;
}
