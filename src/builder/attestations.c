/* SPDX-License-Identifier: Apache-2.0 */
/* Attestations of a build's result: those of the frontend, the SBOM that the request asks for, and the provenance. */
#include "builder/build_internal.h"
#include "builder/provenance.h"
#include "base/text.h"
#include "export/writer.h"
#include "frontend/sbom.h"
#include <string.h>

/* ---- SBOM of results that have none */

bool build_check_sbom(struct build *b, GError **error)
{
	const char *value = provenance_get_sbom(b->provenance);
	struct sbom_options o;
	if (!value)
		return true;
	if (!sbom_options_read(&o, value, "generator", error))
		return false;
	sbom_options_clear(&o);
	return true;
}

static bool has_sbom(const build_result *result)
{
	for (guint i = 0; i < result->attestations->len; i++)
		if (strcmp(((const struct build_attestation *)result->attestations->pdata[i])->predicate_type,
			   BUILD_PREDICATE_SPDX) == 0)
			return true;
	return false;
}

/* Scans one ref. Scratch has nothing to scan. */
static bool scan_ref(bridge *b, const sbom_generator *g, build_result *result, const char *id, bool ignore_cache,
		     struct work *work, GError **error)
{
	bridge_ref *ref, *made = NULL;
	if (!build_result_find_ref(result, id, &ref))
		return error_set(error, ERROR_UNKNOWN, "could not find ref %s", id);
	if (!ref)
		return true;
	g_autoptr(llb_graph) graph = llb_graph_new();
	g_autoptr(GError) why = NULL;
	struct sbom_scan scan = {.graph = graph, .id = id, .ignore_cache = ignore_cache};
	scan.core = llb_import(graph, b->class->definition(b, ref), &why);
	if (why)
		return error_propagate(error, g_steal_pointer(&why));
	if (!sbom_scan(g, &scan, work, &made, error))
		return false;
	sbom_attest(result, id, made);
	return true;
}

static bool scan_all(struct build *build, bridge *b, const struct sbom_options *o, build_result *result, GError **error)
{
	GHashTable *attrs = build->request->frontend_attrs;
	struct work work = {.cancel = build->cancel, .sessions = build->sessions};
	const char *mode = g_hash_table_lookup(attrs, "image-resolve-mode");
	const char *no_cache = g_hash_table_lookup(attrs, "no-cache");
	g_autoptr(GPtrArray) platforms = result_platforms(result->metadata, error);
	if (!platforms)
		return false;
	size_t n;
	g_autoptr(sbom_generator) g = sbom_generator_new(b, o, worker_platforms(builder_worker(build->builder), &n),
							 mode ? mode : "default", &work, error);
	bool ok = g != NULL;
	for (guint i = 0; ok && i < platforms->len; i++) {
		const struct result_platform *p = platforms->pdata[i];
		ok = scan_ref(b, g, result, p->id, no_cache && !*no_cache, &work, error);
	}
	return ok;
}

bool build_scan(struct build *build, build_result *result, GError **error)
{
	const char *value = provenance_get_sbom(build->provenance);
	struct sbom_options o;
	if (!value || has_sbom(result))
		return true;
	if (!sbom_options_read(&o, value, "generator", error))
		return false;
	/* The generator is not part of how the result was built, so it has a separate scope. */
	build->sbom_scope = provenance_scope_new(NULL, "", build->request->frontend_attrs, NULL);
	bridge *b = build_bridge_nested(build->bridge, build->sbom_scope);
	bool ok = scan_all(build, b, &o, result, error);
	build_bridge_free(b);
	sbom_options_clear(&o);
	return ok;
}

/* ---- for exporters */

struct build_attestations {
	GArray *list;        /* element type: struct export_attestation */
	GPtrArray *subjects; /* element type: struct export_subject *, lists that the attestations borrow */
	GPtrArray *texts;
};

