// SPDX-License-Identifier: GPL-2.0-only
/*
 * process: attached processes, from their message to their end. Only the attach thread comes here, so what it
 * alone knows (who has which number, pidfds) needs no lock.
 */
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "news.h"
#include "registry_i.h"

#define WEIR_PIDS 1024u /* chains by number */

static struct weir_shm *weir_pids[WEIR_PIDS];

static struct weir_shm **weir_pid_chain(pid_t pid)
{
	return &weir_pids[(unsigned int)pid % WEIR_PIDS];
}

/* A process whose number the daemon cannot see (0) is nobody's successor. */
static struct weir_shm *weir_pid_find(pid_t pid)
{
	struct weir_shm *shm = pid > 0 ? *weir_pid_chain(pid) : NULL;

	while (shm && shm->source->pid != pid)
		shm = shm->next;
	return shm;
}

static void weir_pid_remove(struct weir_shm *shm)
{
	struct weir_shm **place = weir_pid_chain(shm->source->pid);

	while (*place != shm)
		place = &(*place)->next;
	*place = shm->next;
}

/* ---- the end ----------------------------------------------------------------------------------*/

struct weir_keeping {
	struct weir_trace *trace;
	struct weir_image *image;
	bool full;
};

/* Copies of what it held in each trace, nothing locked. */
static unsigned int weir_process_copy(struct weir_source *source, struct weir_keeping keeping[WEIR_SLOTS])
{
	struct weir_trace *traces[WEIR_SLOTS];
	unsigned int i, count = weir_traces(traces);

	source->backend->schemas(source);
	for (i = 0; i < count; i++) {
		keeping[i] = (struct weir_keeping){ .trace = traces[i] };
		if (traces[i]->all || traces[i]->owner == source->uid)
			keeping[i].image = weir_image_make(source, traces[i], READ_ONCE(traces[i]->epoch),
							   &keeping[i].full);
	}
	return count;
}

static void weir_process_keep(struct weir_keeping *keeping)
{
	if (keeping->full)
		WRITE_ONCE(keeping->trace->dropped, keeping->trace->dropped + 1);
	if (keeping->image && weir_image_add(keeping->image, keeping->trace)) {
		keeping->image = NULL;
		weir_images_limit(keeping->trace, keeping->trace->max_bytes);
	}
}

/* The images are in place before the memory is gone, and the source goes if there are none. */
static void weir_process_freeze(struct weir_source *source)
{
	struct weir_keeping keeping[WEIR_SLOTS];
	unsigned int i, count = weir_process_copy(source, keeping);

	weir_source_get(source);
	pthread_mutex_lock(&weir_registry.lock);
	for (i = 0; i < count; i++)
		weir_process_keep(&keeping[i]);
	weir_shm_forget(source->private);
	WRITE_ONCE(source->ended, true);
	weir_image_sweep(source);
	pthread_mutex_unlock(&weir_registry.lock);
	for (i = 0; i < count; i++) {
		if (keeping[i].image)
			weir_image_free(keeping[i].image);
		weir_news_tell(keeping[i].trace, source);
		weir_trace_put(keeping[i].trace);
	}
	weir_source_put(source);
}

/* What the attach thread knows of it; the source may stay. */
static void weir_process_detach(struct weir_shm *shm)
{
	weir_watch_remove(&shm->watch);
	weir_pid_remove(shm);
	weir_quota_give(shm->source->uid, WEIR_QUOTA_PROCESSES, 1);
}

static void weir_process_end(struct weir_shm *shm)
{
	weir_process_detach(shm);
	weir_process_freeze(shm->source);
}

static void weir_process_ended(struct weir_watch *watch)
{
	weir_process_end(container_of(watch, struct weir_shm, watch));
}

/* ---- the beginning ----------------------------------------------------------------------------*/

/* As /proc/PID is owned: a program that may not be looked into by its user belongs to root. The number is this
 * process's if it still runs afterwards. */
