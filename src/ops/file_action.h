/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file_action: applies one action of a file op to a tree.
 *
 *	file_action_run(action, root_fd, source_fd, owner, links, cancel, error);
 *
 * All paths are resolved inside the tree. Errors name paths as they are in the tree, as "open /x: no such file or
 * directory". Thread: one at a time per tree.
 */
#pragma once
#include "base/cancel.h"
#include "ops.pb-c.h"
#include "ops/file_copy.h"

/* source_fd: the tree that a copy reads; otherwise unused. links: of the tree; NULL: it has none. */
bool file_action_run(const Pb__FileAction *action, int root_fd, int source_fd, struct file_owner owner,
		     file_links *links, cancel *c, GError **error);
/* Returns the owner that an action requests, or NULL. */
const Pb__ChownOpt *file_action_owner(const Pb__FileAction *action);
