// SPDX-License-Identifier: GPL-2.0-only
/* file: what is open. A row's kind chooses the functions here, and with them the flags of the
 * open file. */
#include <fcntl.h>
#include <poll.h>

#include "follow.h"
#include "live.h"

#define WEIR_FILE_COST 1024u	  /* bytes charged for being open, about what it takes */
#define WEIR_WRITE_MAX (1u << 20) /* bytes of a command; FUSE sends no more at once */

struct weir_file {
	struct list_head list; /* of all that are open */
	/* Being open, and requests: a reply may be read and the file released before sending it
	 * returns. */
	unsigned int refs;
	const struct weir_place *place; /* of the node, which stays while it is open */
	struct weir_caller opener;	/* whose rights count, whoever reads and writes */
	pthread_mutex_t lock;
	bool append; /* opened so, or written before: shells write several lines one by one */
	u64 charged;
	/* control */
	struct weir_buf out; /* until it has been read to the end */
	bool rendered;
	u64 end; /* where that was */
	/* data */
	struct weir_copy *copy;
	struct weir_view *view;
	/* text */
	struct weir_text *text;
	/* stream */
	struct weir_live *live;
	struct weir_follow *follow;
};

struct weir_file_kind {
	int (*open)(struct weir_file *file, const struct weir_caller *caller,
		    struct fuse_file_info *fi);
	/* It is busy: 0 the request waits and will be answered; -EAGAIN it is not busy any more; -errno. */
	int (*open_later)(const struct weir_caller *caller, const struct weir_place *place,
			  const struct fuse_file_info *fi, fuse_req_t req);
	/* Finds the bytes at an offset; under the file's lock. */
	int (*read)(struct weir_file *file, size_t len, off_t offset, const char **data,
		    size_t *got);
	/* What was found has been sent; under the lock. */
	void (*replied)(struct weir_file *file);
	bool locked; /* while reading */
	/* Instead of these: answers, now or later. */
	void (*serve)(struct weir_file *file, fuse_req_t req, size_t len, int flags);
};

static struct list_head weir_files = { &weir_files, &weir_files };
static pthread_mutex_t weir_files_lock = PTHREAD_MUTEX_INITIALIZER;

/* What is there of `size` bytes at an offset. */
static void weir_file_clip(const char *bytes, u64 size, size_t len, off_t offset, const char **data,
			   size_t *got)
{
	*got = (u64)offset < size ? min((u64)len, size - (u64)offset) : 0;
	*data = *got ? bytes + offset : NULL;
}

/* ---- control ----------------------------------------------------------------------------------*/

static int weir_control_open(struct weir_file *file, const struct weir_caller *caller,
			     struct fuse_file_info *fi)
{
	(void)caller;
	file->append = fi->flags & O_APPEND;
	file->end = ~0ull;
	fi->direct_io = 1;
	fi->nonseekable = 0;
	return 0;
}

static int weir_control_charge(struct weir_file *file)
{
	return weir_quota_hold(file->opener.uid, WEIR_QUOTA_COPIES, &file->charged,
			       WEIR_FILE_COST + file->out.size);
}

static void weir_control_drop(struct weir_file *file)
{
	weir_buf_free(&file->out);
	file->rendered = false;
	weir_control_charge(file);
}

static int weir_control_render(struct weir_file *file)
{
	int err;

	weir_control_drop(file);
	err = file->place->row->show(&file->opener, file->place, &file->out);
	err = err ? err : file->out.error;
	err = err ? err : weir_control_charge(file);
	if (err)
		weir_control_drop(file);
	else
		file->rendered = true;
	return err;
}

/* Rendered by the first read, and anew by one at the beginning. Kept until a read finds the end;
 * reading there again finds it again. */
static int weir_control_read(struct weir_file *file, size_t len, off_t offset, const char **data,
			     size_t *got)
{
	int err;

	if (!offset || (!file->rendered && (u64)offset < file->end)) {
		err = weir_control_render(file);
		if (err)
			return err;
	}
	weir_file_clip(file->out.data, file->out.len, len, offset, data, got);
	if (!*got && len && file->rendered) {
		file->end = file->out.len;
		weir_control_drop(file);
	}
	return 0;
}

/* ---- data -------------------------------------------------------------------------------------*/

static int weir_data_open(struct weir_file *file, const struct weir_caller *caller,
			  struct fuse_file_info *fi)
{
	int backing, err;
	bool shared;

	err = weir_copy_open(file->place, caller->uid, &file->copy, &shared);
	if (err)
		return err;
	file->view = weir_view_open(caller, file->place);
	backing = weir_copy_backing(file->copy);
	weir_passthrough_set(fi, backing);
	fi->keep_cache = shared && !backing;
	return 0;
}

