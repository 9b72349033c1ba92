/* SPDX-License-Identifier: Apache-2.0 */
#include "provenance/capture.h"
#include "base/hash_walk.h"
#include "format/reference.h"
#include "format/url_redact.h"
#include <string.h>

static void source_free(gpointer data)
{
	struct provenance_source *s = data;
	g_free(s->name);
	g_free(s->pin);
	g_free(s->bundle);
	g_free(s);
}

static void id_free(gpointer data)
{
	g_free(((struct provenance_id *)data)->id);
	g_free(data);
}

static void untracked_free(gpointer data)
{
	struct provenance_untracked *u = data;
	g_free(u->op);
	g_free(u->name);
	g_free(u->method);
	g_free(u->uri);
	g_free(u);
}

provenance_capture *provenance_capture_new(void)
{
	provenance_capture *c = g_new0(provenance_capture, 1);
	for (size_t i = 0; i < SOURCE_MATERIAL_COUNT; i++)
		c->sources[i] = g_ptr_array_new_with_free_func(source_free);
	c->secrets = g_ptr_array_new_with_free_func(id_free);
	c->ssh = g_ptr_array_new_with_free_func(id_free);
	c->usages = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)step_usage_unref);
	c->untracked = g_ptr_array_new_with_free_func(untracked_free);
	return c;
}

static void request_clear(struct provenance_request *r)
{
	g_clear_pointer(&r->frontend, g_free);
	g_clear_pointer(&r->args, g_hash_table_unref);
	g_clear_pointer(&r->inputs, g_hash_table_unref);
}

void provenance_capture_free(provenance_capture *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < SOURCE_MATERIAL_COUNT; i++)
		g_ptr_array_unref(c->sources[i]);
	g_ptr_array_unref(c->secrets);
	g_ptr_array_unref(c->ssh);
	g_hash_table_unref(c->usages);
	g_ptr_array_unref(c->untracked);
	request_clear(&c->request);
	request_clear(&c->root);
	g_free(c);
}

/* ---- additions */

/* Images are compared with their platforms; os.features do not distinguish images of an index. */
static bool same_source(const struct provenance_source *a, const struct provenance_source *b)
{
	if (strcmp(a->name, b->name) != 0 || a->is_local != b->is_local || a->has_platform != b->has_platform ||
	    g_strcmp0(a->bundle, b->bundle) != 0)
		return false;
	return !a->has_platform || (strcmp(a->platform.os, b->platform.os) == 0 &&
				    strcmp(a->platform.architecture, b->platform.architecture) == 0 &&
				    strcmp(a->platform.variant, b->platform.variant) == 0 &&
				    strcmp(a->platform.os_version, b->platform.os_version) == 0);
}

void provenance_capture_add_source(provenance_capture *c, enum source_material kind,
				   const struct provenance_source *source)
{
	struct provenance_source one = *source;
	bool is_address = kind == SOURCE_MATERIAL_GIT || kind == SOURCE_MATERIAL_HTTP;
	g_autofree char *name = is_address ? url_redact(source->name) : g_strdup(source->name);
	one.name = name;
	for (guint i = 0; i < c->sources[kind]->len; i++)
		if (same_source(c->sources[kind]->pdata[i], &one))
			return;
	struct provenance_source *added = g_memdup2(&one, sizeof one);
	added->name = g_steal_pointer(&name);
	added->pin = g_strdup(source->pin);
	added->bundle = g_strdup(source->bundle);
	added->platform.os_features = NULL;
	g_ptr_array_add(c->sources[kind], added);
}

/* A secret is optional only if all its uses are. */
static void add_id(GPtrArray *list, const char *id, bool optional)
{
	for (guint i = 0; i < list->len; i++) {
		struct provenance_id *have = list->pdata[i];
		if (strcmp(have->id, id) != 0)
			continue;
		have->optional = have->optional && optional;
		return;
	}
	struct provenance_id *added = g_new0(struct provenance_id, 1);
	*added = (struct provenance_id){g_strdup(id), optional};
	g_ptr_array_add(list, added);
}

void provenance_capture_add_secret(provenance_capture *c, const char *id, bool optional)
{
	add_id(c->secrets, id, optional);
}

void provenance_capture_add_ssh(provenance_capture *c, const char *id, bool optional)
{
	add_id(c->ssh, *id ? id : "default", optional);
}

void provenance_capture_add_untracked(provenance_capture *c, const struct provenance_untracked *request)
{
	struct provenance_untracked *u = g_new0(struct provenance_untracked, 1);
	*u = (struct provenance_untracked){g_strdup(request->op), g_strdup(request->name), g_strdup(request->method),
					   g_strdup(request->uri), request->reason};
	g_ptr_array_add(c->untracked, u);
}

