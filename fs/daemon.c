// SPDX-License-Identifier: GPL-2.0-only
/*
 * daemon: what the daemon knows of itself and its machine, and the registry's life from init to stop.
 */
#include <grp.h>
#include <malloc.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "registry_i.h"
#include "snapshot.h"

struct weir_daemon weir_daemon = { .tracing = (gid_t)-1 };

static int weir_daemon_fail(const char *what, int err)
{
	fprintf(stderr, "weir: %s: %s\n", what, strerror(-err));
	return err;
}

/* The highest possible CPU's number and 1: of "0-3", "0,2-5", the last number. */
static u32 weir_daemon_cpus(void)
{
	char text[256] = "", *last;
	FILE *file = fopen("/sys/devices/system/cpu/possible", "re");

	if (file && !fgets(text, sizeof(text), file))
		text[0] = 0;
	if (file)
		fclose(file);
	last = strpbrk(text, "0123456789");
	if (!last)
		return (u32)sysconf(_SC_NPROCESSORS_CONF);
	text[strcspn(text, "\n")] = 0;
	last = text + strlen(text);
	while (last > text && last[-1] >= '0' && last[-1] <= '9')
		last--;
	return (u32)strtoul(last, NULL, 10) + 1;
}

static void weir_daemon_constants(void)
{
	struct group *group = getgrnam("tracing");

	weir_daemon.uid = geteuid();
	weir_daemon.nr_cpus = weir_daemon_cpus();
	weir_daemon.tracing = group ? group->gr_gid : (gid_t)-1;
	if (gethostname(weir_daemon.hostname, sizeof(weir_daemon.hostname) - 1))
		strcpy(weir_daemon.hostname, "localhost");
}

/* A process costs three descriptors. Images are given back to the system as they go. */
static void weir_daemon_limits(void)
{
	struct rlimit limit;

	if (!getrlimit(RLIMIT_NOFILE, &limit)) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	mallopt(M_MMAP_THRESHOLD, 128 << 10);
}

/**
 * weir_daemon_background() - the calling thread does not interrupt what wakes it
 *
 * For threads that programs wake as they come and go: a program that starts is not preempted to be announced, and
 * what it does next is dealt with at one go (sched(7), SCHED_BATCH). Threads that it starts are so, too, liburcu's
 * among them. Who has chosen another policy for the daemon keeps it.
 */
void weir_daemon_background(void)
{
	const struct sched_param none = { 0 };

	if (sched_getscheduler(0) == SCHED_OTHER)
		sched_setscheduler(0, SCHED_BATCH, &none);
}

/* Ours, and nobody else can put a file there. */
static int weir_daemon_rundir(const char *rundir)
{
	struct stat st;

	if (strlen(rundir) >= sizeof(weir_daemon.rundir))
		return -ENAMETOOLONG;
	strcpy(weir_daemon.rundir, rundir);
	if (mkdir(rundir, weir_daemon.uid ? 0700 : 0755) && errno != EEXIST)
		return -errno;
	if (stat(rundir, &st))
		return -errno;
	if (!S_ISDIR(st.st_mode))
		return -ENOTDIR;
	return st.st_uid != weir_daemon.uid || st.st_mode & 022 ? -EPERM : 0;
}

/* The module where it can be served; what was asked for must be had. */
static int weir_daemon_backend(void)
{
	const char *wanted = weir_daemon.backend ? weir_daemon.backend : "shm";
	int err = strcmp(wanted, "shm") ? weir_kmod_open(weir_control_config()) : -ENOENT;

	if (err && !strcmp(wanted, "kmod"))
		return weir_daemon_fail(WEIR_DEVICE, err);
	weir_daemon.backend = err ? "shm" : "kmod";
	return 0;
}

static int weir_daemon_files(const char *rundir)
{
	char path[sizeof(weir_daemon.rundir) + 16];
	struct weir_config *config;
	int err;

	snprintf(path, sizeof(path), "%s/control", rundir);
	err = weir_control_open(path);
	if (err == -EBUSY)
		fprintf(stderr, "weir: %s: another daemon is running here\n", path);
	else if (err)
		weir_daemon_fail(path, err);
	if (err)
		return err;
	snprintf(path, sizeof(path), "%s/socket", rundir);
	err = weir_attach_open();
	if (!err)
		err = weir_connections_open(path);
	if (err)
		return weir_daemon_fail(path, err);
	err = weir_daemon_backend();
	if (err)
		return err;
	config = weir_control_config();
	config->nr_cpus = weir_daemon.nr_cpus;
	config->clock = weir_daemon.clock;
	weir_control_publish();
	return 0;
}

/**
 * weir_registry_init() - open everything that can fail
 * @rundir: where `control` and `socket` are
 * @clock: "tsc", "monotonic", or NULL: the better one
 *
 * No thread is started: the caller may fork afterwards. Errors are printed as `weir: WHAT: WHY`.
 *
 * Return: 0 or -errno; after an error nothing is open.
 */
int weir_registry_init(const char *rundir, const char *clock)
{
	int err;

	weir_daemon_constants();
	weir_daemon_limits();
	err = weir_daemon_rundir(rundir);
	if (err)
		return weir_daemon_fail(rundir, err);
	err = weir_clock_init(clock);
	if (err)
		return weir_daemon_fail(clock ? clock : "clock", err);
	err = weir_daemon_files(rundir);
	if (err)
		weir_registry_stop();
	return err;
}

/**
 * weir_registry_start() - from now on there are threads, and processes attach
 *
 * Return: 0 or -errno.
 */
int weir_registry_start(void)
{
	int err = -ENOMEM;

	weir_registry.by_name = cds_lfht_new_flavor(64, 64, 0, CDS_LFHT_AUTO_RESIZE, &urcu_memb_flavor, NULL);
	if (weir_registry.by_name)
		err = weir_kmod_start();
	if (!err)
		err = weir_attach_start();
	return err ? weir_daemon_fail("attach thread", err) : 0;
}

static void weir_registry_drop_traces(void)
{
	unsigned int i;

	pthread_mutex_lock(&weir_registry.lock);
	for (i = 0; i < WEIR_SLOTS; i++) {
		struct weir_trace *trace = weir_registry.traces[i];

		if (!trace)
			continue;
		WRITE_ONCE(trace->gone, true);
		weir_rcu_store(weir_registry.traces[i], NULL);
		weir_trace_drop(trace);
	}
	weir_snapshots_drop();
	pthread_mutex_unlock(&weir_registry.lock);
}

/**
 * weir_registry_stop() - end the thread, free all slots, remove the socket, let go of the module
 *
 * Context: nobody else uses the registry any more; references were put. The calling thread is registered with
 * liburcu.
 */
void weir_registry_stop(void)
{
	weir_attach_close();
	weir_registry_drop_traces();
	weir_control_close();
	weir_rcu_barrier();
	if (weir_registry.by_name)
		cds_lfht_destroy(weir_registry.by_name, NULL);
	weir_registry.by_name = NULL;
}
