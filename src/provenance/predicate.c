/* SPDX-License-Identifier: Apache-2.0 */
#include "provenance/predicate.h"
#include "base/hash_walk.h"
#include "provenance/env.h"
#include "provenance/origin.h"
#include "provenance/request.h"
#include "provenance/steps.h"
#include "format/gotype.h"
#include "format/purl.h"
#include "format/url_redact.h"
#include "oci/oci.h"
#include <string.h>

#define BUILD_TYPE_V1 "https://github.com/moby/buildkit/blob/master/docs/attestations/slsa-definitions.md"
#define BUILD_TYPE_V02 "https://mobyproject.org/buildkit@v1"

struct writing {
	const struct provenance_predicate *p;
	json_writer *w;
	struct request_view request, root;
	bool has_root;
	bool scrubbed;           /* arguments were removed */
	provenance_steps *steps; /* NULL: mode=min */
};

bool provenance_is_complete(const provenance_capture *c)
{
	return !c->incomplete && c->sources[SOURCE_MATERIAL_LOCAL]->len == 0;
}

/* ---- materials */

static void put_digest_set(json_writer *w, const char *algorithm, const char *hex)
{
	json_object_member_begin(w, "digest");
	json_put_string_member(w, algorithm, hex);
	json_object_end(w);
}

static void put_pin(json_writer *w, enum source_material kind, const char *pin)
{
	if (!pin)
		return;
	if (kind == SOURCE_MATERIAL_GIT) {
		put_digest_set(w, git_digest_algorithm(pin), pin);
		return;
	}
	g_autofree char *algorithm = g_strndup(pin, strcspn(pin, ":"));
	put_digest_set(w, algorithm, pin + strcspn(pin, ":") + (strchr(pin, ':') ? 1 : 0));
}

static char *uri_of(enum source_material kind, const struct provenance_source *s, GError **error)
{
	if (kind == SOURCE_MATERIAL_GIT || kind == SOURCE_MATERIAL_HTTP)
		return g_strdup(s->name);
	return purl_of_image(s->is_local ? "oci" : "docker", s->name, s->has_platform ? &s->platform : NULL,
			     kind == SOURCE_MATERIAL_IMAGE_BLOB ? "blob" : NULL, NULL, error);
}

static void put_material(json_writer *w, enum source_material kind, const char *uri, const char *pin)
{
	json_object_begin(w);
	json_put_string_member(w, "uri", uri);
	put_pin(w, kind, pin);
	json_object_end(w);
}

/* The bundle of a git source is a separate material, which names the source. */
static bool put_bundle(json_writer *w, const struct provenance_source *s, GError **error)
{
	const char *body = strstr(s->bundle, "://") + strlen("://"), *at = strrchr(body, '@');
	bool is_layout = g_str_has_prefix(s->bundle, "oci-layout");
	g_autofree char *name = g_strndup(body, (gsize)(at - body));
	g_autofree char *uri = purl_of_image(is_layout ? "oci" : "docker", name, NULL, "bundle", s->name, error);
	if (uri)
		put_material(w, SOURCE_MATERIAL_IMAGE_BLOB, uri, at + 1);
	return uri != NULL;
}

static bool put_materials(const struct writing *s, const char *key, GError **error)
{
	const provenance_capture *c = s->p->capture;
	bool any = false;
	for (int kind = SOURCE_MATERIAL_IMAGE; kind < SOURCE_MATERIAL_LOCAL; kind++) {
		for (guint i = 0; i < c->sources[kind]->len; i++) {
			const struct provenance_source *source = c->sources[kind]->pdata[i];
			g_autofree char *uri = uri_of((enum source_material)kind, source, error);
			if (!uri)
				return false;
			if (!any) {
				json_array_member_begin(s->w, key);
			}
			any = true;
			put_material(s->w, (enum source_material)kind, uri, source->pin);
			if (source->bundle && !put_bundle(s->w, source, error))
				return false;
		}
	}
	if (any)
		json_array_end(s->w);
	return true;
}

/* ---- the request */

static void put_config_source(json_writer *w, const struct request_view *v, const char *path_key)
{
	json_object_member_begin(w, "configSource");
	json_put_string_member_nonempty(w, "uri", v->uri);
	if (v->digest)
		put_digest_set(w, v->digest_algorithm, v->digest);
	json_put_string_member_nonempty(w, path_key, v->path);
	json_object_end(w);
}

static void put_ids(json_writer *w, const char *key, const GPtrArray *ids)
{
	if (ids->len == 0)
		return;
	json_array_member_begin(w, key);
	for (guint i = 0; i < ids->len; i++) {
		const struct provenance_id *id = ids->pdata[i];
		json_object_begin(w);
		json_put_string_member(w, "id", id->id);
		json_put_bool_member_true(w, "optional", id->optional);
		json_object_end(w);
	}
	json_array_end(w);
}

