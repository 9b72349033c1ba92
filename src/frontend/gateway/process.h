/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process: the process of a frontend image: arguments, environment and required caps.
 *
 *	struct gateway_process process;
 *	if (!gateway_process_init(&process, &request, error)) ...
 *	step.args = process.args, step.env = process.env, step.cwd = process.cwd;
 *	gateway_process_clear(&process);
 *
 * Pure. Errors: UNIMPLEMENTED "unsupported frontend capability X" with an errdefs.FrontendCap detail. Thread: any.
 */
#pragma once
#include "frontend/dockerfile/frontend_image.h"
#include "worker/worker.h"

struct gateway_process {
	char **args; /* owned */
	char **env;  /* owned */
	char *cwd;   /* owned */
	bool no_network;
};
struct gateway_process_request { /* all borrowed */
	const struct frontend_image *image;
	GHashTable *options; /* char * to char * */
	size_t n_inputs;
	const char *session;
	worker *const *workers;
	size_t n_workers;
};
bool gateway_process_init(struct gateway_process *ret, const struct gateway_process_request *r, GError **error);
void gateway_process_clear(struct gateway_process *p);
