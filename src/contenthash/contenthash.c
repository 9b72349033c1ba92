/* SPDX-License-Identifier: Apache-2.0 */
#include "contenthash/contenthash.h"
#include <string.h>
#include "base/scope.h"
#include "contenthash/state.h"

#define FORMAT_VERSION 1

static contenthash *tree_new(struct contenthash_node *root)
{
	contenthash *t = g_new0(contenthash, 1);
	t->refs = 1;
	g_mutex_init(&t->mu);
	t->root = root;
	t->hasher = hasher_new_sha256();
	return t;
}

contenthash *contenthash_new(void)
{
	return tree_new(contenthash_node_new(NULL, "", 0, CONTENT_DIR));
}

contenthash *contenthash_ref(contenthash *t)
{
	g_atomic_int_inc(&t->refs);
	return t;
}

void contenthash_unref(contenthash *t)
{
	if (!t || !g_atomic_int_dec_and_test(&t->refs))
		return;
	contenthash_node_free(t->root);
	hasher_free(t->hasher);
	g_mutex_clear(&t->mu);
	g_free(t);
}

void contenthash_distrust(contenthash *t)
{
	g_mutex_lock(&t->mu);
	/* An empty table has nothing to verify: all entries are announced or listed later. */
	if (t->root->flags != 0 || t->root->n_children > 0)
		t->distrusted = true;
	g_mutex_unlock(&t->mu);
}

/* ---- announcements */
static bool name_is_plain(const char *name, size_t len)
{
	return len > 0 && len < 256 && !(len == 1 && name[0] == '.') && !(len == 2 && memcmp(name, "..", 2) == 0);
}

/* Upstream's transfers never announce the root: its header counts as the digest of empty input. */
static void ensure_announced_root(struct contenthash_node *root)
{
	if (root->flags & CONTENT_HAS_DIGEST)
		return;
	struct digest nothing;
	digest_of("", 0, &nothing);
	raw_digest_from(&nothing, root->digest);
	root->flags |= CONTENT_HAS_DIGEST | CONTENT_ANNOUNCED | CONTENT_LISTED;
}

/* Splits a path into parent directory and last name; NULL for a path that cannot occur in a tree. */
static struct contenthash_node *note_parent(contenthash *t, const char *path, bool make, const char **ret_name)
{
	struct contenthash_node *dir = t->root;
	for (;;) {
		while (*path == '/')
			path++;
		const char *slash = strchr(path, '/');
		size_t len = slash ? (size_t)(slash - path) : strlen(path);
		if (!name_is_plain(path, len))
			return NULL;
		if (!slash || slash[1] == '\0') {
			*ret_name = path;
			return dir;
		}
		dir = make ? contenthash_node_insert(dir, path, len, CONTENT_DIR)
			   : contenthash_node_child(dir, path, len);
		if (!dir || dir->type != CONTENT_DIR)
			return NULL;
		path = slash + 1;
	}
}

/* Reports whether that changed anything. */
static bool set_digest(struct contenthash_node *n, const uint8_t *raw, uint64_t stamp)
{
	const uint8_t set = CONTENT_HAS_DIGEST | CONTENT_ANNOUNCED;
	bool same = (n->flags & CONTENT_HAS_DIGEST) && memcmp(n->digest, raw, RAW_DIGEST_SIZE) == 0;
	bool is_known = same && (n->flags & set) == set && n->stamp == stamp;
	memcpy(n->digest, raw, RAW_DIGEST_SIZE);
	n->flags |= set;
	n->stamp = stamp;
	if (!same)
		contenthash_node_touch(n);
	return !is_known;
}

static bool note_file(struct contenthash_node *n, const struct fssync_stat *stat, const struct fssync_content *content,
		      enum fssync_change change)
{
	uint8_t raw[RAW_DIGEST_SIZE];
	if (content && raw_digest_from(&content->digest, raw)) {
		set_digest(n, raw, contenthash_stamp(&content->st));
		n->flags &= (uint8_t)~CONTENT_ANNOUNCED;
		return true;
	}
	/* A digest computed from an inode is valid until the transfer replaces the file. */
	uint64_t stamp = contenthash_stamp_announced(stat->size, stat->mtime_ns);
	bool doubtful = change != FSSYNC_UNCHANGED || ((n->flags & CONTENT_ANNOUNCED) && n->stamp != stamp);
	if ((n->flags & CONTENT_HAS_DIGEST) && !doubtful)
		return false;
	n->flags &= (uint8_t) ~(CONTENT_HAS_DIGEST | CONTENT_ANNOUNCED);
	contenthash_node_touch(n);
	return true;
}