static void put_locals(json_writer *w, const GPtrArray *locals)
{
	if (locals->len == 0)
		return;
	json_array_member_begin(w, "locals");
	for (guint i = 0; i < locals->len; i++) {
		json_object_begin(w);
		json_put_string_member(w, "name", ((const struct provenance_source *)locals->pdata[i])->name);
		json_object_end(w);
	}
	json_array_end(w);
}

/* Reports whether arguments are removed from a request that produced an input. */
static bool scrubs_inputs(GHashTable *inputs)
{
	bool any = false;
	for (struct hash_walk it = hash_walk(inputs); hash_walk_next(&it);) {
		const provenance_origin *origin = it.value;
		g_autoptr(provenance_capture) nothing = provenance_capture_new();
		struct request_view v;
		request_view_init(&v, &origin->request, nothing);
		any |= request_view_scrub(&v);
		any |= scrubs_inputs(v.inputs);
		request_view_clear(&v);
	}
	return any;
}

static void put_inputs(const struct writing *s, GHashTable *inputs);

/* Writes another request than that of the result, without its materials. */
static void put_other_request(const struct writing *s, const struct request_view *v)
{
	put_config_source(s->w, v, "path");
	json_object_member_begin(s->w, "request");
	json_put_string_member_nonempty(s->w, "frontend", v->frontend);
	json_put_map_member_nonempty(s->w, "args", v->args);
	put_inputs(s, v->inputs);
	json_object_end(s->w);
}

/* Recursion is as deep as requests are nested, at most ORIGIN_WEIGHT_MAX. */
static void put_inputs(const struct writing *s, GHashTable *inputs)
{
	if (!inputs)
		return;
	g_autoptr(GList) names = g_list_sort(g_hash_table_get_keys(inputs), (GCompareFunc)(void (*)(void))strcmp);
	json_object_member_begin(s->w, "inputs");
	for (const GList *k = names; k; k = k->next) {
		const provenance_origin *origin = g_hash_table_lookup(inputs, k->data);
		g_autoptr(provenance_capture) nothing = provenance_capture_new();
		struct request_view v;
		request_view_init(&v, &origin->request, nothing);
		if (!s->p->max)
			request_view_scrub(&v);
		json_object_member_begin(s->w, k->data);
		put_other_request(s, &v);
		json_object_end(s->w);
		request_view_clear(&v);
	}
	json_object_end(s->w);
}

static void put_request(const struct writing *s, const char *key)
{
	const provenance_capture *c = s->p->capture;
	json_object_member_begin(s->w, key);
	json_put_string_member_nonempty(s->w, "frontend", s->request.frontend);
	json_put_map_member_nonempty(s->w, "args", s->request.args);
	if (s->p->max) {
		put_ids(s->w, "secrets", c->secrets);
		put_ids(s->w, "ssh", c->ssh);
	}
	put_locals(s->w, c->sources[SOURCE_MATERIAL_LOCAL]);
	put_inputs(s, s->request.inputs);
	if (s->has_root) {
		json_object_member_begin(s->w, "root");
		put_other_request(s, &s->root);
		json_object_end(s->w);
	}
	json_put_int_member_nonzero(s->w, "compatibilityVersion", s->p->compat_version);
	json_object_end(s->w);
}

/* ---- build metadata */

/* v1 sorts all keys; v0.2 keeps the order of the messages. Both follow upstream's encoding. */
static bool put_build_config(const struct writing *s, bool sorted, GError **error)
{
	if (!s->steps)
		return true;
	json_object_member_begin(s->w, "buildConfig");
	bool ok = provenance_steps_write(s->w, s->steps, s->p->usage ? s->p->capture->usages : NULL, sorted, error);
	json_object_end(s->w);
	return ok;
}

static const char *dockerfile_version(const struct writing *s)
{
	return strcmp(s->request.frontend, "dockerfile.v0") == 0 ? s->p->dockerfile_version : "";
}

static void put_env(const struct writing *s, size_t *at, const char *key)
{
	if (s->p->env)
		provenance_env_write(s->w, s->p->env, at, key);
}

/* A value of the administrator (provenance/env.h) replaces it. */
static void put_dockerfile_version(const struct writing *s)
{
	if (!s->p->env || !json_object_get(s->p->env, "dockerfileVersion"))
		json_put_string_member_nonempty(s->w, "dockerfileVersion", dockerfile_version(s));
}

struct layers_row {
	char key[64];
	GPtrArray *layers;
};

static int by_key(const void *a, const void *b)
{
	return strcmp(((const struct layers_row *)a)->key, ((const struct layers_row *)b)->key);
}

