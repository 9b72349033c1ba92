/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/provenance.h"
#include "api/message.h"
#include "base/ident.h"
#include "base/text.h"
#include "base/version.h"
#include "builder/build_internal.h"
#include "provenance/facts.h"
#include "provenance/options.h"
#include "provenance/origin.h"
#include "provenance/predicate.h"
#include "export/writer.h"
#include <string.h>

struct subject {                     /* a ref of the result */
	provenance *owner;           /* borrowed */
	char *key;                   /* owned: key in the result's map, "" for a single ref */
	bridge_ref *ref;             /* counted */
	provenance_capture *capture; /* owned */
};
struct provenance {
	struct build *build; /* borrowed; owner of this struct */
	provenance_scope *scope;
	struct provenance_options options;
	char invocation_id[IDENT_SIZE], *builder_platform;
	GMutex mu;
	int64_t finished_ns;     /* mu; 0: not set yet */
	GPtrArray *subjects;     /* element type: struct subject * */
	GArray *attestations;    /* element type: struct export_attestation */
	GPtrArray *platform_ids; /* owned strings that attestations borrow */
};

static void subject_free(gpointer data)
{
	struct subject *s = data;
	s->ref->class->ref_unref(s->ref);
	provenance_capture_free(s->capture);
	g_free(s->key);
	g_free(s);
}

provenance *provenance_new(struct build *build)
{
	provenance *p = g_new0(provenance, 1);
	struct platform host;
	platform_host(&host);
	p->build = build;
	p->scope = provenance_scope_new(
		NULL, build->request->frontend, build->request->frontend_attrs,
		provenance_origins_of(builder_origins(build->builder), build->request->frontend_inputs));
	p->builder_platform = platform_format(&host);
	ident_new(p->invocation_id);
	g_mutex_init(&p->mu);
	p->subjects = g_ptr_array_new_with_free_func(subject_free);
	p->attestations = g_array_new(FALSE, TRUE, sizeof(struct export_attestation));
	p->platform_ids = g_ptr_array_new_with_free_func(g_free);
	return p;
}

void provenance_free(provenance *p)
{
	if (!p)
		return;
	g_array_unref(p->attestations);
	g_ptr_array_unref(p->platform_ids);
	g_ptr_array_unref(p->subjects);
	provenance_options_clear(&p->options);
	provenance_scope_free(p->scope);
	g_mutex_clear(&p->mu);
	g_free(p->builder_platform);
	g_free(p);
}

provenance_scope *provenance_get_scope(const provenance *p)
{
	return p->scope;
}

bool provenance_read_options(provenance *p, GError **error)
{
	return provenance_options_read(&p->options, p->build->request->frontend_attrs, error);
}

const char *provenance_get_sbom(const provenance *p)
{
	return p->options.sbom;
}

/* ---- captures */

static bool has_image_for(const GPtrArray *images, const char *name, const struct platform *p)
{
	for (guint i = 0; i < images->len; i++) {
		const struct provenance_source *image = images->pdata[i];
		if (strcmp(image->name, name) == 0 && image->has_platform && platform_match(p, &image->platform) > 0)
			return true;
	}
	return false;
}

/* If the scope has an image for each platform of the result, those of the other platforms do not belong to this ref. */
static bool is_for_other_platform(const struct provenance_source *image, const GPtrArray *images,
				  const GPtrArray *platforms, const char *key)
{
	const struct result_platform *own = NULL;
	for (guint i = 0; i < platforms->len; i++) {
		const struct result_platform *p = platforms->pdata[i];
		if (strcmp(p->id, key) == 0)
			own = p;
		if (!has_image_for(images, image->name, &p->platform))
			return false;
	}
	return own && image->has_platform &&
	       (strcmp(image->platform.os, own->platform.os) != 0 ||
		strcmp(image->platform.architecture, own->platform.architecture) != 0);
}

static void add_images(provenance_capture *c, provenance_scope *scope, const GPtrArray *platforms, const char *key)
{
	g_autoptr(GPtrArray) images = provenance_scope_images(scope);
	for (guint i = 0; i < images->len; i++)
		if (!*key || !is_for_other_platform(images->pdata[i], images, platforms, key))
			provenance_capture_add_source(c, SOURCE_MATERIAL_IMAGE, images->pdata[i]);
}

/* Adds definitions built for the same request, such as the Dockerfile's, except the other refs of the result. */
static void add_beside(provenance *p, provenance_capture *c, provenance_scope *scope, GHashTable *results)
{
	g_autoptr(GPtrArray) built = provenance_scope_built(scope);
	g_autoptr(GArray) targets = g_array_new(FALSE, TRUE, sizeof(struct solver_target));
	for (guint i = 0; i < built->len; i++) {
		struct solver_target t;
		t.vertex = llb_definition_result(built->pdata[i], &t.index);
		if (t.vertex && !g_hash_table_contains(results, built->pdata[i]))
			g_array_append_val(targets, t);
	}
	provenance_facts_add(c, p->build->job, (const struct solver_target *)(void *)targets->data, targets->len);
}

