/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/build_internal.h"
#include "base/hash_walk.h"
#include "base/limits.h"
#include "base/thread.h"
#include "export/exporter.h"
#include "format/gotype.h"
#include <string.h>

/* One exporter of the request; runs on a separate thread if there are several. */
struct target {
	struct build *build;
	struct exporter_context context; /* borrowed by the exporter */
	exporter *exporter;
	struct export_input input;
	char digest[DIGEST_TEXT_SIZE];
	GHashTable *response;
	bool has_finish;
	GError *error;
};

static bool target_export(void *data, struct work *work, GError **error)
{
	struct target *t = data;
	struct work own = {.cancel = work->cancel, .sessions = t->build->sessions, .progress = work->progress};
	return exporter_export(t->exporter, &t->input, &own, t->response, &t->has_finish, error);
}

static bool target_finish(void *data, struct work *work, GError **error)
{
	struct target *t = data;
	struct work own = {.cancel = work->cancel, .sessions = t->build->sessions, .progress = work->progress};
	return exporter_finish(t->exporter, &own, error);
}

static void run_export(struct target *t)
{
	solver_job_run_vertex(t->build->job, t->digest, exporter_vertex_name(t->exporter), t->build->cancel,
			      target_export, t, &t->error);
}

static void run_finish(struct target *t)
{
	if (t->has_finish)
		solver_job_run_vertex(t->build->job, t->digest, exporter_vertex_name(t->exporter), t->build->cancel,
				      target_finish, t, &t->error);
}

struct run {
	struct target *targets;
	void (*fn)(struct target *t);
};

static void run_one(void *data, size_t i)
{
	const struct run *r = data;
	r->fn(&r->targets[i]);
}

static bool run_all(struct target *targets, size_t n, void (*fn)(struct target *t), GError **error)
{
	struct run r = {targets, fn};
	thread_each(n, n, run_one, &r);
	for (size_t i = 0; i < n; i++) {
		if (!targets[i].error)
			continue;
		return error_propagate(error, g_steal_pointer(&targets[i].error));
	}
	return true;
}

/* Passes build-arg:SOURCE_DATE_EPOCH to exporters without this attribute. */
static GHashTable *attrs_with_epoch(struct build *build, GHashTable *attrs)
{
	const char *epoch = g_hash_table_lookup(build->request->frontend_attrs, "build-arg:SOURCE_DATE_EPOCH");
	int64_t seconds;
	if (!epoch || g_hash_table_contains(attrs, "source-date-epoch") || !int_parse(epoch, 10, &seconds, NULL))
		return g_hash_table_ref(attrs);
	GHashTable *copy = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	for (struct hash_walk it = hash_walk(attrs); hash_walk_next(&it);)
		g_hash_table_insert(copy, g_strdup(it.key), g_strdup(it.value));
	g_hash_table_insert(copy, g_strdup("source-date-epoch"), g_strdup(epoch));
	return copy;
}

static bool target_open(struct build *build, size_t i, struct target *t, GError **error)
{
	worker *w = builder_worker(build->builder);
	t->context = (struct exporter_context){
		.cache = w->cache,
		.blobs = w->blobs,
		.holds = build->holds,
		.images = w->images,
		.registry = w->registry,
		.sessions = w->sessions,
		.registry_auth = &source_registry_auth,
		.session_id = build->request->session,
		.compat_version = build->request->compat_version,
	};
	const struct build_target *wanted = &g_array_index(build->exporters, struct build_target, i);
	g_autoptr(GHashTable) attrs = attrs_with_epoch(build, wanted->attrs);
	t->build = build;
	t->exporter = exporter_open(&t->context, wanted->type, attrs, error);
	t->response = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	g_autofree char *text = g_strdup_printf("%s-export-%zu", build->request->session, i);
	struct digest digest;
	digest_of_text(text, &digest);
	g_strlcpy(t->digest, digest.text, sizeof t->digest);
	return t->exporter != NULL;
}

/* Each needs a thread. */
static bool check_count(const struct build *build, GError **error)
{
	return build->exporters->len <= LIMIT_EXPORTERS ||
	       error_set(error, ERROR_INVALID_ARGUMENT, "the build has %u exporters, limit is %lld",
			 build->exporters->len, LIMIT_EXPORTERS);
}

bool build_check_exporters(struct build *build, GError **error)
{
	bool ok = check_count(build, error);
	for (size_t i = 0; ok && i < build->exporters->len; i++) {
		struct target t = {0};
		ok = target_open(build, i, &t, error);
		g_clear_pointer(&t.exporter, exporter_free);
		g_hash_table_unref(t.response);
	}
	return ok;
}

static int compare_refs(const void *a, const void *b)
{
	return strcmp(((const struct export_ref *)a)->platform_id, ((const struct export_ref *)b)->platform_id);
}

