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
/*
 * Gives all mounts of our mount namespace, also those outside of a chroot that we may be in, this propagation
 * (MS_SLAVE, MS_PRIVATE). In a chroot: an owned descriptor for namespaces_leave_chroot; -1: "/" is the namespace's root.
 */
int namespaces_detach_mounts(unsigned long propagation);
/* "/" and the working directory become the root of our mount namespace. -1 does nothing. Ends the step on failure. */
void namespaces_leave_chroot(int namespace_fd);
/* lo up in a new network namespace; host and domain name. */
void namespaces_set_up(const struct plan *plan, uint64_t made);
/* proc_fd: as identity_labels. */
void namespaces_sysctls(const struct plan *plan, int proc_fd);