void provenance_capture_add_usage(provenance_capture *c, const char *digest, step_usage *usage)
{
	g_hash_table_replace(c->usages, g_strdup(digest), step_usage_ref(usage));
}

void provenance_capture_merge(provenance_capture *c, const provenance_capture *from)
{
	for (size_t kind = 0; kind < SOURCE_MATERIAL_COUNT; kind++)
		for (guint i = 0; i < from->sources[kind]->len; i++)
			provenance_capture_add_source(c, (enum source_material)kind, from->sources[kind]->pdata[i]);
	for (guint i = 0; i < from->secrets->len; i++) {
		const struct provenance_id *s = from->secrets->pdata[i];
		add_id(c->secrets, s->id, s->optional);
	}
	for (guint i = 0; i < from->ssh->len; i++) {
		const struct provenance_id *s = from->ssh->pdata[i];
		add_id(c->ssh, s->id, s->optional);
	}
	for (struct hash_walk it = hash_walk(from->usages); hash_walk_next(&it);)
		provenance_capture_add_usage(c, it.key, it.value);
	for (guint i = 0; i < from->untracked->len; i++)
		provenance_capture_add_untracked(c, from->untracked->pdata[i]);
	c->network |= from->network;
	c->proxy |= from->proxy;
	c->incomplete |= from->incomplete;
}

/* ---- order */

static int by_name(const void *a, const void *b)
{
	const struct provenance_source *const *x = a, *const *y = b;
	int order = strcmp((*x)->name, (*y)->name);
	if (order != 0 || !(*x)->has_platform || !(*y)->has_platform)
		return order;
	return strcmp((*x)->platform.architecture, (*y)->platform.architecture);
}

static int by_id(const void *a, const void *b)
{
	return strcmp((*(const struct provenance_id *const *)a)->id, (*(const struct provenance_id *const *)b)->id);
}

static int by_step_and_uri(const void *a, const void *b)
{
	const struct provenance_untracked *const *x = a, *const *y = b;
	int order = strcmp((*x)->op, (*y)->op);
	if (order == 0)
		order = strcmp((*x)->uri, (*y)->uri);
	if (order == 0)
		order = strcmp((*x)->method, (*y)->method);
	return order != 0 ? order : strcmp((*x)->reason, (*y)->reason);
}

static char *name_and_tag(const reference *r)
{
	g_autofree char *name = reference_name(r);
	return g_strconcat(name, ":", r->tag ? r->tag : "latest", NULL);
}

static void drop_digests_beside_tags(GPtrArray *images)
{
	g_autoptr(GHashTable) tagged = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	for (guint i = 0; i < images->len; i++) {
		g_autoptr(reference) r =
			reference_parse_normalized(((struct provenance_source *)images->pdata[i])->name, NULL);
		if (r && !r->digest)
			g_hash_table_add(tagged, name_and_tag(r));
	}
	for (guint i = images->len; i-- > 0;) {
		g_autoptr(reference) r =
			reference_parse_normalized(((struct provenance_source *)images->pdata[i])->name, NULL);
		g_autofree char *name = r && r->digest ? name_and_tag(r) : NULL;
		if (name && g_hash_table_contains(tagged, name))
			g_ptr_array_remove_index(images, i);
	}
}

void provenance_capture_settle(provenance_capture *c)
{
	drop_digests_beside_tags(c->sources[SOURCE_MATERIAL_IMAGE]);
	for (size_t i = 0; i < SOURCE_MATERIAL_COUNT; i++)
		g_ptr_array_sort(c->sources[i], by_name);
	g_ptr_array_sort(c->secrets, by_id);
	g_ptr_array_sort(c->ssh, by_id);
	g_ptr_array_sort(c->untracked, by_step_and_uri);
}

/* ---- options */

GHashTable *provenance_args(GHashTable *options)
{
	static const char *const of_this_machine[] = {"cgroup-parent", "image-resolve-mode", "platform",
						      "cache-imports", NULL};
	GHashTable *args = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	const char *context = g_hash_table_lookup(options, "contextkey");
	for (struct hash_walk it = hash_walk(options); hash_walk_next(&it);) {
		if (g_strv_contains(of_this_machine, it.key) || g_str_has_prefix(it.key, "attest:"))
			continue;
		bool is_context = strcmp(it.key, context && *context ? context : "context") == 0 ||
				  strcmp(it.key, "context") == 0 || g_str_has_prefix(it.key, "context:") ||
				  g_str_has_prefix(it.key, "input:");
		bool is_address = is_context || strcmp(it.key, "vcs:source") == 0;
		g_hash_table_insert(args, g_strdup(it.key), is_address ? url_redact(it.value) : g_strdup(it.value));
	}
	return args;
}
