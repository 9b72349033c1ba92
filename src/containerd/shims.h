/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shims: processes that containerd started for a container and then forgot.
 *
 *	shims_kill(ids)
 *
 * A task whose creation was canceled half-way (its client died) may leave the shim that was just starting: no task
 * leads to it any more. It is found by the container's id, which is random and ours. Thread: any.
 */
#pragma once
#include <stdbool.h>
#include <glib.h>

/* Kills the shims of these containers (a set of ids) and takes their ids out of the set. */
void shims_kill(GHashTable *ids);
