/* SPDX-License-Identifier: Apache-2.0 */
/* Cache exports of a build: inline in its images, and separate ones, which run while the images are pushed. */
#include "builder/build_internal.h"
#include "base/hash_walk.h"
#include "base/limits.h"
#include "base/thread.h"
#include "export/exporter.h"
#include "remotecache/remotecache.h"
#include "solver/solver.h"
#include <string.h>

/* ---- before the build */

static bool check_duplicates(const struct build_request *r, GError **error)
{
	g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	g_autoptr(GPtrArray) twice = g_ptr_array_new();
	for (size_t i = 0; i < r->n_cache_exports; i++) {
		const struct build_target *t = &r->cache_exports[i];
		if (strcmp(t->type, "inline") != 0 && !g_hash_table_add(seen, remotecache_import_id(t->type, t->attrs)))
			g_ptr_array_add(twice, (gpointer)t->type);
	}
	if (twice->len == 0)
		return true;
	g_ptr_array_add(twice, NULL);
	g_autofree char *types = g_strjoinv(" ", (char **)twice->pdata);
	return error_set(error, ERROR_UNKNOWN, "duplicate cache exports [%s]", types);
}

bool build_open_cache_exports(struct build *b, GError **error)
{
	const struct build_request *r = b->request;
	struct remotecache_context context = build_cache_context(b);
	if (r->n_cache_exports > LIMIT_EXPORTERS) /* each needs a thread */
		return error_set(error, ERROR_INVALID_ARGUMENT, "the build has %zu cache exporters, limit is %lld",
				 r->n_cache_exports, LIMIT_EXPORTERS);
	if (!check_duplicates(r, error))
		return false;
	for (size_t i = 0; i < r->n_cache_exports; i++) {
		cache_exporter *e =
			cache_exporter_open(&context, r->cache_exports[i].type, r->cache_exports[i].attrs, error);
		if (!e)
			return false;
		g_ptr_array_add(b->cache_exporters, e);
	}
	return true;
}

/* ---- keys */

/* Collects the cache keys of all refs of a result and of its attestations, or of the ref with a key. */
static key_graph *result_keys(struct build *b, build_result *result, const char *only, GError **error)
{
	g_autoptr(GArray) targets = g_array_new(FALSE, TRUE, sizeof(struct solver_target));
	struct solver_target t;
	if (!result->refs && build_ref_target(result->ref, &t))
		g_array_append_val(targets, t);
	for (struct hash_walk it = hash_walk(result->refs); hash_walk_next(&it);)
		if ((!only || strcmp(only, it.key) == 0) && build_ref_target(it.value, &t))
			g_array_append_val(targets, t);
	for (guint i = 0; !only && i < result->attestations->len; i++) {
		const struct build_attestation *a = result->attestations->pdata[i];
		if (build_ref_target(a->ref, &t))
			g_array_append_val(targets, t);
	}
	return solver_job_keys(b->job, (const struct solver_target *)(void *)targets->data, targets->len, b->cancel,
			       error);
}

/* ---- inline caches */

struct inline_export {
	struct inline_cache base;
	struct build *build;
	build_result *result; /* borrowed */
};

static bool inline_records(void *data, const char *platform_id, const GPtrArray *layers, enum compression compression,
			   struct work *work, char **ret_records, GError **error)
{
	const struct inline_export *e = data;
	struct remotecache_context context = build_cache_context(e->build);
	g_autoptr(key_graph) keys = result_keys(e->build, e->result, platform_id, error);
	GError *why = NULL;
	if (!keys)
		return false;
	*ret_records = inline_cache_records(&context, keys, layers, compression, work, &why);
	if (why)
		g_propagate_error(error, why);
	return !why;
}

const struct inline_cache *build_inline_cache(struct build *b, build_result *result)
{
	bool wanted = false;
	for (guint i = 0; i < b->cache_exporters->len; i++)
		wanted |= cache_exporter_is_inline(b->cache_exporters->pdata[i]);
	if (!wanted)
		return NULL;
	struct inline_export *e = g_new0(struct inline_export, 1);
	e->base = (struct inline_cache){.records = inline_records, .data = e};
	e->build = b;
	e->result = result;
	g_ptr_array_add(b->cleanups, e);
	return &e->base;
}

/* ---- separate caches */

struct cache_export {
	struct build *build;
	cache_exporter *exporter; /* borrowed */
	const key_graph *keys;
	guint index;
	GThread *thread; /* NULL: no thread; the export runs at the join */
	GHashTable *response;
	GError *error;
};
struct cache_exports {
	key_graph *keys;
	GPtrArray *all; /* element type: struct cache_export * */
	GError *error;  /* set if no export could be started */
};

static bool export_in_vertex(void *data, struct work *work, GError **error)
{
	struct cache_export *e = data;
	return cache_exporter_run(e->exporter, e->keys, work, e->response, error);
}

static gpointer export_run(gpointer data)
{
	struct cache_export *e = data;
	g_autofree char *text = g_strdup_printf("%s-cache-%u", e->build->request->session, e->index);
	struct digest digest;
	digest_of_text(text, &digest);
	solver_job_run_vertex(e->build->job, digest.text, cache_exporter_name(e->exporter), e->build->cancel,
			      export_in_vertex, e, &e->error);
	return NULL;
}

static void export_free(gpointer data)
{
	struct cache_export *e = data;
	g_hash_table_unref(e->response);
	g_clear_error(&e->error);
	g_free(e);
}

static void export_start(struct cache_exports *c, struct build *b, cache_exporter *to)
{
	struct cache_export *e = g_new0(struct cache_export, 1);
	e->build = b;
	e->exporter = to;
	e->keys = c->keys;
	e->index = c->all->len;
	e->response = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	g_ptr_array_add(c->all, e);
	e->thread = thread_start("export cache", export_run, e, NULL);
}

struct cache_exports *build_start_cache_exports(struct build *b, build_result *result)
{
	struct cache_exports *c = g_new0(struct cache_exports, 1);
	c->all = g_ptr_array_new_with_free_func(export_free);
	for (guint i = 0; i < b->cache_exporters->len; i++) {
		cache_exporter *e = b->cache_exporters->pdata[i];
		if (cache_exporter_is_inline(e))
			continue;
		if (!c->keys)
			c->keys = result_keys(b, result, NULL, &c->error);
		if (!c->keys)
			break;
		export_start(c, b, e);
	}
	return c;
}

bool build_join_cache_exports(struct cache_exports *c, GHashTable *response, GError **error)
{
	for (guint i = 0; i < c->all->len; i++) {
		struct cache_export *e = c->all->pdata[i];
		if (e->thread)
			g_thread_join(e->thread);
		else
			export_run(e);
		for (struct hash_walk it = hash_walk(e->response); response && hash_walk_next(&it);)
			g_hash_table_replace(response, g_strdup(it.key), g_strdup(it.value));
		bool fatal =
			e->error && (!cache_exporter_ignores_errors(e->exporter) || cancel_is_set(e->build->cancel));
		if (fatal && !c->error)
			c->error = g_steal_pointer(&e->error);
	}
	GError *failure = g_steal_pointer(&c->error);
	key_graph_free(c->keys);
	g_ptr_array_unref(c->all);
	g_free(c);
	if (failure)
		g_propagate_error(error, failure);
	return !failure;
}
