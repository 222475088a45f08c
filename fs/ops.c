// SPDX-License-Identifier: GPL-2.0-only
/* ops: libfuse's requests, each translated into one call of the tree. */
#include <sys/statvfs.h>
#include <sys/sysinfo.h>

#include "doorbell_i.h"
#include "snapshot.h"
#include "tree_i.h"

/* ---- threads ----------------------------------------------------------------------------------*/

static pthread_key_t weir_worker_key;
static __thread bool weir_worker_known;

static void weir_worker_end(void *unused)
{
	(void)unused;
	urcu_memb_unregister_thread();
}

/* libfuse makes the threads; liburcu wants to know those that look things up. */
static void weir_worker(void)
{
	if (weir_worker_known)
		return;
	weir_worker_known = true;
	urcu_memb_register_thread();
	pthread_setspecific(weir_worker_key, &weir_worker_known);
}

static struct weir_caller weir_begin(fuse_req_t req)
{
	struct weir_caller caller;

	weir_worker();
	weir_caller_init(&caller, req);
	return caller;
}

static void weir_op_init(void *data, struct fuse_conn_info *conn)
{
	(void)data;
	pthread_key_create(&weir_worker_key, weir_worker_end);
	conn->max_read = WEIR_READ_MAX;
	/* Reads that wait may be asynchronous; they are not to hold up others that are. */
	conn->max_background = 0xffff;
	/* Entries hold for no time at all, so attributes that came with names would be asked for
	 * again. */
	weir_passthrough_init(conn, FUSE_CAP_READDIRPLUS | FUSE_CAP_READDIRPLUS_AUTO);
}

/* ---- names and attributes ---------------------------------------------------------------------*/

static void weir_op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct weir_caller caller = weir_begin(req);
	struct fuse_entry_param entry;
	int err;

	if (!weir_doorbell_lookup(&caller, parent, name, &entry, &err)) {
		weir_registry_sync();
		err = weir_node_find(&caller, parent, name, &entry);
	}
	if (err)
		fuse_reply_err(req, -err);
	else if (fuse_reply_entry(req, &entry) ==
		 -ENOENT) /* interrupted: the kernel did not take it */
		weir_node_forget(entry.ino, 1);
}

static void weir_op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t count)
{
	weir_worker();
	weir_node_forget(ino, count);
	fuse_reply_none(req);
}

static void weir_op_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	size_t i;

	weir_worker();
	for (i = 0; i < count; i++)
		weir_node_forget(forgets[i].ino, forgets[i].nlookup);
	fuse_reply_none(req);
}

static void weir_op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	const struct weir_place *place = weir_node_place(ino);
	struct stat st;

	(void)fi;
	weir_place_stat(place, &st);
	fuse_reply_attr(req, &st, weir_place_timeout(place));
}

/* Truncation of what can be written to is what `>` does: nothing, the write replaces. Setting
 * what is already so, and times, is accepted and does nothing. */
static void weir_op_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
			    struct fuse_file_info *fi)
{
	const struct weir_place *place = weir_node_place(ino);
	struct stat st;
	int err = 0;

	(void)fi;
	weir_place_stat(place, &st);
	if (to_set & FUSE_SET_ATTR_MODE && (attr->st_mode ^ st.st_mode) & 07777)
		err = EPERM;
	if (to_set & FUSE_SET_ATTR_UID && attr->st_uid != st.st_uid)
		err = EPERM;
	if (to_set & FUSE_SET_ATTR_GID && attr->st_gid != st.st_gid)
		err = EPERM;
	if (to_set & FUSE_SET_ATTR_SIZE && !place->row->store)
		err = EACCES;
	if (err)
		fuse_reply_err(req, err);
	else
		fuse_reply_attr(req, &st, weir_place_timeout(place));
}

static void weir_op_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct weir_trace *traces[WEIR_SLOTS];
	struct statvfs st = { 0 };
	struct sysinfo info;
	u64 page = 4096, used = weir_copy_bytes() + weir_snapshot_bytes();
	unsigned int i, nr;

	(void)ino;
	weir_worker();
	nr = weir_traces(traces);
	for (i = 0; i < nr; i++) {
		used += weir_trace_dead_bytes(traces[i]);
		weir_trace_put(traces[i]);
	}
	if (!sysinfo(&info)) {
		st.f_blocks = (u64)info.totalram * info.mem_unit / page;
		st.f_bfree = st.f_blocks - min((u64)st.f_blocks, used / page);
	}
	st.f_bavail = st.f_bfree;
	st.f_bsize = st.f_frsize = page;
	st.f_files = WEIR_SLOTS;
	st.f_ffree = st.f_favail = WEIR_SLOTS - nr;
	st.f_namemax = 2 * WEIR_TRACE_NAME_MAX + 1;
	fuse_reply_statfs(req, &st);
}

