/* SPDX-License-Identifier: GPL-2.0-only */
/* connection, inside: what connection.c, message.c and closer.c share. The attach thread's alone, until it is closed. */
#ifndef WEIR_CONNECTION_I_H
#define WEIR_CONNECTION_I_H

#include "registry_i.h"

#define WEIR_HELLO_FDS 2

struct weir_connection {
	struct weir_watch watch;
	struct cds_list_head list; /* the oldest first */
	struct ucred peer;
	int pidfd;
	int foreign[WEIR_HELLO_FDS]; /* what it has sent that may be slow to close; -1: none */
	unsigned int charged;	     /* of the quota: the descriptors, itself and those */
	u64 deadline;		     /* ms */
};

int weir_peer(int fd, struct ucred *peer, int *pidfd);
int weir_message_receive(struct weir_connection *connection, struct weir_hello *hello);
bool weir_messages_end(int fd);
void weir_connection_close(struct weir_connection *connection);

#endif /* WEIR_CONNECTION_I_H */
