/* SPDX-License-Identifier: Apache-2.0 */
/*
 * import: keys and results that others made, looked up beside the key store by the jobs that asked for them.
 *
 *	solver_import *i = solver_import_new(graph, &class, self);     graph: taken, checked
 *	solver_job_add_import(job, i);
 *
 * A record without inputs is found under its digest, any other under "import:<number>:<record>", which means nothing
 * beyond this process and is never written down. A result of it that is loaded is saved under keys of our own, with
 * those of the steps before it that it contains.
 * Thread: immutable after new; class functions as they say.
 */
#pragma once
#include "solver/key_graph.h"
#include "base/work.h"

typedef struct solver_import solver_import;

struct solver_import_class {
	/* A result (by its place in the record) as one of ours, owned by the caller. Thread: worker. */
	bool (*load)(void *self, guint record, guint result, struct work *work, void **ret_result, GError **error);
	/*
	 * The part of a loaded result that another one is (layers below its own); owned by the caller, NULL when it is
	 * none. Thread: solver.
	 */
	void *(*part)(void *self, guint of_record, guint of_result, void *loaded, guint record, guint result);
	void (*free)(void *self);
};
solver_import *solver_import_new(key_graph *graph, const struct solver_import_class *class, void *self);
solver_import *solver_import_ref(solver_import *i);
void solver_import_unref(solver_import *i);

void *solver_import_self(solver_import *i); /* borrowed */

bool key_is_import(const char *key);
/* A result among others: "import:<number>:<record>:<result>", as long as the import lives. */
char *import_result_id(const solver_import *i, guint record, guint result);
/* The result of such an id; NOT_FOUND when its import is gone. */
bool import_load_id(const char *id, struct work *work, void **ret_result, GError **error);
/* The record that a key names here, or -1. */
int64_t import_record(const solver_import *i, const char *key);
/* Adds the keys that follow from a key through a link. */
void import_find(const solver_import *i, const char *from, const struct key_link *link, GHashTable *ret_targets);
const struct key_record *import_get(const solver_import *i, guint record); /* borrowed */
const GArray *import_results(const solver_import *i, guint record);        /* of struct key_result */
bool import_load(solver_import *i, guint record, guint result, struct work *work, void **ret_result, GError **error);
void *import_part(solver_import *i, guint of_record, guint of_result, void *loaded, guint record, guint result);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(solver_import, solver_import_unref)
