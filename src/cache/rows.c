/* SPDX-License-Identifier: Apache-2.0 */
#include "cache/rows.h"
#include "base/hash_walk.h"
#include "cache/share.h"
#include <jansson.h>
#include <string.h>

#define TREE_NAME_SIZE 64

/* ---- writing */
bool rows_put_tree(db *d, const struct tree *t, GError **error)
{
	g_autoptr(GString) over = t->over ? g_string_new(NULL) : NULL;
	for (guint i = 0; t->over && i < t->over->len; i++)
		g_string_append_printf(over, "%s%s", i > 0 ? ";" : "", ((const struct tree *)t->over->pdata[i])->id);
	g_autoptr(GString) shares = g_string_new(NULL);
	share_put_text(t, shares);
	return db_run(d, "INSERT OR REPLACE INTO tree VALUES(?, ?, ?, ?, ?)", error, "ssiss", t->id,
		      t->parent ? t->parent->id : NULL, t->size, over ? over->str : NULL,
		      shares->len > 0 ? shares->str : NULL);
}

bool rows_delete_tree(db *d, const char *id, GError **error)
{
	return db_run(d, "DELETE FROM tree WHERE id = ?", error, "s", id) &&
	       db_run(d, "DELETE FROM digests WHERE tree = ?", error, "s", id);
}

/* Stored with the annotations of a blob: the URLs of a foreign layer, as a list. */
#define URLS_KEY "buildkit/urls"

static char *annotations_text(const oci_descriptor *blob)
{
	bool has_urls = blob && blob->urls && blob->urls[0];
	if (!blob || (!has_urls && (!blob->annotations || g_hash_table_size(blob->annotations) == 0)))
		return NULL;
	json_t *object = json_object();
	for (struct hash_walk it = hash_walk(blob->annotations); hash_walk_next(&it);)
		json_object_set_new(object, it.key, json_string(it.value));
	if (has_urls) {
		json_t *urls = json_array();
		for (char **url = blob->urls; *url; url++)
			json_array_append_new(urls, json_string(*url));
		json_object_set_new(object, URLS_KEY, urls);
	}
	char *dumped = json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS);
	char *text = g_strdup(dumped);
	free(dumped);
	json_decref(object);
	return text;
}

static char *inputs_text(const cache_ref *r)
{
	if (!r->inputs)
		return NULL;
	GString *text = g_string_new(NULL);
	for (guint i = 0; i < r->inputs->len; i++) {
		const cache_ref *input = r->inputs->pdata[i];
		g_string_append_printf(text, "%s%s", i > 0 ? ";" : "", input ? input->id : "");
	}
	return g_string_free(text, FALSE);
}

static bool put_names(db *d, const cache_ref *r, GError **error)
{
	if (!db_run(d, "DELETE FROM name WHERE record = ?", error, "s", r->id))
		return false;
	for (guint i = 0; r->names && i < r->names->len; i++)
		if (!db_run(d, "INSERT INTO name VALUES(?, ?)", error, "ss", r->id, r->names->pdata[i]))
			return false;
	return true;
}

static bool put_values(db *d, const cache_ref *r, GError **error)
{
	for (struct hash_walk it = hash_walk(r->values); hash_walk_next(&it);) {
		gsize n;
		const void *bytes = g_bytes_get_data(it.value, &n);
		if (!db_run(d, "INSERT OR REPLACE INTO value VALUES(?, ?, ?)", error, "ssb", r->id, it.key,
			    bytes ? bytes : "", (size_t)n))
			return false;
	}
	return true;
}

static bool put_variants(db *d, const cache_ref *r, GError **error)
{
	for (guint i = 0; i < r->variants->len; i++) {
		const struct variant *v = r->variants->pdata[i];
		g_autofree char *annotations = annotations_text(v->descriptor);
		if (!db_run(d, "INSERT OR REPLACE INTO variant VALUES(?, ?, ?, ?, ?, ?)", error, "sissis", r->id,
			    (int64_t)v->compression, v->descriptor->media_type, v->descriptor->digest.text,
			    v->descriptor->size, annotations))
			return false;
	}
	return true;
}

