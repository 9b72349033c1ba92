/* SPDX-License-Identifier: Apache-2.0 */
/* Lists the entries that a selector matches, with the digests that a preceding checksum computed. */
#include <string.h>
#include "cache/content_scan.h"
#include "cache/content_state.h"

void cache_content_entry_free(void *data)
{
	struct cache_content_entry *e = data;
	g_free(e->path);
	g_free(e);
}

static void add(GPtrArray *ret, const char *path, const struct content_node *n)
{
	struct cache_content_entry *e = g_new(struct cache_content_entry, 1);
	e->path = n->type == CONTENT_DIR ? g_strconcat(path, "/", NULL) : g_strdup(path);
	memcpy(&e->digest, n->digest, sizeof e->digest);
	g_ptr_array_add(ret, e);
}

static bool list_below(struct content_node *top, guint max, GPtrArray *ret)
{
	g_autoptr(GString) path = g_string_new(NULL);
	for (struct content_node *n = top; n; n = content_node_next(n, top, true)) {
		if (ret->len == max)
			return false;
		g_string_truncate(path, 0);
		content_node_path(n, path);
		add(ret, path->str, n);
	}
	return true;
}

static bool list_selected(const GPtrArray *nodes, guint max, GPtrArray *ret)
{
	g_autoptr(GString) path = g_string_new(NULL);
	for (guint i = 0; i < nodes->len; i++) {
		if (ret->len == max)
			return false;
		g_string_truncate(path, 0);
		content_node_path(nodes->pdata[i], path);
		add(ret, path->str, nodes->pdata[i]);
	}
	return true;
}

/* The digests exist: the preceding checksum computed them. */
static bool list(struct content_session *s, content_tree *t, const struct cache_selector *selector, guint max,
		 GPtrArray *ret, bool *ret_all, GError **error)
{
	bool filtered = selector->wildcard || (selector->include && *selector->include) ||
			(selector->exclude && *selector->exclude);
	if (filtered) {
		g_autoptr(GPtrArray) nodes = g_ptr_array_new();
		if (!content_select_nodes(s, t, selector, nodes, error))
			return false;
		*ret_all = list_selected(nodes, max, ret);
		return true;
	}
	struct content_node *top;
	struct digest ignored;
	g_autofree char *key = content_clean(selector->path);
	if (!content_sum_path(s, t, key, selector->follow_links, &ignored, error) ||
	    !content_resolve(s, t->root, key, selector->follow_links, &top, error))
		return false;
	*ret_all = !top || list_below(top, max, ret);
	return true;
}

bool content_tree_list(content_tree *t, const struct content_source *source, const struct cache_selector *selector,
		       cancel *c, guint max, GPtrArray *ret, bool *ret_all, GError **error)
{
	struct content_session s = {.source = source, .root_fd = -1, .cancel = c};
	g_mutex_lock(&t->mu);
	bool ok = list(&s, t, selector, max, ret, ret_all, error);
	t->dirty |= s.changed;
	g_mutex_unlock(&t->mu);
	content_session_done(&s);
	return ok;
}