static void weir_process_owner(struct weir_source *source, const struct weir_hello *hello)
{
	struct pollfd ended = { .fd = hello->pidfd, .events = POLLIN };
	char path[32];
	struct stat st;

	source->dir_uid = hello->peer.uid;
	source->dir_gid = hello->peer.gid;
	snprintf(path, sizeof(path), "/proc/%d", (int)hello->peer.pid);
	if (hello->pidfd < 0 || hello->peer.pid <= 0 || stat(path, &st) || poll(&ended, 1, 0))
		return;
	source->dir_uid = st.st_uid;
	source->dir_gid = st.st_gid;
}

static struct weir_source *weir_process_source(const struct weir_hello *hello, struct weir_shm *shm)
{
	char comm[sizeof(hello->attach.comm) + 1] = "";
	struct weir_source *source;

	memcpy(comm, hello->attach.comm, sizeof(hello->attach.comm));
	comm[sizeof(hello->attach.comm) - 1] = 0;
	source = weir_source_new(comm, hello->peer.pid, hello->peer.uid, hello->backend, shm);
	if (source && hello->kernel)
		strcpy(source->name, WEIR_KERNEL_NAME);
	else if (source)
		weir_process_owner(source, hello);
	return source;
}

static void weir_process_join(struct weir_shm *shm, struct weir_hello *hello)
{
	struct weir_shm **chain = weir_pid_chain(hello->peer.pid);

	shm->next = *chain;
	*chain = shm;
	shm->watch = (struct weir_watch){ weir_process_ended, hello->pidfd };
	hello->pidfd = -1;
	pthread_mutex_lock(&weir_registry.lock);
	weir_source_add(shm->source);
	if (hello->kernel)
		weir_kmod_join(shm->source);
	pthread_mutex_unlock(&weir_registry.lock);
	/* It has ended already, or its end could not be seen: what it holds now is all there will be. */
	if (shm->watch.fd < 0 || weir_watch_add(&shm->watch))
		weir_process_end(shm);
}

/* There is no answer to give: .weir/errors has it. */
void weir_process_refused(const struct ucred *peer, int err)
{
	weir_error_add(peer->uid, "attach of process %d: %s", (int)peer->pid,
		       err == -EDQUOT ? "the user has as many as there may be" :
		       err == -EPROTO ? "not the message that abi.h describes" :
					strerror(-err));
}

/* An earlier source of the same process ends: it has called exec(), or attached anew. */
static int weir_process_take(struct weir_hello *hello, struct weir_shm *shm)
{
	struct weir_shm *before = weir_pid_find(hello->peer.pid);
	int err;

	if (before)
		weir_process_end(before);
	err = weir_quota_take(hello->peer.uid, WEIR_QUOTA_PROCESSES, 1);
	if (err)
		return err;
	shm->source = weir_process_source(hello, shm);
	if (!shm->source) {
		weir_quota_give(hello->peer.uid, WEIR_QUOTA_PROCESSES, 1);
		return -ENOMEM;
	}
	weir_process_join(shm, hello);
	return 0;
}

/**
 * weir_process_attach() - a process attaches
 * @hello: its message; what is taken over is set to -1, the rest is the caller's to close
 *
 * Context: the attach thread.
 */
void weir_process_attach(struct weir_hello *hello)
{
	struct weir_shm *shm;
	int err = hello->open(hello, &shm);

	if (!err) {
		err = weir_process_take(hello, shm);
		if (err)
			weir_shm_abandon(shm);
	}
	if (err)
		weir_process_refused(&hello->peer, err);
}

/**
 * weir_processes_close() - let go of all; nothing is kept
 *
 * Context: the thread has ended.
 */
void weir_processes_close(void)
{
	unsigned int i;

	for (i = 0; i < WEIR_PIDS; i++) {
		while (weir_pids[i]) {
			struct weir_shm *shm = weir_pids[i];

			weir_process_detach(shm);
			pthread_mutex_lock(&weir_registry.lock);
			weir_source_drop(shm->source);
			pthread_mutex_unlock(&weir_registry.lock);
		}
	}
}
