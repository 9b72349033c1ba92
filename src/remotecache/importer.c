/* SPDX-License-Identifier: Apache-2.0 */
#include "remotecache/importer.h"
#include "base/ident.h"
#include "remotecache/attributes.h"
#include "remotecache/backend.h"
#include <string.h>

#define SAME_TRIES 16 /* limit of known records that a new one is compared with, because the config is untrusted */

struct part {
	cache_config *config; /* owned */
	GPtrArray *layers;    /* element type: oci_layer *, owned; NULL elements: unknown */
	blob_provider *provider;
};
struct place {                      /* A result: */
	guint part, record, result; /* index in the part */
};
struct faults { /* shared with the providers, which outlive the import */
	gint refs, n;
	GMutex mu;
	GHashTable *digests; /* set of record digests */
};
struct remote_import {
	struct remotecache_context context;
	bool eager;
	char id[IDENT_SIZE]; /* indexed by the results' names */
	GPtrArray *parts;    /* element type: struct part * */
	key_graph *keys;     /* until remote_import_finish */
	GHashTable *by_link; /* digest of a root, or digest with a link of input 0, to record + 1 */
	GHashTable *links;   /* set of "record input from selector" */
	GHashTable *places;  /* "record result" to struct place * */
	struct faults *faults;
};

/* ---- requests */

static void cache_import_clear(void *data)
{
	struct cache_import *i = data;
	g_free(i->type);
	g_hash_table_unref(i->attrs);
}

GArray *cache_imports_new(void)
{
	GArray *imports = g_array_new(FALSE, FALSE, sizeof(struct cache_import));
	g_array_set_clear_func(imports, cache_import_clear);
	return imports;
}

void cache_imports_add(GArray *imports, const char *type, GHashTable *attrs)
{
	struct cache_import i = {.type = g_strdup(type), .attrs = attrs};
	g_array_append_val(imports, i);
}

/* ---- faults */

static void faults_unref(struct faults *f)
{
	if (!g_atomic_int_dec_and_test(&f->refs))
		return;
	g_hash_table_unref(f->digests);
	g_mutex_clear(&f->mu);
	g_free(f);
}

static bool faults_has(struct faults *f, const struct digest *digest)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&f->mu);
	return g_hash_table_contains(f->digests, digest->text);
}

static void faults_add(struct faults *f, const struct digest *digest)
{
	g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&f->mu);
	if (g_hash_table_add(f->digests, g_strdup(digest->text)))
		g_atomic_int_inc(&f->n);
}

/* ---- a provider that records which blobs it could not read */

struct tracker {
	blob_provider *from; /* counted */
	struct faults *faults;
};

static bool tracker_fetch(void *self, blob_store *into, const struct digest *digest, int64_t size, struct work *work,
			  GError **error)
{
	struct tracker *t = self;
	if (blob_provider_pass(t->from, into, digest, size, work, error))
		return true;
	if (!work || !cancel_is_set(work->cancel))
		faults_add(t->faults, digest);
	return false;
}

static bool tracker_origin(void *self, const char **ret_host, const char **ret_repository)
{
	return blob_provider_origin(((struct tracker *)self)->from, ret_host, ret_repository);
}

static bool tracker_can(void *self, const struct digest *digest)
{
	return !faults_has(((struct tracker *)self)->faults, digest);
}

static void tracker_free(void *self)
{
	struct tracker *t = self;
	blob_provider_unref(t->from);
	faults_unref(t->faults);
	g_free(t);
}

static blob_provider *fault_tracking_provider(blob_provider *from, struct faults *faults)
{
	static const struct blob_provider_class class = {
		.fetch = tracker_fetch, .origin = tracker_origin, .can = tracker_can, .free = tracker_free};
	struct tracker *t = g_new0(struct tracker, 1);
	t->from = blob_provider_ref(from);
	t->faults = faults;
	g_atomic_int_inc(&faults->refs);
	return blob_provider_new(&class, t);
}

/* ---- import of a config */

static void part_free(gpointer data)
{
	struct part *p = data;
	cache_config_free(p->config);
	g_ptr_array_unref(p->layers);
	blob_provider_unref(p->provider);
	g_free(p);
}

remote_import *remote_import_new(const struct remotecache_context *context, bool eager)
{
	remote_import *r = g_new0(remote_import, 1);
	r->context = *context;
	r->context.session_id = NULL; /* the caller's, as the job */
	r->context.job = NULL;
	r->eager = eager;
	ident_new(r->id);
	r->parts = g_ptr_array_new_with_free_func(part_free);
	r->keys = key_graph_new();
	r->by_link = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	r->links = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	r->places = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	r->faults = g_new0(struct faults, 1);
	r->faults->refs = 1;
	g_mutex_init(&r->faults->mu);
	r->faults->digests = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	return r;
}

void remote_import_free(remote_import *r)
{
	if (!r)
		return;
	g_ptr_array_unref(r->parts);
	key_graph_free(r->keys);
	g_hash_table_unref(r->by_link);
	g_hash_table_unref(r->links);
	g_hash_table_unref(r->places);
	faults_unref(r->faults);
	g_free(r);
}

