/* SPDX-License-Identifier: Apache-2.0 */
#include "export/exporter.h"
#include "export/push.h"
#include "export/store.h"
#include <string.h>

/*
 * Without an image store (OCI worker), the options store, unpack and name-canonical are accepted and have no effect, as
 * in upstream. The image is then kept in the blob store while something refers to it, and is pushed from there.
 */
struct image_exporter {
	struct exporter_context context;
	struct image_options options;
	bool push, push_by_digest, insecure, unpack, store, name_canonical, dangling_empty_only, allow_incomplete;
	char *dangling_prefix; /* owned or NULL */
	image_tree *tree;      /* owned; images that finish pushes */
	char **names;          /* owned; names to push them to */
};

static void image_free(void *self)
{
	struct image_exporter *e = self;
	image_options_clear(&e->options);
	g_free(e->dangling_prefix);
	image_tree_free(e->tree);
	g_strfreev(e->names);
	g_free(e);
}

static bool attributes_take(struct image_exporter *e, GError **error)
{
	const struct {
		const char *key;
		bool *value;
	} bools[] = {
		{"push", &e->push},
		{"push-by-digest", &e->push_by_digest},
		{"registry.insecure", &e->insecure},
		{"unpack", &e->unpack},
		{"store", &e->store},
		{"name-canonical", &e->name_canonical},
		{"danging-name-empty-only", &e->dangling_empty_only}, /* misspelt by upstream */
		{"unsafe-internal-store-allow-incomplete", &e->allow_incomplete},
	};
	for (size_t i = 0; i < G_N_ELEMENTS(bools); i++)
		if (!image_options_take_bool(&e->options, bools[i].key, bools[i].value, error))
			return false;
	e->dangling_prefix = image_options_take(&e->options, "dangling-name-prefix");
	return true;
}

static bool stores(const struct image_exporter *e)
{
	return e->context.images && e->store;
}

static struct push_options push_options_of(const struct image_exporter *e)
{
	return (struct push_options){.by_digest = e->push_by_digest, .insecure = e->insecure};
}

/* Validates names that are given; names from the frontend are validated when they are known. */
static bool names_check(const struct image_exporter *e, GError **error)
{
	const struct push_options options = push_options_of(e);
	bool dangling = e->dangling_prefix && *e->dangling_prefix;
	if (!e->push || g_str_equal(e->options.name, "*"))
		return true;
	if (!*e->options.name && !dangling)
		return error_set(error, ERROR_INVALID_ARGUMENT,
				 "exporter option \"push=true\" needs the option \"name\"");
	g_auto(GStrv) names = g_strsplit(e->options.name, ",", -1);
	for (char **name = names; *name; name++) {
		if (push_check_name(*name, &options, error))
			continue;
		return error_prefix(error, "failed to push %s: ", *name);
	}
	return true;
}

/* Validates everything that does not depend on the result. */
static bool request_check(const struct image_exporter *e, GError **error)
{
	if (stores(e) && e->unpack && e->options.rewrite_timestamp)
		return error_set(error, ERROR_UNKNOWN,
				 "exporter option \"rewrite-timestamp\" conflicts with \"unpack\"");
	return names_check(e, error) &&
	       image_options_check_compat(&e->options, e->context.compat_version, "image", error);
}

static void *image_open(const struct exporter_context *context, const char *type, GHashTable *attrs, GError **error)
{
	struct image_exporter *e = g_new0(struct image_exporter, 1);
	e->context = *context;
	e->store = true;
	if (!image_options_load(&e->options, attrs, error) || !attributes_take(e, error) || !request_check(e, error)) {
		image_free(e);
		return NULL;
	}
	return e;
}

/* Returns the names of this export: given ones, the frontend's ("*"), and the dangling name. */
static char *names_of(const struct image_exporter *e, GHashTable *metadata, const image_tree *tree)
{
	g_autofree char *name = export_names(&e->options, metadata);
	if (!e->dangling_prefix || !*e->dangling_prefix || (e->dangling_empty_only && *name))
		return g_steal_pointer(&name);
	return g_strconcat(name, *name ? "," : "", e->dangling_prefix, "@", tree->root->digest.text, NULL);
}

static bool store(struct image_exporter *e, const image_tree *tree, const char *names, struct work *work,
		  GError **error)
{
	const struct store_options options = {
		.canonical = e->name_canonical,
		.unpack = e->unpack,
		.has_epoch = e->options.epoch_set,
		.epoch_s = e->options.epoch_s,
	};
	g_auto(GStrv) list = g_strsplit(names, ",", -1);
	return store_image(&e->context, tree, list, &options, work, error);
}

static bool image_export(void *self, const struct export_input *input, struct work *work, GHashTable *response,
			 bool *ret_has_finish, GError **error)
{
	struct image_exporter *e = self;
	g_autoptr(GHashTable) metadata = export_metadata(input, e->options.rest);
	if (!export_options_settle(&e->options, &e->context, input, metadata, false, error))
		return false;
	g_autofree char *named = export_names(&e->options, metadata);
	if (e->options.inline_attestations < 0)
		e->options.inline_attestations = true;
	struct image_write_input in = {
		.context = &e->context,
		.type = "image",
		.input = input,
		.metadata = metadata,
		.options = &e->options,
		.names = named,
		.fetch = stores(e) && (*e->options.name || e->dangling_prefix) && (e->unpack || !e->allow_incomplete),
	};
	g_autoptr(image_tree) tree = image_write(&in, work, error);
	if (!tree)
		return false;
	g_autofree char *names = names_of(e, metadata, tree);
	if (*names)
		g_hash_table_replace(response, g_strdup("image.name"), g_strdup(names));
	if (*names && stores(e) && !store(e, tree, names, work, error))
		return false;
	export_respond(tree, response);
	export_keep(tree, input->kept);
	if (*names && e->push) {
		g_strfreev(e->names);
		e->names = g_strsplit(names, ",", -1);
		image_tree_free(e->tree);
		e->tree = g_steal_pointer(&tree);
		*ret_has_finish = true;
	}
	return true;
}

static bool image_finish(void *self, struct work *work, GError **error)
{
	struct image_exporter *e = self;
	const struct push_options options = push_options_of(e);
	for (char **name = e->names; name && *name; name++) {
		if (!push_image(&e->context, e->tree, *name, &options, work, error))
			return error_prefix(error, "failed to push %s: ", *name);
	}
	return true;
}

const struct exporter_class exporter_image_class = {
	.type = "image",
	.vertex_name = "exporting to image",
	.open = image_open,
	.export = image_export,
	.finish = image_finish,
	.free = image_free,
};