static void put_layers(const struct writing *s)
{
	const GPtrArray *all = s->p->layers;
	if (!s->steps || !all)
		return;
	g_autofree struct layers_row *rows = g_new0(struct layers_row, all->len + 1);
	size_t n = 0;
	for (guint i = 0; i < all->len; i++) {
		const struct provenance_layers *of = all->pdata[i];
		int step = provenance_steps_find(s->steps, of->digest);
		if (step < 0)
			continue;
		g_snprintf(rows[n].key, sizeof rows[n].key, "step%d:%" G_GINT64_FORMAT, step, (gint64)of->index);
		rows[n++].layers = of->layers;
	}
	if (n == 0)
		return;
	qsort(rows, n, sizeof *rows, by_key);
	json_object_member_begin(s->w, "layers");
	for (size_t i = 0; i < n; i++) {
		json_array_member_begin(s->w, rows[i].key);
		json_array_begin(s->w); /* a list of chains, of which there is one */
		for (guint k = 0; k < rows[i].layers->len; k++)
			oci_descriptor_write(s->w, rows[i].layers->pdata[k]);
		json_array_end(s->w);
		json_array_end(s->w);
	}
	json_object_end(s->w);
}

static void put_machine(const struct writing *s)
{
	const GArray *machine = s->p->machine;
	if (!machine || machine->len == 0)
		return;
	json_array_member_begin(s->w, "sysUsage");
	for (guint i = 0; i < machine->len; i++)
		resource_machine_sample_write(s->w, &g_array_index(machine, struct resource_machine_sample, i));
	json_array_end(s->w);
}

static void put_untracked(json_writer *w, const struct provenance_untracked *u)
{
	json_object_begin(w);
	json_put_string_member_nonempty(w, "op", u->op);
	json_put_string_member_nonempty(w, "name", u->name);
	json_put_string_member_nonempty(w, "method", u->method);
	json_put_string_member_nonempty(w, "uri", u->uri);
	json_put_string_member_nonempty(w, "reason", u->reason);
	json_object_end(w);
}

static void put_network(const struct writing *s)
{
	const provenance_capture *c = s->p->capture;
	if (!c->proxy)
		return;
	json_object_member_begin(s->w, "network");
	json_put_string_member(s->w, "mode", "proxy");
	if (c->untracked->len > 0) {
		json_object_member_begin(s->w, "proxy");
		json_array_member_begin(s->w, "incomplete");
		for (guint i = 0; i < c->untracked->len; i++)
			put_untracked(s->w, c->untracked->pdata[i]);
		json_array_end(s->w);
		json_object_end(s->w);
	}
	json_object_end(s->w);
}

static bool put_metadata(const struct writing *s, const char *key, GError **error)
{
	json_object_member_begin(s->w, key);
	json_put_map_member_nonempty(s->w, "vcs", s->request.vcs);
	if (s->steps && !provenance_source_write(s->w, s->p->definition, s->steps, error))
		return false;
	put_layers(s);
	put_machine(s);
	put_network(s);
	json_object_end(s->w);
	return true;
}

static void put_time(json_writer *w, const char *key, int64_t ns)
{
	g_autofree char *text = time_format_rfc3339(ns);
	json_put_string_member(w, key, text);
}

static bool has_request(const struct writing *s)
{
	return *s->request.frontend && !s->scrubbed;
}

static bool is_hermetic(const struct writing *s)
{
	return provenance_is_complete(s->p->capture) && !s->p->capture->network;
}

/* ---- v1 */

static bool put_definition_v1(const struct writing *s, GError **error)
{
	json_writer *w = s->w;
	json_object_member_begin(w, "buildDefinition");
	json_put_string_member(w, "buildType", BUILD_TYPE_V1);
	if (!put_materials(s, "resolvedDependencies", error))
		return false;
	json_object_member_begin(w, "externalParameters");
	put_config_source(w, &s->request, "path");
	put_request(s, "request");
	json_object_end(w);
	json_object_member_begin(w, "internalParameters");
	size_t at = 0;
	put_env(s, &at, "buildConfig");
	if (!put_build_config(s, true, error))
		return false;
	put_env(s, &at, "builderPlatform");
	json_put_string_member(w, "builderPlatform", s->p->builder_platform);
	put_env(s, &at, "dockerfileVersion");
	put_dockerfile_version(s);
	put_env(s, &at, NULL);
	json_object_end(w);
	json_object_end(w);
	return true;
}

static void put_builder(const struct writing *s)
{
	json_object_member_begin(s->w, "builder");
	json_put_string_member(s->w, "id", s->p->builder_id);
	json_object_end(s->w);
}

