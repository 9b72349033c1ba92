/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shims: kills shims that containerd started for a container and no longer tracks.
 *
 *	shims_kill(ids)
 *
 * If the creation of a task is interrupted (its client exited), the starting shim may remain without a task. It is
 * found by the container's id, which we chose randomly. Thread: any.
 */
#pragma once
#include <stdbool.h>
#include <glib.h>

/* Kills the shims of these containers (a set of ids) and removes their ids from the set. */
void shims_kill(GHashTable *ids);
