/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ctd_tasks: steps as containerd's tasks.
 *
 *	ctd_tasks *t = ctd_tasks_new(client, &runtime);
 *	executor_new(&(struct executor_options){.bundle_runner = ctd_tasks_runner(t), ...}, error);
 *
 * A step is a container with our label, and one task; its output comes through FIFOs in the bundle. Containers with the
 * label that no step of this process has are removed whenever a connection is made: what we, or containerd, left dying.
 * Thread: any (.mu guards the ids of steps).
 */
#pragma once
#include "containerd/ctd_client.h"
#include "executor/bundle_runner.h"

typedef struct ctd_tasks ctd_tasks;

struct ctd_runtime {
	const char *name;    /* "io.containerd.runc.v2" */
	const char *path;    /* of the shim; NULL or "": found by its name */
	GHashTable *options; /* char * to char *: keys of the runtime's own options; may be NULL */
};
/* client is borrowed; runtime is copied. Errors: INVALID_ARGUMENT for options that the runtime does not know. */
ctd_tasks *ctd_tasks_new(ctd_client *client, const struct ctd_runtime *runtime, GError **error);
void ctd_tasks_free(ctd_tasks *t);
const struct bundle_runner *ctd_tasks_runner(const ctd_tasks *t);

/* A runtime's options as their message and its type; NULL and an error for unknown keys and wrong values. */
GBytes *ctd_runtime_options(const struct ctd_runtime *runtime, const char **ret_type, GError **error);
