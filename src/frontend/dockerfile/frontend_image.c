/* SPDX-License-Identifier: Apache-2.0 */
#include "frontend/dockerfile/frontend_image.h"
#include "api/guard.h"
#include "format/reference.h"
#include "frontend/dockerfile/convert_shared.h"
#include <string.h>

/* A conversion without a Dockerfile, in which named contexts can be loaded. */
struct lookup {
	arena *a;
	struct options options;
	context *x;
	struct source_file file;
	convert *c;
};

static bool lookup_init(struct lookup *l, bridge *b, GHashTable *options, GHashTable *inputs, struct work *work,
			GError **error)
{
	size_t n = 0;
	const struct platform *platforms = b->class->platforms ? b->class->platforms(b, &n) : NULL;
	l->a = arena_new();
	l->file.name = "";
	if (!options_read(l->a, options, platforms, n, &l->options, error))
		return false;
	l->options.resolve_mode = "";
	l->x = context_new_without_main(b, &l->options, inputs, work);
	l->c = convert_new(l->x, &l->file, NULL);
	return true;
}

static char **strv_of(const struct vec *v)
{
	char **list = g_new0(char *, v->n + 1);
	for (size_t i = 0; i < v->n; i++)
		list[i] = g_strdup(v->items[i]);
	return list;
}

static void take_config(const struct image_config *c, struct frontend_image *ret)
{
	ret->labels = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	if (!c) {
		ret->env = g_new0(char *, 1);
		ret->working_dir = g_strdup("");
		return;
	}
	ret->env = strv_of(&c->env);
	ret->working_dir = g_strdup(c->working_dir);
	ret->entrypoint = c->entrypoint.n > 0 ? strv_of(&c->entrypoint) : NULL;
	for (size_t i = 0; i < c->labels.n; i++) {
		const struct pair *label = c->labels.items[i];
		g_hash_table_insert(ret->labels, g_strdup(label->key), g_strdup(label->value));
	}
}

bool frontend_image_read_config(struct frontend_image *ret, const void *bytes, size_t n, GError **error)
{
	g_autoptr(arena) a = arena_new();
	const struct image_config *config = image_config_read(a, bytes, n, error);
	if (config)
		take_config(config, ret);
	return config;
}

static bool find_context(struct lookup *l, const char *value, const char *name, struct frontend_image *ret,
			 GError **error)
{
	convert *c = l->c;
	struct state state;
	struct image_config *config = NULL;
	struct stage *stage = arena_make(c->arena, struct stage);
	*stage = (struct stage){.paths = convert_table(c)};
	arena_push(c->arena, &c->stages, stage);
	if (!named_context_load(c, stage, value, name, NULL, &state, &config, error))
		return false;
	named_contexts_finish(c);
	ret->definition = llb_marshal(c->graph, state.out);
	take_config(config, ret);
	return true;
}

static bool find_image(struct lookup *l, const char *source, struct frontend_image *ret, GError **error)
{
	static const char *const attrs[] = {"image.recordtype", "frontend", NULL};
	convert *c = l->c;
	g_autoptr(reference) ref = reference_parse_normalized(source, error);
	if (!ref)
		return false;
	reference_tag_default(ref);
	g_autofree char *text = reference_text(ref);
	struct bridge_image_request request = {.ref = text, .resolve_mode = ""};
	struct context_image found;
	if (!context_resolve_image(l->x, &request, &found, error))
		return false;
	g_autoptr(reference) resolved = reference_parse_normalized(found.ref, error);
	size_t n = 0;
	const void *bytes = found.config ? g_bytes_get_data(found.config, &n) : "";
	if (!resolved || !frontend_image_read_config(ret, bytes, n, error))
		return false;
	g_strlcpy(ret->digest, found.digest, sizeof ret->digest);
	if (*found.digest) {
		g_free(resolved->digest);
		resolved->digest = g_strdup(found.digest);
	}
	g_autofree char *exact = reference_text(resolved);
	struct llb_meta meta = LLB_META_INIT;
	ret->definition = llb_marshal(
		c->graph, llb_source(c->graph, arena_printf(c->arena, "docker-image://%s", exact), attrs, &meta));
	return true;
}

bool frontend_image_find(bridge *b, GHashTable *options, GHashTable *inputs, const char *source, struct work *work,
			 struct frontend_image *ret, GError **error)
{
	struct lookup l = {0};
	const char *value = NULL, *name = NULL;
	*ret = (struct frontend_image){0};
	bool ok = lookup_init(&l, b, options, inputs, work, error) &&
		  named_context_find(l.c, source, NULL, &value, &name, error) &&
		  (value ? find_context(&l, value, name, ret, error) : find_image(&l, source, ret, error));
	convert_free(l.c);
	context_free(l.x);
	options_clear(&l.options);
	arena_free(l.a);
	if (!ok)
		frontend_image_clear(ret);
	return ok;
}

void frontend_image_clear(struct frontend_image *image)
{
	guard_free(image->definition);
	g_strfreev(image->entrypoint);
	g_strfreev(image->env);
	g_free(image->working_dir);
	g_clear_pointer(&image->labels, g_hash_table_unref);
	*image = (struct frontend_image){0};
}

bool frontend_image_has_context(GHashTable *options, const char *source)
{
	struct platform p;
	g_autoptr(reference) ref = reference_parse_normalized(source, NULL);
	if (!ref)
		return false;
	platform_host(&p);
	g_auto(GStrv) names = named_context_names(ref, &p);
	for (size_t i = 0; names[i]; i++) {
		g_autofree char *key = g_strconcat("context:", names[i], NULL);
		if (g_hash_table_contains(options, key))
			return true;
	}
	return false;
}