static void capture_one(provenance *p, const char *key, bridge_ref *ref, GHashTable *results,
			const GPtrArray *platforms)
{
	struct solver_target target;
	if (!ref || !build_ref_target(ref, &target))
		return; /* scratch has no vertices */
	struct subject *s = g_new0(struct subject, 1);
	g_ptr_array_add(p->subjects, s);
	s->owner = p;
	s->key = g_strdup(key);
	s->ref = ref->class->ref_ref(ref);
	s->capture = provenance_capture_new();
	provenance_scope *scope = build_ref_scope(ref);
	provenance_facts_add(s->capture, p->build->job, &target, 1);
	add_beside(p, s->capture, scope, results);
	add_images(s->capture, scope, platforms, key);
	provenance_scope_describe(scope, s->capture);
	provenance_capture_settle(s->capture);
}

static void capture_all(provenance *p, build_result *result, const GPtrArray *platforms)
{
	g_autoptr(GHashTable) results = g_hash_table_new(NULL, NULL);
	guint n = 0;
	for (guint i = 0; i < result->attestations->len; i++) {
		const struct build_attestation *a = result->attestations->pdata[i];
		if (a->ref)
			g_hash_table_add(results, build_ref_definition(a->ref));
	}
	if (!result->refs) {
		if (result->ref)
			g_hash_table_add(results, build_ref_definition(result->ref));
		capture_one(p, "", result->ref, results, platforms);
		return;
	}
	g_autofree char **keys = (char **)g_hash_table_get_keys_as_array(result->refs, &n);
	qsort(keys, n, sizeof *keys, text_order);
	for (guint i = 0; i < n; i++)
		if (g_hash_table_lookup(result->refs, keys[i]))
			g_hash_table_add(results, build_ref_definition(g_hash_table_lookup(result->refs, keys[i])));
	for (guint i = 0; i < n; i++)
		capture_one(p, keys[i], g_hash_table_lookup(result->refs, keys[i]), results, platforms);
}

/* Adds the requests of steps to the text and the detail of the error. */
static void add_untracked(const provenance_capture *c, GString *text, json_writer *w)
{
	if (c->untracked->len > 0)
		g_string_append(text, "\n\nUncaptured requests:");
	for (guint i = 0; i < c->untracked->len; i++) {
		const struct provenance_untracked *u = c->untracked->pdata[i];
		g_string_append_printf(text, "\n  - %s", u->name);
		if (*u->method)
			g_string_append_printf(text, "\n    method: %s", u->method);
		if (*u->uri)
			g_string_append_printf(text, "\n    url: %s", u->uri);
		g_string_append_printf(text, "\n    reason: %s", u->reason);
		json_object_begin(w);
		json_put_string_member(w, "op", u->op);
		json_put_string_member(w, "name", u->name);
		json_put_string_member_nonempty(w, "method", u->method);
		json_put_string_member_nonempty(w, "uri", u->uri);
		json_put_string_member(w, "reason", u->reason);
		json_object_end(w);
	}
}

static bool incomplete(const provenance_capture *c, GError **error)
{
	const GPtrArray *locals = c->sources[SOURCE_MATERIAL_LOCAL];
	GString *text = g_string_new("provenance materials are incomplete\n\nThe build requested complete provenance "
				     "materials, but not all dependencies could be captured.");
	g_autoptr(json_writer) w = json_writer_new(0);
	json_object_begin(w);
	json_key(w, "incomplete");
	json_array_begin(w);
	if (locals->len > 0)
		g_string_append(text, "\n\nUncaptured local sources:");
	for (guint i = 0; i < locals->len; i++) {
		const struct provenance_source *s = locals->pdata[i];
		g_string_append_printf(text, "\n  - %s\n    reason: local_source", *s->name ? s->name : "<unnamed>");
		json_object_begin(w);
		json_put_string_member(w, "name", s->name);
		json_put_string_member(w, "reason", "local_source");
		json_object_end(w);
	}
	add_untracked(c, text, w);
	json_array_end(w);
	json_object_end(w);
	g_autofree char *message = g_string_free(text, FALSE), *detail = json_writer_take(&w, NULL);
	error_set(error, ERROR_UNKNOWN, "%s", message);
	if (error && *error)
		error_add_detail(*error, "errdefs.ProvenanceMaterialsIncomplete", detail);
	return false;
}

