/* SPDX-License-Identifier: Apache-2.0 */
/*
 * frontend_run: runs the image of a frontend as a step, with LLBBridge over its stdin and stdout.
 *
 *	build_run_frontend(bridge, &request, work, &result, error)         request->options: "source" names the image
 *
 * The process is killed when the work is canceled, when its connection ends without a result, and when it does not exit
 * after its result. Its stderr is the log of a vertex. Thread: any; blocks one thread and uses one more.
 */
#pragma once
#include "worker/bridge.h"

/* b: the bridge for requests of the frontend. Errors: what the frontend returned, or how it ended. */
bool build_run_frontend(bridge *b, const struct bridge_solve_request *request, struct work *work, build_result **ret,
			GError **error);
