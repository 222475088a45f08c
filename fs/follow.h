/* SPDX-License-Identifier: GPL-2.0-only */
/* follow: live/text, what is there and then what comes, merged; consumes nothing. */
#ifndef WEIR_FOLLOW_H
#define WEIR_FOLLOW_H

#include "tree_i.h"

struct weir_follow;
struct weir_wait;
int weir_follow_open(const struct weir_caller *caller, const struct weir_place *place,
		     struct weir_follow **follow);
void weir_follow_read(struct weir_follow *follow, fuse_req_t req, size_t len, bool nonblock);
struct weir_wait *weir_follow_wait(struct weir_follow *follow);
void weir_follow_close(struct weir_follow *follow);

#endif /* WEIR_FOLLOW_H */
