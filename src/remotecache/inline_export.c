/* SPDX-License-Identifier: Apache-2.0 */
/* Inline cache: results refer to layers of the image by index. */
#include "remotecache/gather.h"
#include "remotecache/remotecache.h"

struct image {
	const GPtrArray *layers;
	GHashTable *by_blob, *by_diff; /* digest text to index + 1 */
};

static const oci_layer *layer_at(const GPtrArray *layers, guint i)
{
	return ((const struct cache_layer_result *)layers->pdata[i])->layer;
}

static void image_init(struct image *im, const GPtrArray *layers)
{
	im->layers = layers;
	im->by_blob = g_hash_table_new(g_str_hash, g_str_equal);
	im->by_diff = g_hash_table_new(g_str_hash, g_str_equal);
	for (guint i = layers->len; i > 0; i--) {
		const oci_layer *l = layer_at(layers, i - 1);
		g_hash_table_insert(im->by_blob, l->descriptor->digest.text, GUINT_TO_POINTER(i));
		g_hash_table_insert(im->by_diff, (gpointer)l->diff_id.text, GUINT_TO_POINTER(i));
	}
}

static bool same_layer(const oci_layer *a, const oci_layer *b)
{
	return digest_equal(&a->descriptor->digest, &b->descriptor->digest) || digest_equal(&a->diff_id, &b->diff_id);
}

/* Returns the index of the layer in the image: the expected one if possible, else any, else -1. */
static int64_t find_layer(const struct image *im, const oci_layer *l, guint there)
{
	if (there < im->layers->len && same_layer(layer_at(im->layers, there), l))
		return there;
	gpointer at = g_hash_table_lookup(im->by_blob, l->descriptor->digest.text);
	if (!at)
		at = g_hash_table_lookup(im->by_diff, l->diff_id.text);
	return at ? (int64_t)GPOINTER_TO_UINT(at) - 1 : -1;
}

/* A result that consists of the image's first layers refers to the last of them, any other result to all its layers. */
static bool add_result(const struct image *im, const cache_config *from, const GPtrArray *layers, guint record,
		       cache_config *to)
{
	const struct cache_config_result *r = cache_config_result(from, record, 0);
	g_autoptr(GArray) chain = cache_config_chain(from, r);
	bool in_order = true;
	for (guint i = 0; i < chain->len; i++) {
		int64_t at = find_layer(im, layer_at(layers, g_array_index(chain, guint, i)), i);
		if (at < 0)
			return false;
		in_order &= at == i;
		g_array_index(chain, guint, i) = (guint)at;
	}
	const guint *places = (const guint *)(void *)chain->data;
	if (in_order)
		cache_config_add_result(to, record, false, &places[chain->len - 1], 1, r->created_ns);
	else
		cache_config_add_result(to, record, true, places, chain->len, r->created_ns);
	return true;
}

static void copy_record(const cache_config *from, guint record, cache_config *to)
{
	const struct key_record *r = key_graph_get(from->keys, record);
	key_graph_add(to->keys, r->digest, r->n_inputs);
	for (guint i = 0; i < r->n_inputs; i++)
		for (guint k = 0; k < r->inputs[i]->len; k++) {
			const struct key_input *link = &g_array_index(r->inputs[i], struct key_input, k);
			key_graph_link(to->keys, record, i, link->selector, link->from);
		}
}

static char *write_for(const struct image *im, const cache_config *from, const GPtrArray *layers)
{
	g_autoptr(cache_config) to = cache_config_new();
	bool any = false;
	for (guint i = 0; i < im->layers->len; i++)
		cache_config_add_layer(to, &layer_at(im->layers, i)->descriptor->digest, (int64_t)i - 1);
	for (guint record = 0; record < from->keys->records->len; record++) {
		copy_record(from, record, to);
		if (key_graph_get(from->keys, record)->results->len > 0)
			any |= add_result(im, from, layers, record, to);
	}
	return any ? cache_config_write_records(to, NULL) : NULL;
}

char *inline_cache_records(const struct remotecache_context *context, const key_graph *keys, const GPtrArray *layers,
			   enum compression compression, struct work *work, GError **error)
{
	struct gather_options options = {.compression = compression, .level = -1};
	g_autoptr(gathered) g = gather(context, keys, &options, work, error);
	if (!g)
		return NULL;
	g_autoptr(GPtrArray) found = NULL;
	g_autoptr(cache_config) config = gathered_config(g, keys, &found);
	struct image im;
	image_init(&im, layers);
	char *text = write_for(&im, config, found);
	g_hash_table_unref(im.by_blob);
	g_hash_table_unref(im.by_diff);
	return text;
}
