/* SPDX-License-Identifier: Apache-2.0 */
/* Lists the entries that a selector matches, with the digests that a preceding checksum computed. */
#include <string.h>
#include "contenthash/scan.h"
#include "contenthash/state.h"

void contenthash_entry_free(void *data)
{
	struct contenthash_entry *e = data;
	g_free(e->path);
	g_free(e);
}

static void add(GPtrArray *ret, const char *path, const struct contenthash_node *n)
{
	struct contenthash_entry *e = g_new(struct contenthash_entry, 1);
	e->path = n->type == CONTENT_DIR ? g_strconcat(path, "/", NULL) : g_strdup(path);
	memcpy(&e->digest, n->digest, sizeof e->digest);
	g_ptr_array_add(ret, e);
}

static bool list_below(struct contenthash_node *top, guint max, GPtrArray *ret)
{
	g_autoptr(GString) path = g_string_new(NULL);
	for (struct contenthash_node *n = top; n; n = contenthash_node_next(n, top, true)) {
		if (ret->len == max)
			return false;
		g_string_truncate(path, 0);
		contenthash_node_path(n, path);
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
		contenthash_node_path(nodes->pdata[i], path);
		add(ret, path->str, nodes->pdata[i]);
	}
	return true;
}

/* The digests exist: the preceding checksum computed them. */
static bool list(struct contenthash_session *s, contenthash *t, const struct contenthash_selector *selector, guint max,
		 GPtrArray *ret, bool *ret_all, GError **error)
{
	bool filtered = selector->wildcard || (selector->include && *selector->include) ||
			(selector->exclude && *selector->exclude);
	if (filtered) {
		g_autoptr(GPtrArray) nodes = g_ptr_array_new();
		if (!contenthash_select_nodes(s, t, selector, nodes, error))
			return false;
		*ret_all = list_selected(nodes, max, ret);
		return true;
	}
	struct contenthash_node *top;
	struct digest ignored;
	g_autofree char *key = contenthash_clean(selector->path);
	if (!contenthash_sum_path(s, t, key, selector->follow_links, &ignored, error) ||
	    !contenthash_resolve(s, t->root, key, selector->follow_links, &top, error))
		return false;
	*ret_all = !top || list_below(top, max, ret);
	return true;
}

bool contenthash_list(contenthash *t, const struct contenthash_source *source,
		      const struct contenthash_selector *selector, cancel *c, guint max, GPtrArray *ret, bool *ret_all,
		      GError **error)
{
	struct contenthash_session s = {.source = source, .root_fd = -1, .cancel = c};
	g_mutex_lock(&t->mu);
	bool ok = list(&s, t, selector, max, ret, ret_all, error);
	t->dirty |= s.changed;
	g_mutex_unlock(&t->mu);
	contenthash_session_done(&s);
	return ok;
}
