/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runtime: runs an OCI runtime program (runc, crun, buildkit-runc) once, from start to exit.
 *
 *	struct runtime_call call = {.binary = "runc", .bundle = path, .id = id, ...};
 *	if (!runtime_run(&call, &code, error)) ...
 *
 * On cancellation the step's processes get SIGKILL until the runtime exits, for at most 7 s; then the runtime is killed
 * (pump.h).
 * Thread: any; blocks.
 */
#pragma once
#include "executor/cgroup.h"
#include "executor/pump.h"

struct runtime_call { /* all borrowed */
	const char *binary;
	const char *state_root; /* --root */
	const char *bundle, *id;
	int stdin_fd; /* -1: none */
	pump_output_fn output;
	void *output_data;
	const struct cgroups *cgroups;
	const char *cgroup_path;
	cancel *cancel;
};
/*
 * ret_code: the step's exit status as the runtime reports it, 128 + signal when the runtime was killed.
 * Errors: the program could not be started; CANCELED "exit code: N: context canceled".
 */
bool runtime_run(const struct runtime_call *call, int *ret_code, GError **error);
