/* SPDX-License-Identifier: Apache-2.0 */
#include "export/config.h"
#include "base/limits.h"
#include "base/text.h"
#include "base/time.h"
#include "format/gotype.h"
#include "format/json_writer.h"
#include "oci/oci.h"
#include <string.h>

#define COMMENT "buildkit.exporter.image.v0"
#define NO_DESCRIPTION "created by buildkit"

/* A time with its text, which preserves the time zone of the input. */
struct moment {
	bool set;
	int64_t ns;
	char *text; /* owned */
};
struct entry {
	struct moment created;
	char *created_by, *author, *comment; /* owned; NULL: none */
	bool empty_layer;
};

/* Converts seconds to ns; clamps years beyond the range of int64 nanoseconds. */
static int64_t epoch_ns(int64_t seconds)
{
	return CLAMP(seconds, -INT64_MAX / NS_PER_S, INT64_MAX / NS_PER_S) * NS_PER_S;
}

static void entry_clear(gpointer data)
{
	struct entry *e = data;
	g_free(e->created.text);
	g_free(e->created_by);
	g_free(e->author);
	g_free(e->comment);
}

static void moment_set(struct moment *m, int64_t ns)
{
	g_free(m->text);
	*m = (struct moment){true, ns, time_format_rfc3339(ns)};
}

static void moment_copy(struct moment *to, const struct moment *from)
{
	char *text = g_strdup(from->text);
	g_free(to->text);
	*to = (struct moment){from->set, from->ns, text};
}

/* Go prints fractions without trailing zeros and UTC as Z; other zones are kept. */
static char *moment_text(const char *text, int64_t ns)
{
	size_t n = strlen(text);
	if (n == 0 || text[n - 1] == 'Z' || text[n - 1] == 'z' || g_str_has_suffix(text, "+00:00"))
		return time_format_rfc3339(ns);
	const char *dot = strchr(text, '.');
	if (!dot)
		return g_strdup(text);
	size_t digits = strspn(dot + 1, G_CSET_DIGITS), kept = MIN(digits, 9);
	while (kept > 0 && dot[kept] == '0')
		kept--;
	return g_strdup_printf("%.*s%.*s%s", (int)(dot - text), text, kept ? (int)kept + 1 : 0, dot, dot + 1 + digits);
}

static bool moment_read(const json_t *value, struct moment *ret, GError **error)
{
	if (!value || json_is_null(value))
		return true;
	const char *text = json_string_value(value);
	int64_t ns;
	if (!text)
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid image config for export: wrong type of time");
	if (!time_parse_rfc3339(text, &ns, error))
		return error_prefix(error, "invalid image config for export: ");
	*ret = (struct moment){true, ns, moment_text(text, ns)};
	return true;
}

static char *member_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));
	return text && *text ? g_strdup(text) : NULL;
}

/* ---- history */

static GArray *history_new(void)
{
	GArray *history = g_array_new(FALSE, TRUE, sizeof(struct entry));
	g_array_set_clear_func(history, entry_clear);
	return history;
}

static bool history_read(const json_t *config, GArray *to, GError **error)
{
	const json_t *list = json_object_get(config, "history");
	if (!list || json_is_null(list))
		return true;
	if (!json_is_array(list))
		return error_set(error, ERROR_INVALID_ARGUMENT, "failed to unmarshal history from config: not a list");
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *item = json_array_get(list, i);
		g_array_set_size(to, (guint)i + 1);
		struct entry *e = &g_array_index(to, struct entry, i);
		if (!moment_read(json_object_get(item, "created"), &e->created, error))
			return false;
		e->created_by = member_text(item, "created_by");
		e->author = member_text(item, "author");
		e->comment = member_text(item, "comment");
		e->empty_layer = json_is_true(json_object_get(item, "empty_layer"));
	}
	return true;
}

#define HISTORY_AT(history, i) (&g_array_index((history), struct entry, (i)))

/*
 * Adjusts the number of layers in the history: surplus entries become empty layers, missing ones are added from the
 * cache records.
 */
static void history_count(GArray *history, const struct config_input *in)
{
	size_t layers = 0;
	for (guint i = 0; i < history->len; i++) {
		struct entry *e = HISTORY_AT(history, i);
		if (layers >= in->n_layers)
			e->empty_layer = true;
		layers += !e->empty_layer;
	}
	for (size_t i = layers; i < in->n_layers; i++) {
		const struct config_layer *l = &in->layers[i];
		struct entry e = {
			.created_by = g_strdup(l->description && *l->description ? l->description : NO_DESCRIPTION),
			.comment = g_strdup(COMMENT),
		};
		if (l->created_ns)
			moment_set(&e.created, l->created_ns);
		g_array_append_val(history, e);
	}
}