/* ---- predicates */

static void layers_free(gpointer data)
{
	struct provenance_layers *l = data;
	g_free(l->digest);
	g_ptr_array_unref(l->layers);
	g_free(l);
}

struct output {             /* output of a step; holds a reference while its layers are read */
	const char *digest; /* borrowed from the definition */
	int64_t index;
	cache_ref *ref; /* owned; or: */
	char *id;       /* owned; not loaded yet */
};

static void output_clear(void *data)
{
	struct output *o = data;
	cache_ref_unref(o->ref);
	g_free(o->id);
}

static void collect_outputs(void *data, const struct solver_visit *visit)
{
	GArray *outputs = data;
	for (size_t i = 0; i < visit->n_outputs; i++) {
		const struct solver_output *from = &visit->outputs[i];
		struct output o = {
			.digest = visit->vertex->digest.text, .index = from->index, .id = g_strdup(from->id)};
		if (from->result)
			o.ref = cache_ref_ref(from->result);
		if (o.ref || o.id)
			g_array_append_val(outputs, o);
	}
}

/* Returns the existing layer blobs of a ref, without creating any. NULL: there are none. */
static GPtrArray *layers_of(const provenance *p, cache_ref *ref, struct work *work)
{
	static const struct cache_layer_options existing = {.level = -1, .oci_media_types = true, .existing = true};
	g_autoptr(GPtrArray) found =
		cache_ref_layers(builder_worker(p->build->builder)->cache, ref, &existing, work, NULL);
	if (!found || found->len == 0)
		return NULL;
	GPtrArray *list = g_ptr_array_new_with_free_func((GDestroyNotify)oci_descriptor_free);
	for (guint i = 0; i < found->len; i++) {
		const struct cache_layer_result *r = found->pdata[i];
		const oci_descriptor *d = r->layer->descriptor;
		g_ptr_array_add(list, oci_descriptor_new(d->media_type, &d->digest, d->size));
	}
	return list;
}

static GPtrArray *all_layers(const struct subject *s, struct work *work)
{
	GPtrArray *all = g_ptr_array_new_with_free_func(layers_free);
	g_autoptr(GArray) outputs = g_array_new(FALSE, TRUE, sizeof(struct output));
	g_array_set_clear_func(outputs, output_clear);
	struct solver_target target;
	if (!build_ref_target(s->ref, &target))
		return all;
	solver_job_visit(s->owner->build->job, &target, 1, collect_outputs, outputs);
	for (guint i = 0; i < outputs->len; i++) {
		struct output *o = &g_array_index(outputs, struct output, i);
		void *loaded = NULL;
		if (o->id && solver_job_load_result(s->owner->build->job, o->id, work, &loaded, NULL))
			o->ref = loaded;
		GPtrArray *layers = o->ref ? layers_of(s->owner, o->ref, work) : NULL;
		if (!layers)
			continue;
		struct provenance_layers *row = g_new0(struct provenance_layers, 1);
		*row = (struct provenance_layers){g_strdup(o->digest), o->index, layers};
		g_ptr_array_add(all, row);
	}
	return all;
}

/* The end time is set at the first call, so that all attestations of a build agree. */
static int64_t finished(provenance *p)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&p->mu);
	if (p->finished_ns == 0)
		p->finished_ns = progress_now_ns();
	return p->finished_ns;
}

static char *predicate(const struct subject *s, const struct provenance_options *o, struct work *work, size_t *ret_n,
		       GError **error)
{
	provenance *p = s->owner;
	struct provenance_predicate predicate = {
		.capture = s->capture,
		.v02 = o->v02,
		.max = o->max,
		.reproducible = o->reproducible,
		.builder_id = o->builder_id,
		.builder_platform = p->builder_platform,
		.dockerfile_version = DOCKERFILE_VERSION,
		.env = builder_get_options(p->build->builder)->provenance_env,
		.invocation_id = p->invocation_id,
		.started_ns = p->build->started_ns,
		.finished_ns = finished(p),
		.compat_version = p->build->request->compat_version,
	};
	g_autoptr(GArray) machine = NULL;
	if (o->usage) {
		predicate.usage = true;
		machine = resource_sampler_machine(executor_usage(builder_worker(p->build->builder)->executor),
						   p->build->started_ns);
		predicate.machine = machine;
	}
	g_autoptr(GPtrArray) layers = o->max ? all_layers(s, work) : NULL;
	if (o->max) {
		predicate.definition = s->ref->class->definition(p->build->bridge, s->ref);
		predicate.layers = layers;
	}
	return provenance_predicate_write(&predicate, ret_n, error);
}

