// SPDX-License-Identifier: GPL-2.0-only
/*
 * main: weir mount.
 *
 * The process that the user started waits until the mount is there or has failed, and says so by
 * its exit code; the daemon is its child. Until then errors go to the user's terminal.
 */
#include <fcntl.h>
#include <fuse_log.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <sys/wait.h>

#include "doorbell_i.h"
#include "live.h"
#include "tree_i.h"

struct weir_options {
	bool foreground;
	const char *backend, *clock, *mountpoint;
	const char *rundir;
	char rundir_buf[PATH_MAX], mountpoint_buf[PATH_MAX];
	struct fuse_args args;
};

static const char weir_mount_usage[] =
	"usage: weir mount [-f] [--backend=auto|shm|kmod] [--clock=tsc|monotonic] [-o OPTS] "
	"[MOUNTPOINT]\n";

static int weir_mount_error(const char *what, int err)
{
	fprintf(stderr, "weir: %s: %s\n", what, strerror(err < 0 ? -err : err));
	return 1;
}

/* ---- options ----------------------------------------------------------------------------------*/

static bool weir_one_of(const char *value, const char *const *words)
{
	for (; *words; words++) {
		if (!strcmp(value, *words))
			return true;
	}
	return false;
}

/* What mount(8) passes on that says nothing to FUSE is left out. */
static void weir_options_add(struct weir_options *options, const char *opts)
{
	static const char *const ignored[] = { "auto",	"noauto",  "user",   "nouser",
					       "users", "_netdev", "nofail", NULL };
	char *copy = strdup(opts), *save, *opt;

	for (opt = copy ? strtok_r(copy, ",", &save) : NULL; opt;
	     opt = strtok_r(NULL, ",", &save)) {
		if (weir_one_of(opt, ignored) || !strncmp(opt, "x-", 2))
			continue;
		fuse_opt_add_arg(&options->args, "-o");
		fuse_opt_add_arg(&options->args, opt);
	}
	free(copy);
}

static int weir_options_bad(void)
{
	fputs(weir_mount_usage, stderr);
	return 2;
}

static bool weir_option_known(const char *option, const char *value, const char *const *words)
{
	if (weir_one_of(value, words))
		return true;
	fprintf(stderr, "weir: %s=%s: not one of them\n", option, value);
	return false;
}