static bool put_run_v1(const struct writing *s, GError **error)
{
	json_writer *w = s->w;
	json_object_member_begin(w, "runDetails");
	put_builder(s);
	json_object_member_begin(w, "metadata");
	json_put_string_member(w, "invocationId", s->p->invocation_id);
	put_time(w, "startedOn", s->p->started_ns);
	put_time(w, "finishedOn", s->p->finished_ns);
	if (!put_metadata(s, "buildkit_metadata", error))
		return false;
	json_put_bool_member_true(w, "buildkit_hermetic", is_hermetic(s));
	json_object_member_begin(w, "buildkit_completeness");
	json_put_bool_member(w, "request", has_request(s));
	json_put_bool_member(w, "resolvedDependencies", provenance_is_complete(s->p->capture));
	json_object_end(w);
	json_put_bool_member_true(w, "buildkit_reproducible", s->p->reproducible);
	json_object_end(w);
	json_object_end(w);
	return true;
}

/* ---- v0.2 */

static void put_invocation_v02(const struct writing *s)
{
	json_writer *w = s->w;
	json_object_member_begin(w, "invocation");
	put_config_source(w, &s->request, "entryPoint");
	put_request(s, "parameters");
	json_object_member_begin(w, "environment");
	size_t at = 0;
	put_env(s, &at, "dockerfileVersion");
	put_dockerfile_version(s);
	put_env(s, &at, "platform");
	json_put_string_member(w, "platform", s->p->builder_platform);
	put_env(s, &at, NULL);
	json_object_end(w);
	json_object_end(w);
}

static bool put_metadata_v02(const struct writing *s, GError **error)
{
	json_writer *w = s->w;
	json_object_member_begin(w, "metadata");
	json_put_string_member(w, "buildInvocationID", s->p->invocation_id);
	put_time(w, "buildStartedOn", s->p->started_ns);
	put_time(w, "buildFinishedOn", s->p->finished_ns);
	json_object_member_begin(w, "completeness");
	json_put_bool_member(w, "parameters", has_request(s));
	json_put_bool_member(w, "environment", true);
	json_put_bool_member(w, "materials", provenance_is_complete(s->p->capture));
	json_object_end(w);
	json_put_bool_member(w, "reproducible", s->p->reproducible);
	if (!put_metadata(s, BUILD_TYPE_V02 "#metadata", error))
		return false;
	json_put_bool_member_true(w, BUILD_TYPE_V02 "#hermetic", is_hermetic(s));
	json_object_end(w);
	return true;
}

static bool put_predicate(const struct writing *s, GError **error)
{
	if (!s->p->v02)
		return put_definition_v1(s, error) && put_run_v1(s, error);
	put_builder(s);
	json_put_string_member(s->w, "buildType", BUILD_TYPE_V02);
	if (!put_materials(s, "materials", error))
		return false;
	put_invocation_v02(s);
	return put_build_config(s, false, error) && put_metadata_v02(s, error);
}

static bool prepare(struct writing *s, GError **error)
{
	const provenance_capture *c = s->p->capture;
	request_view_init(&s->request, &c->request, c);
	request_view_take_vcs(&s->request);
	s->has_root = c->root.args != NULL;
	if (s->has_root) {
		struct request_view own;
		request_view_init(&own, &c->request, c);
		request_view_init(&s->root, &c->root, c);
		bool says_something = *s->root.frontend || g_hash_table_size(s->root.args) > 0 || s->root.inputs;
		s->has_root = says_something && !request_view_equal(&own, &s->root);
		request_view_clear(&own);
	}
	if (s->p->max) {
		s->steps = provenance_steps_new(s->p->definition, error);
		return s->steps != NULL;
	}
	s->scrubbed = request_view_scrub(&s->request);
	s->scrubbed |= scrubs_inputs(s->request.inputs);
	if (s->has_root)
		s->scrubbed |= request_view_scrub(&s->root);
	return true;
}

char *provenance_predicate_write(const struct provenance_predicate *p, size_t *ret_len, GError **error)
{
	struct writing s = {.p = p};
	g_autoptr(json_writer) w = json_writer_new(0);
	s.w = w;
	size_t length = 0;
	json_object_begin(w);
	bool ok = prepare(&s, error) && put_predicate(&s, error);
	if (ok)
		json_object_end(w);
	char *text = ok ? json_writer_take(&w, &length) : NULL;
	/* Masks credentials in the whole text: addresses occur in arguments, variables and file contents. */
	char *shown = text ? url_redact_text(text, (gssize)length) : NULL;
	if (shown) {
		g_free(text);
		text = shown;
		length = strlen(shown);
	}
	if (text && ret_len)
		*ret_len = length;
	request_view_clear(&s.request);
	request_view_clear(&s.root);
	provenance_steps_free(s.steps);
	return text;
}
