/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include "base/path_text.h"
#include "base/scope.h"
#include "contenthash/scan.h"
#include "contenthash/state.h"
#include "format/gotype.h"
#include "format/patterns.h"

struct included {
	struct contenthash_node *node;
	char *path; /* as spelled in the request; owned */
	bool follow;
};

struct frame { /* a directory whose entries may match */
	struct contenthash_node *dir;
	uint32_t next;
	char *path;                           /* owned */
	uint8_t *include_bits, *exclude_bits; /* owned: state that entries below inherit */
	bool header;                          /* its header is due before the first matching entry beneath it */
	bool taken;
};

struct selection {
	struct contenthash_session *session;
	contenthash *tree;
	const struct contenthash_selector *selector;
	patterns *include, *exclude; /* owned, may be NULL */
	char *wanted;                /* cleaned path of the request */
	char *prefix;                /* the part of wanted before the first wildcard */
	bool skip_top;               /* the request ends in a slash: its own header is left out */
	char **heads;   /* the first i + 1 components of wanted; NULL: they cannot be compared one by one */
	GArray *frames; /* of struct frame */
	GArray *ret;    /* of struct included */
	char *matched;  /* the entry below which the wildcard matches everything; owned */
};

static void included_done(gpointer data)
{
	g_free(((struct included *)data)->path);
}

static void frame_done(gpointer data)
{
	struct frame *f = data;
	g_free(f->path);
	g_free(f->include_bits);
	g_free(f->exclude_bits);
}

static void selection_done(struct selection *q)
{
	patterns_free(q->include);
	patterns_free(q->exclude);
	g_free(q->wanted);
	g_free(q->prefix);
	g_free(q->matched);
	g_strfreev(q->heads);
	g_array_unref(q->frames);
	g_array_unref(q->ret);
}

/* ---- the request */
static bool has_wildcards(const char *name, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (name[i] == '*' || name[i] == '?' || name[i] == '[')
			return true;
		if (name[i] == '\\')
			i++;
	}
	return false;
}

/* The literal prefix of a cleaned pattern; "" if that is the root. */
static char *literal_prefix(const char *pattern)
{
	size_t end = 0;
	while (pattern[end]) {
		size_t len = strcspn(pattern + end + 1, "/");
		if (has_wildcards(pattern + end + 1, len))
			break;
		end += 1 + len;
	}
	return g_strndup(pattern, end);
}

/*
 * In Go's path.Match, a class may match a slash and an escape may hide one: such patterns are only matched as a whole.
 */
static char **pattern_heads(const char *pattern)
{
	if (strpbrk(pattern, "[\\"))
		return NULL;
	g_autoptr(GPtrArray) heads = g_ptr_array_new();
	for (size_t end = 0; pattern[end];) {
		end += 1 + strcspn(pattern + end + 1, "/");
		g_ptr_array_add(heads, g_strndup(pattern, end));
	}
	g_ptr_array_add(heads, NULL);
	return (char **)g_ptr_array_free(g_steal_pointer(&heads), FALSE);
}

static bool compile(const char *const *list, const char *what, patterns **ret, GError **error)
{
	if (!list || !*list)
		return true;
	*ret = patterns_new(list, error);
	if (*ret)
		return true;
	g_autofree char *joined = g_strjoinv(" ", (char **)list);
	return error_prefix(error, "invalid %s: [%s]: ", what, joined);
}

static bool selection_init(struct selection *q, GError **error)
{
	const struct contenthash_selector *w = q->selector;
	size_t len = strlen(w->path);
	q->wanted = contenthash_clean(w->path);
	q->skip_top = len > 0 && w->path[len - 1] == '/';
	q->prefix = w->wildcard ? literal_prefix(q->wanted) : g_strdup(q->wanted);
	q->heads = w->wildcard ? pattern_heads(q->wanted) : NULL;
	q->frames = g_array_new(FALSE, TRUE, sizeof(struct frame));
	g_array_set_clear_func(q->frames, frame_done);
	q->ret = g_array_new(FALSE, TRUE, sizeof(struct included));
	g_array_set_clear_func(q->ret, included_done);
	return compile(w->include, "includepatterns", &q->include, error) &&
	       compile(w->exclude, "excludepatterns", &q->exclude, error);
}

/* ---- one entry */
/* Path relative to top, "" for top itself. */
static const char *relative(const char *path, const char *top)
{
	size_t len = strlen(top);
	if (strncmp(path, top, len) == 0 && (path[len] == '/' || path[len] == '\0'))
		path += len;
	return path[0] == '/' ? path + 1 : path;
}

