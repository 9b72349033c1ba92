/* SPDX-License-Identifier: Apache-2.0 */
/*
 * identity: the privileges of the process: limits, labels, user, capabilities, system call filter.
 *
 * All functions exit with a report on failure. step.c defines the order.
 */
#pragma once
#include "runner/plan.h"

void identity_limits(const struct plan *plan);
/* proc_fd: root of a procfs that the runner mounted, never /proc of the image. */
void identity_labels(const struct plan *plan, int proc_fd);
void identity_oom_score(const struct plan *plan, int proc_fd);
void identity_keyring(const struct plan *plan);
/* Drops the bounding set, then changes the user and group; identity_finish needs the capabilities, so they are kept. */
void identity_user(const struct plan *plan);
/* Sets no_new_privs, filter and capabilities, in an order in which each step is still permitted. */
void identity_finish(const struct plan *plan);
