/* SPDX-License-Identifier: Apache-2.0 */
#include "export/annotations.h"
#include "format/platform.h"
#include <string.h>

static const char *const kind_names[ANNOTATION_KINDS] = {"manifest", "manifest-descriptor", "index",
							 "index-descriptor"};

struct annotation {
	enum annotation_kind kind;
	char *platform; /* "" for all platforms */
	char *key, *value;
};
struct annotation_group {
	GPtrArray *list; /* element type: struct annotation *; later ones replace earlier ones */
};

static void annotation_free(gpointer data)
{
	struct annotation *a = data;
	g_free(a->platform);
	g_free(a->key);
	g_free(a->value);
	g_free(a);
}

annotation_group *annotation_group_new(void)
{
	annotation_group *g = g_new0(annotation_group, 1);
	g->list = g_ptr_array_new_with_free_func(annotation_free);
	return g;
}

void annotation_group_free(annotation_group *g)
{
	if (!g)
		return;
	g_ptr_array_unref(g->list);
	g_free(g);
}

/* Returns the three groups of the regular expression for the key; type and platform are owned, "" if missing. */
static bool key_split(const char *text, char **ret_type, char **ret_platform, const char **ret_key)
{
	if (!g_str_has_prefix(text, "annotation"))
		return false;
	const char *p = text + strlen("annotation"), *type = p, *platform = p;
	size_t n_type = 0, n_platform = 0;
	if (*p == '-') {
		type = p + 1;
		n_type = strspn(type, "abcdefghijklmnopqrstuvwxyz-");
		p = type + n_type;
		if (n_type == 0)
			return false;
	}
	if (*p == '[') {
		platform = p + 1;
		n_platform = strspn(platform, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "_/-");
		p = platform + n_platform;
		if (n_platform == 0 || *p++ != ']')
			return false;
	}
	if (*p != '.' || !p[1] || p[1 + strcspn(p + 1, " \t\n\f\r")])
		return false;
	*ret_type = g_strndup(type, n_type);
	*ret_platform = g_strndup(platform, n_platform);
	*ret_key = p + 1;
	return true;
}

bool annotation_group_add(annotation_group *g, const char *key, const char *value, bool *ret_is_annotation,
			  GError **error)
{
	g_autofree char *type = NULL, *platform = NULL, *id = NULL;
	const char *name;
	*ret_is_annotation = key_split(key, &type, &platform, &name);
	if (!*ret_is_annotation)
		return true;
	int kind = *type ? -1 : ANNOTATION_MANIFEST;
	for (int i = 0; i < ANNOTATION_KINDS; i++)
		if (g_str_equal(type, kind_names[i]))
			kind = i;
	if (kind < 0)
		return error_set(error, ERROR_INVALID_ARGUMENT, "unrecognized annotation type %s", type);
	if (*platform) {
		struct platform p;
		if (!platform_parse(platform, &p, error))
			return false;
		id = platform_format_all(&p);
	}
	struct annotation *a = g_new0(struct annotation, 1);
	*a = (struct annotation){(enum annotation_kind)kind, g_strdup(id ? id : ""), g_strdup(name), g_strdup(value)};
	g_ptr_array_add(g->list, a);
	return true;
}

/* Two passes: annotations for the platform replace those for all platforms. */
GHashTable *annotation_group_get(const annotation_group *g, enum annotation_kind kind, const char *platform_id)
{
	GHashTable *found = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	bool any_platform = kind == ANNOTATION_INDEX || kind == ANNOTATION_INDEX_DESCRIPTOR;
	for (int pass = 0; pass < 2; pass++) {
		for (guint i = 0; i < g->list->len; i++) {
			const struct annotation *a = g_ptr_array_index(g->list, i);
			bool for_all = any_platform || !*a->platform;
			bool fits =
				pass == 0 ? for_all : !for_all && platform_id && g_str_equal(a->platform, platform_id);
			if (a->kind == kind && fits)
				g_hash_table_replace(found, g_strdup(a->key), g_strdup(a->value));
		}
	}
	if (g_hash_table_size(found) == 0)
		g_clear_pointer(&found, g_hash_table_unref);
	return found;
}

const char **annotation_group_platforms(const annotation_group *g)
{
	GPtrArray *ids = g_ptr_array_new();
	for (guint i = 0; i < g->list->len; i++) {
		const struct annotation *a = g_ptr_array_index(g->list, i);
		if (*a->platform)
			g_ptr_array_add(ids, a->platform);
	}
	g_ptr_array_add(ids, NULL);
	return (const char **)g_ptr_array_free(ids, FALSE);
}
