/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of an edge: derived from those of its inputs and saved with its result. */
#include "solver/graph.h"
#include "base/hash_walk.h"
#include <string.h>

static const struct cache_map *map_at(const struct vertex *v, guint i)
{
	return &g_array_index(v->maps, struct cache_map, i);
}

static struct key_link link_of(const struct edge *e, size_t dep, guint map, const char *selector)
{
	return (struct key_link){
		.input = (int64_t)dep,
		.output = e->index,
		.digest = map_at(e->vertex, map)->digest,
		.selector = selector ? selector : "",
	};
}

const char *edge_selector(const struct edge *e, size_t dep, guint map)
{
	const char *selector = map_at(e->vertex, map)->inputs[dep].selector;
	return selector ? selector : "";
}

/* Adds the key and the records found under it. */
static void edge_add_key(struct edge *e, const char *key)
{
	solver *s = e->vertex->solver;
	if (g_hash_table_contains(e->key_set, key))
		return;
	char *owned = g_strdup(key);
	g_ptr_array_add(e->keys, owned);
	g_hash_table_add(e->key_set, owned);
	for (guint i = 0; i < e->watchers->len; i++) {
		const struct watcher *w = &g_array_index(e->watchers, struct watcher, i);
		if (w->edge)
			edge_touch(w->edge);
	}
	if (e->has_result || e->vertex->ignore_cache)
		return;
	g_autoptr(GArray) results = g_array_new(FALSE, FALSE, sizeof(struct key_result));
	if (!key_is_import(key))
		key_store_results(s->keys, key, results);
	for (guint i = 0; i < results->len; i++) {
		struct key_result r = g_array_index(results, struct key_result, i);
		bool usable = !g_hash_table_contains(e->tried, r.id) &&
			      (!*r.id || s->options.results->exists(s->options.data, r.id));
		if (usable) {
			struct record record = {
				.key = g_strdup(key), .result = g_steal_pointer(&r.id), .created_ns = r.created_ns};
			g_array_append_val(e->records, record);
		}
		g_free(r.id);
	}
	edge_import_records(e, key); /* last: of equal age our own records are preferred */
}

/* Follows the links of one key of an input, for every cache map. */
static void probe(struct edge *e, size_t dep, const char *key, bool is_content)
{
	for (guint m = 0; m < e->vertex->maps->len; m++) {
		struct key_link link = link_of(e, dep, m, is_content ? NULL : edge_selector(e, dep, m));
		if (!key_is_import(key))
			key_store_find(e->vertex->solver->keys, key, &link, e->deps[dep].matches);
		edge_import_find(e, key, &link, e->deps[dep].matches);
	}
}

/*
 * A key that follows from the content of an input also follows from its definition; linked immediately, because the
 * record may never be loaded.
 */
static void link_definition(struct edge *e, size_t dep, const char *content_key)
{
	key_store *keys = e->vertex->solver->keys;
	const struct edge *from = edge_resolve(e->deps[dep].edge);
	for (guint m = 0; m < e->vertex->maps->len; m++) {
		g_autoptr(GHashTable) targets = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
		struct key_link by_content = link_of(e, dep, m, NULL),
				link = link_of(e, dep, m, edge_selector(e, dep, m));
		key_store_find(keys, content_key, &by_content, targets);
		for (struct hash_walk it = hash_walk(targets); hash_walk_next(&it);)
			for (guint k = 0; k < from->keys->len; k++)
				if (!key_is_import(from->keys->pdata[k]) &&
				    !key_store_has_link(keys, from->keys->pdata[k], &link, it.key))
					key_store_add_link(keys, from->keys->pdata[k], &link, it.key);
	}
}

static bool absorb_dep(struct edge *e, size_t i, bool probing)
{
	struct dep *d = &e->deps[i];
	struct vertex *v = e->vertex;
	struct edge *from = edge_resolve(d->edge);
	bool changed = d->edge != from;
	if (changed) {
		d->edge = from;
		d->keys_seen = 0;
	}
	for (; d->keys_seen < from->keys->len; d->keys_seen++) {
		changed = true;
		if (probing)
			probe(e, i, from->keys->pdata[d->keys_seen], false);
	}
	if (*v->content[i].digest && !d->content_seen) {
		d->content_seen = changed = true;
		g_autofree char *key = key_root(v->content[i].digest, -1);
		if (probing) {
			probe(e, i, key, true);
			link_definition(e, i, key);
		}
	}
	return changed;
}

/* Keys that follow from every input. */
static void add_common_keys(struct edge *e)
{
	for (struct hash_walk it = hash_walk(e->deps[0].matches); hash_walk_next(&it);) {
		bool common = true;
		for (size_t i = 1; i < e->vertex->n_inputs && common; i++)
			common = g_hash_table_contains(e->deps[i].matches, it.key);
		if (common)
			edge_add_key(e, it.key);
	}
}

static void absorb_roots(struct edge *e)
{
	for (; e->maps_seen < e->vertex->maps->len; e->maps_seen++) {
		e->keys_changed = true;
		g_autofree char *key = key_root(map_at(e->vertex, e->maps_seen)->digest, e->index);
		if (!e->vertex->ignore_cache)
			edge_add_key(e, key);
	}
}

void edge_absorb(struct edge *e)
{
	struct vertex *v = e->vertex;
	if (v->maps->len == 0)
		return;
	if (v->n_inputs == 0) {
		absorb_roots(e);
		return;
	}
	if (!e->deps)
		return;
	bool changed = e->maps_seen == 0;
	e->maps_seen = v->maps->len;
	for (size_t i = 0; i < v->n_inputs; i++)
		changed |= absorb_dep(e, i, !v->ignore_cache);
	if (!changed)
		return;
	e->keys_changed = true;
	if (!v->ignore_cache)
		add_common_keys(e);
}

