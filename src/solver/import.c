/* SPDX-License-Identifier: Apache-2.0 */
#include "solver/import.h"
#include <stdio.h>
#include <string.h>

#define PREFIX "import:"

struct solver_import {
	gint refs;
	guint number;
	key_graph *graph; /* owned */
	const struct solver_import_class *class;
	void *self;         /* owned through class->free */
	GHashTable *roots;  /* digest (borrowed) to record + 1 */
	GHashTable *follow; /* "from input digest selector" to GArray of guint */
};

static void array_unref(gpointer array)
{
	g_array_unref(array);
}

static char *follow_text(guint from, int64_t input, const char *digest, const char *selector)
{
	return g_strdup_printf("%u %" G_GINT64_FORMAT " %s %s", from, input, digest, selector);
}

static void index_record(solver_import *i, guint record)
{
	const struct key_record *r = key_graph_get(i->graph, record);
	if (r->n_inputs == 0)
		g_hash_table_insert(i->roots, r->digest, GUINT_TO_POINTER(record + 1));
	for (guint input = 0; input < r->n_inputs; input++) {
		for (guint k = 0; k < r->inputs[input]->len; k++) {
			const struct key_input *link = &g_array_index(r->inputs[input], struct key_input, k);
			g_autofree char *text = follow_text(link->from, input, r->digest, link->selector);
			GArray *records = g_hash_table_lookup(i->follow, text);
			if (!records) {
				records = g_array_new(FALSE, FALSE, sizeof(guint));
				g_hash_table_insert(i->follow, g_steal_pointer(&text), records);
			}
			g_array_append_val(records, record);
		}
	}
}

solver_import *solver_import_new(key_graph *graph, const struct solver_import_class *class, void *self)
{
	static gint last;
	solver_import *i = g_new0(solver_import, 1);
	i->refs = 1;
	i->number = (guint)g_atomic_int_add(&last, 1);
	i->graph = graph;
	i->class = class;
	i->self = self;
	i->roots = g_hash_table_new(g_str_hash, g_str_equal);
	i->follow = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, array_unref);
	for (guint r = 0; r < graph->records->len; r++)
		index_record(i, r);
	return i;
}

solver_import *solver_import_ref(solver_import *i)
{
	g_atomic_int_inc(&i->refs);
	return i;
}

void solver_import_unref(solver_import *i)
{
	if (!i || !g_atomic_int_dec_and_test(&i->refs))
		return;
	i->class->free(i->self);
	g_hash_table_unref(i->roots);
	g_hash_table_unref(i->follow);
	key_graph_free(i->graph);
	g_free(i);
}

void *solver_import_self(solver_import *i)
{
	return i->self;
}

bool key_is_import(const char *key)
{
	return g_str_has_prefix(key, PREFIX);
}

int64_t import_record(const solver_import *i, const char *key)
{
	if (!key_is_import(key)) {
		gpointer record = g_hash_table_lookup(i->roots, key);
		return record ? (int64_t)GPOINTER_TO_UINT(record) - 1 : -1;
	}
	char *end;
	guint64 number = g_ascii_strtoull(key + strlen(PREFIX), &end, 10);
	return number == i->number && *end == ':' ? (int64_t)g_ascii_strtoull(end + 1, NULL, 10) : -1;
}

char *import_result_id(const solver_import *i, guint record, guint result)
{
	return g_strdup_printf(PREFIX "%u:%u:%u", i->number, record, result);
}

bool import_parse_id(const solver_import *i, const char *id, guint *ret_record, guint *ret_result)
{
	guint number, record, result;
	if (sscanf(id, PREFIX "%u:%u:%u", &number, &record, &result) != 3 || number != i->number)
		return false;
	*ret_record = record;
	*ret_result = result;
	return true;
}

static char *key_text(const solver_import *i, guint record)
{
	const struct key_record *r = key_graph_get(i->graph, record);
	return r->n_inputs == 0 ? g_strdup(r->digest) : g_strdup_printf(PREFIX "%u:%u", i->number, record);
}

void import_find(const solver_import *i, const char *from, const struct key_link *link, GHashTable *ret_targets)
{
	int64_t record = import_record(i, from);
	if (record < 0)
		return;
	g_autofree char *text = g_strdup_printf("%s@%" G_GINT64_FORMAT, link->digest, link->output);
	struct digest digest;
	digest_of_text(text, &digest);
	g_autofree char *follow = follow_text((guint)record, link->input, digest.text, link->selector);
	const GArray *records = g_hash_table_lookup(i->follow, follow);
	for (guint k = 0; records && k < records->len; k++)
		g_hash_table_add(ret_targets, key_text(i, g_array_index(records, guint, k)));
}

const struct key_record *import_get(const solver_import *i, guint record)
{
	return key_graph_get(i->graph, record);
}

const GArray *import_results(const solver_import *i, guint record)
{
	return key_graph_get(i->graph, record)->results;
}

bool import_load(solver_import *i, guint record, guint result, struct work *work, void **ret_result, GError **error)
{
	return i->class->load(i->self, record, result, work, ret_result, error);
}

void *import_part(solver_import *i, guint of_record, guint of_result, void *loaded, guint record, guint result)
{
	return i->class->part(i->self, of_record, of_result, loaded, record, result);
}
