/* SPDX-License-Identifier: Apache-2.0 */
#include "contenthash/scan.h"
#include "base/thread.h"
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include "base/limits.h"
#include "base/scope.h"
#include "base/time.h"
#include "os/dirlist.h"
#include "os/path.h"

#define HASH_BATCH 32 /* hash fewer files without threads */
#define HASH_THREADS_MAX 8

void contenthash_session_done(struct contenthash_session *s)
{
	if (s->root_fd >= 0)
		close(s->root_fd);
	s->root_fd = -1;
}

static bool ensure_root(struct contenthash_session *s, GError **error)
{
	if (s->root_fd < 0)
		s->root_fd = s->source->open_root(s->source->data, error);
	return s->root_fd >= 0;
}

/* Names come from the tree itself, so no links are followed and any length is allowed. */
static int open_node(int root_fd, const struct contenthash_node *n, int flags, GError **error)
{
	g_autoptr(GString) path = g_string_new(NULL);
	contenthash_node_path(n, path);
	return path_open(root_fd, path->str, flags, PATH_BENEATH, error);
}

/* Device nodes, FIFOs and sockets have no content and are never opened. */
static int open_content(int root_fd, const struct contenthash_node *n, GError **error)
{
	g_autoptr(GString) path = g_string_new(NULL);
	contenthash_node_path(n, path);
	if (n->type == CONTENT_DIR)
		return path_open(root_fd, path->str, O_RDONLY | O_DIRECTORY, PATH_BENEATH, error);
	if (n->type == CONTENT_FILE) {
		int fd = path_open_regular_errno(root_fd, path->str, O_RDONLY | O_NOFOLLOW, PATH_BENEATH, NULL);
		if (fd >= 0)
			return fd;
		if (!path_is_irregular(fd)) {
			error_set_errno(error, -fd, "open %s", path->str);
			return -1;
		}
	}
	return path_open(root_fd, path->str, O_PATH | O_NOFOLLOW, PATH_BENEATH, error);
}

/* ---- listing */
struct entry {
	const char *name; /* borrowed */
	uint8_t type;
	bool special;
	struct stat st; /* only with check */
};

static bool entry_read(int dir_fd, const struct dirlist *list, size_t i, bool check, struct entry *ret, GError **error)
{
	mode_t type = DTTOIF(list->items[i].type);
	ret->name = dirlist_name(list, i);
	if (check || list->items[i].type == DT_UNKNOWN) {
		if (fstatat(dir_fd, ret->name, &ret->st, AT_SYMLINK_NOFOLLOW) < 0)
			return error_set_errno(error, errno, "stat %s", ret->name);
		type = ret->st.st_mode & S_IFMT;
	}
	ret->type = type == S_IFDIR ? CONTENT_DIR : type == S_IFLNK ? CONTENT_LINK : CONTENT_FILE;
	ret->special = ret->type == CONTENT_FILE && type != S_IFREG;
	return true;
}

/* An announced directory or device has no inode to compare with: only transfers write such trees. */
static bool still_so(struct contenthash_node *n, const struct entry *e)
{
	if (n->flags & CONTENT_ANNOUNCED) {
		if (e->type != CONTENT_FILE || e->special)
			return true;
		int64_t mtime_ns = timespec_to_ns(&e->st.st_mtim);
		if (n->stamp != contenthash_stamp_announced(e->st.st_size, mtime_ns))
			return false;
		n->flags &= (uint8_t)~CONTENT_ANNOUNCED;
		n->stamp = contenthash_stamp(&e->st);
		return true;
	}
	return n->stamp == contenthash_stamp(&e->st);
}

