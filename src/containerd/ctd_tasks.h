/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ctd_tasks: runs steps as containerd tasks.
 *
 *	ctd_tasks *t = ctd_tasks_new(client, &runtime, error);
 *	executor_new(&(struct executor_options){.bundle_runner = ctd_tasks_runner(t), ...}, error);
 *
 * A step is a container with our label, and one task; its output comes through FIFOs in the bundle. When a connection
 * is made, labelled containers without a step of this process are removed: those that a crashed daemon or containerd
 * left.
 * Thread: any (.mu guards the ids of steps).
 */
#pragma once
#include "containerd/ctd_client.h"
#include "executor/bundle_runner.h"

typedef struct ctd_tasks ctd_tasks;

struct ctd_runtime {
	const char *name;    /* "io.containerd.runc.v2" */
	const char *path;    /* path of the shim; NULL or "": found by its name */
	GHashTable *options; /* char * to char *: options of the runtime; may be NULL */
};
/* client is borrowed; runtime is copied. Errors: INVALID_ARGUMENT for options that the runtime does not support. */
ctd_tasks *ctd_tasks_new(ctd_client *client, const struct ctd_runtime *runtime, GError **error);
void ctd_tasks_free(ctd_tasks *t);
const struct bundle_runner *ctd_tasks_runner(const ctd_tasks *t);

/* Packs a runtime's options into their message and its type; NULL with an error for unknown keys and invalid values. */
GBytes *ctd_runtime_options(const struct ctd_runtime *runtime, const char **ret_type, GError **error);