static bool put_documents(db *d, const cache_ref *r, GError **error)
{
	if (!db_run(d, "DELETE FROM document WHERE record = ?", error, "s", r->id))
		return false;
	for (guint i = 0; i < r->documents->len; i++) {
		const struct record_document *doc = &g_array_index(r->documents, struct record_document, i);
		if (!db_run(d, "INSERT OR REPLACE INTO document VALUES(?, ?, ?)", error, "ssi", r->id, doc->digest.text,
			    doc->size))
			return false;
	}
	return true;
}

bool rows_put_record(db *d, const cache_ref *r, const char *boot_id, GError **error)
{
	g_autofree char *annotations = annotations_text(r->blob);
	g_autofree char *inputs = inputs_text(r);
	const oci_descriptor *b = r->blob;
	if (!db_run(d, "INSERT OR REPLACE INTO record VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)", error,
		    "ssisssiissiiisiisssisi", r->id, r->parent ? r->parent->id : NULL, (int64_t)r->kind, inputs,
		    r->tree ? r->tree->id : NULL, r->twin ? r->twin->id : NULL, (int64_t)r->is_mutable,
		    (int64_t)r->policy, r->type, r->description, r->created_ns, r->last_used_ns, r->uses, boot_id,
		    (int64_t)r->synced, (int64_t)r->cache->serial, digest_is_set(&r->diff_id) ? r->diff_id.text : NULL,
		    b ? b->media_type : NULL, b ? b->digest.text : NULL, b ? b->size : (int64_t)0, annotations,
		    (int64_t)r->open))
		return false;
	return (!r->names_dirty || put_names(d, r, error)) && (!r->values_dirty || put_values(d, r, error)) &&
	       put_variants(d, r, error) && (!r->documents_dirty || put_documents(d, r, error));
}

bool rows_delete_record(db *d, const char *id, GError **error)
{
	static const char *const statements[] = {
		"DELETE FROM record WHERE id = ?",       "DELETE FROM name WHERE record = ?",
		"DELETE FROM value WHERE record = ?",    "DELETE FROM variant WHERE record = ?",
		"DELETE FROM document WHERE record = ?",
	};
	for (size_t i = 0; i < G_N_ELEMENTS(statements); i++)
		if (!db_run(d, statements[i], error, "s", id))
			return false;
	return true;
}

/* ---- reading */
static void loaded_row_free(gpointer data)
{
	struct loaded_row *row = data;
	if (row->record)
		record_free(row->record);
	g_free(row->parent);
	g_free(row->tree);
	g_free(row->twin);
	g_strfreev(row->inputs);
	g_free(row->boot);
	g_free(row);
}

static char **load_urls(const json_t *list)
{
	GPtrArray *urls = g_ptr_array_new();
	for (size_t i = 0; i < json_array_size(list); i++)
		if (json_is_string(json_array_get(list, i)))
			g_ptr_array_add(urls, g_strdup(json_string_value(json_array_get(list, i))));
	g_ptr_array_add(urls, NULL);
	return (char **)g_ptr_array_free(urls, FALSE);
}

static oci_descriptor *load_blob(const char *media_type, const char *digest, int64_t size, const char *annotations)
{
	struct digest d;
	if (!digest || !media_type || size < 0 || !digest_parse(digest, &d, NULL))
		return NULL;
	oci_descriptor *blob = oci_descriptor_new(media_type, &d, size);
	json_t *object = annotations ? json_loads(annotations, JSON_REJECT_DUPLICATES, NULL) : NULL;
	const char *key;
	json_t *value;
	json_object_foreach(object, key, value) if (json_is_string(value))
		oci_descriptor_annotate(blob, key, json_string_value(value));
	if (json_array_size(json_object_get(object, URLS_KEY)) > 0)
		blob->urls = load_urls(json_object_get(object, URLS_KEY));
	json_decref(object);
	return blob;
}

/* Ids as ident_new makes them, in trees with a suffix: usable as a file name, never a path. */
static bool is_name(const char *id, size_t max)
{
	size_t n = id ? strlen(id) : 0;
	return n > 0 && n < max && strspn(id, G_CSET_a_2_z G_CSET_A_2_Z G_CSET_DIGITS "-_") == n;
}

