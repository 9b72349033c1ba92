/* SPDX-License-Identifier: Apache-2.0 */
#include "remotecache/cache_config.h"
#include "base/limits.h"
#include "format/gotype.h"
#include <string.h>

static void layer_clear(gpointer data)
{
	g_free(((struct cache_config_layer *)data)->media_type);
}

static void result_clear(gpointer data)
{
	g_array_unref(((struct cache_config_result *)data)->layers);
}

cache_config *cache_config_new(void)
{
	cache_config *c = g_new0(cache_config, 1);
	c->layers = g_array_new(FALSE, TRUE, sizeof(struct cache_config_layer));
	g_array_set_clear_func(c->layers, layer_clear);
	c->keys = key_graph_new();
	c->results = g_array_new(FALSE, TRUE, sizeof(struct cache_config_result));
	g_array_set_clear_func(c->results, result_clear);
	return c;
}

void cache_config_free(cache_config *c)
{
	if (!c)
		return;
	g_array_unref(c->layers);
	key_graph_free(c->keys);
	g_array_unref(c->results);
	g_free(c);
}

guint cache_config_add_layer(cache_config *c, const struct digest *blob, int64_t parent)
{
	struct cache_config_layer layer = {.blob = *blob, .parent = parent};
	g_array_append_val(c->layers, layer);
	return c->layers->len - 1;
}

struct cache_config_layer *cache_config_layer(const cache_config *c, guint layer)
{
	return &g_array_index(c->layers, struct cache_config_layer, layer);
}

void cache_config_add_result(cache_config *c, guint record, bool is_chain, const guint *layers, guint n,
			     int64_t created_ns)
{
	struct cache_config_result r = {
		.is_chain = is_chain, .layers = g_array_new(FALSE, FALSE, sizeof(guint)), .created_ns = created_ns};
	g_array_append_vals(r.layers, layers, n);
	g_autofree char *id = g_strdup_printf("%u", c->results->len);
	g_array_append_val(c->results, r);
	key_graph_add_result(c->keys, record, id, created_ns);
}

const struct cache_config_result *cache_config_result(const cache_config *c, guint record, guint n)
{
	const struct key_result *r = &g_array_index(key_graph_get(c->keys, record)->results, struct key_result, n);
	return &g_array_index(c->results, struct cache_config_result, (guint)g_ascii_strtoull(r->id, NULL, 10));
}

GArray *cache_config_chain(const cache_config *c, const struct cache_config_result *r)
{
	GArray *chain = g_array_new(FALSE, FALSE, sizeof(guint));
	if (r->is_chain) {
		g_array_append_vals(chain, r->layers->data, r->layers->len);
		return chain;
	}
	for (int64_t at = g_array_index(r->layers, guint, 0); at >= 0; at = cache_config_layer(c, (guint)at)->parent) {
		guint layer = (guint)at;
		g_array_append_val(chain, layer);
	}
	for (guint i = 0; i < chain->len / 2; i++) {
		guint *a = &g_array_index(chain, guint, i), *b = &g_array_index(chain, guint, chain->len - 1 - i),
		      t = *a;
		*a = *b;
		*b = t;
	}
	return chain;
}

/* ---- reading */

struct parsing {
	cache_config *config;
	long long left; /* remaining number of records, links, results and layers */
	GError *error;
};

static bool fail(struct parsing *p, const char *what, long long value)
{
	if (!p->error)
		error_set(&p->error, ERROR_INVALID_ARGUMENT, "%s %lld", what, value);
	return false;
}

static bool spend(struct parsing *p, size_t n)
{
	p->left -= (long long)n;
	return p->left >= 0 || p->error ||
	       error_set(&p->error, ERROR_RESOURCE_EXHAUSTED, "cache config: more than %lld records, links and layers",
			 LIMIT_CACHE_RECORDS);
}

