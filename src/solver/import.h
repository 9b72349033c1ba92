/* SPDX-License-Identifier: Apache-2.0 */
/*
 * import: keys and results of a cache import, looked up in addition to the key store by the jobs that requested it.
 *
 *	solver_import *i = solver_import_new(graph, &class, self);     graph: taken, checked
 *	solver_job_add_import(job, i);
 *
 * A record without inputs is found under its digest, any other under "import:<number>:<record>", which is valid only
 * inside this process and is never stored. A loaded result is saved under our own keys, together with the results of
 * earlier steps that it contains.
 * Thread: immutable after new; class functions as stated.
 */
#pragma once
#include "solver/key_graph.h"
#include "base/work.h"

typedef struct solver_import solver_import;

struct solver_import_class {
	/* Loads a result (by its index in the record) as a local result, owned by the caller. Thread: worker. */
	bool (*load)(void *self, guint record, guint result, struct work *work, void **ret_result, GError **error);
	/*
	 * Returns the part of a loaded result that another result consists of (its lower layers); owned by the caller,
	 * NULL if it does not contain that result. Thread: solver.
	 */
	void *(*part)(void *self, guint of_record, guint of_result, void *loaded, guint record, guint result);
	void (*free)(void *self);
};
solver_import *solver_import_new(key_graph *graph, const struct solver_import_class *class, void *self);
solver_import *solver_import_ref(solver_import *i);
void solver_import_unref(solver_import *i);

void *solver_import_self(solver_import *i); /* borrowed */

bool key_is_import(const char *key);
/* A result of an import has the id "import:<number>:<record>:<result>", valid in the jobs that have the import. */
char *import_result_id(const solver_import *i, guint record, guint result);
/* Reports whether the id names a result of this import. */
bool import_parse_id(const solver_import *i, const char *id, guint *ret_record, guint *ret_result);
/* Returns the import's record that a key names, or -1. */
int64_t import_record(const solver_import *i, const char *key);
/* Adds the keys that follow from a key through a link. */
void import_find(const solver_import *i, const char *from, const struct key_link *link, GHashTable *ret_targets);
const struct key_record *import_get(const solver_import *i, guint record); /* borrowed */
const GArray *import_results(const solver_import *i, guint record);        /* of struct key_result */
bool import_load(solver_import *i, guint record, guint result, struct work *work, void **ret_result, GError **error);
void *import_part(solver_import *i, guint of_record, guint of_result, void *loaded, guint record, guint result);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(solver_import, solver_import_unref)