/* ---- saving */

typedef void (*alternative_fn)(struct edge *e, const char *key, const struct key_link *link, void *data);

static void each_own(struct edge *e, const GPtrArray *keys, const struct key_link *link, alternative_fn fn, void *data)
{
	for (guint k = 0; k < keys->len; k++)
		if (!key_is_import(keys->pdata[k]))
			fn(e, keys->pdata[k], link, data);
}

/* Every own key that represents an input: by definition, of its result, of its content, of equal edges. */
static void each_alternative(struct edge *e, size_t i, alternative_fn fn, void *data)
{
	struct dep *d = &e->deps[i];
	struct edge *from = edge_resolve(d->edge);
	for (guint m = 0; m < e->vertex->maps->len; m++) {
		struct key_link link = link_of(e, i, m, edge_selector(e, i, m));
		each_own(e, from->keys, &link, fn, data);
		each_own(e, from->result_keys, &link, fn, data);
		if (*e->vertex->content[i].digest) {
			g_autofree char *key = key_root(e->vertex->content[i].digest, -1);
			struct key_link by_content = link_of(e, i, m, NULL);
			fn(e, key, &by_content, data);
		}
		for (guint k = 0; d->extra_keys && k < d->extra_keys->len; k += 2) {
			struct key_link extra = link_of(e, i, m, d->extra_keys->pdata[k + 1]);
			if (!key_is_import(d->extra_keys->pdata[k]))
				fn(e, d->extra_keys->pdata[k], &extra, data);
		}
	}
}

static void find_alternative(struct edge *e, const char *key, const struct key_link *link, void *data)
{
	key_store_find(e->vertex->solver->keys, key, link, data);
}

static void note_lasting(struct edge *e, const char *key, const struct key_link *link, void *data)
{
	if (!key_is_session_only(key))
		*(bool *)data = true;
}

/*
 * The key that follows from all inputs already, or a new one; it is stored if every input's key is independent of
 * sessions.
 */
static char *key_for_inputs(struct edge *e)
{
	g_autoptr(GHashTable) common = NULL;
	bool session_only = false;
	for (size_t i = 0; i < e->vertex->n_inputs; i++) {
		g_autoptr(GHashTable) targets = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
		each_alternative(e, i, find_alternative, targets);
		bool lasting = false;
		each_alternative(e, i, note_lasting, &lasting);
		session_only |= !lasting;
		if (!common) {
			common = g_steal_pointer(&targets);
			continue;
		}
		for (struct hash_walk it = hash_walk(common); hash_walk_next(&it);)
			if (!g_hash_table_contains(targets, it.key))
				g_hash_table_iter_remove(&it.iter);
	}
	for (struct hash_walk it = hash_walk(common); hash_walk_next(&it);)
		if (key_is_session_only(it.key) == session_only)
			return g_strdup(it.key);
	return key_new(session_only);
}

static void add_alternative(struct edge *e, const char *key, const struct key_link *link, void *to)
{
	key_store_add_link(e->vertex->solver->keys, key, link, to);
}

static void add_missing_alternative(struct edge *e, const char *key, const struct key_link *link, void *to)
{
	if (!key_store_has_link(e->vertex->solver->keys, key, link, to))
		key_store_add_link(e->vertex->solver->keys, key, link, to);
}

/* Users of an edge that ignores the cache must not match through it, but they save their results under its key. */
static void save_under(struct edge *e, const char *key, const char *result_id)
{
	if (result_id)
		key_store_add_result(e->vertex->solver->keys, key, result_id, e->vertex->created_ns);
	g_ptr_array_add(e->result_keys, g_strdup(key));
	e->has_result = true; /* so that the key is reported without looking for records */
	if (!e->vertex->ignore_cache)
		edge_add_key(e, key);
}

void edge_save(struct edge *e, const char *result_id)
{
	struct vertex *v = e->vertex;
	if (v->n_inputs == 0) {
		for (guint m = 0; m < v->maps->len; m++) {
			g_autofree char *key = key_root(map_at(v, m)->digest, e->index);
			save_under(e, key, result_id);
		}
		return;
	}
	g_autofree char *key = key_for_inputs(e);
	for (size_t i = 0; i < v->n_inputs; i++)
		each_alternative(e, i, add_alternative, key);
	save_under(e, key, result_id);
}

char *edge_own_key(struct edge *e)
{
	struct vertex *v = e->vertex;
	if (v->n_inputs == 0)
		return key_root(map_at(v, 0)->digest, e->index);
	char *key = key_for_inputs(e);
	for (size_t i = 0; i < v->n_inputs; i++)
		each_alternative(e, i, add_alternative, key);
	return key;
}

void edge_add_root_link(struct edge *e, size_t input, const char *selector, const char *root, const char *record_digest,
			const char *key)
{
	for (guint m = 0; m < e->vertex->maps->len; m++) {
		g_autofree char *digest = key_root(map_at(e->vertex, m)->digest, e->index);
		struct key_link link = link_of(e, input, m, selector);
		if (strcmp(digest, record_digest) == 0)
			key_store_add_link(e->vertex->solver->keys, root, &link, key);
	}
}

/* A record was found through some of the keys: link the others, so that any of them finds it next time. */
void edge_link_record(struct edge *e, const char *key)
{
	for (size_t i = 0; e->deps && i < e->vertex->n_inputs; i++)
		each_alternative(e, i, add_missing_alternative, (void *)key);
	g_ptr_array_add(e->result_keys, g_strdup(key));
}
