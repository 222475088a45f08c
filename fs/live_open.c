// SPDX-License-Identifier: GPL-2.0-only
/*
 * live_open: who opens a stream that still has a reader.
 *
 * A reader that was killed has closed when its parent hears of it, but the kernel tells us of a
 * close when it pleases: who comes next is not sent away for that. Such an open waits in a list as
 * reads do; the waiters' thread tries again when the stream is closed, and when its time is over.
 */
#include "live.h"

#define WEIR_LIVE_CLOSING_MS 250u /* how long an open waits for a close that is under way */

struct weir_live_opening {
	struct weir_caller caller;
	const struct weir_place *place; /* of the node, which stays while a request for it waits */
	struct fuse_file_info fi;
};

/**
 * weir_live_open_later() - a stream was busy: try again until it is not, or for a while
 * @caller: who opens
 * @place: of the node
 * @fi: of the request
 * @req: the request; not the caller's any more when this returns 0
 *
 * Context: a worker of libfuse.
 * Return: 0; -EAGAIN it is not busy any more; -EINTR, -ENOMEM, -EDQUOT.
 */
int weir_live_open_later(const struct weir_caller *caller, const struct weir_place *place,
			 const struct fuse_file_info *fi, fuse_req_t req)
{
	struct weir_live *live = weir_live_find(place->trace, place->source, place->state.cpu);
	struct weir_live_opening *opening;
	int err;

	if (!live)
		return -EAGAIN;
	opening = malloc(sizeof(*opening));
	err = -ENOMEM;
	if (opening) {
		*opening = (struct weir_live_opening){ *caller, place, *fi };
		weir_caller_settle(&opening->caller);
		err = weir_waiter_park(&live->opening, caller->uid, req, 0,
				       weir_now_ms() + WEIR_LIVE_CLOSING_MS, opening);
	}
	weir_live_put(live);
	return err;
}

static bool weir_live_opening_serve(struct weir_wait *wait)
{
	struct weir_live *live = container_of(wait, struct weir_live, opening);
	struct weir_live_opening *opening;
	struct weir_waiter *waiter;
	bool found = false;

	while ((waiter =
			weir_waiter_take_due(wait, weir_live_busy(live) ? weir_now_ms() : ~0ull))) {
		opening = waiter->data;
		weir_file_answer_open(
			waiter->req, &opening->fi,
			weir_file_open(&opening->caller, opening->place, &opening->fi));
		weir_waiter_free(waiter);
		found = true;
	}
	return found;
}

static void weir_live_opening_get(struct weir_wait *wait)
{
	weir_live_get(container_of(wait, struct weir_live, opening));
}

static void weir_live_opening_put(struct weir_wait *wait)
{
	weir_live_put(container_of(wait, struct weir_live, opening));
}

const struct weir_wait_kind weir_live_opening_kind = {
	.serve = weir_live_opening_serve,
	.get = weir_live_opening_get,
	.put = weir_live_opening_put,
};
