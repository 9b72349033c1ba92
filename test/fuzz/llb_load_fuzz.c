/* SPDX-License-Identifier: Apache-2.0 */
/* The vertices of an accepted definition are in order, its indices in range, and it can be printed and digested. */
#include "api/guard.h"
#include "base/error.h"
#include "llb/definition.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static const char *const all_caps[] = {"constraints", "diffop",       "mergeop", "meta.description",
				       "platform",    "source.image", NULL};

static void check(const llb_definition *d)
{
	size_t n;
	const struct llb_vertex *const *vertices = llb_definition_vertices(d, &n);
	g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
	for (size_t i = 0; i < n; i++) {
		const struct llb_vertex *v = vertices[i];
		for (size_t k = 0; k < v->n_inputs; k++)
			g_assert_true(g_hash_table_contains(seen, v->inputs[k].vertex));
		g_hash_table_add(seen, (gpointer)v);
		if (v->type == LLB_EXEC)
			for (size_t k = 0; k < v->op->exec->n_mounts; k++)
				g_assert_cmpint(v->op->exec->mounts[k]->input, <, (int64_t)v->n_inputs);
		g_autofree char *json = llb_op_json(v->op);
		g_autoptr(GError) error = NULL;
		error_set(&error, ERROR_UNKNOWN, "x");
		llb_vertex_annotate_error(v, error);
	}
	int64_t index;
	g_assert_true(g_hash_table_contains(seen, (gpointer)llb_definition_result(d, &index)));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	Pb__Definition *pb = guard_unpack(&pb__definition__descriptor, bytes, n, NULL);
	if (!pb)
		return 0;
	g_autoptr(GError) error = NULL;
	g_autoptr(llb_definition) d = llb_load(pb, &(struct llb_load_options){.caps = all_caps}, &error);
	g_assert_true((d == NULL) == (error != NULL));
	if (d)
		check(d);
	guard_free(pb);
	return 0;
}
