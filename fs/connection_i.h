/* SPDX-License-Identifier: GPL-2.0-only */
/* connection, inside: what connection.c and message.c share. The attach thread's alone. */
#ifndef WEIR_CONNECTION_I_H
#define WEIR_CONNECTION_I_H

#include "registry_i.h"

#define WEIR_HELLO_FDS 2

struct weir_connection {
	struct weir_watch watch;
	struct cds_list_head list; /* the oldest first */
	struct ucred peer;
	int pidfd;
	unsigned int charged; /* of the quota: itself, and a thread for each descriptor that may come */
	u64 deadline;	      /* ms */
};

int weir_peer(int fd, struct ucred *peer, int *pidfd);
int weir_message_receive(struct weir_connection *connection, struct weir_hello *hello);
void weir_close_foreign(struct weir_connection *connection, int fd); /* one that a client has sent; -1: none */

#endif /* WEIR_CONNECTION_I_H */
