// SPDX-License-Identifier: LGPL-2.1-only
/*
 * start: what is done once, when libweir is loaded, and again in a fork child.
 *
 * The tracing control is mapped if it can be found and trusted; without it weir is not here, and sites stay
 * silent for the life of the process. If a daemon is there the process attaches; else the control's generation
 * tells when one has come.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "client_i.h"
#include "raw.h"
#include "rules_i.h"

void weir_client_debug(const char *fmt, ...)
{
	char line[256];
	va_list ap;
	int n;

	if (!weir_client_state.debug)
		return;
	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line) - 1, fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	n = n < (int)sizeof(line) - 1 ? n : (int)sizeof(line) - 2;
	line[n] = '\n';
	dprintf(STDERR_FILENO, "weir: %.*s", n + 1, line);
}

/* ---- fork -------------------------------------------------------------------------------------*/

struct weir_client_alive weir_client_alive = { 0, 0 };

static bool weir_forks_wipe;

/* Nothing is left to do if a signal handler has traced in the child before. */
static void weir_fork_child(void)
{
	if (!weir_forks_wipe || !READ_ONCE(weir_client_alive.alive))
		weir_client_forked();
}

static void weir_watch_forks(void)
{
	/* Fails where the page is not anonymous memory: then pthread_atfork alone has to do. */
	weir_forks_wipe = !madvise(&weir_client_alive, sizeof(weir_client_alive), MADV_WIPEONFORK);
	weir_client_alive.alive = 1;
	pthread_atfork(NULL, NULL, weir_fork_child);
}

/**
 * weir_client_forked() - in a fork child: attach anew
 *
 * The only thread there is. Locks that others held are free; sites and log are whole at any instant (see
 * sites.c); until the new memory is mapped the child shares its parent's rings, which is safe. While it is
 * being mapped it is not: a record whose bytes go to the child's buffers, but whose position to its parent's ring,
 * would tear the parent's stream. So no signal handler runs meanwhile.
 *
 * Context: pthread_atfork, or the first event if the fork went past it.
 */
void weir_client_forked(void)
{
	u64 before = weir_signals_block();
	int saved = errno;

	weir_client_alive.alive = 1;
	weir_client_thread.word = 0;
	weir_fallback_forked();
	weir_client_lock_forked();
	weir_stages_forked();
	weir_rules_forked(getpid());
	if (weir_client_state.server && weir_client_trylock()) {
		weir_client_state.server = 0;
		weir_client_unmatch(); /* stays so if it cannot be looked, or attached, now */
		weir_client_retry_now();
		weir_client_reload();
		weir_client_unlock();
	}
	if (weir_client_state.process && !weir_client_state.server)
		weir_client_detach();
	weir_signals_restore(before);
	errno = saved;
}

static const struct weir_control *weir_map_control(const char *dir, bool mine)
{
	char path[sizeof(weir_client_state.rundir) + 16];
	struct weir_control *control = NULL;
	struct stat st;
	int fd;

	snprintf(path, sizeof(path), "%s/control", dir);
	fd = weir_sys_open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK); /* it may be a FIFO */
	if (fd < 0)
		return NULL;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size >= (off_t)sizeof(*control) &&
	    (st.st_uid == geteuid() || (st.st_uid == 0 && !mine))) {
		control = mmap(NULL, sizeof(*control), PROT_READ, MAP_SHARED, fd, 0);
		if (control == MAP_FAILED)
			control = NULL;
	} else {
		weir_client_debug("%s: not trusted: wrong owner, kind or size", path);
	}
	weir_sys_close(fd);
	if (control && (smp_load_acquire(&control->magic) != WEIR_CONTROL_MAGIC || /* map:F */
			 control->version != WEIR_ABI_VERSION)) {
		weir_client_debug("%s: another version of weir", path);
		munmap(control, sizeof(*control));
		control = NULL;
	}
	return control;
}

/* su(1) without - keeps another user's; what lies in there may be made to keep us waiting. */
static bool weir_own_directory(const char *dir)
{
	struct stat st;

	return !stat(dir, &st) && S_ISDIR(st.st_mode) && st.st_uid == geteuid();
}

/* A daemon that ends takes its socket away. The control file stays, for the next one. */
static bool weir_served(const char *dir)
{
	char path[sizeof(weir_client_state.rundir) + 16];

	snprintf(path, sizeof(path), "%s/socket", dir);
	return !access(path, F_OK);
}

/*
 * $WEIR_RUNDIR; else a mount of the user's own; else the system's, also if the user's is over while
 * the system's is there. Set-user-ID programs see the last only.
 */
static const struct weir_control *weir_find_control(void)
{
	static const char system_dir[] = "/run/weir";
	char *dir = weir_client_state.rundir, *env = secure_getenv("WEIR_RUNDIR");
	const size_t size = sizeof(weir_client_state.rundir);
	const struct weir_control *own = NULL;

	if (env) {
		snprintf(dir, size, "%s", env);
		return weir_map_control(dir, false);
	}
	env = secure_getenv("XDG_RUNTIME_DIR");
	if (env && weir_own_directory(env) && snprintf(dir, size, "%s/weir", env) < (int)size)
		own = weir_map_control(dir, true);
	if (own && (weir_served(dir) || !weir_served(system_dir)))
		return own;
	if (own)
		munmap((void *)own, sizeof(*own));
	snprintf(dir, size, "%s", system_dir);
	return weir_map_control(dir, false);
}

struct weir_client weir_client_2 = {
	.version = WEIR_CLIENT_VERSION,
	.size = sizeof(struct weir_client),
	.generation = &(const __u64){ 0 },
	.add = weir_client_add,
	.remove = weir_client_remove,
	.refresh = weir_client_refresh,
	.emit = weir_client_emit,
	.finish = weir_client_finish,
	.string = weir_client_string,
	.bytes = weir_client_bytes,
	.switch_all = weir_client_switch,
};

/**
 * weir_client_init() - map the tracing control; attach if a daemon is there
 *
 * Context: the first constructor that comes here, of libweir or of a traced object.
 */
void weir_client_init(void)
{
	static int done;
	struct weir_client_state *c = &weir_client_state;
	const struct weir_control *control;
	const char *env;
	int saved = errno;

	if (__atomic_exchange_n(&done, 1, __ATOMIC_RELAXED))
		return;
	c->debug = secure_getenv("WEIR_DEBUG") != NULL;
	env = secure_getenv("WEIR_DISABLE");
	if (env && !strcmp(env, "1")) {
		weir_client_debug("disabled by WEIR_DISABLE");
		return;
	}
	control = weir_find_control();
	if (!control) {
		weir_client_debug("%s/control: nothing to map: no daemon was ever started, or not trusted", c->rundir);
		errno = saved;
		return;
	}
	if (weir_fallback_init())
		return;
	prctl(PR_GET_NAME, c->comm);
	env = secure_getenv("WEIR_RUN");
	weir_rules_init(getpid(), env ? (pid_t)strtol(env, NULL, 10) : 0, c->comm);
	weir_watch_forks();
	c->control = control;
	weir_client_2.generation = &control->generation;
	if (READ_ONCE(control->generation) && weir_client_trylock()) {
		weir_client_reload();
		weir_client_unlock();
	}
	errno = saved;
}

__attribute__((constructor(101))) static void weir_client_start(void)
{
	weir_client_init();
}
