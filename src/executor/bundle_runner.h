/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bundle_runner: runs bundles in place of an OCI runtime program that the executor starts.
 *
 *	const struct bundle_runner runner = {.name = "io.containerd.runc.v2", .run = run, .end = end, .self = self};
 *	executor_new(&(struct executor_options){.bundle_runner = &runner, ...}, error);
 *
 * The bundle is complete: config.json, the root and the sources of mounts are attached, in this mount namespace.
 * Thread: any.
 */
#pragma once
#include "executor/runtime.h"

struct bundle_runner {
	const char *name;
	/* Same contract as runtime_run. The state of the step is kept until end. */
	bool (*run)(void *self, const struct runtime_call *call, int *ret_code, GError **error);
	/* Removes everything that run created, whether it succeeded or not. */
	void (*end)(void *self, const char *id);
	void *self; /* borrowed: outlives the executor */
};
