/* SPDX-License-Identifier: LGPL-2.1-only */
/* rules: pure but for /proc; under the client's lock. */
#ifndef WEIR_RULES_I_H
#define WEIR_RULES_I_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

bool weir_processes_match(const char *words);
void weir_rules_init(pid_t pid, pid_t run, const char *comm);
void weir_rules_forked(pid_t pid);

#endif /* WEIR_RULES_I_H */
