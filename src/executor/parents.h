/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parents: the cgroup parents that builds choose. Each is limited as the default parent is while steps run below it, and
 * the directories that were made for it are removed with the last step.
 *
 *	parents *p = parents_new(&cgroups, executor_fd, default_parent, own);
 *	parents_recover(p, instance);                        what an earlier daemon left
 *	g_autofree char *parent = parents_enter(p, chosen, error);
 *	... a step runs below it and its own cgroup is removed ...
 *	parents_leave(p, parent);
 *
 * What is in use stands in a file, so that the next daemon finds it after a crash. The default parent is never removed.
 * Thread: any.
 */
#pragma once
#include "executor/cgroup.h"

typedef struct parents parents;

/* All borrowed. own: our runner takes every parent for a path; an OCI runtime knows systemd's form ("x.slice:a:") too. */
parents *parents_new(const struct cgroups *g, int executor_fd, const char *default_parent, bool own);
void parents_free(parents *p);
/* Kills and removes the cgroups that carry the instance's name, also below the default parent, and limits that one. */
void parents_recover(parents *p, const char *instance);
/* The parent as the step's runner takes it; NULL or "": the default. Errors: INVALID_ARGUMENT, those of the file. */
char *parents_enter(parents *p, const char *chosen, GError **error);
void parents_leave(parents *p, const char *parent);
/* Is it the default one, which no directory needs to be removed for? */
bool parents_is_default(const parents *p, const char *parent);