/* Reports whether the wildcard matches this entry or matched a directory above it. */
static bool wildcard_takes(struct selection *q, const char *path, bool *ret, GError **error)
{
	*ret = true;
	if (!q->selector->wildcard || !q->wanted[0] || (q->matched && path_is_below(path, q->matched)))
		return true;
	if (!glob_match(q->wanted, path, ret, error))
		return false;
	if (*ret) {
		g_free(q->matched);
		q->matched = g_strdup(path);
	}
	return true;
}

static const struct frame *parent_frame(const struct selection *q)
{
	for (guint i = q->frames->len; i > 0; i--)
		if (g_array_index(q->frames, struct frame, i - 1).header)
			return &g_array_index(q->frames, struct frame, i - 1);
	return NULL;
}

enum verdict { TAKE, NOT_INCLUDED, EXCLUDED };

/* Applies the patterns and stores the resulting state in f. */
static enum verdict patterns_decide(struct selection *q, const char *candidate, const struct frame *parent,
				    struct frame *f)
{
	if (q->include) {
		f->include_bits = g_malloc0(patterns_count(q->include) + 1);
		if (!patterns_match_in(q->include, candidate, parent ? parent->include_bits : NULL, f->include_bits))
			return NOT_INCLUDED;
	}
	if (q->exclude) {
		f->exclude_bits = g_malloc0(patterns_count(q->exclude) + 1);
		if (patterns_match_in(q->exclude, candidate, parent ? parent->exclude_bits : NULL, f->exclude_bits))
			return EXCLUDED;
	}
	return TAKE;
}

static void take(struct selection *q, struct contenthash_node *n, const char *path, bool follow)
{
	struct included one = {.node = n, .path = g_strdup(path), .follow = follow};
	g_array_append_val(q->ret, one);
}

/* Reports whether the wildcard could match an entry below a directory that it does not match itself. */
static bool may_lead_to_match(const struct selection *q, const char *path)
{
	guint depth = 0, n = q->heads ? g_strv_length(q->heads) : 0;
	bool match = false;
	if (!q->heads)
		return true;
	for (const char *p = path; *p; p++)
		depth += *p == '/';
	if (depth == 0 || depth >= n)
		return depth == 0;
	return glob_match(q->heads[depth - 1], path, &match, NULL) && match;
}

static bool may_descend(const struct selection *q, const char *candidate, enum verdict verdict)
{
	if (verdict == NOT_INCLUDED)
		return !*candidate || patterns_may_match_below(q->include, candidate);
	return verdict == TAKE || patterns_has_exclusions(q->exclude);
}

/* Takes ownership of path. */
static bool visit(struct selection *q, struct contenthash_node *n, char *path, GError **error)
{
	struct frame f = {.dir = n, .path = path, .taken = true};
	bool is_dir = n->type == CONTENT_DIR, is_top = is_dir && q->skip_top && strcmp(path, q->wanted) == 0;
	bool takes = false, descend = is_dir;
	if (!is_top && !wildcard_takes(q, path, &takes, error)) {
		frame_done(&f);
		return false;
	}
	if (takes) {
		const struct frame *parent = parent_frame(q);
		const char *top = q->selector->wildcard ? (q->matched ? q->matched : "") : q->wanted;
		const char *candidate = relative(path, top);
		enum verdict verdict = patterns_decide(q, candidate, parent, &f);
		bool follow = !parent && q->selector->follow_links;
		if (verdict == TAKE) {
			/* Headers of the directories above come first, once each. */
			for (guint i = 0; i < q->frames->len; i++) {
				struct frame *above = &g_array_index(q->frames, struct frame, i);
				if (above->header && !above->taken)
					take(q, above->dir, above->path, false);
				above->taken = true;
			}
			take(q, n, path, follow);
		}
		f.header = true;
		f.taken = verdict == TAKE;
		descend = is_dir && may_descend(q, candidate, verdict);
	} else if (!is_top) {
		descend = is_dir && may_lead_to_match(q, path);
	}
	if (!descend) {
		frame_done(&f);
		return true;
	}
	g_array_append_val(q->frames, f);
	return contenthash_list_directory(q->session, n, error);
}

static bool walk(struct selection *q, struct contenthash_node *base, GError **error)
{
	if (!visit(q, base, g_strdup(q->prefix), error))
		return false;
	while (q->frames->len > 0) {
		struct frame *f = &g_array_index(q->frames, struct frame, q->frames->len - 1);
		if (f->next >= f->dir->n_children) {
			g_array_set_size(q->frames, q->frames->len - 1);
			continue;
		}
		struct contenthash_node *n = f->dir->children[f->next++];
		if (!visit(q, n, g_strconcat(f->path, "/", n->name, NULL), error))
			return false;
	}
	return true;
}