static const struct export_subject *subjects_of(struct build_attestations *all, const struct build_attestation *a)
{
	struct export_subject *list = g_new0(struct export_subject, a->subjects->len + 1);
	g_ptr_array_add(all->subjects, list);
	for (guint i = 0; i < a->subjects->len; i++) {
		const struct build_subject *s = &g_array_index(a->subjects, struct build_subject, i);
		list[i] = (struct export_subject){s->raw, s->name, (const char *const *)s->digests};
	}
	return list;
}

static bool metadata_is(const struct build_attestation *a, const char *key, const char *value)
{
	GBytes *bytes = g_hash_table_lookup(a->metadata, key);
	return bytes && g_bytes_get_size(bytes) == strlen(value) &&
	       memcmp(g_bytes_get_data(bytes, NULL), value, strlen(value)) == 0;
}

static bool add_attestation(struct build *build, const struct build_attestation *a, struct build_attestations *all,
			    GError **error)
{
	struct work work = {.cancel = build->cancel, .sessions = build->sessions};
	GBytes *core = g_hash_table_lookup(a->metadata, BUILD_ATTESTATION_SBOM_CORE);
	char *core_name = core ? text_from_bytes(core) : NULL;
	struct export_attestation e = {
		.platform_id = a->key,
		.predicate_type = a->predicate_type,
		.path = a->path,
		.is_bundle = a->is_bundle,
		.inline_only = metadata_is(a, BUILD_ATTESTATION_INLINE_ONLY, "true"),
		.is_sbom = metadata_is(a, BUILD_ATTESTATION_REASON, BUILD_ATTESTATION_REASON_SBOM),
		.sbom_core = core_name,
		.has_ref = a->ref != NULL,
		.subjects = subjects_of(all, a),
		.n_subjects = a->subjects->len,
	};
	if (core_name)
		g_ptr_array_add(all->texts, core_name);
	if (!build_ref_result(build->bridge, a->ref, &work, &e.ref, error))
		return false;
	g_array_append_val(all->list, e);
	return true;
}

struct build_attestations *build_attestations_new(struct build *build, build_result *result, GError **error)
{
	struct build_attestations *all = g_new0(struct build_attestations, 1);
	all->list = g_array_new(FALSE, TRUE, sizeof(struct export_attestation));
	all->subjects = g_ptr_array_new_with_free_func(g_free);
	all->texts = g_ptr_array_new_with_free_func(g_free);
	for (guint i = 0; i < result->attestations->len; i++) {
		if (add_attestation(build, result->attestations->pdata[i], all, error))
			continue;
		build_attestations_free(all);
		return NULL;
	}
	size_t n;
	const struct export_attestation *made = provenance_attestations(build->provenance, &n);
	g_array_append_vals(all->list, made, (guint)n);
	return all;
}

void build_attestations_free(struct build_attestations *a)
{
	g_array_unref(a->list);
	g_ptr_array_unref(a->subjects);
	g_ptr_array_unref(a->texts);
	g_free(a);
}

const struct export_attestation *build_attestations_get(const struct build_attestations *a, size_t *ret_n)
{
	*ret_n = a->list->len;
	return (const struct export_attestation *)(void *)a->list->data;
}

/* ---- attestations that no exporter writes */

static bool is_known(const GPtrArray *platforms, const char *id)
{
	for (guint i = 0; i < platforms->len; i++)
		if (strcmp(((const struct result_platform *)platforms->pdata[i])->id, id) == 0)
			return true;
	return false;
}

void build_warn_attestations(struct build *build, const build_result *result)
{
	g_autoptr(GPtrArray) platforms = result_platforms(result->metadata, NULL);
	g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
	for (guint i = 0; platforms && i < result->attestations->len; i++) {
		const struct build_attestation *a = result->attestations->pdata[i];
		if (is_known(platforms, a->key) || !g_hash_table_add(seen, a->key))
			continue;
		g_autofree char *text = g_strdup_printf(
			"Attestations for \"%s\" are not exported: the result has no such platform", a->key);
		build_warn(build, text);
	}
}
