// SPDX-License-Identifier: GPL-2.0-only
/*
 * connection: clients of the socket, up to their one message (message.c). Whoever may connect may be hostile:
 *
 *   says nothing              dropped after two seconds; of a user's too many the oldest goes, and of all too
 *   exhausts descriptors      nothing is accepted for a while
 *   is slow to close          a thread does that (closer.c)
 *
 * What waits is in the socket's queue, then `busy` says that it is in between, then `count` has it. Stored in this order and
 * looked at in this order, all in one total order, so that none slips through:
 *
 *   accept:A / waiting:A   busy is set before the queue is emptied; the queue is looked at before busy
 *   accept:B / waiting:B   count is raised before busy is cleared; busy is loaded before count
 */
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "connection_i.h"

#define WEIR_SILENCE_MS 2000u
#define WEIR_PAUSE_MS 100u
#define WEIR_PENDING_MAX 256u
#define WEIR_BACKLOG 4096

static void weir_connection_accept(struct weir_watch *watch);

static struct {
	struct weir_watch listener;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	struct cds_list_head pending;
	unsigned int count; /* of them; any thread reads it */
	bool busy;	    /* one may have been accepted that is not in the list; any thread reads it */
	u64 resume;	    /* when to accept again; 0: now */
} weir_listening = {
	.listener = { weir_connection_accept, -1 },
	.pending = CDS_LIST_HEAD_INIT(weir_listening.pending),
};

/* ---- one connection ---------------------------------------------------------------------------*/

static void weir_connections_count(int change)
{
	__atomic_fetch_add(&weir_listening.count, change, __ATOMIC_SEQ_CST); /* accept:B */
}

/* One that is not in the list. */
static void weir_connection_end(struct weir_connection *connection)
{
	if (connection->pidfd >= 0)
		close(connection->pidfd);
	weir_watch_end(&connection->watch);
	weir_connection_close(connection);
}

static void weir_connection_free(struct weir_connection *connection)
{
	cds_list_del(&connection->list);
	weir_connections_count(-1);
	weir_connection_end(connection);
}

/* What was not taken over. */
static void weir_hello_close(const struct weir_hello *hello)
{
	const int fds[] = { hello->control, hello->buffers, hello->pidfd };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

/* Its message, if it has come. False: it has not; true: it is dealt with, and the connection is gone. */
static bool weir_connection_receive(struct weir_connection *connection)
{
	struct weir_hello hello = { .pidfd = connection->pidfd, .peer = connection->peer };
	int err = weir_message_receive(connection, &hello);

	if (err == -EAGAIN)
		return false;
	if (!err) {
		connection->pidfd = -1;
		weir_process_attach(&hello);
		weir_hello_close(&hello);
	} else if (err != -ENOMSG) {
		weir_process_refused(&hello.peer, err);
	}
	weir_connection_free(connection);
	return true;
}

/* There are too many; what it has said by now is heard. */
static void weir_connection_drop(struct weir_connection *connection)
{
	if (!weir_connection_receive(connection))
		weir_connection_free(connection);
}

static void weir_connection_ready(struct weir_watch *watch)
{
	weir_connection_receive(container_of(watch, struct weir_connection, watch));
}

/* A process that has attached, then called exec() and connected again, said the former before the latter. */
static void weir_connection_catch_up(pid_t pid)
{
	struct cds_list_head *pos, *next;

	for (pos = weir_listening.pending.next; pid && pos != &weir_listening.pending; pos = next) {
		struct weir_connection *connection = container_of(pos, struct weir_connection, list);

		next = pos->next;
		if (connection->peer.pid == pid)
			weir_connection_receive(connection);
	}
}

/* A user who has too many loses the oldest one. */
static int weir_connection_charge(struct weir_connection *connection)
{
	struct cds_list_head *pos = weir_listening.pending.next;

	while (weir_quota_take(connection->peer.uid, WEIR_QUOTA_CONNECTIONS, 1 + WEIR_HELLO_FDS)) {
		while (pos != &weir_listening.pending &&
		       container_of(pos, struct weir_connection, list)->peer.uid != connection->peer.uid)
			pos = pos->next;
		if (pos == &weir_listening.pending)
			return -EDQUOT;
		pos = pos->next;
		weir_connection_drop(container_of(pos->prev, struct weir_connection, list));
	}
	connection->charged = 1 + WEIR_HELLO_FDS;
	return 0;
}

/* Without memory, what may be slow to close stays open. */
static struct weir_connection *weir_connection_new(int fd)
{
	struct weir_connection *connection = weir_alloc(sizeof(*connection));

	if (!connection) {
		if (weir_messages_end(fd))
			close(fd);
		return NULL;
	}
	connection->pidfd = connection->foreign[0] = connection->foreign[1] = -1;
	connection->watch = (struct weir_watch){ weir_connection_ready, fd };
	connection->deadline = weir_now_ms() + WEIR_SILENCE_MS;
	return connection;
}

/* Who it is, and may it? */
static int weir_connection_admit(struct weir_connection *connection)
{
	int err = weir_peer(connection->watch.fd, &connection->peer, &connection->pidfd);

	return err ? err : weir_connection_charge(connection);
}

/* Most have said their message by the time they are accepted: only the others are watched. */
static void weir_connection_add(int fd)
{
	struct weir_connection *connection = weir_connection_new(fd);
	int err;

	if (!connection)
		return;
	err = weir_connection_admit(connection);
	if (err) {
		weir_process_refused(&connection->peer, err);
		weir_connection_end(connection);
		return;
	}
	weir_connection_catch_up(connection->peer.pid);
	if (weir_listening.count == WEIR_PENDING_MAX)
		weir_connection_drop(container_of(weir_listening.pending.next, struct weir_connection, list));
	cds_list_add_tail(&connection->list, &weir_listening.pending);
	weir_connections_count(1);
	if (!weir_connection_receive(connection) && weir_watch_add(&connection->watch))
		weir_connection_free(connection);
}

/* Are there descriptors for one more: its own, its process's, and what it sends? As accept(), sets errno. */
static bool weir_connection_fits(void)
{
	int fds[2 + WEIR_HELLO_FDS], nr = 0, err;

	while (nr < (int)ARRAY_SIZE(fds) &&
	       (fds[nr] = fcntl(weir_listening.listener.fd, F_DUPFD_CLOEXEC, 0)) >= 0)
		nr++;
	err = errno;
	if (nr == (int)ARRAY_SIZE(fds))
		err = 0;
	while (nr)
		close(fds[--nr]);
	errno = err;
	return !err;
}

/* False: there is none, or there can be none now. */
static bool weir_connection_accept_one(void)
{
	struct weir_watch *listener = &weir_listening.listener;
	int fd, err;

	__atomic_store_n(&weir_listening.busy, true, __ATOMIC_SEQ_CST); /* accept:A */
	fd = weir_connection_fits() ? accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC) : -1;
	err = errno;
	if (fd >= 0) {
		weir_connection_add(fd);
	} else if (err == EMFILE || err == ENFILE || err == ENOBUFS || err == ENOMEM) {
		weir_listening.resume = weir_now_ms() + WEIR_PAUSE_MS;
		weir_watch_pause(listener, true);
	}
	__atomic_store_n(&weir_listening.busy, false, __ATOMIC_SEQ_CST); /* accept:B */
	return fd >= 0 || err == ECONNABORTED || err == EINTR;
}

