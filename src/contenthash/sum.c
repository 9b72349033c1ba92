/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include "base/scope.h"
#include "contenthash/scan.h"
#include "contenthash/state.h"
#include "format/gotype.h"
#include "os/path.h"

#define MAX_LINKS 255
#define MAX_PATH_BYTES (1 << 20)

char *contenthash_clean(const char *path)
{
	char *clean_path = path_join("/", path);
	if (strcmp(clean_path, "/") == 0)
		*clean_path = '\0';
	return clean_path;
}

bool contenthash_not_found(const char *path, GError **error)
{
	g_autofree char *quoted = go_quote(path);
	return error_set(error, ERROR_NOT_FOUND, "%s: not found", quoted);
}

/* ---- from a path to a node; links are resolved inside the tree */
struct resolution {
	struct contenthash_node *at;
	unsigned missing; /* number of components beyond at that do not exist */
	unsigned links;
	GString *rest;
	size_t pos;
};

static bool step(struct contenthash_session *s, struct resolution *r, const char *name, size_t len, GError **error)
{
	if (len == 0 || (len == 1 && name[0] == '.'))
		return true;
	if (len == 2 && memcmp(name, "..", 2) == 0) {
		if (r->missing > 0)
			r->missing--;
		else if (r->at->parent)
			r->at = r->at->parent;
		return true;
	}
	if (r->missing > 0 || r->at->type != CONTENT_DIR) {
		r->missing++;
		return true;
	}
	struct contenthash_node *next = contenthash_node_child(r->at, name, len);
	if (!next && !(r->at->flags & CONTENT_LISTED)) {
		if (!contenthash_list_directory(s, r->at, error))
			return false;
		next = contenthash_node_child(r->at, name, len);
	}
	if (next)
		r->at = next;
	else
		r->missing++;
	return true;
}

/* Inserts a link's target before the rest of the path. */
static bool expand(struct contenthash_session *s, struct resolution *r, struct contenthash_node *root, GError **error)
{
	struct contenthash_node *link = r->at;
	if (++r->links > MAX_LINKS)
		return error_set(error, ERROR_UNKNOWN, "too many links");
	if (!contenthash_read_link(s, link, error))
		return false;
	g_string_erase(r->rest, 0, (gssize)r->pos);
	r->pos = 0;
	if (r->rest->len > MAX_PATH_BYTES)
		return error_set(error, ERROR_UNKNOWN, "too many links");
	g_string_prepend_c(r->rest, '/');
	g_string_prepend(r->rest, link->link);
	r->at = link->link[0] == '/' ? root : link->parent;
	return true;
}

bool contenthash_resolve(struct contenthash_session *s, struct contenthash_node *root, const char *path, bool follow,
			 struct contenthash_node **ret, GError **error)
{
	g_autoptr(GString) rest = g_string_new(path);
	struct resolution r = {.at = root, .rest = rest};
	while (r.pos < rest->len) {
		const char *name = rest->str + r.pos;
		size_t len = strcspn(name, "/");
		r.pos += len;
		bool last = r.pos + strspn(rest->str + r.pos, "/") == rest->len;
		r.pos += r.pos < rest->len;
		if (!step(s, &r, name, len, error))
			return false;
		if (r.missing > 0 || r.at->type != CONTENT_LINK)
			continue;
		if (last && !follow)
			break;
		if (!expand(s, &r, root, error))
			return false;
	}
	*ret = r.missing > 0 ? NULL : r.at;
	return true;
}

/* ---- digests of whole entries */
static void join_children(hasher *h, struct contenthash_node *dir)
{
	hasher_reset(h);
	hasher_update(h, "\0", 1);
	raw_digest_feed(h, dir->digest);
	for (uint32_t i = 0; i < dir->n_children; i++) {
		const struct contenthash_node *n = dir->children[i];
		hasher_update(h, "\0", 1);
		hasher_update(h, n->name, n->name_len);
		raw_digest_feed(h, n->type == CONTENT_DIR ? n->content : n->digest);
	}
	raw_digest_finish(h, dir->content);
	dir->flags |= CONTENT_HAS_CONTENT;
}

static GPtrArray *nodes_below(struct contenthash_node *top, bool directories_only)
{
	GPtrArray *nodes = g_ptr_array_new();
	for (struct contenthash_node *n = top; n;) {
		bool known = n->type == CONTENT_DIR && (n->flags & CONTENT_HAS_CONTENT);
		if (!known && (!directories_only || n->type == CONTENT_DIR))
			g_ptr_array_add(nodes, n);
		n = contenthash_node_next(n, top, !known);
	}
	return nodes;
}

static bool sum_directory(struct contenthash_session *s, hasher *h, struct contenthash_node *top, GError **error)
{
	if (top->flags & CONTENT_HAS_CONTENT)
		return true;
	if (!contenthash_list_below(s, top, error))
		return false;
	g_autoptr(GPtrArray) nodes = nodes_below(top, false);
	if (!contenthash_hash(s, nodes, error))
		return false;
	/* Children come after their parents: walking backwards, the children of each directory are done first. */
	g_autoptr(GPtrArray) directories = nodes_below(top, true);
	for (guint i = directories->len; i > 0; i--)
		join_children(h, directories->pdata[i - 1]);
	s->changed = true;
	return true;
}

static bool sum_node(struct contenthash_session *s, hasher *h, struct contenthash_node *n, struct digest *ret,
		     GError **error)
{
	if (n->type == CONTENT_DIR) {
		if (!sum_directory(s, h, n, error))
			return false;
		raw_digest_text(n->content, ret);
		return true;
	}
	g_autoptr(GPtrArray) one = g_ptr_array_new();
	g_ptr_array_add(one, n);
	if (!contenthash_hash(s, one, error))
		return false;
	raw_digest_text(n->digest, ret);
	return true;
}

bool contenthash_sum_path(struct contenthash_session *s, contenthash *t, const char *path, bool follow,
			  struct digest *ret, GError **error)
{
	struct contenthash_node *n;
	g_autofree char *key = contenthash_clean(path);
	if (!contenthash_resolve(s, t->root, key, follow, &n, error))
		return false;
	return n ? sum_node(s, t->hasher, n, ret, error) : contenthash_not_found(key, error);
}

bool contenthash_sum(contenthash *t, const struct contenthash_source *source,
		     const struct contenthash_selector *selector, cancel *c, struct digest *ret, GError **error)
{
	struct contenthash_session s = {.source = source, .root_fd = -1, .cancel = c};
	bool filtered = selector->wildcard || (selector->include && *selector->include) ||
			(selector->exclude && *selector->exclude);
	g_mutex_lock(&t->mu);
	bool ok = !t->distrusted || contenthash_validate(&s, t->root, error);
	if (ok)
		t->distrusted = false;
	if (ok && filtered)
		ok = contenthash_select(&s, t, selector, ret, error);
	else if (ok)
		ok = contenthash_sum_path(&s, t, selector->path, selector->follow_links, ret, error);
	if (s.changed)
		g_atomic_int_set(&t->dirty, true);
	g_mutex_unlock(&t->mu);
	contenthash_session_done(&s);
	return ok;
}
