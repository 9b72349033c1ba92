/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The walk of the sending side: depth first, each directory by the bytes of its names, which is the order of paths with
 * '/' before every other byte. A directory that is only walked for entries below it is announced when the first of them
 * is found.
 */
#include "base/limits.h"
#include "base/scope.h"
#include "os/dir_chain.h"
#include "os/dirlist.h"
#include "fssync/walk_filter.h"
#include "fssync/stat_read.h"
#include "os/path.h"
#include <dirent.h>
#include <fcntl.h>
#include <string.h>

/* A directory of the current path. */
struct frame {
	struct dirlist list;
	size_t next;
	size_t path_len; /* length of its path in walk.path */
	size_t name_at;  /* offset of its name in walk.path */
	bool announced;
	uint8_t *bits; /* owned: matching state of its path */
};

struct walk {
	const struct fssync_root *root;
	const struct fssync_walk_options *options;
	cancel *cancel;
	walk_filter *filter; /* owned, NULL: none */
	inode_table *inodes; /* owned */
	GArray *frames;      /* of struct frame */
	dir_chain *dirs;     /* owned; one per frame */
	GString *path;       /* path of the current entry, beneath the root */
	size_t next_extra;   /* index of the root's next extra */
};

static void frame_clear(void *data)
{
	struct frame *f = data;
	dirlist_clear(&f->list);
	g_free(f->bits);
}

static struct frame *frame_at(struct walk *w, guint i)
{
	return &g_array_index(w->frames, struct frame, i);
}

static struct frame *frame_top(struct walk *w)
{
	return frame_at(w, w->frames->len - 1);
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
	for (guint i = 1; i < w->frames->len; i++) {
		struct frame *f = frame_at(w, i);
		if (f->announced)
			continue;
		f->announced = true;
		g_autofree char *path = g_strndup(w->path->str, f->path_len);
		g_autofree char *parent = g_strndup(path, f->name_at);
		scoped_fd fd = path_open_errno(w->root->fd, parent, O_PATH | O_DIRECTORY, PATH_BENEATH);
		if (fd < 0)
			return error_set_errno(error, -fd, "open %s", parent);
		if (!announce(w, fd, path + f->name_at, path, error))
			return false;
	}
	return true;
}

/* Takes ownership of fd. */
static bool frame_push(struct walk *w, int fd, size_t name_at, bool announced, uint8_t *bits, GError **error)
{
	struct frame f = {.path_len = w->path->len, .name_at = name_at, .announced = announced, .bits = bits};
	bool ok = dirlist_read(&f.list, fd, error);
	if (!ok)
		close(fd);
	ok = ok && dir_chain_push(w->dirs, fd, error);
	if (!ok)
		g_prefix_error(error, "%s: ", w->path->str);
	g_array_append_val(w->frames, f);
	return ok;
}

/* Takes ownership of bits. */
static bool enter(struct walk *w, int parent_fd, const char *name, bool wanted, uint8_t *bits, GError **error)
{
	scoped_fd fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0) {
		g_free(bits);
		bool tolerable = errno == ENOENT || errno == ENOTDIR || errno == ELOOP || (errno == EACCES && !wanted);
		return tolerable || error_set_errno(error, errno, "open %s", w->path->str);
	}
	if (w->frames->len > (guint)LIMIT_PATH_DEPTH) {
		g_free(bits);
		return error_set(error, ERROR_INVALID_ARGUMENT, "%s: path too deep", w->path->str);
	}
	return frame_push(w, fd_steal(&fd), w->path->len - strlen(name), wanted, bits, error);
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

/* Visits the next entry of the current directory. */
static bool step(struct walk *w, GError **error)
{
	struct frame *f = frame_top(w);
	size_t i = f->next++;
	const char *name = dirlist_name(&f->list, i);
	if (w->root->n_extras > 0 && w->frames->len == 1) {
		if (!announce_extras(w, name, error))
			return false;
		if (fssync_root_extra(w->root, name))
			return true;
	}
	g_string_truncate(w->path, f->path_len);
	if (w->path->len > 0)
		g_string_append_c(w->path, '/');
	g_string_append(w->path, name);
	int dir_fd = dir_chain_fd(w->dirs);
	int dir = is_directory(dir_fd, name, f->list.items[i].type, error);
	if (dir < 0)
		return false;
	struct walk_filter_verdict v = {.wanted = true, .descend = dir};
	g_autofree uint8_t *bits = NULL;
	if (w->filter) {
		bits = g_malloc0(walk_filter_bits(w->filter) + 1);
		v = walk_filter_check(w->filter, w->path->str, dir, f->bits, bits);
	}
	if (v.wanted && (!announce_parents(w, error) || !announce(w, dir_fd, name, w->path->str, error)))
		return false;
	return !v.descend || enter(w, dir_fd, name, v.wanted, g_steal_pointer(&bits), error);
}

static bool walk_root(struct walk *w, GError **error)
{
	scoped_fd fd = openat(w->root->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return error_set_errno(error, errno, "open %s", w->root->name);
	if (!frame_push(w, fd_steal(&fd), 0, true, NULL, error))
		return false;
	while (w->frames->len > 0) {
		struct frame *f = frame_top(w);
		if (f->next == f->list.n) {
			g_array_set_size(w->frames, w->frames->len - 1);
			if (!dir_chain_pop(w->dirs, error))
				return false;
			continue;
		}
		if (!cancel_check(w->cancel, error) || !step(w, error))
			return false;
	}
	return true;
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
	struct walk w = {.root = root, .options = options, .cancel = c};
	g_autoptr(walk_filter) f = is_filtered(request) ? walk_filter_new(root->fd, request, error) : NULL;
	if (is_filtered(request) && !f)
		return false;
	g_autoptr(inode_table) inodes = inode_table_new();
	g_autoptr(GArray) frames = g_array_new(FALSE, FALSE, sizeof(struct frame));
	g_array_set_clear_func(frames, frame_clear);
	g_autoptr(dir_chain) dirs = dir_chain_new();
	g_autoptr(GString) path = g_string_new(NULL);
	w.dirs = dirs;
	w.filter = f;
	w.inodes = inodes;
	w.frames = frames;
	w.path = path;
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
