/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ctd_process: runs the first process of a container as its task, or a further process in that task, from start to exit.
 *
 *	if (!ctd_process_run(client, runtime_path, call, &code, error)) ...       the contract of bundle_runner.run
 *
 * The streams are FIFOs in the bundle. A failed start is an error, with containerd's text. Thread: any; blocks.
 */
#pragma once
#include "containerd/ctd_client.h"
#include "executor/runtime.h"

/* The container exists. The task remains when its process has exited; a further process is deleted. */
bool ctd_process_run(ctd_client *client, const char *runtime_path, const struct runtime_call *call, int *ret_code,
		     GError **error);
/* Sends SIGKILL to all processes of a task. */
void ctd_process_kill_all(ctd_client *client, const char *id);
