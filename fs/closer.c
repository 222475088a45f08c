// SPDX-License-Identifier: GPL-2.0-only
/*
 * closer: what comes from a client is closed where nobody waits for it. The last reference to what a client has sent
 * may be ours, and dropping it can take as long as the client likes:
 *
 *   a socket with SO_LINGER      sleeps until its bytes were taken, also when it is dropped with a message in a queue
 *   a file of a FUSE mount       each close asks its server, which need not answer
 *
 * So a connection with such a descriptor, or with a message of descriptors that nobody has looked at, is closed by a
 * thread: one a user, who waits for nobody but himself, and a timer's signal ends the sleep of sockets. The connection
 * stays charged until then. Those that the user's quota had no room for have another thread: none of them has more than
 * messages, of which a server is asked only where its mount has a writeback cache.
 *
 * What is left to a user who has such a mount, and whose server does not answer: descriptors of ours, by connections
 * over his quota; and the end of the daemon, which the kernel then makes wait in the same way. Sockets do not linger there.
 */
#include <fcntl.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "connection_i.h"

#define WEIR_LINGER_NS 50000

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

static struct {
	pthread_mutex_t lock;
	struct cds_list_head list; /* the oldest first; one is in it until it is closed */
} weir_closing = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.list = CDS_LIST_HEAD_INIT(weir_closing.list),
};

static void weir_close_now(struct weir_connection *connection)
{
	size_t i;

	for (i = 0; i < WEIR_HELLO_FDS; i++)
		if (connection->foreign[i] >= 0)
			close(connection->foreign[i]);
	weir_quota_give(connection->peer.uid, WEIR_QUOTA_CONNECTIONS, connection->charged);
	close(connection->watch.fd); /* the client may see it: everything else is done */
}

/* What the same thread closes, the oldest. Locked. */
static struct weir_connection *weir_closing_first(uid_t uid, bool charged)
{
	struct cds_list_head *pos;

	for (pos = weir_closing.list.next; pos != &weir_closing.list; pos = pos->next) {
		struct weir_connection *connection = container_of(pos, struct weir_connection, list);

		if (connection->peer.uid == uid && !connection->charged == !charged)
			return connection;
	}
	return NULL;
}

static void weir_closing_woken(int sig)
{
	(void)sig;
}

/* Whatever the calling thread sleeps in does not take longer than this, if a signal ends it. */
static bool weir_closing_hurry(timer_t *timer)
{
	const struct itimerspec often = { { 0, WEIR_LINGER_NS }, { 0, WEIR_LINGER_NS } };
	struct sigaction action = { .sa_handler = weir_closing_woken, .sa_flags = SA_RESTART };
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGURG };
	sigset_t set;

	event.sigev_notify_thread_id = gettid();
	sigaction(SIGURG, &action, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGURG);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	if (timer_create(CLOCK_MONOTONIC, &event, timer))
		return false;
	timer_settime(*timer, 0, &often, NULL); /* these values cannot be refused */
	return true;
}

static void *weir_closing_run(void *arg)
{
	struct weir_connection *connection = arg, *next;
	timer_t timer;
	bool hurry = weir_closing_hurry(&timer);

	while (connection) {
		weir_close_now(connection);
		pthread_mutex_lock(&weir_closing.lock);
		cds_list_del(&connection->list);
		next = weir_closing_first(connection->peer.uid, connection->charged);
		pthread_mutex_unlock(&weir_closing.lock);
		weir_free(connection);
		connection = next;
	}
	if (hurry)
		timer_delete(timer);
	return NULL;
}

static int weir_closing_spawn(struct weir_connection *connection)
{
	pthread_attr_t attr;
	pthread_t thread;
	int err;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, 64 << 10);
	err = pthread_create(&thread, &attr, weir_closing_run, connection);
	pthread_attr_destroy(&attr);
	return err;
}

/* Where there can be no thread the descriptors stay open, and charged. */
static void weir_close_later(struct weir_connection *connection)
{
	bool busy;

	pthread_mutex_lock(&weir_closing.lock);
	busy = weir_closing_first(connection->peer.uid, connection->charged);
	cds_list_add_tail(&connection->list, &weir_closing.list);
	if (!busy && weir_closing_spawn(connection)) {
		cds_list_del(&connection->list);
		weir_free(connection);
	}
	pthread_mutex_unlock(&weir_closing.lock);
}

/**
 * weir_connection_close() - close a connection and what it has sent, and free it
 * @connection: in no list, not watched
 *
 * Context: the attach thread, or after it. Never waits.
 */
void weir_connection_close(struct weir_connection *connection)
{
	if (connection->foreign[0] >= 0 || connection->foreign[1] >= 0 ||
	    !weir_messages_end(connection->watch.fd)) {
		weir_close_later(connection);
		return;
	}
	weir_close_now(connection);
	weir_free(connection);
}
