/* SPDX-License-Identifier: Apache-2.0 */
/* Writes a cache config in an order that depends only on its contents. */
#include "format/gotype.h"
#include "remotecache/cache_config.h"
#include <string.h>

struct sorting {
	const cache_config *config;
	struct digest *chains; /* a layer and all layers below it */
	guint *layer_at;       /* new index of each layer */
	guint *record_at;
	GArray *layers, *records; /* old indices in the new order */
};

static int compare_layers(gconstpointer a, gconstpointer b, gpointer data)
{
	const struct sorting *s = data;
	guint x = *(const guint *)a, y = *(const guint *)b;
	int order = strcmp(cache_config_layer(s->config, x)->blob.text, cache_config_layer(s->config, y)->blob.text);
	return order != 0 ? order : strcmp(s->chains[x].text, s->chains[y].text);
}

static const struct key_record *record_of(const struct sorting *s, guint record)
{
	return key_graph_get(s->config->keys, record);
}

static int compare_links(gconstpointer a, gconstpointer b, gpointer data)
{
	const struct key_input *x = a, *y = b;
	int order = strcmp(x->selector, y->selector);
	return order != 0 ? order : strcmp(record_of(data, x->from)->digest, record_of(data, y->from)->digest);
}

static int compare_inputs(const struct key_record *x, const struct key_record *y, struct sorting *s)
{
	for (guint i = 0; i < x->n_inputs; i++) {
		if (x->inputs[i]->len != y->inputs[i]->len)
			return x->inputs[i]->len < y->inputs[i]->len ? -1 : 1;
		for (guint k = 0; k < x->inputs[i]->len; k++) {
			int order = compare_links(&g_array_index(x->inputs[i], struct key_input, k),
						  &g_array_index(y->inputs[i], struct key_input, k), s);
			if (order != 0)
				return order;
		}
	}
	return 0;
}

static int compare_records(gconstpointer a, gconstpointer b, gpointer data)
{
	struct sorting *s = data;
	const struct key_record *x = record_of(s, *(const guint *)a), *y = record_of(s, *(const guint *)b);
	int order = strcmp(x->digest, y->digest);
	if (order == 0)
		order = x->n_inputs < y->n_inputs ? -1 : x->n_inputs > y->n_inputs;
	return order != 0 ? order : compare_inputs(x, y, s);
}

static void chain_id(struct sorting *s, guint layer, GArray *path)
{
	g_array_set_size(path, 0);
	for (int64_t at = layer; at >= 0 && !digest_is_set(&s->chains[at]);
	     at = cache_config_layer(s->config, (guint)at)->parent) {
		guint one = (guint)at;
		g_array_append_val(path, one);
	}
	for (guint i = path->len; i > 0; i--) {
		guint at = g_array_index(path, guint, i - 1);
		const struct cache_config_layer *l = cache_config_layer(s->config, at);
		const char *below = l->parent >= 0 ? s->chains[l->parent].text : "";
		g_autofree char *text = g_strconcat(below, " ", l->blob.text, NULL);
		digest_of_text(text, &s->chains[at]);
	}
}

static GArray *numbers(guint n)
{
	GArray *list = g_array_sized_new(FALSE, FALSE, sizeof(guint), n);
	for (guint i = 0; i < n; i++)
		g_array_append_val(list, i);
	return list;
}

static guint *inverse(const GArray *order)
{
	guint *at = g_new0(guint, order->len + 1);
	for (guint i = 0; i < order->len; i++)
		at[g_array_index(order, guint, i)] = i;
	return at;
}

static void sorting_init(struct sorting *s, const cache_config *c)
{
	*s = (struct sorting){.config = c};
	g_autoptr(GArray) path = g_array_new(FALSE, FALSE, sizeof(guint));
	s->chains = g_new0(struct digest, c->layers->len + 1);
	for (guint i = 0; i < c->layers->len; i++)
		chain_id(s, i, path);
	s->layers = numbers(c->layers->len);
	g_array_sort_with_data(s->layers, compare_layers, s);
	s->layer_at = inverse(s->layers);
	for (guint r = 0; r < c->keys->records->len; r++)
		for (guint i = 0; i < record_of(s, r)->n_inputs; i++)
			g_array_sort_with_data(record_of(s, r)->inputs[i], compare_links, s);
	s->records = numbers(c->keys->records->len);
	g_array_sort_with_data(s->records, compare_records, s);
	s->record_at = inverse(s->records);
}

static void sorting_clear(struct sorting *s)
{
	g_free(s->chains);
	g_free(s->layer_at);
	g_free(s->record_at);
	g_array_unref(s->layers);
	g_array_unref(s->records);
}