/* Reports whether there is something to save. */
static bool note(contenthash *t, const struct fssync_stat *stat, const struct fssync_content *content,
		 enum fssync_change change)
{
	const char *name = NULL;
	struct contenthash_node *dir = note_parent(t, stat->path, true, &name);
	if (!dir)
		return false;
	mode_t mode = fssync_mode_to_st(stat->mode);
	enum contenthash_type type = S_ISDIR(mode) ? CONTENT_DIR : S_ISLNK(mode) ? CONTENT_LINK : CONTENT_FILE;
	size_t len = strcspn(name, "/");
	struct contenthash_node *old = contenthash_node_child(dir, name, len);
	struct contenthash_node *n = contenthash_node_insert(dir, name, len, type);
	if (n != old)
		contenthash_node_touch(dir);
	if (type == CONTENT_FILE && !S_ISREG(mode))
		n->flags |= CONTENT_SPECIAL;
	if (type == CONTENT_FILE && S_ISREG(mode) && (stat->size > 0 || (stat->linkname && *stat->linkname)))
		return note_file(n, stat, content, change) || n != old;
	uint8_t raw[RAW_DIGEST_SIZE];
	file_digest_of_announced(t->hasher, stat, raw);
	uint64_t stamp = contenthash_stamp_announced(type == CONTENT_FILE ? stat->size : 0,
						     type == CONTENT_FILE ? stat->mtime_ns : 0);
	bool changed = set_digest(n, raw, stamp) || n != old;
	if (type == CONTENT_DIR) {
		changed = changed || !(n->flags & CONTENT_LISTED);
		n->flags |= CONTENT_LISTED;
	}
	if (type == CONTENT_LINK && g_strcmp0(n->link, stat->linkname ? stat->linkname : "") != 0) {
		g_free(n->link);
		n->link = g_strdup(stat->linkname ? stat->linkname : "");
		changed = true;
	}
	return changed;
}

static bool note_removal(contenthash *t, const char *path)
{
	const char *name = NULL;
	struct contenthash_node *dir = note_parent(t, path, false, &name);
	struct contenthash_node *n = dir ? contenthash_node_child(dir, name, strcspn(name, "/")) : NULL;
	if (!n)
		return false;
	contenthash_node_touch(dir);
	contenthash_node_remove(n);
	return true;
}

void contenthash_note(contenthash *t, const struct fssync_stat *stat, const struct fssync_content *content,
		      enum fssync_change change)
{
	g_mutex_lock(&t->mu);
	ensure_announced_root(t->root);
	if (change == FSSYNC_REMOVED ? note_removal(t, stat->path) : note(t, stat, content, change))
		g_atomic_int_set(&t->dirty, true);
	g_mutex_unlock(&t->mu);
}

static bool has_inode_digest(const struct contenthash_node *n)
{
	return n->type == CONTENT_FILE && (n->flags & CONTENT_HAS_DIGEST) &&
	       !(n->flags & (CONTENT_ANNOUNCED | CONTENT_SPECIAL));
}

void contenthash_relinked(contenthash *t, const char *path, const struct stat *st)
{
	const char *name = NULL;
	g_mutex_lock(&t->mu);
	struct contenthash_node *dir = t->distrusted ? NULL : note_parent(t, path, false, &name);
	struct contenthash_node *n = dir ? contenthash_node_child(dir, name, strlen(name)) : NULL;
	if (n && has_inode_digest(n)) {
		n->stamp = contenthash_stamp(st);
		g_atomic_int_set(&t->dirty, true);
	}
	g_mutex_unlock(&t->mu);
}

/* ---- digests by inode */
struct contenthash_index {
	GHashTable *digests; /* stamp to digest */
};
struct indexed {
	guint64 stamp;
	uint8_t digest[RAW_DIGEST_SIZE];
};

contenthash_index *contenthash_index_new(void)
{
	contenthash_index *x = g_new(contenthash_index, 1);
	x->digests = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
	return x;
}

void contenthash_index_free(contenthash_index *x)
{
	if (!x)
		return;
	g_hash_table_unref(x->digests);
	g_free(x);
}

void contenthash_index_add(contenthash_index *x, contenthash *t)
{
	g_mutex_lock(&t->mu);
	for (struct contenthash_node *n = t->distrusted ? NULL : t->root; n;
	     n = contenthash_node_next(n, t->root, true)) {
		if (!has_inode_digest(n))
			continue;
		struct indexed *one = g_new(struct indexed, 1);
		one->stamp = n->stamp;
		memcpy(one->digest, n->digest, sizeof one->digest);
		g_hash_table_add(x->digests, one);
	}
	g_mutex_unlock(&t->mu);
}

bool contenthash_index_find(const contenthash_index *x, const struct stat *st, uint8_t ret[RAW_DIGEST_SIZE])
{
	guint64 stamp = contenthash_stamp(st);
	const struct indexed *one = g_hash_table_lookup(x->digests, &stamp);
	if (one)
		memcpy(ret, one->digest, sizeof one->digest);
	return one;
}

hasher *contenthash_begin(const struct fssync_stat *stat)
{
	if ((stat->mode & FSSYNC_MODE_TYPE) || stat->n_xattrs > 0 || stat->size <= 0)
		return NULL;
	hasher *h = hasher_new_sha256();
	file_digest_begin(h, stat);
	return h;
}

/* ---- persistence: a version byte, then the nodes in order, each with the number of its children */
bool contenthash_is_dirty(contenthash *t)
{
	return g_atomic_int_get(&t->dirty);
}

