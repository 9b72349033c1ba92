/* SPDX-License-Identifier: Apache-2.0 */
/*
 * describe: what the solver does, for people who look for the cause of a build that does not go on.
 *
 *	g_autoptr(GPtrArray) list = solver_list_waits(s, 2000, error);
 *	g_autofree char *text = solver_describe_graph(s, 2000, error);
 *
 * Both ask the solver thread and wait for its answer, at most timeout_ms: DEADLINE_EXCEEDED means that it is busy or stuck
 * itself. Thread: any.
 */
#pragma once
#include "solver/solver.h"

struct solver_waiting { /* all owned */
	char *job, *step, *digest;
	char *what;          /* "running", "waiting for one of 4 slots", ... */
	int64_t duration_ns; /* since when; -1: not known */
};
/* Element type: struct solver_waiting *: each work item for each job that waits for it. */
GPtrArray *solver_list_waits(solver *s, int timeout_ms, GError **error);
/* One line per vertex, edge and input of the graph. */
char *solver_describe_graph(solver *s, int timeout_ms, GError **error);
