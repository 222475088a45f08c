/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tree: the files that users see, as rows of static tables.
 *
 *   row     what kind of file: name, mode, kind, functions. Static.
 *   place   a row and what it is about: trace, source, CPU, and for data the state of the bytes
 *   node    a place that the kernel knows by number, counted by its look-ups
 *   file    a node that somebody has open
 *
 * `kind` alone decides how a file is opened and read (file.c). A row with show() is a pseudo-file,
 * one with store() can be written; one row and one or two functions add a file.
 *
 * Locks, none held while another is taken, none held while the kernel is called:
 *   nodes (tree.c), views (view.c), the list of copies (copy.c), callers (caller.c), messages
 *   (errors.c), and one a file. A copy's own lock is held while its bytes are copied, so that later
 *   openers wait for them.
 */
#ifndef WEIR_TREE_I_H
#define WEIR_TREE_I_H

#define FUSE_USE_VERSION 312

#include <fuse_lowlevel.h>
#include <pthread.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include "registry.h"

#define WEIR_READ_MAX (1u << 20) /* bytes of a read request */

/* ---- buf.c: text that grows -------------------------------------------------------------------*/

struct weir_buf {
	char *data;
	size_t len, size;
	int error; /* -ENOMEM; what was printed after it is gone */
};

char *weir_buf_room(struct weir_buf *out, size_t len);
void weir_buf_put(struct weir_buf *out, const void *data, size_t len);
void weir_buf_printf(struct weir_buf *out, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void weir_buf_free(struct weir_buf *out);

/* ---- caller.c: who asks -----------------------------------------------------------------------*/

struct weir_caller {
	uid_t uid;
	gid_t gid;
	pid_t pid; /* a thread; 0 if it is not in a pid namespace of ours */
	/* Who opens a file keeps the rights of that moment; of others they are looked up. */
	bool settled, tracing;
};

void weir_caller_init(struct weir_caller *caller, fuse_req_t req);
void weir_caller_settle(struct weir_caller *caller);
pid_t weir_caller_process(const struct weir_caller *caller);
bool weir_caller_tracing(const struct weir_caller *caller);
bool weir_caller_privileged(const struct weir_caller *caller);
bool weir_caller_sees_trace(const struct weir_caller *caller, const struct weir_trace *trace);
bool weir_caller_sees_source(const struct weir_caller *caller, const struct weir_trace *trace,
			     const struct weir_source *source);

/* ---- places and nodes -------------------------------------------------------------------------*/

enum weir_kind {
	WEIR_KIND_DIR,
	WEIR_KIND_CONTROL, /* direct_io, size 0, rendered when read */
	WEIR_KIND_TEXT,	   /* direct_io, size 0, streamed */
	WEIR_KIND_DATA,	   /* cached, exact size, never changes */
	WEIR_KIND_STREAM,  /* direct_io, size 0, consumed: read(2) waits */
	WEIR_KIND_FOLLOW,  /* direct_io, size 0, non-seekable: what is there, and what comes */
};

/* What a data file holds: fixed when it is looked up. */
struct weir_state {
	struct weir_ring_view ring; /* cpuN */
	u32 count;		    /* event classes that are known */
	u32 cpu;
	u64 latest; /* clock when it was fixed; not part of what makes two states equal */
	u64 size;
};

struct weir_row;

struct weir_place {
	const struct weir_row *row;
	struct weir_trace *trace;
	struct weir_source *source;
	struct weir_state state;
};

/* Where names of a directory go. */
struct weir_names;
void weir_names_add(struct weir_names *names, const struct weir_row *row,
		    const struct weir_place *place, const char *name);

struct weir_row {
	const char *name; /* NULL: `find` and `each` of the directory know */
	mode_t mode;
	enum weir_kind kind;
	bool unlisted;
	unsigned int ino; /* inside its directory; unique in what the tree calls a place */

	/* directories: a table, then what is made up; the row named last in the listing */
	const struct weir_row *const *children;
	int (*find)(const struct weir_caller *caller, const struct weir_place *dir,
		    const char *name, struct weir_place *place);
	int (*each)(const struct weir_caller *caller, const struct weir_place *dir,
		    struct weir_names *names);

	/* pseudo-files */
	int (*show)(const struct weir_caller *caller, const struct weir_place *place,
		    struct weir_buf *out);
	int (*store)(const struct weir_caller *caller, const struct weir_place *place, char *text,
		     size_t len, bool append, const char **why);
	size_t write_max;    /* bytes of a write; 0: enough for every setting */
	const char *accepts; /* what store() would take: for .weir/errors */

	/* data: writes the bytes of a state, exactly state.size of them, to an empty file */
	int (*fill)(const struct weir_place *place, int fd);
};

struct weir_node;

extern const struct weir_row weir_row_root, weir_row_dot, weir_row_trace, weir_row_control,
	weir_row_source, weir_row_snapshot, weir_row_frozen;
extern const struct weir_row weir_row_status, weir_row_marker;
extern const struct weir_row weir_row_trace_text, weir_row_source_text;
extern const struct weir_row weir_row_cpu, weir_row_metadata;
extern const struct weir_row weir_row_live, weir_row_live_cpu, weir_row_trace_live;
extern const struct weir_row *const weir_control_rows[];

void weir_tree_init(void);
void weir_tree_end(void);
const struct weir_place *weir_node_place(fuse_ino_t ino);
int weir_node_find(const struct weir_caller *caller, fuse_ino_t parent, const char *name,
		   struct fuse_entry_param *entry);
int weir_node_enter(struct weir_place *place, fuse_ino_t parent, struct fuse_entry_param *entry);
void weir_node_retire(const struct weir_place *place);
void weir_node_entry(const struct weir_place *place, struct fuse_entry_param *entry);
void weir_node_forget(fuse_ino_t ino, u64 count);
void weir_place_stat(const struct weir_place *place, struct stat *st);
double weir_place_timeout(const struct weir_place *place);
ino_t weir_place_ino(const struct weir_row *row, const struct weir_place *place);
void weir_place_put(struct weir_place *place);
bool weir_name_cpu(const char *name, unsigned int *cpu); /* cpuN, cpux */
/* One entry of a gone trace or source that the kernel still knows; false: none. */
bool weir_node_stale(fuse_ino_t *parent, char *name, size_t size);
struct weir_node_count {
	u64 nodes, lookups;
} weir_node_count(void);

/* ---- sources of a trace -----------------------------------------------------------------------*/

struct weir_source_list {
	struct weir_source **source; /* with references, by age */
	size_t nr, size;
	size_t hidden; /* how many more there are that the caller must not see */
	int error;
};

/* Those that the caller sees in the trace (all that are attached, if `trace` is NULL). */
int weir_source_list(const struct weir_caller *caller, struct weir_trace *trace,
		     struct weir_source_list *list);
void weir_source_list_put(struct weir_source_list *list);

/* ---- view.c: what one reader process sees of one source in one trace --------------------------*/

struct weir_view;
void weir_view_init(void);
struct weir_view *weir_view_get(const struct weir_caller *caller, struct weir_trace *trace,
				struct weir_source *source);
struct weir_view *weir_view_now(struct weir_trace *trace, struct weir_source *source);
void weir_view_put(struct weir_view *view);
int weir_view_cpu(const struct weir_caller *caller, struct weir_trace *trace,
		  struct weir_source *source, unsigned int cpu, struct weir_state *state);
int weir_view_metadata(const struct weir_caller *caller, struct weir_trace *trace,
		       struct weir_source *source, struct weir_state *state);
/* The next CPU with a file, from `cpu` on; -1: none. */
int weir_view_next(const struct weir_view *view, unsigned int cpu);
bool weir_view_state(const struct weir_view *view, unsigned int cpu, struct weir_state *state);
struct weir_view *weir_view_open(const struct weir_caller *caller, const struct weir_place *place);
void weir_view_close(struct weir_view *view);
void weir_view_outdated(pid_t process, struct weir_trace *trace, struct weir_source *source,
			u32 count);
void weir_view_sweep(bool all);

int weir_state_fix(struct weir_state *state);
size_t weir_metadata_size(const struct weir_trace *trace, struct weir_source *source, u64 epoch,
			  u32 count);
int weir_metadata_fill(const struct weir_place *place, int fd);

/* ---- copy.c: the bytes of data files ----------------------------------------------------------*/

struct weir_copy;
void weir_copy_init(void);
int weir_pwrite(int fd, const void *data, size_t len, u64 offset);
int weir_copy_open(const struct weir_place *place, uid_t uid, struct weir_copy **copy,
		   bool *shared);
const void *weir_copy_data(const struct weir_copy *copy);
int weir_copy_backing(const struct weir_copy *copy);
void weir_copy_close(struct weir_copy *copy);
void weir_copy_sweep(bool all);
u64 weir_copy_bytes(void);

/* ---- passthrough.c: files that the kernel reads by itself -------------------------------------*/

void weir_passthrough_start(struct fuse_session *session);
void weir_passthrough_stop(void);
void weir_passthrough_init(struct fuse_conn_info *conn, unsigned int unwanted);
bool weir_passthrough(void);
int weir_passthrough_open(int fd);
void weir_passthrough_close(int id);
void weir_passthrough_set(struct fuse_file_info *fi, int id);

/* ---- spare.c: buffers that are needed for a moment --------------------------------------------*/

void *weir_spare_take(size_t size);
void weir_spare_give(void *data, size_t size);
void weir_spare_sweep(bool all);

/* ---- heap.c: what was freed goes back to the system -------------------------------------------*/

void weir_heap_sweep(void);

/* ---- stream.c: packets of a state -------------------------------------------------------------*/

int weir_stream_fill(const struct weir_place *place, int fd);
u64 weir_stream_damaged(const struct weir_source *source, const struct weir_trace *trace,
			unsigned int cpu);
/* The number of the packet at a position, or that would be there. */
static inline u64 weir_stream_seq(const struct weir_ring_view *ring, u64 position)
{
	return (position >> weir_epoch_subbuf_shift(ring->epoch)) + 1;
}

void weir_stream_damage(const struct weir_place *place, u64 seq);

/* ---- text.c: records merged by time -----------------------------------------------------------*/

struct weir_text;
int weir_text_open(const struct weir_caller *caller, const struct weir_place *place,
		   struct weir_text **text);
int weir_text_read(struct weir_text *text, u64 offset, size_t len, const char **data, size_t *got);
void weir_text_replied(struct weir_text *text);
void weir_text_close(struct weir_text *text);
void weir_text_free_spares(void);

/* ---- available_events.c -----------------------------------------------------------------------*/

int weir_available_events_show(const struct weir_caller *caller, const struct weir_place *place,
			       struct weir_buf *out);

/* ---- errors.c ---------------------------------------------------------------------------------*/

int weir_errors_show(const struct weir_caller *caller, const struct weir_place *place,
		     struct weir_buf *out);

/* ---- file.c: what is open; dir.c: open directories --------------------------------------------*/

struct weir_file;
int weir_file_open(const struct weir_caller *caller, const struct weir_place *place,
		   struct fuse_file_info *fi);
void weir_file_answer_open(fuse_req_t req, struct fuse_file_info *fi, int err);
void weir_file_request_open(const struct weir_caller *caller, const struct weir_place *place,
			    struct fuse_file_info *fi, fuse_req_t req);
void weir_file_read(fuse_req_t req, struct fuse_file_info *fi, size_t len, off_t offset);
void weir_file_poll(fuse_req_t req, struct fuse_file_info *fi, struct fuse_pollhandle *poll);
int weir_file_write(const struct weir_caller *writer, struct fuse_file_info *fi, const char *data,
		    size_t len);
void weir_file_release(struct fuse_file_info *fi);
void weir_files_end(void);
void weir_dirs_end(void);

int weir_dir_open(const struct weir_caller *caller, const struct weir_place *place,
		  struct fuse_file_info *fi);
void weir_dir_read(fuse_req_t req, const struct weir_place *place, struct fuse_file_info *fi,
		   size_t len, off_t offset);
void weir_dir_release(struct fuse_file_info *fi);

/* ---- the rest ---------------------------------------------------------------------------------*/

int weir_trace_find_name(const struct weir_caller *caller, const struct weir_place *dir,
			 const char *name, struct weir_place *place);
int weir_trace_each(const struct weir_caller *caller, const struct weir_place *dir,
		    struct weir_names *names);
void weir_place_trace(struct weir_place *place, struct weir_trace *trace);
void weir_snapshots_list(const struct weir_caller *caller, struct weir_names *names);
int weir_snapshot_mkdir(const struct weir_caller *caller, const char *name, const char *at);
int weir_root_mkdir(const struct weir_caller *caller, const char *name);
int weir_root_rmdir(const struct weir_caller *caller, const char *name);

extern const struct fuse_lowlevel_ops weir_ops;

int weir_sweeper_start(struct fuse_session *session);
void weir_sweeper_stop(const char *mountpoint);

int weir_mount_main(int argc, char **argv);
int weir_mountpoint_prepare(const char *path);

#endif /* WEIR_TREE_I_H */
