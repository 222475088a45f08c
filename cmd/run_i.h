/* SPDX-License-Identifier: GPL-2.0-only */
/* weir run's child and report. */
#ifndef WEIR_RUN_I_H
#define WEIR_RUN_I_H

#include <signal.h>
#include <sys/types.h>

struct weir_child {
	pid_t pid;
	int go;	       /* one byte lets the child exec */
	int failed;    /* the child writes errno if exec fails; end of file if it did not */
	sigset_t mask; /* ours, and so the child's */
	struct sigaction chld;
};

/* Forks a child that will exec argv. 0 or -1 with errno. */
int weir_child_start(struct weir_child *child, char **argv, const char *preload);
/* Instead of go: the child ends without having run. */
void weir_child_abort(struct weir_child *child);
/* Lets it exec: 0 or the errno of exec. */
int weir_child_go(struct weir_child *child);
/* Forwards signals until the child ends; its wait status. */
int weir_child_wait(struct weir_child *child);
/* The exit code for that status; if a signal ended the child, it ends us as well. */
int weir_child_exit(struct weir_child *child, int status);

/* Says on stderr what the trace holds and where it is. */
void weir_report(int trace, const char *name);

#endif /* WEIR_RUN_I_H */