static void put(GByteArray *out, const void *bytes, size_t n)
{
	g_byte_array_append(out, bytes, (guint)n);
}

static void put_node(GByteArray *out, const struct contenthash_node *n)
{
	uint16_t link_len = (uint16_t)(n->link ? strlen(n->link) + 1 : 0);
	put(out, &n->type, 1);
	put(out, &n->flags, 1);
	put(out, &n->name_len, sizeof n->name_len);
	put(out, &link_len, sizeof link_len);
	put(out, &n->n_children, sizeof n->n_children);
	put(out, n->name, n->name_len);
	put(out, n->link, link_len ? link_len - 1u : 0);
	if (n->flags & CONTENT_HAS_DIGEST) {
		put(out, n->digest, RAW_DIGEST_SIZE);
		put(out, &n->stamp, sizeof n->stamp);
	}
	if (n->flags & CONTENT_HAS_CONTENT)
		put(out, n->content, RAW_DIGEST_SIZE);
}

GBytes *contenthash_save(contenthash *t)
{
	const uint8_t version = FORMAT_VERSION;
	GByteArray *out = g_byte_array_new();
	g_mutex_lock(&t->mu);
	put(out, &version, 1);
	for (struct contenthash_node *n = t->root; n; n = contenthash_node_next(n, t->root, true))
		put_node(out, n);
	g_atomic_int_set(&t->dirty, false);
	g_mutex_unlock(&t->mu);
	return g_byte_array_free_to_bytes(out);
}

static bool take(struct slice *in, void *ret, size_t n)
{
	if (in->len < n)
		return false;
	memcpy(ret, in->ptr, n);
	in->ptr += n;
	in->len -= n;
	return true;
}

static bool take_digests(struct slice *in, struct contenthash_node *n)
{
	if ((n->flags & CONTENT_HAS_DIGEST) &&
	    (!take(in, n->digest, RAW_DIGEST_SIZE) || !take(in, &n->stamp, sizeof n->stamp)))
		return false;
	return !(n->flags & CONTENT_HAS_CONTENT) || take(in, n->content, RAW_DIGEST_SIZE);
}

/*
 * Adds the node to parent, which still expects children; ret_children: the number of children that follow for the node.
 */
static struct contenthash_node *take_node(struct slice *in, struct contenthash_node *parent, uint32_t *ret_children)
{
	uint8_t type, flags;
	uint16_t name_len, link_len;
	char name[256];
	if (!take(in, &type, 1) || !take(in, &flags, 1) || !take(in, &name_len, 2) || !take(in, &link_len, 2) ||
	    !take(in, ret_children, sizeof *ret_children))
		return NULL;
	bool plain = parent ? name_len < sizeof name && in->len >= name_len : name_len == 0;
	if (type > CONTENT_LINK || !plain || in->len < (size_t)name_len + link_len ||
	    (*ret_children > 0 && type != CONTENT_DIR))
		return NULL;
	take(in, name, name_len);
	bool odd = memchr(name, '/', name_len) || memchr(name, '\0', name_len) || !name_is_plain(name, name_len);
	if (parent && (odd || contenthash_node_child(parent, name, name_len)))
		return NULL;
	struct contenthash_node *n = parent ? contenthash_node_insert(parent, name, name_len, type)
					    : contenthash_node_new(NULL, "", 0, type);
	n->flags = flags;
	if (link_len > 0) {
		n->link = g_strndup((const char *)in->ptr, link_len - 1u);
		in->ptr += link_len - 1u;
		in->len -= link_len - 1u;
	}
	if (take_digests(in, n))
		return n;
	if (!parent)
		contenthash_node_free(n);
	return NULL;
}

struct pending {
	struct contenthash_node *dir;
	uint32_t left;
};

static bool take_children(struct slice *in, struct contenthash_node *root, uint32_t n_root)
{
	g_autoptr(GArray) stack = g_array_new(FALSE, FALSE, sizeof(struct pending));
	struct pending top = {root, n_root};
	g_array_append_val(stack, top);
	while (stack->len > 0) {
		struct pending *p = &g_array_index(stack, struct pending, stack->len - 1);
		if (p->left == 0) {
			g_array_set_size(stack, stack->len - 1);
			continue;
		}
		p->left--;
		struct pending next = {0};
		next.dir = take_node(in, p->dir, &next.left);
		if (!next.dir)
			return false;
		if (next.left > 0)
			g_array_append_val(stack, next);
	}
	return in->len == 0;
}

contenthash *contenthash_load(const void *bytes, size_t n)
{
	struct slice in = {bytes, n};
	uint8_t version;
	uint32_t n_children;
	if (!take(&in, &version, 1) || version != FORMAT_VERSION)
		return NULL;
	struct contenthash_node *root = take_node(&in, NULL, &n_children);
	if (root && root->type == CONTENT_DIR && take_children(&in, root, n_children))
		return tree_new(root);
	if (root)
		contenthash_node_free(root);
	return NULL;
}