static void weir_connection_accept(struct weir_watch *watch)
{
	(void)watch;
	weir_connection_accept_one();
}

/**
 * weir_connections_waiting() - may there be a message that was sent and not dealt with?
 *
 * Context: any thread.
 */
bool weir_connections_waiting(void)
{
	struct pollfd queue = { .fd = weir_listening.listener.fd, .events = POLLIN };

	return poll(&queue, 1, 0) > 0 || __atomic_load_n(&weir_listening.busy, __ATOMIC_SEQ_CST) || /* waiting:A */
	       __atomic_load_n(&weir_listening.count, __ATOMIC_SEQ_CST);			    /* waiting:B */
}

/**
 * weir_connections_drain() - deal with everything that was sent so far
 *
 * As many are accepted as the queue holds: who connects all the time does not keep us here.
 *
 * Context: the attach thread.
 */
void weir_connections_drain(void)
{
	struct cds_list_head *pos, *next;
	int left = WEIR_BACKLOG;

	for (pos = weir_listening.pending.next; pos != &weir_listening.pending; pos = next) {
		next = pos->next;
		weir_connection_receive(container_of(pos, struct weir_connection, list));
	}
	while (left-- && weir_connection_accept_one())
		;
}

/**
 * weir_connections_expire() - drop who has been silent for too long
 *
 * Context: the attach thread.
 * Return: milliseconds until the next call, -1: nobody is waited for.
 */
int weir_connections_expire(void)
{
	u64 now = weir_now_ms(), next = ~0ull;

	while (!cds_list_empty(&weir_listening.pending)) {
		struct weir_connection *oldest =
			container_of(weir_listening.pending.next, struct weir_connection, list);

		next = oldest->deadline;
		if (next > now)
			break;
		weir_connection_free(oldest);
		next = ~0ull;
	}
	if (weir_listening.resume && weir_listening.resume <= now) {
		weir_listening.resume = 0;
		weir_watch_pause(&weir_listening.listener, false);
	}
	if (weir_listening.resume)
		next = min(next, weir_listening.resume);
	return next == ~0ull ? -1 : (int)(next - now);
}

/* ---- the socket -------------------------------------------------------------------------------*/

static int weir_socket_bind(int fd, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	if (unlink(path) && errno != ENOENT)
		return -errno;
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)))
		return -errno;
	strcpy(weir_listening.path, path);
	if (chmod(path, weir_daemon.uid ? 0600 : 0666) || listen(fd, WEIR_BACKLOG))
		return -errno;
	return 0;
}

/**
 * weir_connections_open() - make the socket
 * @path: RUNDIR/socket; what a daemon that was killed left there goes. The control file's lock is held.
 *
 * Clients may connect from now on; they are accepted when the thread runs.
 *
 * Return: 0 or -errno.
 */
int weir_connections_open(const char *path)
{
	int err;

	weir_listening.resume = 0;
	weir_listening.listener.fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (weir_listening.listener.fd < 0)
		return -errno;
	err = weir_socket_bind(weir_listening.listener.fd, path);
	return err ? err : weir_watch_add(&weir_listening.listener);
}

/* Those that nobody has accepted: each is looked at, for the listener would take them all with it. One that cannot be
 * accepted is left, with the listener, to the end of the process. */
static void weir_connections_refuse(void)
{
	struct weir_watch *listener = &weir_listening.listener;
	int fd;

	shutdown(listener->fd, SHUT_RD);
	while ((fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct weir_connection *connection = weir_connection_new(fd);

		if (!connection)
			continue;
		weir_connection_admit(connection);
		weir_connection_end(connection);
	}
	if (errno == EAGAIN || errno == EINVAL)
		weir_watch_remove(listener);
	listener->fd = -1;
}

void weir_connections_close(void)
{
	if (weir_listening.path[0])
		unlink(weir_listening.path);
	weir_listening.path[0] = 0;
	while (!cds_list_empty(&weir_listening.pending))
		weir_connection_free(container_of(weir_listening.pending.next, struct weir_connection, list));
	if (weir_listening.listener.fd >= 0)
		weir_connections_refuse();
}