/* 0, or what to exit with; -1: nothing is left to do. */
static int weir_options_parse(struct weir_options *options, int argc, char **argv)
{
	static const struct option longs[] = {
		{ "foreground", no_argument, NULL, 'f' },
		{ "backend", required_argument, NULL, 'b' },
		{ "clock", required_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	static const char *const backends[] = { "auto", "shm", "kmod", NULL };
	static const char *const clocks[] = { "tsc", "monotonic", NULL };
	int opt;

	optind = 0;
	while ((opt = getopt_long(argc, argv, "fho:", longs, NULL)) != -1) {
		switch (opt) {
		case 'f':
			options->foreground = true;
			break;
		case 'b':
			options->backend = optarg;
			break;
		case 'c':
			options->clock = optarg;
			break;
		case 'o':
			weir_options_add(options, optarg);
			break;
		case 'h':
			fputs(weir_mount_usage, stdout);
			return -1;
		default:
			return weir_options_bad();
		}
	}
	if (argc - optind == 2) /* mount(8) says what is mounted, too */
		optind++;
	if (argc - optind > 1 || !weir_option_known("--backend", options->backend, backends) ||
	    (options->clock && !weir_option_known("--clock", options->clock, clocks)))
		return weir_options_bad();
	if (optind < argc)
		options->mountpoint = argv[optind];
	return 0;
}

/* The daemon leaves the directory that it was started in. */
static const char *weir_absolute(const char *path, char buf[PATH_MAX])
{
	size_t len;

	if (*path == '/' || !getcwd(buf, PATH_MAX - 1))
		return path;
	len = strlen(buf);
	snprintf(buf + len, PATH_MAX - len, "/%s", path);
	return buf;
}

static void weir_options_defaults(struct weir_options *options)
{
	const char *mount = getenv("WEIR_MOUNT"), *rundir = getenv("WEIR_RUNDIR");
	const char *user = getenv("XDG_RUNTIME_DIR");

	if (!options->mountpoint)
		options->mountpoint = mount && *mount ? mount : "/mnt/traces";
	options->mountpoint = weir_absolute(options->mountpoint, options->mountpoint_buf);
	if (rundir && *rundir) {
		options->rundir = weir_absolute(rundir, options->rundir_buf);
	} else if (!geteuid()) {
		options->rundir = "/run/weir";
	} else if (user && *user) {
		snprintf(options->rundir_buf, sizeof(options->rundir_buf), "%s/weir", user);
		options->rundir = options->rundir_buf;
	}
}

/* ---- the daemon -------------------------------------------------------------------------------*/

/* Tells the waiting process how it went, and lets go of the terminal. */
static void weir_ready(int ready)
{
	int null;
	char ok = 1;

	if (ready < 0)
		return;
	if (chdir("/") || write(ready, &ok, 1) != 1)
		return;
	close(ready);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0)
		return;
	dup2(null, 0);
	dup2(null, 1);
	dup2(null, 2);
	if (null > 2)
		close(null);
}

static int weir_session_run(struct fuse_session *session, const char *mountpoint, int ready)
{
	struct fuse_loop_config *config = fuse_loop_cfg_create();
	int err;

	weir_passthrough_start(session);
	err = config ? weir_registry_start() : -ENOMEM;
	if (!err)
		err = weir_sweeper_start(session);
	if (!err)
		err = weir_doorbell_start(mountpoint);
	if (!err)
		err = weir_waiter_start(session);
	if (err) {
		weir_mount_error("cannot start", err);
	} else {
		weir_ready(ready);
		/* many, so that those who make slow requests or wait for one open file's lock
		 * leave some to others; few stay */
		fuse_loop_cfg_set_max_threads(config, 32);
		fuse_loop_cfg_set_idle_threads(config, 4);
		err = fuse_session_loop_mt(session, config);
	}
	fuse_loop_cfg_destroy(config);
	weir_drain_start(session);
	weir_doorbell_stop();
	weir_sweeper_stop(mountpoint);
	weir_drain_stop();
	weir_waiter_stop();
	weir_passthrough_stop();
	return err < 0 ? 1 : 0; /* a signal is a good end */
}

/* libfuse's words, which may come in pieces, in the form of ours. */
static void weir_mount_log(enum fuse_log_level level, const char *format, va_list ap)
{
	static bool middle; /* of a line */
	char text[512];
	size_t len, skip;

	(void)level;
	vsnprintf(text, sizeof(text), format, ap);
	len = strlen(text);
	skip = !middle && !strncmp(text, "fuse: ", 6) ? 6 : 0;
	fprintf(stderr, "%s%s", middle ? "" : "weir: ", text + skip);
	middle = len && text[len - 1] != '\n';
}

static struct fuse_session *weir_session_new(struct weir_options *options)
{
	char max_read[32];

	snprintf(max_read, sizeof(max_read), "max_read=%u", WEIR_READ_MAX);
	weir_options_add(options, "fsname=weir,subtype=weir,default_permissions");
	weir_options_add(options, max_read);
	if (!geteuid())
		weir_options_add(options, "allow_other");
	fuse_set_log_func(weir_mount_log);
	return fuse_session_new(&options->args, &weir_ops, sizeof(weir_ops), NULL);
}

static int weir_serve(struct weir_options *options, int ready)
{
	struct fuse_session *session;
	int err, status = 1;

	urcu_memb_register_thread();
	weir_tree_init();
	if (!options->rundir) {
		fprintf(stderr, "weir: neither XDG_RUNTIME_DIR nor WEIR_RUNDIR is set\n");
		return 1;
	}
	if (weir_registry_init(options->rundir, options->clock))
		return 1;
	err = weir_mountpoint_prepare(options->mountpoint);
	if (err) {
		if (err == -EBUSY)
			fprintf(stderr, "weir: %s: weir is mounted there already\n",
				options->mountpoint);
		else
			weir_mount_error(options->mountpoint, err);
		goto stop;
	}
	session = weir_session_new(options);
	if (!session)
		goto stop;
	if (fuse_set_signal_handlers(session))
		goto destroy;
	if (fuse_session_mount(session, options->mountpoint))
		goto unset;
	status = weir_session_run(session, options->mountpoint, ready);
	fuse_session_unmount(session);
unset:
	fuse_remove_signal_handlers(session);
destroy:
	fuse_session_destroy(session);
stop:
	weir_files_end();
	weir_dirs_end();
	weir_live_sweep(true);
	weir_view_sweep(true);
	weir_copy_sweep(true);
	weir_spare_sweep(true);
	weir_tree_end();
	weir_registry_stop();
	urcu_memb_unregister_thread();
	return status;
}

/* The parent: waits for the child's word, or its end. */
static int weir_wait(int ready, pid_t child)
{
	int status;
	char ok;

	if (read(ready, &ok, 1) == 1)
		return 0;
	if (waitpid(child, &status, 0) < 0 || !WIFEXITED(status))
		return 1;
	return WEXITSTATUS(status) ? WEXITSTATUS(status) : 1;
}

static int weir_daemonise(struct weir_options *options)
{
	int ready[2];
	pid_t child;

	close_range(3, ~0u, 0); /* nobody waits for the daemon to close what it knows nothing of */
	if (pipe2(ready, O_CLOEXEC))
		return weir_mount_error("pipe", errno);
	child = fork();
	if (child < 0)
		return weir_mount_error("fork", errno);
	if (child) {
		close(ready[1]);
		return weir_wait(ready[0], child);
	}
	close(ready[0]);
	setsid();
	return weir_serve(options, ready[1]);
}

int weir_mount_main(int argc, char **argv)
{
	struct weir_options options = { .backend = "auto", .args = FUSE_ARGS_INIT(0, NULL) };
	int status;

	fuse_opt_add_arg(&options.args, "weir");
	status = weir_options_parse(&options, argc, argv);
	if (!status) {
		weir_options_defaults(&options);
		weir_daemon.backend = options.backend;
		status = options.foreground ? weir_serve(&options, -1) : weir_daemonise(&options);
	}
	fuse_opt_free_args(&options.args);
	return status < 0 ? 0 : status;
}
