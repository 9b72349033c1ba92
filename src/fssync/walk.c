/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The walk of the sending side: depth first, each directory by the bytes of its names, which is the order of paths with
 * '/' before every other byte. A directory that is only walked for entries below it is announced when the first of them
 * is found.
 */
#include "base/limits.h"
#include "base/scope.h"
#include "fssync/walk_filter.h"
#include "fssync/stat_read.h"
#include "os/path.h"
#include "os/tree_walk.h"
#include <fcntl.h>
#include <string.h>

/* An entered directory. */
struct directory {
	bool announced;
	uint8_t *bits; /* owned: matching state of its path */
};

struct walk {
	const struct fssync_root *root;
	const struct fssync_walk_options *options;
	walk_filter *filter; /* owned, NULL: none */
	inode_table *inodes; /* owned */
	tree_walk *tree;     /* owned; data: struct directory */
	size_t next_extra;   /* index of the root's next extra */
};

static void directory_clear(void *data)
{
	g_free(((struct directory *)data)->bits);
}

/* Adds the name of the root before the paths of an entry. */
static void rename_beneath(const char *root, struct fssync_stat *stat)
{
	if (!*root)
		return;
	g_autofree char *path = g_steal_pointer(&stat->path);
	stat->path = g_strconcat(root, "/", path, NULL);
	if (!*stat->linkname)
		return;
	g_autofree char *target = g_steal_pointer(&stat->linkname);
	g_autofree char *top = g_strconcat("/", root, NULL);
	if (!(stat->mode & FSSYNC_MODE_SYMLINK))
		stat->linkname = path_join(root, target);
	else
		stat->linkname = target[0] == '/' ? path_join(top, target) : g_steal_pointer(&target);
}

/* Reads, maps and visits one entry: name in dir_fd; path beneath the root. */
static bool announce(struct walk *w, int dir_fd, const char *name, const char *path, GError **error)
{
	const struct fssync_walk_options *o = w->options;
	struct fssync_stat stat;
	struct stat st;
	enum stat_read_result r = stat_read(dir_fd, name, path, w->inodes, &stat, &st, error);
	if (r != STAT_READ_OK)
		return r == STAT_READ_GONE;
	bool ok = true;
	if (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode))
		ok = stat_read_xattrs(dir_fd, name, &stat, error);
	if (ok && (!o->map || o->map(o->map_data, &stat))) {
		inode_table_note(w->inodes, &st, path);
		rename_beneath(w->root->name, &stat);
		ok = o->visit(o->visit_data, &stat, dir_fd, name, error);
	}
	fssync_stat_clear(&stat);
	return ok;
}

/* Announces parent directories that were not announced yet. */
static bool announce_parents(struct walk *w, GError **error)
{
	for (size_t i = 1; i < tree_walk_depth(w->tree); i++) {
		struct directory *d = tree_walk_data(w->tree, i);
		if (d->announced)
			continue;
		d->announced = true;
		g_autofree char *path = tree_walk_path(w->tree, i);
		const char *slash = strrchr(path, '/');
		size_t name_at = slash ? (size_t)(slash - path) + 1 : 0;
		g_autofree char *parent = g_strndup(path, name_at);
		scoped_fd fd = path_open_errno(w->root->fd, parent, O_PATH | O_DIRECTORY, PATH_BENEATH);
		if (fd < 0)
			return error_set_errno(error, -fd, "open %s", parent);
		if (!announce(w, fd, path + name_at, path, error))
			return false;
	}
	return true;
}

/* Takes the bits out of d. */
static bool enter(struct walk *w, const struct tree_entry *e, struct directory *d, GError **error)
{
	int fd = openat(e->dir_fd, e->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0) {
		bool tolerable =
			errno == ENOENT || errno == ENOTDIR || errno == ELOOP || (errno == EACCES && !d->announced);
		return tolerable || error_set_errno(error, errno, "open %s", e->path);
	}
	bool ok = tree_walk_enter_fd(w->tree, fd, d, error);
	d->bits = NULL;
	return ok;
}

/* Returns 1; 0 also if it was removed; or -1. */
static int is_directory(int dir_fd, const char *name, uint8_t type, GError **error)
{
	struct stat st;
	if (type != DT_UNKNOWN)
		return type == DT_DIR;
	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return S_ISDIR(st.st_mode);
	if (errno == ENOENT)
		return 0;
	error_set_errno(error, errno, "lstat %s", name);
	return -1;
}

const struct fssync_extra *fssync_root_extra(const struct fssync_root *root, const char *name)
{
	for (size_t i = 0; i < root->n_extras; i++)
		if (strcmp(root->extras[i].name, name) == 0)
			return &root->extras[i];
	return NULL;
}