static void history_layer_times(GArray *history, const struct config_input *in)
{
	size_t layer = 0;
	for (guint i = 0; i < history->len; i++) {
		struct entry *e = HISTORY_AT(history, i);
		if (e->empty_layer)
			continue;
		if (!e->created.set && layer < in->n_layers && in->layers[layer].created_ns)
			moment_set(&e->created, in->layers[layer].created_ns);
		layer++;
	}
}

/*
 * Returns the first time after a gap, so that commands before the first new layer are not as old as the base image;
 * else the last time.
 */
static const struct moment *history_first_new(GArray *history)
{
	const struct moment *found = NULL;
	bool gap = false;
	for (guint i = 0; i < history->len; i++) {
		const struct moment *m = &HISTORY_AT(history, i)->created;
		if (!m->set) {
			gap = true;
			continue;
		}
		found = m;
		if (gap)
			break;
	}
	return found;
}

static void history_fill_times(GArray *history)
{
	const struct moment *current = history_first_new(history);
	bool gap = false;
	for (guint i = 0; i < history->len; i++) {
		struct moment *m = &HISTORY_AT(history, i)->created;
		if (m->set) {
			if (gap)
				current = m;
			continue;
		}
		gap = true;
		if (current)
			moment_copy(m, current);
	}
}

static bool entry_equal(const struct entry *a, const struct entry *b)
{
	return a->created.set == b->created.set && a->created.ns == b->created.ns &&
	       g_strcmp0(a->created_by, b->created_by) == 0 && g_strcmp0(a->author, b->author) == 0 &&
	       g_strcmp0(a->comment, b->comment) == 0 && a->empty_layer == b->empty_layer;
}

/* Lowers times to the epoch, except in entries of the base image. */
static void history_clamp(GArray *history, const GArray *base, int64_t limit_ns)
{
	bool diverged = false;
	for (guint i = 0; i < history->len; i++) {
		struct entry *e = HISTORY_AT(history, i);
		diverged = diverged || i >= base->len || !entry_equal(e, HISTORY_AT(base, i));
		if (diverged && (!e->created.set || e->created.ns > limit_ns))
			moment_set(&e->created, limit_ns);
	}
}

static void history_write(json_writer *w, const GArray *history)
{
	if (history->len == 0) {
		json_put_null(w);
		return;
	}
	json_array_begin(w);
	for (guint i = 0; i < history->len; i++) {
		const struct entry *e = HISTORY_AT(history, i);
		json_object_begin(w);
		json_put_string_member_nonempty(w, "created", e->created.text);
		json_put_string_member_nonempty(w, "created_by", e->created_by);
		json_put_string_member_nonempty(w, "author", e->author);
		json_put_string_member_nonempty(w, "comment", e->comment);
		json_put_bool_member_true(w, "empty_layer", e->empty_layer);
		json_object_end(w);
	}
	json_array_end(w);
}

/* ---- config */

static json_t *default_config(void)
{
	struct platform p;
	platform_host(&p);
	json_t *config = json_pack("{s:s, s:s, s:{s:[s], s:s}, s:{s:s, s:n}}", "architecture", p.architecture, "os",
				   p.os, "config", "Env", "PATH=" OCI_DEFAULT_PATH, "WorkingDir", "/", "rootfs", "type",
				   "layers", "diff_ids");
	if (p.variant[0])
		json_object_set_new(config, "variant", json_string(p.variant));
	return config;
}

static bool config_check(const json_t *config, GError **error)
{
	if (json_is_null(config))
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid null image config for export");
	if (!json_is_object(config))
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid image config for export: not an object");
	static const char *const needed[] = {"os", "architecture"};
	for (size_t i = 0; i < G_N_ELEMENTS(needed); i++) {
		const char *text = json_string_value(json_object_get(config, needed[i]));
		if (!text || !*text)
			return error_set(error, ERROR_INVALID_ARGUMENT, "invalid image config for export: missing %s",
					 needed[i]);
	}
	return true;
}

