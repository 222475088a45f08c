// SPDX-License-Identifier: GPL-2.0-only
/*
 * passthrough: data files that the kernel reads without asking the daemon, from a memfd that it
 * knows by a backing id. Needs libfuse 3.17, Linux 6.9 and CAP_SYS_ADMIN; where one is missing the
 * daemon answers every read. This file alone knows which libfuse it is.
 *
 * libfuse's own functions for backing ids want a request, and there is none when a copy is freed,
 * so the ioctls are made here.
 */
#include <linux/fuse.h>
#include <sys/ioctl.h>

#include "tree_i.h"

#ifdef HAVE_PASSTHROUGH

/* Written while there are no other threads. */
static struct fuse_session *weir_passthrough_session;
static bool weir_passthrough_granted;

void weir_passthrough_start(struct fuse_session *session)
{
	weir_passthrough_session = session;
}

/* Ids are gone with the mount. */
void weir_passthrough_stop(void)
{
	weir_passthrough_granted = false;
	weir_passthrough_session = NULL;
}

/* While the mount is set up: what is wanted of the kernel, and what is not. */
void weir_passthrough_init(struct fuse_conn_info *conn, unsigned int unwanted)
{
	fuse_unset_feature_flag(conn, unwanted);
	WRITE_ONCE(weir_passthrough_granted, fuse_set_feature_flag(conn, FUSE_CAP_PASSTHROUGH));
}

bool weir_passthrough(void)
{
	return READ_ONCE(weir_passthrough_granted);
}

/* The id, which holds the memfd from here on; 0: there is none. The first refusal is the last try.
 */
int weir_passthrough_open(int fd)
{
	struct fuse_backing_map map = { .fd = fd };
	int id = ioctl(fuse_session_fd(weir_passthrough_session), FUSE_DEV_IOC_BACKING_OPEN, &map);

	if (id < 0 && errno != ENOMEM)
		WRITE_ONCE(weir_passthrough_granted, false);
	return max(id, 0);
}

void weir_passthrough_close(int id)
{
	u32 backing = (u32)id;

	if (id && weir_passthrough_session)
		ioctl(fuse_session_fd(weir_passthrough_session), FUSE_DEV_IOC_BACKING_CLOSE,
		      &backing);
}

void weir_passthrough_set(struct fuse_file_info *fi, int id)
{
	fi->backing_id = id;
}

#else

void weir_passthrough_start(struct fuse_session *session)
{
	(void)session;
}

void weir_passthrough_stop(void)
{
}

void weir_passthrough_init(struct fuse_conn_info *conn, unsigned int unwanted)
{
	conn->want &= ~unwanted;
}

bool weir_passthrough(void)
{
	return false;
}

int weir_passthrough_open(int fd)
{
	(void)fd;
	return 0;
}

void weir_passthrough_close(int id)
{
	(void)id;
}

void weir_passthrough_set(struct fuse_file_info *fi, int id)
{
	(void)fi;
	(void)id;
}

#endif
