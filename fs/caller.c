// SPDX-License-Identifier: GPL-2.0-only
/*
 * caller: who asks, and what may be shown.
 *
 * FUSE gives the thread, its uid and its gid. The process and its further groups stand in /proc;
 * they are read when needed and remembered for a second.
 */
#include <unistd.h>

#include "tree_i.h"

#define WEIR_CALLERS 1024u
#define WEIR_CALLER_MS 1000u

struct weir_caller_seen {
	pid_t pid;
	uid_t uid;
	pid_t process;
	bool tracing;
	u64 until;
};

static struct weir_caller_seen weir_callers[WEIR_CALLERS];
static pthread_mutex_t weir_callers_lock = PTHREAD_MUTEX_INITIALIZER;

void weir_caller_init(struct weir_caller *caller, fuse_req_t req)
{
	const struct fuse_ctx *ctx = fuse_req_ctx(req);

	caller->uid = ctx->uid;
	caller->gid = ctx->gid;
	caller->pid = ctx->pid;
	caller->settled = caller->tracing = false;
}

static bool weir_groups_have(const char *line, gid_t group)
{
	char *end;

	for (;; line = end) {
		unsigned long id = strtoul(line, &end, 10);

		if (end == line)
			return false;
		if (id == group)
			return true;
	}
}

static void weir_caller_proc(pid_t pid, struct weir_caller_seen *seen)
{
	char path[32], line[4096];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	file = fopen(path, "re");
	if (!file)
		return;
	while (fgets(line, sizeof(line), file)) {
		if (!strncmp(line, "Tgid:", 5)) {
			seen->process = atoi(line + 5);
		} else if (!strncmp(line, "Groups:", 7)) {
			seen->tracing = weir_daemon.tracing != (gid_t)-1 &&
					weir_groups_have(line + 7, weir_daemon.tracing);
			break;
		}
	}
	fclose(file);
}

static struct weir_caller_seen weir_caller_look(const struct weir_caller *caller)
{
	struct weir_caller_seen *slot = &weir_callers[(unsigned int)caller->pid % WEIR_CALLERS],
				seen;
	u64 now = weir_now_ms();

	pthread_mutex_lock(&weir_callers_lock);
	seen = *slot;
	pthread_mutex_unlock(&weir_callers_lock);
	if (seen.pid == caller->pid && seen.uid == caller->uid && now < seen.until)
		return seen;
	seen = (struct weir_caller_seen){ .pid = caller->pid,
					  .uid = caller->uid,
					  .process = caller->pid,
					  .until = now + WEIR_CALLER_MS };
	if (caller->pid)
		weir_caller_proc(caller->pid, &seen);
	pthread_mutex_lock(&weir_callers_lock);
	*slot = seen;
	pthread_mutex_unlock(&weir_callers_lock);
	return seen;
}

pid_t weir_caller_process(const struct weir_caller *caller)
{
	return weir_caller_look(caller).process;
}

/* Root, or a member of group `tracing`: their traces record every user's processes. */
bool weir_caller_tracing(const struct weir_caller *caller)
{
	if (caller->settled)
		return caller->tracing;
	return !caller->uid ||
	       (weir_daemon.tracing != (gid_t)-1 &&
		(caller->gid == weir_daemon.tracing || weir_caller_look(caller).tracing));
}

/* What is asked of an open file is answered for who opened it, whoever it was handed to: so its
 * rights are those of now, when its thread is there to be looked at. */
void weir_caller_settle(struct weir_caller *caller)
{
	caller->tracing = weir_caller_tracing(caller);
	caller->settled = true;
}

bool weir_caller_privileged(const struct weir_caller *caller)
{
	return caller->uid == weir_daemon.uid || weir_caller_tracing(caller);
}

bool weir_caller_sees_trace(const struct weir_caller *caller, const struct weir_trace *trace)
{
	return trace->all || trace->owner == caller->uid || trace->seen_by == caller->uid ||
	       weir_caller_privileged(caller);
}

bool weir_caller_sees_source(const struct weir_caller *caller, const struct weir_trace *trace,
			     const struct weir_source *source)
{
	if (source->dir_uid == caller->uid)
		return true;
	/* What was written to the marker belongs to who may write to it. */
	if (!source->pid && trace && (trace->owner == caller->uid || trace->seen_by == caller->uid))
		return true;
	return weir_caller_privileged(caller);
}