/* ---- the result */
static bool check_required(const struct selection *q, GError **error)
{
	for (size_t i = 0; q->selector->required && q->selector->required[i]; i++) {
		bool found = false;
		for (guint j = 0; j < q->ret->len && !found; j++)
			found = g_str_has_prefix(g_array_index(q->ret, struct included, j).path,
						 q->selector->required[i]);
		if (!found)
			return contenthash_not_found(q->selector->required[i], error);
	}
	return true;
}

/* Behaves like Go's path.Base. */
static char *base_name(const char *path)
{
	size_t len = strlen(path);
	if (len == 0)
		return g_strdup(".");
	while (len > 0 && path[len - 1] == '/')
		len--;
	if (len == 0)
		return g_strdup("/");
	const char *slash = g_strrstr_len(path, (gssize)len, "/");
	return slash ? g_strndup(slash + 1, (gsize)(path + len - slash - 1)) : g_strndup(path, len);
}

static bool hash_included(struct selection *q, GError **error)
{
	g_autoptr(GPtrArray) nodes = g_ptr_array_new();
	for (guint i = 0; i < q->ret->len; i++) {
		struct included *one = &g_array_index(q->ret, struct included, i);
		one->follow = one->follow && one->node->type == CONTENT_LINK;
		if (!one->follow)
			g_ptr_array_add(nodes, one->node);
	}
	return contenthash_hash(q->session, nodes, error);
}

static bool included_digest(struct selection *q, const struct included *one, struct digest *ret, GError **error)
{
	if (one->follow)
		return contenthash_sum_path(q->session, q->tree, one->path, true, ret, error);
	raw_digest_text(one->node->digest, ret);
	return true;
}

/* Key of a path: NUL for '/', and a NUL for the top directory. */
static void feed_key(hasher *h, const char *path, const char *prefix)
{
	path = g_str_has_prefix(path, prefix) ? path + strlen(prefix) : path;
	if (!*path)
		hasher_update(h, "\0", 1);
	while (*path) {
		size_t len = strcspn(path, "/");
		hasher_update(h, path, len);
		path += len;
		if (*path) {
			hasher_update(h, "\0", 1);
			path++;
		}
	}
}

static bool join(struct selection *q, struct digest *ret, GError **error)
{
	if (!check_required(q, error) || !hash_included(q, error))
		return false;
	g_autofree char *wanted = base_name(q->selector->path);
	const struct included *first = q->ret->len > 0 ? &g_array_index(q->ret, struct included, 0) : NULL;
	g_autofree char *found = first ? base_name(first->path) : NULL;
	if (q->ret->len == 1 && strcmp(wanted, found) == 0)
		return included_digest(q, first, ret, error);
	g_autoptr(hasher) h = hasher_new_sha256();
	for (guint i = 0; i < q->ret->len; i++) {
		const struct included *one = &g_array_index(q->ret, struct included, i);
		struct digest d;
		if (!included_digest(q, one, &d, error))
			return false;
		feed_key(h, one->path, q->prefix);
		hasher_update(h, d.text, strlen(d.text));
	}
	hasher_finish(h, ret);
	return true;
}

static bool select_all(struct selection *q, GError **error)
{
	struct contenthash_node *base = NULL;
	if (!selection_init(q, error))
		return false;
	bool follow = q->selector->wildcard && strcmp(q->prefix, q->wanted) != 0;
	return contenthash_resolve(q->session, q->tree->root, q->prefix, follow, &base, error) &&
	       (!base || walk(q, base, error));
}

bool contenthash_select(struct contenthash_session *s, contenthash *t, const struct contenthash_selector *selector,
			struct digest *ret, GError **error)
{
	struct selection q = {.session = s, .tree = t, .selector = selector};
	bool ok = select_all(&q, error) && join(&q, ret, error);
	selection_done(&q);
	return ok;
}

bool contenthash_select_nodes(struct contenthash_session *s, contenthash *t,
			      const struct contenthash_selector *selector, GPtrArray *ret, GError **error)
{
	struct selection q = {.session = s, .tree = t, .selector = selector};
	bool ok = select_all(&q, error) && hash_included(&q, error);
	for (guint i = 0; ok && i < q.ret->len; i++) {
		const struct included *one = &g_array_index(q.ret, struct included, i);
		struct contenthash_node *n = one->node;
		struct digest ignored;
		ok = !one->follow || (contenthash_sum_path(s, t, one->path, true, &ignored, error) &&
				      contenthash_resolve(s, t->root, one->path, true, &n, error));
		if (ok && n)
			g_ptr_array_add(ret, n);
	}
	selection_done(&q);
	return ok;
}
