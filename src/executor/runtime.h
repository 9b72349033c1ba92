/* SPDX-License-Identifier: Apache-2.0 */
/*
 * runtime: runs an OCI runtime program (runc, crun, buildkit-runc) for one process of a container, from start to exit.
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
#include "executor/step_process.h"

struct runtime_call { /* all borrowed */
	const char *binary;
	const char *state_root; /* --root */
	const char *bundle, *id;
	/* A further process in the container id: its name, its description, a path of that. NULL: the first process. */
	const char *exec_id, *process_json, *process_path;
	size_t n_process_json;
	const struct step *step;
	const char *process_label; /* of SELinux, also for further processes; NULL: none */
	const struct step_io *io;  /* NULL: only output */
	step_process *process;
	pump_output_fn output;
	void *output_data;
	const struct cgroups *cgroups;
	const char *cgroup_path;
	bool keep; /* the runtime knows --keep (runtime_knows_keep): the container's cgroup and state outlive it */
	cancel *cancel;
};
/* First member of what is given to step_process_start. */
struct runtime_self {
	const struct runtime_call *call;
};
/* Asks the program whether its command "run" has the flag --keep, which crun 1.8.1 (Debian 12) lacks. */
bool runtime_knows_keep(const char *binary, cancel *c, bool *ret_knows, GError **error);
/*
 * ret_code: the step's exit status as the runtime reports it, 128 + signal when the runtime was killed.
 * Errors: the program could not be started; CANCELED "exit code: N: context canceled".
 */
bool runtime_run(const struct runtime_call *call, int *ret_code, GError **error);
