/* SPDX-License-Identifier: Apache-2.0 */
#include "provenance/origin.h"
#include "api/guard.h"
#include "base/hash_walk.h"
#include <string.h>

struct entry {
	provenance_origin *origin; /* reference count */
	const void *owner;
};

struct provenance_origins {
	GMutex mu;
	GHashTable *by_digest; /* digest of the result's vertex (owned) to GArray * of struct entry; mu */
};

/* ---- origins */

static guint inputs_weight(GHashTable *inputs)
{
	guint weight = 0;
	for (struct hash_walk it = hash_walk(inputs); weight < ORIGIN_WEIGHT_MAX && hash_walk_next(&it);)
		weight += ((const provenance_origin *)it.value)->weight;
	return weight;
}

provenance_origin *provenance_origin_new(const struct provenance_request *request)
{
	provenance_origin *o = g_new0(provenance_origin, 1);
	guint below = inputs_weight(request->inputs);
	bool fits = below < ORIGIN_WEIGHT_MAX;
	o->refs = 1;
	o->weight = 1 + (fits ? below : 0);
	o->request.frontend = g_strdup(request->frontend);
	o->request.args = g_hash_table_ref(request->args);
	o->request.inputs = request->inputs && fits ? g_hash_table_ref(request->inputs) : NULL;
	return o;
}

provenance_origin *provenance_origin_ref(provenance_origin *o)
{
	g_atomic_int_inc(&o->refs);
	return o;
}

void provenance_origin_unref(void *origin)
{
	provenance_origin *o = origin;
	if (!o || !g_atomic_int_dec_and_test(&o->refs))
		return;
	g_free(o->request.frontend);
	g_hash_table_unref(o->request.args);
	g_clear_pointer(&o->request.inputs, g_hash_table_unref);
	g_free(o);
}

static bool texts_equal(const void *a, const void *b)
{
	return g_strcmp0(a, b) == 0;
}

static bool provenance_origin_equal(const provenance_origin *a, const provenance_origin *b);

static bool origins_equal(const void *a, const void *b)
{
	return b && provenance_origin_equal(a, b);
}

static bool tables_equal(GHashTable *a, GHashTable *b, bool (*equal)(const void *, const void *))
{
	if (!a || !b || a == b)
		return a == b;
	if (g_hash_table_size(a) != g_hash_table_size(b))
		return false;
	for (struct hash_walk it = hash_walk(a); hash_walk_next(&it);)
		if (!equal(it.value, g_hash_table_lookup(b, it.key)))
			return false;
	return true;
}

bool provenance_inputs_equal(GHashTable *a, GHashTable *b)
{
	return tables_equal(a, b, origins_equal);
}

static bool provenance_origin_equal(const provenance_origin *a, const provenance_origin *b)
{
	return a == b || (strcmp(a->request.frontend, b->request.frontend) == 0 &&
			  tables_equal(a->request.args, b->request.args, texts_equal) &&
			  tables_equal(a->request.inputs, b->request.inputs, origins_equal));
}

/* ---- the table of origins */

static void entry_clear(void *data)
{
	provenance_origin_unref(((struct entry *)data)->origin);
}

provenance_origins *provenance_origins_new(void)
{
	provenance_origins *o = g_new0(provenance_origins, 1);
	g_mutex_init(&o->mu);
	o->by_digest = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_array_unref);
	return o;
}

void provenance_origins_free(provenance_origins *o)
{
	g_hash_table_unref(o->by_digest);
	g_mutex_clear(&o->mu);
	g_free(o);
}

/* Returns the vertex of the definition's result, or NULL. */
static char *head_digest(const Pb__Definition *d)
{
	if (!d || d->n_def == 0)
		return NULL;
	const ProtobufCBinaryData *last = &d->def[d->n_def - 1];
	Pb__Op *op = guard_unpack(&pb__op__descriptor, last->data, last->len, NULL);
	char *text = op && op->n_inputs > 0 && *op->inputs[0]->digest ? g_strdup(op->inputs[0]->digest) : NULL;
	guard_free(op);
	return text;
}

void provenance_origins_add(provenance_origins *o, const Pb__Definition *definition, provenance_origin *origin,
			    const void *owner)
{
	char *digest = head_digest(definition);
	struct entry e = {.owner = owner};
	if (!digest)
		return;
	e.origin = provenance_origin_ref(origin);
	g_mutex_lock(&o->mu);
	GArray *entries = g_hash_table_lookup(o->by_digest, digest);
	if (entries) {
		g_free(digest);
	} else {
		entries = g_array_new(FALSE, FALSE, sizeof(struct entry));
		g_array_set_clear_func(entries, entry_clear);
		g_hash_table_insert(o->by_digest, digest, entries);
	}
	g_array_append_val(entries, e);
	g_mutex_unlock(&o->mu);
}

provenance_origin *provenance_origins_find(provenance_origins *o, const Pb__Definition *definition)
{
	g_autofree char *digest = head_digest(definition);
	if (!digest)
		return NULL;
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&o->mu);
	const GArray *entries = g_hash_table_lookup(o->by_digest, digest);
	if (!entries)
		return NULL;
	provenance_origin *first = g_array_index(entries, struct entry, 0).origin;
	for (guint i = 1; i < entries->len; i++)
		if (!provenance_origin_equal(first, g_array_index(entries, struct entry, i).origin))
			return NULL;
	return provenance_origin_ref(first);
}

void provenance_origins_drop(provenance_origins *o, const void *owner)
{
	g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&o->mu);
	for (struct hash_walk it = hash_walk(o->by_digest); hash_walk_next(&it);) {
		GArray *entries = it.value;
		for (guint i = entries->len; i > 0; i--)
			if (g_array_index(entries, struct entry, i - 1).owner == owner)
				g_array_remove_index(entries, i - 1);
		if (entries->len == 0)
			g_hash_table_iter_remove(&it.iter);
	}
}

GHashTable *provenance_origins_of(provenance_origins *o, GHashTable *inputs)
{
	g_autoptr(GHashTable) found = NULL;
	for (struct hash_walk it = hash_walk(inputs); hash_walk_next(&it);) {
		provenance_origin *origin = provenance_origins_find(o, it.value);
		if (!origin)
			continue;
		if (!found)
			found = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, provenance_origin_unref);
		g_hash_table_insert(found, g_strdup(it.key), origin);
	}
	return g_steal_pointer(&found);
}