/* A member that must be an array, or missing; *ret_n: number of elements. */
static json_t *array_of(struct parsing *p, const json_t *object, const char *key, size_t *ret_n)
{
	json_t *list = json_object_get(object, key);
	*ret_n = 0;
	if (!list || json_is_null(list))
		return NULL;
	if (!json_is_array(list))
		return error_null(&p->error, ERROR_INVALID_ARGUMENT, "cache config: %s is not an array", key);
	*ret_n = json_array_size(list);
	spend(p, *ret_n);
	return list;
}

static int64_t time_member(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	int64_t ns = 0;
	return text && time_parse_rfc3339(text, &ns, NULL) ? ns : 0;
}

static bool digest_member(struct parsing *p, const json_t *object, const char *key, struct digest *ret)
{
	const char *text = json_string_value(json_object_get(object, key));
	return digest_parse(text ? text : "", ret, p->error ? NULL : &p->error);
}

static bool read_annotations(struct parsing *p, const json_t *json, struct cache_config_layer *layer)
{
	const json_t *a = json_object_get(json, "annotations");
	if (!json_is_object(a))
		return true;
	const char *type = json_string_value(json_object_get(a, "mediaType"));
	layer->annotated = true;
	layer->media_type = g_strdup(type ? type : "");
	layer->size = json_integer_value(json_object_get(a, "size"));
	layer->created_ns = time_member(a, "createdAt");
	if (layer->size < 0)
		return fail(p, "cache config: invalid layer size", layer->size);
	return !json_object_get(a, "diffID") || digest_member(p, a, "diffID", &layer->diff_id);
}

/* Validates parents: they must exist, without cycles and without chains that are too long. */
static bool check_layers(struct parsing *p)
{
	const cache_config *c = p->config;
	g_autofree guint *depth = g_new0(guint, c->layers->len + 1);
	g_autoptr(GArray) path = g_array_new(FALSE, FALSE, sizeof(guint));
	for (guint start = 0; start < c->layers->len; start++) {
		int64_t at = start;
		g_array_set_size(path, 0);
		for (; at >= 0 && at < c->layers->len && depth[at] == 0;
		     at = cache_config_layer(c, (guint)at)->parent) {
			guint one = (guint)at;
			if (path->len >= LIMIT_LAYERS)
				return fail(p, "invalid looping layer, or more in a chain than", LIMIT_LAYERS);
			g_array_append_val(path, one);
		}
		if (at < -1 || at >= c->layers->len)
			return fail(p, "invalid layer index", at);
		guint below = at < 0 ? 0 : depth[at];
		if (below + path->len > LIMIT_LAYERS)
			return fail(p, "more layers in a chain than", LIMIT_LAYERS);
		for (guint i = path->len; i > 0; i--)
			depth[g_array_index(path, guint, i - 1)] = ++below;
	}
	return true;
}

static bool read_layers(struct parsing *p, const json_t *root)
{
	size_t n;
	const json_t *list = array_of(p, root, "layers", &n);
	for (size_t i = 0; !p->error && i < n; i++) {
		const json_t *one = json_array_get(list, i);
		struct digest blob;
		if (!digest_member(p, one, "blob", &blob))
			return false;
		int64_t parent = json_integer_value(json_object_get(one, "parent")); /* missing: 0 */
		guint at = cache_config_add_layer(p->config, &blob, parent);
		read_annotations(p, one, cache_config_layer(p->config, at));
	}
	return !p->error && check_layers(p);
}

/* Reads an index; a value that is not a number counts as 0, as in Go. */
static bool read_index(struct parsing *p, const json_t *value, guint n, const char *what, guint *ret)
{
	int64_t i = json_integer_value(value);
	if (i < 0 || i >= n)
		return fail(p, what, i);
	*ret = (guint)i;
	return true;
}