static int weir_data_read(struct weir_file *file, size_t len, off_t offset, const char **data,
			  size_t *got)
{
	weir_file_clip(weir_copy_data(file->copy), file->place->state.size, len, offset, data, got);
	return 0;
}

/* ---- text -------------------------------------------------------------------------------------*/

static int weir_merge_open(struct weir_file *file, const struct weir_caller *caller,
			   struct fuse_file_info *fi)
{
	fi->direct_io = 1;
	return weir_text_open(caller, file->place, &file->text);
}

static int weir_merge_read(struct weir_file *file, size_t len, off_t offset, const char **data,
			   size_t *got)
{
	return weir_text_read(file->text, offset, len, data, got);
}

static void weir_merge_replied(struct weir_file *file)
{
	weir_text_replied(file->text);
}

/* ---- stream -----------------------------------------------------------------------------------*/

static int weir_stream_open(struct weir_file *file, const struct weir_caller *caller,
			    struct fuse_file_info *fi)
{
	fi->direct_io = 1;
	fi->nonseekable = 1;
	return weir_live_open(caller, file->place, &file->live);
}

static void weir_stream_serve(struct weir_file *file, fuse_req_t req, size_t len, int flags)
{
	weir_live_read(file->live, req, len, flags & O_NONBLOCK);
}

static int weir_follow_begin(struct weir_file *file, const struct weir_caller *caller,
			     struct fuse_file_info *fi)
{
	(void)caller;
	fi->direct_io = 1;
	fi->nonseekable = 1;
	return weir_follow_open(&file->opener, file->place, &file->follow);
}

static void weir_follow_serve(struct weir_file *file, fuse_req_t req, size_t len, int flags)
{
	weir_follow_read(file->follow, req, len, flags & O_NONBLOCK);
}

static const struct weir_file_kind weir_file_kinds[] = {
	[WEIR_KIND_CONTROL] = { .open = weir_control_open, .read = weir_control_read, .locked = true },
	[WEIR_KIND_TEXT] = { .open = weir_merge_open,
			     .read = weir_merge_read,
			     .replied = weir_merge_replied,
			     .locked = true },
	[WEIR_KIND_DATA] = { .open = weir_data_open, .read = weir_data_read },
	[WEIR_KIND_FOLLOW] = { .open = weir_follow_begin, .serve = weir_follow_serve },
	[WEIR_KIND_STREAM] = { .open = weir_stream_open,
			       .open_later = weir_live_open_later,
			       .serve = weir_stream_serve },
};

/* ---- the file ---------------------------------------------------------------------------------*/

static void weir_file_put(struct weir_file *file)
{
	if (__atomic_sub_fetch(&file->refs, 1, __ATOMIC_ACQ_REL)) /* put:C */
		return;
	if (file->live)
		weir_live_close(file->live);
	if (file->follow)
		weir_follow_close(file->follow);
	if (file->text)
		weir_text_close(file->text);
	if (file->view)
		weir_view_close(file->view);
	if (file->copy)
		weir_copy_close(file->copy);
	weir_buf_free(&file->out);
	weir_quota_give(file->opener.uid, WEIR_QUOTA_COPIES, file->charged);
	pthread_mutex_destroy(&file->lock);
	free(file);
}

int weir_file_open(const struct weir_caller *caller, const struct weir_place *place,
		   struct fuse_file_info *fi)
{
	struct weir_file *file;
	int err;

	if ((fi->flags & O_ACCMODE) != O_RDONLY && !place->row->store)
		return -EACCES; /* of root too */
	file = calloc(1, sizeof(*file));
	if (!file)
		return -ENOMEM;
	pthread_mutex_init(&file->lock, NULL);
	file->place = place;
	file->opener = *caller;
	weir_caller_settle(&file->opener);
	file->refs = 1;
	err = weir_quota_hold(caller->uid, WEIR_QUOTA_COPIES, &file->charged, WEIR_FILE_COST);
	if (!err)
		err = weir_file_kinds[place->row->kind].open(file, caller, fi);
	if (err) {
		weir_file_put(file);
		return err;
	}
	pthread_mutex_lock(&weir_files_lock);
	list_add(&file->list, &weir_files);
	pthread_mutex_unlock(&weir_files_lock);
	fi->noflush = 1;
	fi->fh = (uint64_t)file;
	return 0;
}

/* `err`: what weir_file_open() said. */
void weir_file_answer_open(fuse_req_t req, struct fuse_file_info *fi, int err)
{
	if (err)
		fuse_reply_err(req, -err);
	else if (fuse_reply_open(req, fi) == -ENOENT)
		weir_file_release(fi);
}

/* Opens, and answers the request, now or later. */
void weir_file_request_open(const struct weir_caller *caller, const struct weir_place *place,
			    struct fuse_file_info *fi, fuse_req_t req)
{
	const struct weir_file_kind *kind = &weir_file_kinds[place->row->kind];
	int err = weir_file_open(caller, place, fi);

