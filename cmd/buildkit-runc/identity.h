/* SPDX-License-Identifier: Apache-2.0 */
/*
 * identity: who the program is and what it may: limits, labels, user, capabilities, system call filter.
 *
 * All end the process with a report when the kernel says no. The order is step.c's.
 */
#pragma once
#include "runner/plan.h"

void identity_limits(const struct plan *plan);
/* proc_fd: the root of a procfs of ours, never what the image calls /proc. */
void identity_labels(const struct plan *plan, int proc_fd);
void identity_oom_score(const struct plan *plan, int proc_fd);
void identity_keyring(const struct plan *plan);
/* Drops the bounding set, then changes ids with all capabilities kept in hand for identity_finish. */
void identity_user(const struct plan *plan);
/* no_new_privs, filter, capabilities: in the order in which each can still be done. */
void identity_finish(const struct plan *plan);
