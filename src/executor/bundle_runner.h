/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bundle_runner: who runs a bundle, when it is not an OCI runtime program started by us.
 *
 *	const struct bundle_runner runner = {.name = "io.containerd.runc.v2", .run = run, .end = end, .self = self};
 *	executor_new(&(struct executor_options){.bundle_runner = &runner, ...}, error);
 *
 * The bundle is complete: config.json, the root and the sources of mounts attached, in this mount namespace. Thread:
 *any.
 */
#pragma once
#include "executor/runtime.h"

struct bundle_runner {
	const char *name;
	/* As runtime_run. What it leaves of the step is there until end. */
	bool (*run)(void *self, const struct runtime_call *call, int *ret_code, GError **error);
	/* Takes away all that run made, whether it succeeded or not. */
	void (*end)(void *self, const char *id);
	void *self; /* borrowed: outlives the executor */
};