static char *place_name(guint record, guint result)
{
	return g_strdup_printf("%u %u", record, result);
}

static bool is_known(const struct part *p, guint record, guint result)
{
	g_autoptr(GArray) chain = cache_config_chain(p->config, cache_config_result(p->config, record, result));
	for (guint i = 0; i < chain->len; i++)
		if (!p->layers->pdata[g_array_index(chain, guint, i)])
			return false;
	return true;
}

/* Drops results with layers that the manifest does not contain. */
static void add_results(remote_import *r, const struct part *p, guint record, guint as)
{
	const struct key_record *from = key_graph_get(p->config->keys, record);
	for (guint n = 0; n < from->results->len; n++) {
		if (!is_known(p, record, n))
			continue;
		guint result = key_graph_get(r->keys, as)->results->len;
		g_autofree char *id = g_strdup_printf("import-%s-%u-%u", r->id, as, result);
		struct place place = {r->parts->len - 1, record, n};
		key_graph_add_result(r->keys, as, id, g_array_index(from->results, struct key_result, n).created_ns);
		g_hash_table_insert(r->places, place_name(as, result), g_memdup2(&place, sizeof place));
	}
}

/* ---- merge of several configs into one graph */

/*
 * A key that occurs in two configs (or in two records of a config) becomes one record of the import: the solver looks a
 * key up once and must find the keys and results that follow from it in all configs.
 */
static char *link_name(const struct key_record *record, const char *selector, guint from)
{
	return g_strdup_printf("%s %u %u %s", record->digest, record->n_inputs, from, selector);
}

static bool has_link(const remote_import *r, guint as, guint input, const char *selector, guint from)
{
	g_autofree char *name = g_strdup_printf("%u %u %u %s", as, input, from, selector);
	return g_hash_table_contains(r->links, name);
}

/*
 * Reports whether the known record and the new one are the same: each input has a common link, and no new link refers
 * to a later record.
 */
static bool is_same(const remote_import *r, guint as, const struct key_record *from, const guint *map)
{
	for (guint i = 0; i < from->n_inputs; i++) {
		bool common = false;
		for (guint k = 0; k < from->inputs[i]->len; k++) {
			const struct key_input *link = &g_array_index(from->inputs[i], struct key_input, k);
			if (map[link->from] >= as) /* links refer to earlier records only, so there is no cycle */
				return false;
			common = common || has_link(r, as, i, link->selector, map[link->from]);
		}
		if (!common)
			return false;
	}
	return true;
}

/*
 * Returns the import's record for a record of a config; -1: none yet. map: records of the config to records of the
 * import.
 */
static int64_t find_same(const remote_import *r, const struct key_record *from, const guint *map)
{
	if (from->n_inputs == 0) {
		gpointer root = g_hash_table_lookup(r->by_link, from->digest);
		return (int64_t)GPOINTER_TO_UINT(root) - 1;
	}
	for (guint k = 0; k < MIN(from->inputs[0]->len, SAME_TRIES); k++) {
		const struct key_input *link = &g_array_index(from->inputs[0], struct key_input, k);
		g_autofree char *name = link_name(from, link->selector, map[link->from]);
		guint as = GPOINTER_TO_UINT(g_hash_table_lookup(r->by_link, name));
		if (as > 0 && is_same(r, as - 1, from, map))
			return (int64_t)as - 1;
	}
	return -1;
}

static void add_links(remote_import *r, guint as, const struct key_record *from, const guint *map)
{
	if (from->n_inputs == 0)
		g_hash_table_insert(r->by_link, g_strdup(from->digest), GUINT_TO_POINTER(as + 1));
	for (guint i = 0; i < from->n_inputs; i++)
		for (guint k = 0; k < from->inputs[i]->len; k++) {
			const struct key_input *link = &g_array_index(from->inputs[i], struct key_input, k);
			guint source = map[link->from];
			if (!g_hash_table_add(r->links, g_strdup_printf("%u %u %u %s", as, i, source, link->selector)))
				continue;
			key_graph_link(r->keys, as, i, link->selector, source);
			if (i == 0)
				g_hash_table_insert(r->by_link, link_name(from, link->selector, source),
						    GUINT_TO_POINTER(as + 1));
		}
}

void remote_import_add(remote_import *r, cache_config *config, GPtrArray *layers, blob_provider *provider)
{
	struct part *p = g_new0(struct part, 1);
	*p = (struct part){config, layers, fault_tracking_provider(provider, r->faults)};
	g_ptr_array_add(r->parts, p);
	g_autoptr(GArray) order = key_graph_order(config->keys); /* exists, because the config was validated */
	g_autofree guint *map = g_new0(guint, order->len + 1);
	for (guint at = 0; at < order->len; at++) {
		guint record = g_array_index(order, guint, at);
		const struct key_record *from = key_graph_get(config->keys, record);
		int64_t same = find_same(r, from, map);
		guint as = same >= 0 ? (guint)same : key_graph_add(r->keys, from->digest, from->n_inputs);
		map[record] = as;
		add_links(r, as, from, map);
		add_results(r, p, record, as);
	}
}

