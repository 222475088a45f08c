// SPDX-License-Identifier: GPL-2.0-only
/*
 * tree: nodes, which are the places that the kernel knows.
 *
 * A node's number is its address. Equal places are one node, so a data file whose state has not
 * changed keeps its number, and the kernel its cached pages; every other state is a node of its
 * own. st_ino stays the same all the while: it is made of the serial numbers of trace and source,
 * and the row.
 */
#include "live.h"

#define WEIR_NODE_BUCKETS 16384u

struct weir_node {
	struct list_head bucket;
	struct weir_place place;
	fuse_ino_t parent;
	u64 lookups;
	bool told;    /* weir_node_stale() has given it out */
	bool retired; /* removed: a place that comes back is another node */
};

static struct list_head weir_nodes[WEIR_NODE_BUCKETS];
static pthread_mutex_t weir_nodes_lock = PTHREAD_MUTEX_INITIALIZER;
static struct weir_node_count weir_nodes_count;
static struct weir_node weir_node_root = { .place.row = &weir_row_root };
static struct timespec weir_tree_start;

void weir_tree_init(void)
{
	unsigned int i;

	for (i = 0; i < WEIR_NODE_BUCKETS; i++)
		INIT_LIST_HEAD(&weir_nodes[i]);
	weir_view_init();
	weir_copy_init();
	weir_live_init();
	clock_gettime(CLOCK_REALTIME, &weir_tree_start);
}

static struct weir_node *weir_node(fuse_ino_t ino)
{
	return ino == FUSE_ROOT_ID ? &weir_node_root : (struct weir_node *)ino;
}

const struct weir_place *weir_node_place(fuse_ino_t ino)
{
	return &weir_node(ino)->place;
}

void weir_place_put(struct weir_place *place)
{
	if (place->source)
		weir_source_put(place->source);
	if (place->trace)
		weir_trace_put(place->trace);
}

/* ---- attributes -------------------------------------------------------------------------------*/

ino_t weir_place_ino(const struct weir_row *row, const struct weir_place *place)
{
	u64 trace = place->trace ? place->trace->serial : 0;
	u64 source = place->source ? place->source->serial : 0;

	return trace << 40 ^ source << 13 ^ (row->ino + place->state.cpu);
}

static struct timespec weir_place_time(const struct weir_place *place)
{
	u64 ns;

	if (place->row->kind == WEIR_KIND_DATA) {
		ns = place->state.latest + (u64)weir_daemon.clock_offset;
		return (struct timespec){ .tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000 };
	}
	if (place->source)
		return place->source->attached;
	return place->trace ? place->trace->created : weir_tree_start;
}

void weir_place_stat(const struct weir_place *place, struct stat *st)
{
	const struct weir_row *row = place->row;

	memset(st, 0, sizeof(*st));
	st->st_ino = weir_place_ino(row, place);
	st->st_mode = row->mode | (row->kind == WEIR_KIND_DIR ? S_IFDIR : S_IFREG);
	st->st_nlink = 1; /* nobody is to infer a number of directories */
	st->st_blksize = 4096;
	st->st_uid = weir_daemon.uid;
	st->st_gid = getegid();
	if (place->source) {
		st->st_uid = place->source->dir_uid;
		st->st_gid = weir_daemon.tracing != (gid_t)-1 ? weir_daemon.tracing
							      : place->source->dir_gid;
	} else if (place->trace) {
		st->st_uid = place->trace->owner;
		st->st_gid = place->trace->group;
	}
	if (row->kind == WEIR_KIND_DATA) {
		st->st_size = place->state.size;
		st->st_blocks = (place->state.size + 511) / 512;
	}
	st->st_mtim = weir_place_time(place);
	st->st_atim = st->st_mtim;
	st->st_ctim = st->st_mtim;
}

/* Attributes of a node never change: what changes gets another node. */
double weir_place_timeout(const struct weir_place *place)
{
	return place->row->kind == WEIR_KIND_DATA ? 86400 : 60;
}

/* ---- look-up and forget -----------------------------------------------------------------------*/

static bool weir_state_equal(const struct weir_state *a, const struct weir_state *b)
{
	return a->ring.end == b->ring.end && a->ring.begin == b->ring.begin &&
	       a->ring.lost == b->ring.lost && a->ring.epoch == b->ring.epoch &&
	       a->count == b->count && a->cpu == b->cpu && a->size == b->size;
}

static bool weir_place_equal(const struct weir_place *a, const struct weir_place *b)
{
	return a->row == b->row && a->trace == b->trace && a->source == b->source &&
	       weir_state_equal(&a->state, &b->state);
}

static struct list_head *weir_node_bucket(const struct weir_place *place)
{
	u64 hash = (u64)place->row ^ (u64)place->trace << 7 ^ (u64)place->source << 3;

	hash ^= place->state.ring.end * 31 + place->state.cpu;
	hash *= 0x9e3779b97f4a7c15ull;
	return &weir_nodes[hash >> 50];
}

/* The node of a place, with one look-up more. Takes over the place's references. */
static struct weir_node *weir_node_get(struct weir_place *place, fuse_ino_t parent)
{
	struct list_head *bucket = weir_node_bucket(place);
	struct weir_node *node, *made = malloc(sizeof(*made));