static void merge_entry(struct contenthash_session *s, struct contenthash_node *dir, const struct entry *e, bool check)
{
	size_t len = strlen(e->name);
	struct contenthash_node *old = contenthash_node_child(dir, e->name, len);
	struct contenthash_node *n = contenthash_node_insert(dir, e->name, len, e->type);
	if (n != old)
		contenthash_node_touch(dir);
	n->flags = (uint8_t)(e->special ? n->flags | CONTENT_SPECIAL : n->flags & ~CONTENT_SPECIAL);
	if (n != old || !check || !(n->flags & CONTENT_HAS_DIGEST) || still_so(n, e))
		return;
	n->flags &= (uint8_t) ~(CONTENT_HAS_DIGEST | CONTENT_ANNOUNCED);
	g_clear_pointer(&n->link, g_free);
	contenthash_node_touch(n);
	s->changed = true;
}

static void remove_missing(struct contenthash_node *dir, const struct dirlist *list)
{
	size_t e = 0;
	for (uint32_t i = 0; i < dir->n_children;) {
		while (e < list->n && strcmp(dirlist_name(list, e), dir->children[i]->name) < 0)
			e++;
		if (e < list->n && strcmp(dirlist_name(list, e), dir->children[i]->name) == 0) {
			i++;
			continue;
		}
		contenthash_node_remove(dir->children[i]);
		contenthash_node_touch(dir);
	}
}

static bool list(struct contenthash_session *s, struct contenthash_node *dir, bool check, GError **error)
{
	scoped_dirlist names = {0};
	if (!cancel_check(s->cancel, error))
		return false;
	scoped_fd fd = ensure_root(s, error) ? open_node(s->root_fd, dir, O_RDONLY | O_DIRECTORY, error) : -1;
	if (fd < 0 || !dirlist_read(&names, fd, error))
		return false;
	/* First all of them: a failure leaves the nodes as they were. */
	g_autofree struct entry *entries = g_new0(struct entry, names.n);
	for (size_t i = 0; i < names.n; i++)
		if (!entry_read(fd, &names, i, check, &entries[i], error))
			return false;
	if (check)
		remove_missing(dir, &names);
	for (size_t i = 0; i < names.n; i++)
		merge_entry(s, dir, &entries[i], check);
	dir->flags |= CONTENT_LISTED;
	return true;
}

bool contenthash_list_directory(struct contenthash_session *s, struct contenthash_node *dir, GError **error)
{
	return (dir->flags & CONTENT_LISTED) || list(s, dir, false, error);
}

bool contenthash_list_below(struct contenthash_session *s, struct contenthash_node *top, GError **error)
{
	for (struct contenthash_node *n = top; n; n = contenthash_node_next(n, top, true))
		if (n->type == CONTENT_DIR && !contenthash_list_directory(s, n, error))
			return false;
	return true;
}

bool contenthash_validate(struct contenthash_session *s, struct contenthash_node *root, GError **error)
{
	if (!ensure_root(s, error))
		return false;
	struct entry top = {.type = CONTENT_DIR};
	if (fstat(s->root_fd, &top.st) < 0)
		return error_set_errno(error, errno, "stat tree");
	if ((root->flags & CONTENT_HAS_DIGEST) && !still_so(root, &top)) {
		root->flags &= (uint8_t)~CONTENT_HAS_DIGEST;
		contenthash_node_touch(root);
	}
	for (struct contenthash_node *n = root; n; n = contenthash_node_next(n, root, true))
		if (n->type == CONTENT_DIR && (n->flags & CONTENT_LISTED) && !list(s, n, true, error))
			return false;
	return true;
}

bool contenthash_read_link(struct contenthash_session *s, struct contenthash_node *link, GError **error)
{
	char target[4097];
	if (link->link)
		return true;
	scoped_fd fd = ensure_root(s, error) ? open_node(s->root_fd, link, O_PATH | O_NOFOLLOW, error) : -1;
	if (fd < 0)
		return false;
	ssize_t n = readlinkat(fd, "", target, sizeof target - 1);
	if (n < 0)
		return error_set_errno(error, errno, "read link %s", link->name);
	link->link = g_strndup(target, (gsize)n);
	return true;
}

/* ---- hashing */
struct batch {
	struct contenthash_session *session;
	GPtrArray *nodes;
	gint next;   /* atomic */
	gint failed; /* atomic */
	GMutex mu;
	GError *error; /* of the first failure; guarded by mu */
};