static struct loaded_row *load_row(cache *c, db_query *q)
{
	struct loaded_row *row = g_new0(struct loaded_row, 1);
	const char *inputs = db_text(q, 3), *diff_id = db_text(q, 16);
	struct cache_record_options options = {
		.policy = db_int(q, 7) ? CACHE_POLICY_RETAIN : CACHE_POLICY_DEFAULT,
		.record_type = db_text(q, 8),
		.description = db_text(q, 9),
		.created_ns = db_int(q, 10),
	};
	cache_ref *r = row->record = record_new(c, &options);
	g_strlcpy(r->id, db_text(q, 0), sizeof r->id);
	row->parent = g_strdup(db_text(q, 1));
	r->kind = (enum record_kind)db_int(q, 2); /* recovery.c drops invalid kinds */
	row->inputs = inputs ? g_strsplit(inputs, ";", -1) : NULL;
	row->tree = g_strdup(db_text(q, 4));
	row->twin = g_strdup(db_text(q, 5));
	r->is_mutable = db_int(q, 6) != 0;
	r->last_used_ns = db_int(q, 11);
	r->uses = db_int(q, 12);
	r->open = db_int(q, 21) != 0;
	row->boot = g_strdup(db_text(q, 13));
	r->synced = db_int(q, 14) != 0;
	r->serial = (uint64_t)MAX(db_int(q, 15), 0);
	r->has_row = true;
	bool is_layer = diff_id && digest_parse(diff_id, &r->diff_id, NULL);
	if (!is_layer)
		memset(&r->diff_id, 0, sizeof r->diff_id);
	else /* a blob without a diff id is ignored */
		r->blob = load_blob(db_text(q, 17), db_text(q, 18), db_int(q, 19), db_text(q, 20));
	return row;
}

/* The trees stacked on the parent of a tree without a directory. */
static void link_over(cache *c, struct tree *t, const char *ids)
{
	if (!ids)
		return;
	g_auto(GStrv) list = g_strsplit(ids, ";", -1);
	t->over = g_ptr_array_new();
	for (char **id = list; *id; id++) {
		struct tree *one = g_hash_table_lookup(c->trees, *id);
		t->broken = t->broken || !one;
		if (one)
			g_ptr_array_add(t->over, tree_ref_locked(one));
	}
}

static bool load_trees(cache *c, GError **error)
{
	g_autoptr(GHashTable) parents = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, g_free);
	g_autoptr(GHashTable) over = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, g_free);
	g_autoptr(db_query) q = db_select(c->db, "SELECT id, parent, size, over, shares FROM tree", error, "");
	GError *failure = NULL;
	if (!q)
		return false;
	while (db_next(q, &failure)) {
		if (!is_name(db_text(q, 0), TREE_NAME_SIZE))
			continue; /* not a name that this daemon gives: nothing refers to it and nothing is removed for it */
		struct tree *t = tree_new(db_text(q, 0), NULL);
		t->refs = 0;
		t->has_row = true;
		t->size = MAX(db_int(q, 2), -1);
		share_load_text(t, db_text(q, 4));
		g_hash_table_insert(c->trees, t->id, t);
		g_hash_table_insert(parents, t->id, g_strdup(db_text(q, 1)));
		g_hash_table_insert(over, t->id, g_strdup(db_text(q, 3)));
	}
	for (struct hash_walk it = hash_walk(c->trees); hash_walk_next(&it);) {
		struct tree *t = it.value;
		const char *parent = g_hash_table_lookup(parents, t->id);
		t->parent = parent ? tree_ref_locked(g_hash_table_lookup(c->trees, parent)) : NULL;
		t->broken = parent && !t->parent;
		link_over(c, t, g_hash_table_lookup(over, t->id));
	}
	share_load_end(c);
	return !failure || error_propagate(error, failure);
}

static cache_ref *row_of(GHashTable *by_id, const char *id)
{
	struct loaded_row *row = g_hash_table_lookup(by_id, id);
	return row ? row->record : NULL;
}

