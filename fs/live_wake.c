// SPDX-License-Identifier: GPL-2.0-only
/*
 * live_wake: a stream whose writer wakes has a descriptor that tells of each packet, and need not
 * be looked at: those of the kernel's own rings, which the module makes. Under the stream's lock.
 */
#include <unistd.h>

#include "live.h"

/* It is of one epoch. */
void weir_live_wake_drop(struct weir_live *live)
{
	WRITE_ONCE(live->wait.told, false);
	if (live->wake >= 0)
		close(live->wake);
	live->wake = -1;
}

static int weir_live_wake_make(const struct weir_live *live)
{
	int fd = live->source->backend->wake(live->source, live->trace->slot, live->cpu,
					     live->made.epoch);

	if (fd >= 0 && weir_wakeup_add(fd)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/**
 * weir_live_wake() - be told of what comes from now on, if that can be
 * @live: the stream
 *
 * What ends at a time, or may have ended, is looked at.
 */
void weir_live_wake(struct weir_live *live)
{
	bool timed = READ_ONCE(live->trace->switch_interval) || READ_ONCE(live->trace->gone) ||
		     READ_ONCE(live->source->ended);

	if (!live->source->backend->wake)
		return;
	if (live->wake < 0)
		live->wake = weir_live_wake_make(live);
	WRITE_ONCE(live->wait.told, live->wake >= 0 && !timed);
}
