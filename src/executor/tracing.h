/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tracing: what a step needs to add spans to the trace of its build: the socket of the daemon's trace service and the
 * variables that name it.
 *
 *	struct traced_step traced;
 *	step = traced_step_init(&traced, step, trace_fd);          a copy of step, or step itself
 *	... traced_step_clear(&traced);
 *
 * Variables that the step has already are kept, so that a build can opt out (OTEL_TRACES_EXPORTER=none). Borrows from the
 * step. Thread: one at a time.
 */
#pragma once
#include "executor/executor.h"
#include <glib.h>

#define TRACE_SOCKET_PATH "/dev/otel-grpc.sock"

struct traced_step {
	struct step step;
	GPtrArray *env;       /* borrowed texts, NULL-terminated */
	GArray *mounts;       /* element type: struct step_mount */
	char *parent, *state; /* owned */
};
/* trace_fd: the socket file; 0: there is none, and the result is the step itself. */
const struct step *traced_step_init(struct traced_step *t, const struct step *step, int trace_fd);
void traced_step_clear(struct traced_step *t);