static bool load_names(cache *c, GHashTable *by_id, GError **error)
{
	g_autoptr(db_query) q = db_select(c->db, "SELECT record, name FROM name", error, "");
	while (q && db_next(q, NULL)) {
		cache_ref *r = row_of(by_id, db_text(q, 0));
		if (!r)
			continue;
		if (!r->names)
			r->names = g_ptr_array_new_with_free_func(g_free);
		g_ptr_array_add(r->names, g_strdup(db_text(q, 1)));
	}
	return q != NULL;
}

static bool load_values(cache *c, GHashTable *by_id, GError **error)
{
	g_autoptr(db_query) q = db_select(c->db, "SELECT record, key, bytes FROM value", error, "");
	while (q && db_next(q, NULL)) {
		cache_ref *r = row_of(by_id, db_text(q, 0));
		size_t n;
		const void *bytes = db_bytes(q, 2, &n);
		if (!r)
			continue;
		if (!r->values)
			r->values =
				g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_bytes_unref);
		g_hash_table_replace(r->values, g_strdup(db_text(q, 1)), g_bytes_new(bytes, n));
	}
	return q != NULL;
}

static bool load_variants(cache *c, GHashTable *by_id, GError **error)
{
	g_autoptr(db_query) q = db_select(
		c->db, "SELECT record, compression, media_type, blob, blob_size, annotations FROM variant", error, "");
	while (q && db_next(q, NULL)) {
		cache_ref *r = row_of(by_id, db_text(q, 0));
		oci_descriptor *blob = r ? load_blob(db_text(q, 2), db_text(q, 3), db_int(q, 4), db_text(q, 5)) : NULL;
		if (!blob)
			continue;
		struct variant *v = g_new0(struct variant, 1);
		v->compression = (enum compression)CLAMP(db_int(q, 1), COMPRESSION_NONE, COMPRESSION_ESTARGZ);
		v->descriptor = blob;
		g_ptr_array_add(r->variants, v);
	}
	return q != NULL;
}

static bool load_documents(cache *c, GHashTable *by_id, GError **error)
{
	g_autoptr(db_query) q = db_select(c->db, "SELECT record, digest, size FROM document", error, "");
	while (q && db_next(q, NULL)) {
		cache_ref *r = row_of(by_id, db_text(q, 0));
		struct record_document doc = {.size = db_int(q, 2)};
		if (r && digest_parse(db_text(q, 1), &doc.digest, NULL))
			g_array_append_val(r->documents, doc);
	}
	return q != NULL;
}

static bool load_records(cache *c, GPtrArray *rows, GHashTable *by_id, GError **error)
{
	g_autoptr(GPtrArray) strange = g_ptr_array_new_with_free_func(g_free);
	db_query *q = db_select(c->db, "SELECT * FROM record", error, "");
	bool selected = q != NULL;
	GError *failure = NULL;
	while (q && db_next(q, &failure)) {
		if (!is_name(db_text(q, 0), IDENT_SIZE)) {
			g_ptr_array_add(strange, g_strdup(db_text(q, 0)));
			continue;
		}
		struct loaded_row *row = load_row(c, q);
		g_ptr_array_add(rows, row);
		g_hash_table_insert(by_id, row->record->id, row);
		c->serial = MAX(c->serial, row->record->serial);
	}
	db_query_done(q);
	for (guint i = 0; i < strange->len && !failure; i++)
		if (strange->pdata[i])
			rows_delete_record(c->db, strange->pdata[i], &failure);
	if (failure)
		g_propagate_error(error, failure);
	return selected && !failure;
}

GPtrArray *rows_load(cache *c, GError **error)
{
	g_autoptr(GPtrArray) rows = g_ptr_array_new_with_free_func(loaded_row_free);
	g_autoptr(GHashTable) by_id = g_hash_table_new(g_str_hash, g_str_equal);
	if (!load_trees(c, error) || !load_records(c, rows, by_id, error) || !load_names(c, by_id, error) ||
	    !load_values(c, by_id, error) || !load_variants(c, by_id, error) || !load_documents(c, by_id, error))
		return NULL;
	return g_steal_pointer(&rows);
}