/* Reports whether the digest of a file is known from another of its hard links. */
static bool find_linked(const struct contenthash_session *s, struct contenthash_node *n, struct stat *ret_st)
{
	if (!s->index || n->type != CONTENT_FILE || (n->flags & CONTENT_SPECIAL))
		return false;
	scoped_fd fd = open_node(s->root_fd, n, O_PATH | O_NOFOLLOW, NULL);
	return fd >= 0 && fstat(fd, ret_st) == 0 && S_ISREG(ret_st->st_mode) && ret_st->st_nlink > 1 &&
	       contenthash_index_find(s->index, ret_st, n->digest);
}

static bool hash_node(struct contenthash_session *s, hasher *h, struct contenthash_node *n, GError **error)
{
	struct stat st;
	scoped_fd fd = -1;
	bool is_found = find_linked(s, n, &st);
	if (!is_found)
		fd = open_content(s->root_fd, n, error);
	if (!is_found && (fd < 0 || !file_digest_of(h, fd, &st, n->digest, error)))
		return false;
	n->stamp = contenthash_stamp(&st);
	n->flags = (uint8_t)((n->flags & ~CONTENT_ANNOUNCED) | CONTENT_HAS_DIGEST);
	return true;
}

static void batch_fail(struct batch *b, GError *failure, const struct contenthash_node *n)
{
	g_mutex_lock(&b->mu);
	if (!b->error) {
		g_autoptr(GString) path = g_string_new(NULL);
		contenthash_node_path(n, path);
		g_prefix_error(&failure, "failed to create hash for %s: ", path->str);
		b->error = g_steal_pointer(&failure);
	}
	g_mutex_unlock(&b->mu);
	g_clear_error(&failure);
	g_atomic_int_set(&b->failed, 1);
}

static gpointer batch_run(gpointer data)
{
	struct batch *b = data;
	g_autoptr(hasher) h = hasher_new_sha256();
	while (!g_atomic_int_get(&b->failed)) {
		guint i = (guint)g_atomic_int_add(&b->next, 1);
		if (i >= b->nodes->len)
			break;
		struct contenthash_node *n = b->nodes->pdata[i];
		GError *failure = NULL;
		if (!cancel_check(b->session->cancel, &failure) || !hash_node(b->session, h, n, &failure))
			batch_fail(b, failure, n);
	}
	return NULL;
}

/* A node may occur twice in the list; known digests are not computed again. */
static GPtrArray *unknown_of(GPtrArray *nodes)
{
	g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
	GPtrArray *ret = g_ptr_array_new();
	for (guint i = 0; i < nodes->len; i++) {
		struct contenthash_node *n = nodes->pdata[i];
		if (!(n->flags & CONTENT_HAS_DIGEST) && g_hash_table_add(seen, n))
			g_ptr_array_add(ret, n);
	}
	return ret;
}

bool contenthash_hash(struct contenthash_session *s, GPtrArray *nodes, GError **error)
{
	g_autoptr(GPtrArray) unknown = unknown_of(nodes);
	if (unknown->len == 0)
		return true;
	if (!ensure_root(s, error))
		return false;
	if (!s->index && s->source->open_index)
		s->index = s->source->open_index(s->source->data);
	struct batch b = {.session = s, .nodes = unknown};
	GThread *helpers[HASH_THREADS_MAX];
	guint wanted = unknown->len < HASH_BATCH ? 0 : MIN(g_get_num_processors(), HASH_THREADS_MAX) - 1;
	guint n = 0;
	g_mutex_init(&b.mu);
	while (n < wanted && (helpers[n] = thread_start("hash", batch_run, &b, NULL)))
		n++;
	batch_run(&b);
	for (guint i = 0; i < n; i++)
		g_thread_join(helpers[i]);
	g_mutex_clear(&b.mu);
	s->changed = true;
	for (guint i = 0; i < unknown->len; i++)
		contenthash_node_touch(((struct contenthash_node *)unknown->pdata[i])->parent);
	if (!b.error)
		return true;
	return error_propagate(error, b.error);
}
