/* SPDX-License-Identifier: Apache-2.0 */
/*
 * solver_mock: a solver with ops and results that are texts. Each vertex is described by a spec; its result is a text
 * made of its key and those of its inputs, so that every way to compute it must give the same text.
 *
 *	struct mock *m = mock_new(root_fd);
 *	struct mock_vertex *v = mock_vertex_add(m, "a");   then fill in key, inputs, ...
 *	mock_build(m, job, "a", 0, cancel, &text, &error);
 *	v->n_exec
 */
#pragma once
#include "solver/solver.h"

#define MOCK_INPUTS 8
#define MOCK_OUTPUTS 3

struct mock_vertex {
	char *name;
	char *keys[4]; /* one per phase */
	unsigned n_keys;
	struct mock_vertex *inputs[MOCK_INPUTS];
	int64_t input_index[MOCK_INPUTS];
	size_t n_inputs;
	bool content[MOCK_INPUTS];
	char *selector[MOCK_INPUTS];
	bool ignore_cache, slot, pure, random;
	unsigned outputs; /* 0: one output */
	char *version;    /* part of the digest */
	char *fail_map, *fail_exec, *fail_content;
	char *value;        /* replaces the computed one */
	char *nest;         /* the vertex whose definition this one reads and whose result it has; "-": scratch */
	char *gate;         /* exec waits until it opens */
	char *content_gate; /* content keys wait until it opens */
	unsigned delay_us;
	int64_t compat_version, compat_conflict; /* as passed to the work of exec */
	struct mock *mock;
	gint n_map, n_content, n_exec, n_load; /* atomic */
};
struct mock {
	solver *solver;
	GPtrArray *vertices; /* owned struct mock_vertex */
	GMutex mu;
	GCond changed;
	GHashTable *stored;    /* id to value */
	GHashTable *by_digest; /* vertex digest to spec */
	GHashTable *broken;    /* ids of results that exist but fail to load */
	GHashTable *open_gates;
	unsigned next_id;
	gint live; /* number of existing results */
	int running, max_running;
};
struct mock *mock_new(int root_fd);
void mock_free(struct mock *m);
/* Starts a new solver with the same results. */
void mock_restart(struct mock *m, int root_fd);
struct mock_vertex *mock_vertex_add(struct mock *m, const char *name);
struct mock_vertex *mock_vertex_find(struct mock *m, const char *name);
void mock_vertex_set_key(struct mock_vertex *v, unsigned phase, const char *key);
/* A solver_load_fn; data: the mock. */
bool mock_load(void *data, const Pb__Definition *definition, struct work *work, llb_definition **ret, GError **error);
/* Returns the definition whose result is the vertex's output. */
llb_definition *mock_definition(struct mock *m, const char *name, int64_t index);
bool mock_build(struct mock *m, solver_job *job, const char *name, int64_t index, cancel *c, char **ret_value,
		GError **error);
void mock_open_gate(struct mock *m, const char *gate);
void mock_reset_counts(struct mock *m);
/* Returns the expected result. */
char *mock_reference(const struct mock_vertex *v, int64_t index);