/* ---- functions for the solver */

static const struct part *find_result(const remote_import *r, guint record, guint result, GArray **ret_chain)
{
	g_autofree char *name = place_name(record, result);
	const struct place *place = g_hash_table_lookup(r->places, name);
	const struct part *p = r->parts->pdata[place->part];
	*ret_chain = cache_config_chain(p->config, cache_config_result(p->config, place->record, place->result));
	return p;
}

static cache_ref *add_layer(const remote_import *r, const struct part *p, guint at, cache_ref *parent,
			    struct work *work, GError **error)
{
	const oci_layer *layer = p->layers->pdata[at];
	const struct digest *digest = &layer->descriptor->digest;
	if (faults_has(r->faults, digest))
		return error_null(error, ERROR_NOT_FOUND, "layer %s: a previous attempt to read it failed",
				  digest->text);
	g_autofree char *description =
		layer->description ? g_strdup(layer->description) : g_strconcat("imported ", digest->text, NULL);
	struct cache_record_options options = {.description = description,
					       .created_ns = layer->created_ns,
					       .progress = work->progress,
					       .layer_os = CACHE_OS_UNKNOWN};
	return cache_add_layer(r->context.cache, parent, layer, p->provider, &options, error);
}

static bool fetch_all(const remote_import *r, cache_ref *ref, struct work *work, GError **error)
{
	struct cache_layer_options options = {
		.compression = COMPRESSION_GZIP, .level = -1, .existing = true, .fetch = true};
	g_autoptr(GPtrArray) layers = cache_ref_layers(r->context.cache, ref, &options, work, error);
	return layers != NULL;
}

static bool import_result(void *self, guint record, guint result, struct work *work, void **ret_result, GError **error)
{
	const remote_import *r = self;
	g_autoptr(GArray) chain = NULL;
	const struct part *p = find_result(r, record, result, &chain);
	g_autoptr(cache_ref) current = NULL;
	for (guint i = 0; i < chain->len; i++) {
		cache_ref *next = add_layer(r, p, g_array_index(chain, guint, i), current, work, error);
		if (!next)
			return false;
		cache_ref_unref(current);
		current = next;
	}
	if (r->eager && !fetch_all(r, current, work, error))
		return false;
	*ret_result = g_steal_pointer(&current);
	return true;
}

/* Reports whether the layers of one result are the first layers of the other. */
static void *import_prefix(void *self, guint of_record, guint of_result, void *loaded, guint record, guint result)
{
	const remote_import *r = self;
	g_autoptr(GArray) whole = NULL, part = NULL;
	if (find_result(r, of_record, of_result, &whole) != find_result(r, record, result, &part) ||
	    part->len > whole->len || part->len == 0)
		return NULL;
	if (memcmp(whole->data, part->data, part->len * sizeof(guint)) != 0)
		return NULL;
	cache_ref *ref = loaded;
	for (guint i = part->len; ref && i < whole->len; i++)
		ref = cache_ref_parent(ref);
	return ref ? cache_ref_ref(ref) : NULL;
}

static void import_free(void *self)
{
	remote_import_free(self);
}

static const struct solver_import_class import_class = {
	.load = import_result, .part = import_prefix, .free = import_free};

solver_import *remote_import_finish(remote_import **r)
{
	remote_import *self = g_steal_pointer(r);
	return solver_import_new(g_steal_pointer(&self->keys), &import_class, self);
}

unsigned remotecache_import_faults(solver_import *i)
{
	const remote_import *r = solver_import_self(i);
	return (unsigned)g_atomic_int_get(&r->faults->n);
}

/* ---- backends */

char *remotecache_import_id(const char *type, GHashTable *attrs)
{
	const char *ref = attribute(attrs, "ref");
	if (strcmp(type, "registry") == 0 && *ref)
		return g_strdup(ref);
	g_autoptr(GList) keys = g_list_sort(g_hash_table_get_keys(attrs), (GCompareFunc)g_strcmp0);
	g_autoptr(GString) text = g_string_new(type);
	for (const GList *k = keys; k; k = k->next)
		g_string_append_printf(text, "\n%s=%s", (char *)k->data, (char *)g_hash_table_lookup(attrs, k->data));
	/* Upstream displays a hash in its own format; this is a number of the same size. */
	struct digest digest;
	digest_of_text(text->str, &digest);
	g_autofree char *head = g_strndup(digest_hex(&digest), 16);
	return g_strdup_printf("%s:%" G_GUINT64_FORMAT, type, g_ascii_strtoull(head, NULL, 16));
}

solver_import *remotecache_import(const struct remotecache_context *context, const char *type, GHashTable *attrs,
				  struct work *work, GError **error)
{
	const struct cache_backend *backend = cache_backend_find(type);
	if (!backend)
		return error_null(error, ERROR_UNKNOWN, "unknown cache importer: %s", type);
	return cache_backend_check(backend, "import", attrs, error) ? backend->import(context, attrs, work, error)
								    : NULL;
}