/* Returns borrowed refs of an evaluated result, sorted by key. */
static struct export_ref *export_refs(struct build *build, build_result *result, size_t *ret_n, GError **error)
{
	struct work work = {.cancel = build->cancel, .sessions = build->sessions};
	size_t n = result->refs ? g_hash_table_size(result->refs) : 1, at = 0;
	g_autofree struct export_ref *refs = g_new0(struct export_ref, n + 1);
	if (!result->refs) {
		refs[0].platform_id = "";
		if (!build_ref_result(build->bridge, result->ref, &work, &refs[0].ref, error))
			return NULL;
	} else {
		for (struct hash_walk it = hash_walk(result->refs); hash_walk_next(&it); at++) {
			refs[at].platform_id = it.key;
			if (!build_ref_result(build->bridge, it.value, &work, &refs[at].ref, error))
				return NULL;
		}
		qsort(refs, n, sizeof *refs, compare_refs);
	}
	*ret_n = n;
	return g_steal_pointer(&refs);
}

/* ---- exporters of the session */

/* Ids of the records of a result: its refs by name, then those of its attestations. Scratch has none. */
static GPtrArray *ref_ids(struct build *build, build_result *result, GError **error)
{
	struct work work = {.cancel = build->cancel, .sessions = build->sessions};
	size_t n;
	g_autofree struct export_ref *refs = export_refs(build, result, &n, error);
	g_autoptr(GPtrArray) ids = g_ptr_array_new();
	for (size_t i = 0; refs && i < n; i++)
		if (refs[i].ref)
			g_ptr_array_add(ids, (gpointer)cache_ref_id(refs[i].ref));
	for (guint i = 0; refs && i < result->attestations->len; i++) {
		const struct build_attestation *a = result->attestations->pdata[i];
		cache_ref *ref;
		if (!build_ref_result(build->bridge, a->ref, &work, &ref, error))
			return NULL;
		if (ref)
			g_ptr_array_add(ids, (gpointer)cache_ref_id(ref));
	}
	g_ptr_array_add(ids, NULL);
	return refs ? g_steal_pointer(&ids) : NULL;
}

bool build_find_session_exporters(struct build *build, build_result *result, GError **error)
{
	if (!build->request->session_exporters || build->session_targets->len > 0)
		return true;
	g_autoptr(GPtrArray) ids = ref_ids(build, result, error);
	GArray *found =
		ids ? session_find_exporters(builder_worker(build->builder)->sessions, build->request->session,
					     result->metadata, (const char *const *)ids->pdata, build->cancel, error)
		    : NULL;
	if (!found)
		return false;
	g_ptr_array_add(build->session_targets, found);
	for (guint i = 0; i < found->len; i++) {
		const struct session_exporter *e = &g_array_index(found, struct session_exporter, i);
		struct build_target target = {.type = e->type, .attrs = e->attrs};
		g_array_append_val(build->exporters, target);
	}
	return check_count(build, error);
}

bool build_finalize_session_export(struct build *build, GHashTable *response, GError **error)
{
	return !build->request->session_exporters ||
	       session_finalize_export(builder_worker(build->builder)->sessions, build->request->session, response,
				       build->cancel, error);
}

/* ---- */

static void merge_response(GHashTable *into, GHashTable *from)
{
	for (struct hash_walk it = hash_walk(from); hash_walk_next(&it);)
		g_hash_table_replace(into, g_strdup(it.key), g_strdup(it.value));
}

void build_drop_kept(struct build *build)
{
	for (size_t i = 0; build->kept && i < build->exporters->len; i++)
		export_kept_clear(&build->kept[i]);
	g_clear_pointer(&build->kept, g_free);
}

bool build_export(struct build *build, build_result *result, GHashTable *response, GError **error)
{
	size_t n = build->exporters->len, n_refs = 0;
	g_autofree struct export_ref *refs = export_refs(build, result, &n_refs, error);
	if (!refs)
		return false;
	struct build_attestations *attestations = build_attestations_new(build, result, error);
	if (!attestations)
		return false;
	const struct inline_cache *inline_cache = build_inline_cache(build, result);
	g_autofree struct target *targets = g_new0(struct target, n + 1);
	bool ok = true;
	build_drop_kept(build); /* from an earlier attempt */
	build->kept = g_new0(struct export_kept, n + 1);
	for (size_t i = 0; ok && i < n; i++) {
		ok = target_open(build, i, &targets[i], error);
		targets[i].input = (struct export_input){.refs = refs,
							 .n_refs = n_refs,
							 .is_map = result->refs != NULL,
							 .metadata = result->metadata,
							 .index = (unsigned)i,
							 .kept = &build->kept[i],
							 .inline_cache = inline_cache};
		targets[i].input.attestations = build_attestations_get(attestations, &targets[i].input.n_attestations);
	}
	ok = ok && run_all(targets, n, run_export, error);
	if (ok) { /* pushes images and exports caches in parallel, when the layers that both need exist */
		struct cache_exports *caches = build_start_cache_exports(build, result);
		ok = run_all(targets, n, run_finish, error);
		ok = build_join_cache_exports(caches, response, ok ? error : NULL) && ok;
	}
	for (size_t i = 0; i < n; i++) {
		if (ok)
			merge_response(response, targets[i].response);
		g_clear_pointer(&targets[i].response, g_hash_table_unref);
		g_clear_pointer(&targets[i].exporter, exporter_free);
		g_clear_error(&targets[i].error);
	}
	build_attestations_free(attestations);
	return ok;
}
