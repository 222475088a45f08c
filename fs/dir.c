// SPDX-License-Identifier: GPL-2.0-only
/*
 * dir: open directories. The names are taken when reading starts, so that a listing is one moment;
 * rewinding takes them anew. They are those that its opener may see, whoever reads.
 */
#include "tree_i.h"

#define WEIR_DIR_COST 512u /* bytes charged for being open, about what it takes */

struct weir_name {
	ino_t ino;
	mode_t mode;
	size_t name; /* in text */
};

struct weir_names {
	struct list_head list; /* of all that are open */
	pthread_mutex_t lock;
	struct weir_caller opener;
	struct weir_name *entry;
	size_t nr, size;
	struct weir_buf text;
	bool taken;
	u64 charged;
};

static struct list_head weir_dirs = { &weir_dirs, &weir_dirs };
static pthread_mutex_t weir_dirs_lock = PTHREAD_MUTEX_INITIALIZER;

static int weir_names_charge(struct weir_names *names)
{
	return weir_quota_hold(names->opener.uid, WEIR_QUOTA_COPIES, &names->charged,
			       WEIR_DIR_COST + names->size * sizeof(*names->entry) +
				       names->text.size);
}

static void weir_names_free(struct weir_names *names)
{
	weir_buf_free(&names->text);
	free(names->entry);
	names->entry = NULL;
	names->nr = names->size = 0;
}

void weir_names_add(struct weir_names *names, const struct weir_row *row,
		    const struct weir_place *place, const char *name)
{
	struct weir_name *entry;

	if (names->nr == names->size) {
		entry = realloc(names->entry, (names->size * 2 + 16) * sizeof(*entry));
		if (!entry) {
			names->text.error = -ENOMEM;
			return;
		}
		names->entry = entry;
		names->size = names->size * 2 + 16;
	}
	entry = &names->entry[names->nr++];
	entry->ino = weir_place_ino(row, place);
	entry->mode = row->kind == WEIR_KIND_DIR ? S_IFDIR : S_IFREG;
	entry->name = names->text.len;
	weir_buf_put(&names->text, name, strlen(name) + 1);
}

static int weir_names_take(struct weir_names *names, const struct weir_place *dir)
{
	bool inner = dir->source || dir->row == &weir_row_control;
	bool live = dir->row == &weir_row_live;
	const struct weir_place above = { .row = dir->row,
					  .trace = inner ? dir->trace : NULL,
					  .source = live ? dir->source : NULL };
	const struct weir_row *const *row;
	int err = 0;

	weir_names_free(names);
	if (dir->trace && READ_ONCE(dir->trace->gone))
		return 0;
	weir_names_add(names, dir->row, dir, ".");
	weir_names_add(names,
		       live  ? &weir_row_source :
		       inner ? &weir_row_trace :
			       &weir_row_root,
		       &above, "..");
	for (row = dir->row->children; row && *row; row++) {
		if (!(*row)->unlisted)
			weir_names_add(names, *row, dir, (*row)->name);
	}
	if (dir->row->each)
		err = dir->row->each(&names->opener, dir, names);
	err = err ? err : names->text.error;
	err = err ? err : weir_names_charge(names);
	if (err) {
		weir_names_free(names);
		weir_names_charge(names);
	}
	return err;
}

static void weir_names_end(struct weir_names *names)
{
	weir_names_free(names);
	weir_quota_give(names->opener.uid, WEIR_QUOTA_COPIES, names->charged);
	pthread_mutex_destroy(&names->lock);
	free(names);
}

int weir_dir_open(const struct weir_caller *caller, const struct weir_place *place,
		  struct fuse_file_info *fi)
{
	struct weir_names *names;
	int err;

	(void)place;
	names = calloc(1, sizeof(*names));
	if (!names)
		return -ENOMEM;
	pthread_mutex_init(&names->lock, NULL);
	names->opener = *caller;
	weir_caller_settle(&names->opener);
	err = weir_names_charge(names);
	if (err) {
		weir_names_end(names);
		return err;
	}
	pthread_mutex_lock(&weir_dirs_lock);
	list_add(&names->list, &weir_dirs);
	pthread_mutex_unlock(&weir_dirs_lock);
	fi->fh = (uint64_t)names;
	return 0;
}

/* At the end: directories that are open while the mount goes away are never released. */
void weir_dirs_end(void)
{
	struct weir_names *names, *next;

	list_for_each_entry_safe(names, next, &weir_dirs, list)
		weir_names_end(names);
	INIT_LIST_HEAD(&weir_dirs);
}

static size_t weir_names_copy(const struct weir_names *names, fuse_req_t req, char *buf, size_t len,
			      off_t offset)
{
	size_t used = 0, entry;

	for (; (size_t)offset < names->nr; offset++) {
		const struct weir_name *name = &names->entry[offset];
		struct stat st = { .st_ino = name->ino, .st_mode = name->mode };

		entry = fuse_add_direntry(req, buf + used, len - used,
					  names->text.data + name->name, &st, offset + 1);
		if (entry > len - used)
			break;
		used += entry;
	}
	return used;
}

void weir_dir_read(fuse_req_t req, const struct weir_place *place, struct fuse_file_info *fi,
		   size_t len, off_t offset)
{
	struct weir_names *names = (struct weir_names *)fi->fh;
	size_t used = 0;
	char *buf;
	int err = 0;

	len = min(len, (size_t)WEIR_READ_MAX);
	buf = malloc(len);
	if (!buf) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	pthread_mutex_lock(&names->lock);
	if (!offset || !names->taken)
		err = weir_names_take(names, place);
	names->taken = !err;
	if (!err)
		used = weir_names_copy(names, req, buf, len, offset);
	pthread_mutex_unlock(&names->lock);
	if (err)
		fuse_reply_err(req, -err);
	else
		fuse_reply_buf(req, buf, used);
	free(buf);
}

void weir_dir_release(struct fuse_file_info *fi)
{
	struct weir_names *names = (struct weir_names *)fi->fh;

	pthread_mutex_lock(&weir_dirs_lock);
	list_del(&names->list);
	pthread_mutex_unlock(&weir_dirs_lock);
	weir_names_end(names);
}