/* ---- making and removing ----------------------------------------------------------------------*/

static void weir_op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	struct weir_caller caller = weir_begin(req);
	struct fuse_entry_param entry;
	int err;

	(void)mode;
	if (parent != FUSE_ROOT_ID)
		err = weir_doorbell_mkdir(&caller, parent, name, &entry);
	else
		err = weir_root_mkdir(&caller, name);
	if (!err && parent == FUSE_ROOT_ID)
		err = weir_node_find(&caller, parent, name, &entry);
	if (err)
		fuse_reply_err(req, -err);
	else if (fuse_reply_entry(req, &entry) == -ENOENT)
		weir_node_forget(entry.ino, 1);
}

static void weir_op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct weir_caller caller = weir_begin(req);
	int err;

	if (parent == FUSE_ROOT_ID)
		err = weir_root_rmdir(&caller, name);
	else
		err = weir_doorbell_rmdir(&caller, parent, name);
	fuse_reply_err(req, -err);
}

static void weir_op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
			  dev_t rdev)
{
	(void)parent;
	(void)name;
	(void)mode;
	(void)rdev;
	fuse_reply_err(req, EPERM);
}

static void weir_op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	(void)parent;
	(void)name;
	fuse_reply_err(req, EPERM);
}

static void weir_op_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
	(void)target;
	weir_op_unlink(req, parent, name);
}

static void weir_op_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name)
{
	(void)ino;
	weir_op_unlink(req, parent, name);
}

static void weir_op_rename(fuse_req_t req, fuse_ino_t parent, const char *name,
			   fuse_ino_t new_parent, const char *new_name, unsigned int flags)
{
	(void)new_parent;
	(void)new_name;
	(void)flags;
	weir_op_unlink(req, parent, name);
}

/* ---- files ------------------------------------------------------------------------------------*/

static void weir_op_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct weir_caller caller = weir_begin(req);

	weir_registry_sync();
	weir_file_request_open(&caller, weir_node_place(ino), fi, req);
}

static void weir_op_read(fuse_req_t req, fuse_ino_t ino, size_t len, off_t offset,
			 struct fuse_file_info *fi)
{
	(void)ino;
	weir_worker();
	weir_file_read(req, fi, len, offset);
}

static void weir_op_write(fuse_req_t req, fuse_ino_t ino, const char *data, size_t len,
			  off_t offset, struct fuse_file_info *fi)
{
	struct weir_caller caller = weir_begin(req);
	int err = weir_file_write(&caller, fi, data, len);

	(void)ino;
	(void)offset;
	if (err)
		fuse_reply_err(req, -err);
	else
		fuse_reply_write(req, len);
}

static void weir_op_poll(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi,
			 struct fuse_pollhandle *poll)
{
	(void)ino;
	weir_worker();
	weir_file_poll(req, fi, poll);
}

static void weir_op_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	weir_worker();
	weir_file_release(fi);
	fuse_reply_err(req, 0);
}

static void weir_op_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct weir_caller caller = weir_begin(req);
	int err;

	weir_registry_sync();
	err = weir_dir_open(&caller, weir_node_place(ino), fi);
	if (err)
		fuse_reply_err(req, -err);
	else if (fuse_reply_open(req, fi) == -ENOENT)
		weir_dir_release(fi);
}

static void weir_op_readdir(fuse_req_t req, fuse_ino_t ino, size_t len, off_t offset,
			    struct fuse_file_info *fi)
{
	weir_worker();
	weir_dir_read(req, weir_node_place(ino), fi, len, offset);
}

static void weir_op_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	weir_dir_release(fi);
	fuse_reply_err(req, 0);
}

/* What is not here the kernel finds missing once and does not ask again: extended attributes,
 * flush, fsync. */
const struct fuse_lowlevel_ops weir_ops = {
	.init = weir_op_init,
	.lookup = weir_op_lookup,
	.forget = weir_op_forget,
	.forget_multi = weir_op_forget_multi,
	.getattr = weir_op_getattr,
	.setattr = weir_op_setattr,
	.statfs = weir_op_statfs,
	.mkdir = weir_op_mkdir,
	.rmdir = weir_op_rmdir,
	.mknod = weir_op_mknod,
	.unlink = weir_op_unlink,
	.symlink = weir_op_symlink,
	.link = weir_op_link,
	.rename = weir_op_rename,
	.open = weir_op_open,
	.read = weir_op_read,
	.write = weir_op_write,
	.poll = weir_op_poll,
	.release = weir_op_release,
	.opendir = weir_op_opendir,
	.readdir = weir_op_readdir,
	.releasedir = weir_op_releasedir,
};