static void put_time(json_writer *w, int64_t ns)
{
	g_autofree char *text = ns == 0 ? g_strdup("0001-01-01T00:00:00Z") : time_format_rfc3339(ns);
	json_put_string_member(w, "createdAt", text);
}

static void put_layer(json_writer *w, const struct sorting *s, guint old)
{
	const struct cache_config_layer *layer = cache_config_layer(s->config, old);
	json_object_begin(w);
	json_put_string_member(w, "blob", layer->blob.text);
	json_put_int_member_nonzero(w, "parent", layer->parent < 0 ? -1 : (int64_t)s->layer_at[layer->parent]);
	if (layer->annotated) {
		json_object_member_begin(w, "annotations");
		json_put_string_member_nonempty(w, "mediaType", layer->media_type);
		json_put_string_member_nonempty(w, "diffID", layer->diff_id.text);
		json_put_int_member_nonzero(w, "size", layer->size);
		put_time(w, layer->created_ns);
		json_object_end(w);
	}
	json_object_end(w);
}

static void put_results(json_writer *w, const struct sorting *s, guint record, bool chains)
{
	bool open = false;
	for (guint n = 0; n < record_of(s, record)->results->len; n++) {
		const struct cache_config_result *r = cache_config_result(s->config, record, n);
		if (r->is_chain != chains)
			continue;
		if (!open) {
			json_array_member_begin(w, chains ? "chains" : "layers");
			open = true;
		}
		json_object_begin(w);
		json_key(w, chains ? "layers" : "layer");
		if (chains)
			json_array_begin(w);
		for (guint i = 0; i < r->layers->len; i++)
			json_put_int(w, s->layer_at[g_array_index(r->layers, guint, i)]);
		if (chains)
			json_array_end(w);
		put_time(w, r->created_ns);
		json_object_end(w);
	}
	if (open)
		json_array_end(w);
}

struct numbered_link {
	const struct key_input *link;
	guint to;
};

static int compare_numbers(gconstpointer a, gconstpointer b)
{
	const struct numbered_link *x = a, *y = b;
	return x->to < y->to ? -1 : x->to > y->to;
}

static void put_inputs(json_writer *w, const struct sorting *s, const struct key_record *record)
{
	json_array_member_begin(w, "inputs");
	for (guint i = 0; i < record->n_inputs; i++) {
		g_autoptr(GArray) links = g_array_new(FALSE, FALSE, sizeof(struct numbered_link));
		for (guint k = 0; k < record->inputs[i]->len; k++) {
			const struct key_input *link = &g_array_index(record->inputs[i], struct key_input, k);
			struct numbered_link numbered = {link, s->record_at[link->from]};
			g_array_append_val(links, numbered);
		}
		g_array_sort(links, compare_numbers);
		json_array_begin(w);
		for (guint k = 0; k < links->len; k++) {
			const struct numbered_link *l = &g_array_index(links, struct numbered_link, k);
			json_object_begin(w);
			json_put_string_member_nonempty(w, "selector", l->link->selector);
			json_put_int_member(w, "link", l->to);
			json_object_end(w);
		}
		json_array_end(w);
	}
	json_array_end(w);
}

static void put_records(json_writer *w, const struct sorting *s)
{
	json_array_begin(w);
	for (guint i = 0; i < s->records->len; i++) {
		guint old = g_array_index(s->records, guint, i);
		const struct key_record *record = record_of(s, old);
		json_object_begin(w);
		put_results(w, s, old, false);
		put_results(w, s, old, true);
		json_put_string_member(w, "digest", record->digest);
		if (record->n_inputs > 0)
			put_inputs(w, s, record);
		json_object_end(w);
	}
	json_array_end(w);
}

char *cache_config_write(const cache_config *c, size_t *ret_n, GArray **ret_layers)
{
	struct sorting s;
	sorting_init(&s, c);
	json_writer *w = json_writer_new(0);
	json_object_begin(w);
	if (c->layers->len > 0) {
		json_array_member_begin(w, "layers");
		for (guint i = 0; i < s.layers->len; i++)
			put_layer(w, &s, g_array_index(s.layers, guint, i));
		json_array_end(w);
	}
	if (s.records->len > 0) {
		json_key(w, "records");
		put_records(w, &s);
	}
	json_object_end(w);
	if (ret_layers)
		*ret_layers = g_array_ref(s.layers);
	sorting_clear(&s);
	return json_writer_take(&w, ret_n);
}

char *cache_config_write_records(const cache_config *c, size_t *ret_n)
{
	struct sorting s;
	sorting_init(&s, c);
	/* Layers keep the indices that they have in the image. */
	for (guint i = 0; i < c->layers->len; i++)
		s.layer_at[i] = i;
	json_writer *w = json_writer_new(0);
	put_records(w, &s);
	sorting_clear(&s);
	return json_writer_take(&w, ret_n);
}