static void rootfs_write(json_writer *w, const struct config_input *in)
{
	json_object_begin(w);
	json_put_string_member(w, "type", "layers");
	json_key(w, "diff_ids");
	if (in->n_layers == 0) {
		json_put_null(w);
	} else {
		json_array_begin(w);
		for (size_t i = 0; i < in->n_layers; i++)
			json_put_string(w, in->layers[i].diff_id);
		json_array_end(w);
	}
	json_object_end(w);
}

static void member_write(json_writer *w, const char *key, const json_t *config, const GArray *history,
			 const struct moment *created, const struct config_input *in)
{
	json_key(w, key);
	if (g_str_equal(key, "rootfs"))
		rootfs_write(w, in);
	else if (g_str_equal(key, "history"))
		history_write(w, history);
	else if (g_str_equal(key, "created") && created && created->set)
		json_put_string(w, created->text);
	else if (g_str_equal(key, "created") && created)
		json_put_null(w);
	else if (g_str_equal(key, "moby.buildkit.cache.v0") && in->inline_cache)
		json_put_base64(w, in->inline_cache, strlen(in->inline_cache));
	else
		json_put_value(w, json_object_get(config, key), false);
}

static char *document_write(json_t *config, const GArray *history, const struct moment *created,
			    const struct config_input *in, size_t *ret_len)
{
	g_autoptr(GPtrArray) keys = g_ptr_array_new();
	static const char *const own[] = {"rootfs", "history", "created", "moby.buildkit.cache.v0"};
	for (size_t i = 0; i < G_N_ELEMENTS(own); i++)
		if (i < 3 || in->inline_cache)
			g_ptr_array_add(keys, (gpointer)own[i]);
	const char *key;
	json_t *value;
	json_object_foreach(config, key, value) if (!g_ptr_array_find_with_equal_func(keys, key, g_str_equal, NULL))
		g_ptr_array_add(keys, (gpointer)key);
	g_ptr_array_sort(keys, text_order);
	json_writer *w = json_writer_new(0);
	json_object_begin(w);
	for (guint i = 0; i < keys->len; i++)
		member_write(w, g_ptr_array_index(keys, i), config, history, created, in);
	json_object_end(w);
	return json_writer_take(&w, ret_len);
}

/* Determines "created": *ret_change is false if the value of the input is kept. */
static bool created_settle(const json_t *config, const GArray *history, const struct config_input *in,
			   struct moment *ret, bool *ret_change, GError **error)
{
	const json_t *said = json_object_get(config, "created");
	*ret_change = !said;
	if (!said) {
		for (guint i = 0; i < history->len; i++)
			if (HISTORY_AT(history, i)->created.set)
				moment_copy(ret, &HISTORY_AT(history, i)->created);
		return true;
	}
	if (!in->epoch_set)
		return true;
	struct moment own = {0};
	if (!moment_read(said, &own, error))
		return false;
	int64_t limit_ns = epoch_ns(in->epoch_s);
	*ret_change = own.set && own.ns > limit_ns;
	g_free(own.text);
	if (*ret_change)
		moment_set(ret, limit_ns);
	return true;
}

static json_t *config_read(GBytes *bytes, const char *what, GError **error)
{
	gsize n;
	const void *data = g_bytes_get_data(bytes, &n);
	return json_read(data, n, LIMIT_CONFIG_BYTES, what, error);
}

char *config_write(const struct config_input *in, size_t *ret_len, GError **error)
{
	bool is_given = in->config && g_bytes_get_size(in->config) > 0;
	g_autoptr(json_t) config =
		is_given ? config_read(in->config, "image config for export", error) : default_config();
	g_autoptr(GArray) history = history_new();
	g_autoptr(GArray) base_history = history_new();
	if (!config || !config_check(config, error) || !history_read(config, history, error))
		return NULL;
	if (in->base && g_bytes_get_size(in->base) > 0) {
		g_autoptr(json_t) base = config_read(in->base, "base image config", error);
		if (!base || !history_read(base, base_history, error))
			return NULL;
	}
	history_count(history, in);
	history_layer_times(history, in);
	history_fill_times(history);
	if (in->epoch_set)
		history_clamp(history, base_history, epoch_ns(in->epoch_s));
	struct moment created = {0};
	bool change;
	if (!created_settle(config, history, in, &created, &change, error))
		return NULL;
	char *text = document_write(config, history, change ? &created : NULL, in, ret_len);
	g_free(created.text);
	return text;
}