	pthread_mutex_lock(&weir_nodes_lock);
	weir_nodes_count.lookups++;
	list_for_each_entry(node, bucket, bucket) {
		if (!node->retired && weir_place_equal(&node->place, place))
			goto found;
	}
	if (!made) {
		pthread_mutex_unlock(&weir_nodes_lock);
		weir_place_put(place);
		return NULL;
	}
	*made = (struct weir_node){ .place = *place, .parent = parent, .lookups = 1 };
	list_add(&made->bucket, bucket);
	weir_nodes_count.nodes++;
	pthread_mutex_unlock(&weir_nodes_lock);
	return made;
found:
	node->lookups++;
	pthread_mutex_unlock(&weir_nodes_lock);
	free(made);
	weir_place_put(place);
	return node;
}

static int weir_dir_find(const struct weir_caller *caller, const struct weir_place *dir,
			 const char *name, struct weir_place *place)
{
	const struct weir_row *const *row;

	for (row = dir->row->children; row && *row; row++) {
		if (strcmp((*row)->name, name))
			continue;
		*place = (struct weir_place){ .row = *row,
					      .trace = dir->trace,
					      .source = dir->source };
		if (place->trace)
			weir_trace_get(place->trace);
		if (place->source)
			weir_source_get(place->source);
		return 0;
	}
	return dir->row->find ? dir->row->find(caller, dir, name, place) : -ENOENT;
}

void weir_node_entry(const struct weir_place *place, struct fuse_entry_param *entry)
{
	memset(entry, 0, sizeof(*entry));
	entry->attr_timeout = weir_place_timeout(place);
	entry->generation = 1;
	weir_place_stat(place, &entry->attr);
}

/* A place is looked up once more. Takes over its references. */
int weir_node_enter(struct weir_place *place, fuse_ino_t parent, struct fuse_entry_param *entry)
{
	struct weir_node *node = weir_node_get(place, parent);

	if (!node)
		return -ENOMEM;
	weir_node_entry(&node->place, entry);
	entry->ino = (fuse_ino_t)node;
	return 0;
}

int weir_node_find(const struct weir_caller *caller, fuse_ino_t parent, const char *name,
		   struct fuse_entry_param *entry)
{
	const struct weir_place *dir = weir_node_place(parent);
	struct weir_place place;
	int err;

	/* who still reads the live streams of a trace that is gone needs to know their events */
	if (dir->trace && READ_ONCE(dir->trace->gone) &&
	    !(dir->source && !strcmp(name, weir_row_metadata.name) && weir_live_any(dir->trace)))
		return -ENOENT;
	err = weir_dir_find(caller, dir, name, &place);
	return err ? err : weir_node_enter(&place, parent, entry);
}

/* The kernel's directory of this place is removed. */
void weir_node_retire(const struct weir_place *place)
{
	struct list_head *bucket = weir_node_bucket(place);
	struct weir_node *node;

	pthread_mutex_lock(&weir_nodes_lock);
	list_for_each_entry(node, bucket, bucket) {
		if (weir_place_equal(&node->place, place))
			node->retired = node->told = true;
	}
	pthread_mutex_unlock(&weir_nodes_lock);
}

void weir_node_forget(fuse_ino_t ino, u64 count)
{
	struct weir_node *node = weir_node(ino);
	bool last;

	if (ino == FUSE_ROOT_ID)
		return;
	pthread_mutex_lock(&weir_nodes_lock);
	node->lookups -= min(count, node->lookups);
	last = !node->lookups;
	if (last) {
		list_del(&node->bucket);
		weir_nodes_count.nodes--;
	}
	pthread_mutex_unlock(&weir_nodes_lock);
	if (!last)
		return;
	weir_place_put(&node->place);
	free(node);
}

bool weir_node_stale(fuse_ino_t *parent, char *name, size_t size)
{
	struct weir_node *node;
	bool found = false;
	unsigned int i;

	pthread_mutex_lock(&weir_nodes_lock);
	for (i = 0; i < WEIR_NODE_BUCKETS && !found; i++) {
		list_for_each_entry(node, &weir_nodes[i], bucket) {
			if (node->told || node->place.row != &weir_row_source ||
			    !READ_ONCE(node->place.source->gone) ||
			    READ_ONCE(node->place.trace->gone)) /* nobody gets there any more */
				continue;
			node->told = true;
			*parent = node->parent;
			snprintf(name, size, "%s", node->place.source->name);
			found = true;
			break;
		}
	}
	pthread_mutex_unlock(&weir_nodes_lock);
	return found;
}

struct weir_node_count weir_node_count(void)
{
	struct weir_node_count count;

	pthread_mutex_lock(&weir_nodes_lock);
	count = weir_nodes_count;
	pthread_mutex_unlock(&weir_nodes_lock);
	return count;
}

/* At the end: what the kernel knew is forgotten. */
void weir_tree_end(void)
{
	struct weir_node *node, *next;
	unsigned int i;

	for (i = 0; i < WEIR_NODE_BUCKETS; i++) {
		list_for_each_entry_safe(node, next, &weir_nodes[i], bucket)
			weir_node_forget((fuse_ino_t)node, node->lookups);
	}
}