static GBytes *attestation_predicate(void *data, struct work *work, GError **error)
{
	const struct subject *s = data;
	size_t n;
	char *text = predicate(s, &s->owner->options, work, &n, error);
	return text ? g_bytes_new_take(text, n) : NULL;
}

/* ---- for exporters */

static struct subject *find_subject(const provenance *p, const char *id)
{
	for (guint i = 0; i < p->subjects->len; i++) {
		struct subject *s = p->subjects->pdata[i];
		if (!*s->key || strcmp(s->key, id) == 0)
			return s;
	}
	return NULL;
}

static void list_attestations(provenance *p, const GPtrArray *platforms)
{
	for (guint i = 0; i < platforms->len; i++) {
		const struct result_platform *platform = platforms->pdata[i];
		struct subject *s = find_subject(p, platform->id);
		if (!s)
			continue;
		char *id = g_strdup(platform->id);
		g_ptr_array_add(p->platform_ids, id);
		struct export_attestation a = {
			.platform_id = id,
			.predicate_type = p->options.v02 ? PROVENANCE_V02 : PROVENANCE_V1,
			.path = p->options.filename,
			.inline_only = p->options.inline_only,
			.predicate = attestation_predicate,
			.data = s,
		};
		g_array_append_val(p->attestations, a);
	}
}

bool provenance_capture_result(provenance *p, build_result *result, GError **error)
{
	g_array_set_size(p->attestations, 0);
	g_ptr_array_set_size(p->platform_ids, 0);
	g_ptr_array_set_size(p->subjects, 0);
	g_autoptr(GError) why = NULL;
	g_autoptr(GPtrArray) platforms = result_platforms(result->metadata, &why);
	if (!platforms && p->options.wanted)
		return error_propagate(error, g_steal_pointer(&why));
	g_autoptr(GPtrArray) none = g_ptr_array_new();
	capture_all(p, result, platforms ? platforms : none);
	for (guint i = 0; p->options.complete_materials && i < p->subjects->len; i++) {
		const struct subject *s = p->subjects->pdata[i];
		if (!provenance_is_complete(s->capture))
			return incomplete(s->capture, error);
	}
	if (p->options.wanted)
		list_attestations(p, platforms);
	return true;
}

const struct export_attestation *provenance_attestations(const provenance *p, size_t *ret_n)
{
	*ret_n = p->attestations->len;
	return (const struct export_attestation *)(void *)p->attestations->data;
}

/* ---- for the history */

static void attestation_clear(void *data)
{
	struct history_attestation *a = data;
	oci_descriptor_free((oci_descriptor *)(uintptr_t)a->descriptor);
	g_bytes_unref(a->bytes);
}

GArray *provenance_records_new(void)
{
	GArray *records = g_array_new(FALSE, FALSE, sizeof(struct history_attestation));
	g_array_set_clear_func(records, attestation_clear);
	return records;
}

/* Stores the predicate alone, indented: the subjects of a statement are not known to the history. */
static GBytes *record_blob(const struct subject *s, struct work *work, GError **error)
{
	struct provenance_options o = {.max = true, .usage = true, .builder_id = s->owner->options.builder_id};
	if (!o.builder_id)
		o.builder_id = (char *)"";
	size_t n;
	g_autofree char *text = predicate(s, &o, work, &n, error);
	if (!text)
		return NULL;
	g_autoptr(json_writer) w = json_writer_new(2);
	json_put_raw(w, text, n);
	char *indented = json_writer_take(&w, &n);
	return g_bytes_new_take(indented, n);
}

bool provenance_record(provenance *p, struct work *work, GArray *records, GError **error)
{
	for (guint i = 0; i < p->subjects->len; i++) {
		const struct subject *s = p->subjects->pdata[i];
		g_autofree char *name = g_strdup_printf("create %s history provenance", *s->key ? s->key : "default");
		g_auto(trace_scope) scope = trace_scope_begin(name, TRACE_INTERNAL);
		g_autoptr(GBytes) bytes = record_blob(s, work, error);
		if (!bytes)
			return false;
		gsize n;
		const void *start = g_bytes_get_data(bytes, &n);
		if (n > HISTORY_BLOB_BYTES)
			return error_set(error, ERROR_RESOURCE_EXHAUSTED, "more than %d bytes", HISTORY_BLOB_BYTES);
		struct digest digest;
		digest_of(start, n, &digest);
		oci_descriptor *d = oci_descriptor_new(EXPORT_IN_TOTO_TYPE, &digest, (int64_t)n);
		oci_descriptor_annotate(d, EXPORT_PREDICATE_TYPE_KEY, PROVENANCE_V1);
		struct history_attestation a = {.key = s->key, .descriptor = d, .bytes = g_steal_pointer(&bytes)};
		g_array_append_val(records, a);
	}
	return true;
}
