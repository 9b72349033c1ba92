/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parents: the cgroup parents that builds choose. While steps run below a parent it has the limits of the default
 * parent; the directories created for it are removed with the last step.
 *
 *	parents *p = parents_new(&cgroups, executor_fd, default_parent, own);
 *	parents_recover(p, instance);                        removes what a previous daemon left
 *	g_autofree char *parent = parents_enter(p, chosen, error);
 *	... a step runs below it and its own cgroup is removed ...
 *	parents_leave(p, parent);
 *
 * Parents in use are recorded in a file, so that the next daemon finds them after a crash. The default parent is never
 * removed.
 * Thread: any.
 */
#pragma once
#include "executor/cgroup.h"

typedef struct parents parents;

/*
 * All arguments are borrowed. own: our runner treats every parent as a path; an OCI runtime also accepts systemd's form
 * ("x.slice:a:").
 */
parents *parents_new(const struct cgroups *g, int executor_fd, const char *default_parent, bool own);
void parents_free(parents *p);
/*
 * Kills and removes the cgroups with the instance's name, also below the default parent, and sets the limits of that
 * parent.
 */
void parents_recover(parents *p, const char *instance);
/*
 * Returns the parent in the form that the runner expects; NULL or "": the default. Errors: INVALID_ARGUMENT, file
 * errors.
 */
char *parents_enter(parents *p, const char *chosen, GError **error);
void parents_leave(parents *p, const char *parent);
/* Reports whether it is the default parent, which is never removed. */
bool parents_is_default(const parents *p, const char *parent);