static bool announce_extra(struct walk *w, const struct fssync_extra *e, GError **error)
{
	const struct fssync_walk_options *o = w->options;
	struct fssync_stat stat = {.path = g_strdup(e->name),
				   .linkname = g_strdup(""),
				   .mode = fssync_mode_from_st(S_IFREG | (e->mode & 07777)),
				   .size = e->size,
				   .mtime_ns = e->mtime_ns};
	bool ok = true;
	if (!o->map || o->map(o->map_data, &stat)) {
		rename_beneath(w->root->name, &stat);
		ok = o->visit(o->visit_data, &stat, -1, e->name, error);
	}
	fssync_stat_clear(&stat);
	return ok;
}

/* Visits extras that come before a name at the top; NULL: all remaining ones. */
static bool announce_extras(struct walk *w, const char *before, GError **error)
{
	for (; w->next_extra < w->root->n_extras; w->next_extra++) {
		const struct fssync_extra *e = &w->root->extras[w->next_extra];
		if (before && strcmp(e->name, before) > 0)
			break;
		if (!announce_extra(w, e, error))
			return false;
	}
	return true;
}

static bool visit(struct walk *w, const struct tree_entry *e, GError **error)
{
	const struct directory *parent = e->data;
	if (w->root->n_extras > 0 && e->name == e->path) {
		if (!announce_extras(w, e->name, error))
			return false;
		if (fssync_root_extra(w->root, e->name))
			return true;
	}
	int dir = is_directory(e->dir_fd, e->name, e->type, error);
	if (dir < 0)
		return false;
	struct walk_filter_verdict v = {.wanted = true, .descend = dir};
	__attribute__((cleanup(directory_clear))) struct directory d = {0};
	if (w->filter) {
		d.bits = g_malloc0(walk_filter_bits(w->filter) + 1);
		v = walk_filter_check(w->filter, e->path, dir, parent->bits, d.bits);
	}
	d.announced = v.wanted;
	if (v.wanted && (!announce_parents(w, error) || !announce(w, e->dir_fd, e->name, e->path, error)))
		return false;
	return !v.descend || enter(w, e, &d, error);
}

static bool walk_root(struct walk *w, GError **error)
{
	int fd = openat(w->root->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return error_set_errno(error, errno, "open %s", w->root->name);
	if (!tree_walk_enter_fd(w->tree, fd, NULL, error))
		return false;
	for (const struct tree_entry *e; (e = tree_walk_next(w->tree, error));)
		if (!e->left && !visit(w, e, error))
			return false;
	return tree_walk_is_done(w->tree);
}

/* Announces the directory under which a root appears. */
static bool announce_root(const struct fssync_root *root, const struct fssync_walk_options *o, GError **error)
{
	if (!*root->name)
		return true;
	struct fssync_stat stat = {.path = g_strdup(root->name),
				   .linkname = g_strdup(""),
				   .mode = fssync_mode_from_st(S_IFDIR | (root->mode & 07777))};
	bool ok = (o->map && !o->map(o->map_data, &stat)) || o->visit(o->visit_data, &stat, -1, root->name, error);
	fssync_stat_clear(&stat);
	return ok;
}

static bool is_filtered(const struct fssync_filter *f)
{
	return f && ((f->include && *f->include) || (f->exclude && *f->exclude) || (f->follow && *f->follow));
}

static bool walk_one(const struct fssync_root *root, const struct fssync_filter *request,
		     const struct fssync_walk_options *options, cancel *c, GError **error)
{
	g_autoptr(walk_filter) filter = is_filtered(request) ? walk_filter_new(root->fd, request, error) : NULL;
	if (is_filtered(request) && !filter)
		return false;
	const struct tree_walk_options how = {.sorted = true,
					      .max_depth = LIMIT_PATH_DEPTH,
					      .data_size = sizeof(struct directory),
					      .data_clear = directory_clear,
					      .cancel = c};
	g_autoptr(inode_table) inodes = inode_table_new();
	g_autoptr(tree_walk) tree = tree_walk_new(&how);
	struct walk w = {.root = root, .options = options, .filter = filter, .inodes = inodes, .tree = tree};
	return announce_root(root, options, error) && walk_root(&w, error) && announce_extras(&w, NULL, error);
}

bool fssync_walk(const struct fssync_root *roots, size_t n_roots, const struct fssync_filter *request,
		 const struct fssync_walk_options *options, cancel *c, GError **error)
{
	for (size_t i = 0; i < n_roots; i++)
		if (!walk_one(&roots[i], request, options, c, error))
			return false;
	return true;
}
