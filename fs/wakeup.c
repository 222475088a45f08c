// SPDX-License-Identifier: GPL-2.0-only
/*
 * wakeup: what the waiters' thread sleeps on.
 *
 *   kick   somebody has something for it to look at
 *   told   descriptors of streams whose writers wake (the kernel's own, by the module). Each new
 *          packet is an edge; what was told while nobody listened is not told again
 */
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "live.h"

#define WEIR_WAKEUP_REST_MS 1 /* between two times of being told: packets may come very fast */

static int weir_wakeup_kicked = -1, weir_wakeup_told = -1;

/* Any thread. */
void weir_wakeup_kick(void)
{
	static const u64 one = 1;

	if (write(weir_wakeup_kicked, &one, sizeof(one)) < 0) {
		/* it is readable already; or nobody sleeps yet */
	}
}

/* It is one of those that tell until it is closed. 0 or -errno. */
int weir_wakeup_add(int fd)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };

	return epoll_ctl(weir_wakeup_told, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

static void weir_wakeup_swallow(const struct pollfd fds[2])
{
	struct epoll_event events[64];
	u64 kicks;

	if (fds[0].revents && read(fds[0].fd, &kicks, sizeof(kicks)) < 0) {
		/* somebody else's read: there is none */
	}
	while (fds[1].revents &&
	       epoll_wait(fds[1].fd, events, ARRAY_SIZE(events), 0) == (int)ARRAY_SIZE(events))
		;
}

/**
 * weir_wakeup_sleep() - until there may be something
 * @ms: at most so long; -1: no matter how long
 * @listen: to those who tell, too
 */
void weir_wakeup_sleep(int ms, bool listen)
{
	struct pollfd fds[2] = {
		{ .fd = weir_wakeup_kicked, .events = POLLIN },
		{ .fd = weir_wakeup_told, .events = POLLIN },
	};

	if (!listen)
		poll(fds, 1, ms);
	else if (!poll(fds, 1, WEIR_WAKEUP_REST_MS))
		poll(fds, 2, ms);
	weir_wakeup_swallow(fds);
}

/* Context: before the thread. */
int weir_wakeup_init(void)
{
	weir_wakeup_kicked = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	weir_wakeup_told = epoll_create1(EPOLL_CLOEXEC);
	return weir_wakeup_kicked < 0 || weir_wakeup_told < 0 ? -errno : 0;
}