	if (err == -EBUSY && kind->open_later) {
		err = kind->open_later(caller, place, fi, req);
		if (!err)
			return;
		if (err == -EAGAIN)
			err = weir_file_open(caller, place, fi);
	}
	weir_file_answer_open(req, fi, err);
}

void weir_file_read(fuse_req_t req, struct fuse_file_info *fi, size_t len, off_t offset)
{
	struct weir_file *file = (struct weir_file *)fi->fh;
	const struct weir_file_kind *kind = &weir_file_kinds[file->place->row->kind];
	const char *data = NULL;
	size_t got = 0;
	int err;

	__atomic_add_fetch(&file->refs, 1, __ATOMIC_RELAXED);
	if (kind->serve) {
		kind->serve(file, req, len, fi->flags);
		weir_file_put(file);
		return;
	}
	if (kind->locked)
		pthread_mutex_lock(&file->lock);
	err = kind->read(file, len, offset, &data, &got);
	if (err)
		fuse_reply_err(req, -err);
	else
		fuse_reply_buf(req, data, got);
	if (kind->replied)
		kind->replied(file);
	if (kind->locked)
		pthread_mutex_unlock(&file->lock);
	weir_file_put(file);
}

/* Only streams ever wait. */
void weir_file_poll(fuse_req_t req, struct fuse_file_info *fi, struct fuse_pollhandle *poll)
{
	struct weir_file *file = (struct weir_file *)fi->fh;

	__atomic_add_fetch(&file->refs, 1, __ATOMIC_RELAXED);
	if (file->live) {
		weir_answer_poll(&file->live->wait, req, poll);
	} else if (file->follow) {
		weir_answer_poll(weir_follow_wait(file->follow), req, poll);
	} else {
		if (poll)
			fuse_pollhandle_destroy(poll);
		fuse_reply_poll(req, POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM);
	}
	weir_file_put(file);
}

/* ---- writing ----------------------------------------------------------------------------------*/

static const char *weir_file_why(int err, const char *why)
{
	if (why)
		return why;
	return err == -EINVAL ? "not understood" : strerror(-err);
}

static void weir_file_rejected(const struct weir_caller *caller, const struct weir_place *place,
			       const char *data, size_t len, int err, const char *why)
{
	const char *dir = place->row == &weir_row_marker ? "" : "control/";

	weir_error_add(caller->uid, "%s/%s%s: \"%.*s%s\": %s; accepted: %s", place->trace->name,
		       dir, place->row->name, (int)min(len, (size_t)60), data,
		       len > 60 ? "..." : "", weir_file_why(err, why), place->row->accepts);
}

/* One write is one command; a newline at its end is no part of it. Where values are lists, what
 * one open file writes later is added to what it wrote before. It is done with the rights of who
 * opened the file; the marker notes who wrote. */
int weir_file_write(const struct weir_caller *writer, struct fuse_file_info *fi, const char *data,
		    size_t len)
{
	struct weir_file *file = (struct weir_file *)fi->fh;
	const struct weir_place *place = file->place;
	size_t longest = place->row->write_max ? place->row->write_max : WEIR_WRITE_MAX;
	struct weir_caller caller = file->opener;
	const char *why = NULL;
	char *text;
	int err;

	caller.pid = writer->pid;
	if (READ_ONCE(place->trace->gone))
		return -ENODEV;
	if (len && data[len - 1] == '\n')
		len--;
	text = len <= longest ? strndup(data, len) : NULL;
	if (!text) {
		err = len > longest ? -EINVAL : -ENOMEM;
		why = len > longest ? "the write is too long" : NULL;
	} else if (memchr(data, 0, len)) {
		err = -EINVAL;
		why = "a zero byte";
	} else {
		text[len] = 0;
		err = place->row->store(&caller, place, text, len,
					READ_ONCE(file->append) || fi->flags & O_APPEND, &why);
	}
	if (err)
		weir_file_rejected(&caller, place, data, len, err, why);
	else
		WRITE_ONCE(file->append, true);
	free(text);
	return err;
}

void weir_file_release(struct fuse_file_info *fi)
{
	struct weir_file *file = (struct weir_file *)fi->fh;

	pthread_mutex_lock(&weir_files_lock);
	list_del(&file->list);
	pthread_mutex_unlock(&weir_files_lock);
	weir_file_put(file);
}

/* At the end: files that are open while the mount goes away are never released. */
void weir_files_end(void)
{
	struct weir_file *file, *next;

	list_for_each_entry_safe(file, next, &weir_files, list)
		weir_file_put(file);
	INIT_LIST_HEAD(&weir_files);
	weir_text_free_spares();
}