static bool read_results(struct parsing *p, const json_t *json, guint record)
{
	size_t n;
	guint n_layers = p->config->layers->len;
	const json_t *list = array_of(p, json, "layers", &n);
	for (size_t i = 0; !p->error && i < n; i++) {
		const json_t *one = json_array_get(list, i);
		guint layer;
		if (read_index(p, json_object_get(one, "layer"), n_layers, "invalid layer index", &layer))
			cache_config_add_result(p->config, record, false, &layer, 1, time_member(one, "createdAt"));
	}
	list = array_of(p, json, "chains", &n);
	for (size_t i = 0; !p->error && i < n; i++) {
		const json_t *one = json_array_get(list, i);
		size_t n_chain;
		const json_t *chain = array_of(p, one, "layers", &n_chain);
		if (n_chain > LIMIT_LAYERS)
			return fail(p, "more layers in a chain than", LIMIT_LAYERS);
		g_autofree guint *layers = g_new0(guint, n_chain + 1);
		for (size_t k = 0; k < n_chain; k++)
			if (!read_index(p, json_array_get(chain, k), n_layers, "invalid layer index", &layers[k]))
				return false;
		if (!p->error && n_chain > 0)
			cache_config_add_result(p->config, record, true, layers, (guint)n_chain,
						time_member(one, "createdAt"));
	}
	return !p->error;
}

static bool read_links(struct parsing *p, const json_t *json, guint record, guint n_records)
{
	size_t n;
	const json_t *inputs = json_object_get(json, "inputs");
	for (guint i = 0; !p->error && i < key_graph_get(p->config->keys, record)->n_inputs; i++) {
		const json_t *list = json_array_get(inputs, i);
		n = json_array_size(list);
		spend(p, n);
		for (size_t k = 0; !p->error && k < n; k++) {
			const json_t *link = json_array_get(list, k);
			const char *selector = json_string_value(json_object_get(link, "selector"));
			guint from;
			if (read_index(p, json_object_get(link, "link"), n_records, "invalid record ID:", &from))
				key_graph_link(p->config->keys, record, i, selector ? selector : "", from);
		}
	}
	return !p->error;
}

static bool read_records(struct parsing *p, const json_t *list)
{
	size_t n = json_array_size(list);
	spend(p, n);
	for (size_t i = 0; !p->error && i < n; i++) {
		const json_t *json = json_array_get(list, i);
		struct digest digest;
		size_t n_inputs;
		array_of(p, json, "inputs", &n_inputs);
		if (!p->error && digest_member(p, json, "digest", &digest))
			read_results(p, json, key_graph_add(p->config->keys, digest.text, (guint)n_inputs));
	}
	for (size_t i = 0; !p->error && i < n; i++)
		read_links(p, json_array_get(list, i), (guint)i, (guint)n);
	return !p->error && key_graph_check(p->config->keys, &p->error);
}

static cache_config *parse_end(struct parsing *p, bool ok, GError **error)
{
	if (ok)
		return p->config;
	cache_config_free(p->config);
	return error_propagate_null(error, p->error);
}

cache_config *cache_config_parse(const void *bytes, size_t n, GError **error)
{
	g_autoptr(json_t) root = json_read(bytes, n, (size_t)LIMIT_CACHE_CONFIG_BYTES, "cache config", error);
	if (!root)
		return NULL;
	if (!json_is_object(root))
		return error_null(error, ERROR_INVALID_ARGUMENT, "cache config: not an object");
	struct parsing p = {.config = cache_config_new(), .left = LIMIT_CACHE_RECORDS};
	return parse_end(&p, read_layers(&p, root) && read_records(&p, json_object_get(root, "records")), error);
}

cache_config *cache_config_parse_records(const void *bytes, size_t n, const struct digest *layers, guint n_layers,
					 GError **error)
{
	g_autoptr(json_t) list = json_read(bytes, n, (size_t)LIMIT_CACHE_CONFIG_BYTES, "inline cache", error);
	if (!list)
		return NULL;
	if (!json_is_array(list) && !json_is_null(list))
		return error_null(error, ERROR_INVALID_ARGUMENT, "inline cache: not an array");
	struct parsing p = {.config = cache_config_new(), .left = LIMIT_CACHE_RECORDS};
	for (guint i = 0; i < n_layers; i++)
		cache_config_add_layer(p.config, &layers[i], (int64_t)i - 1);
	return parse_end(&p, check_layers(&p) && read_records(&p, list), error);
}
