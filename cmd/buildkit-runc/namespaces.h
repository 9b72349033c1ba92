/* SPDX-License-Identifier: Apache-2.0 */
/* namespaces: writes id maps from outside; joins and sets up namespaces from inside. */
#pragma once
#include "runner/plan.h"
#include <sys/types.h>

/* Outside: writes the id maps of a child in its new user namespace. Returns 0 or -errno. */
int namespaces_map(pid_t pid, const struct plan *plan);
/* Inside: becomes root of the user namespace. */
void namespaces_become_root(void);
/*
 * Joins the namespaces that the plan names; new ones, except the user namespace, are made by clone. Returns true if the
 * pid namespace changed: the caller must fork.
 */
bool namespaces_join(const struct plan *plan, const int *fds);
/*
 * Sets the propagation (MS_SLAVE, MS_PRIVATE) of all mounts of the caller's mount namespace, also of those outside a
 * chroot. Returns a descriptor for namespaces_leave_chroot (owned), or -1 if "/" is the root of the namespace.
 */
int namespaces_detach_mounts(unsigned long propagation);
/*
 * Makes the root of the mount namespace the process's root and working directory. Does nothing for -1. Exits on
 * failure.
 */
void namespaces_leave_chroot(int namespace_fd);
/* Brings up lo in a new network namespace; sets host and domain name. */
void namespaces_set_up(const struct plan *plan, uint64_t made);
/* proc_fd: see identity_labels. */
void namespaces_sysctls(const struct plan *plan, int proc_fd);
