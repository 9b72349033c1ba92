/* SPDX-License-Identifier: Apache-2.0 */
/*
 * namespaces: ids mapped from outside; joined, named and set up from inside.
 */
#pragma once
#include "runner/plan.h"
#include <sys/types.h>

/* Outside: writes the id maps of a child in its new user namespace. 0 or -errno. */
int namespaces_map(pid_t pid, const struct plan *plan);
/* Inside: becomes root of its user namespace. */
void namespaces_become_root(void);
/* Joins what the plan names, all but user namespaces first made by clone. True: the pid namespace changed, fork again.
 */
bool namespaces_join(const struct plan *plan, const int *fds);
/* lo up in a new network namespace; host and domain name. */
void namespaces_set_up(const struct plan *plan, uint64_t made);
/* proc_fd: as identity_labels. */
void namespaces_sysctls(const struct plan *plan, int proc_fd);
