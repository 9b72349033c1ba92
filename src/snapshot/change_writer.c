/* SPDX-License-Identifier: Apache-2.0 */
#include "snapshot/change_writer.h"
#include "format/tar.h"
#include "snapshot/whiteout.h"
#include "snapshot/windows_layer.h"
#include "base/limits.h"
#include "base/scope.h"
#include "os/path.h"
#include "os/tree.h"
#include <limits.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

enum { READ_BYTES = 256 * 1024 };

struct change_writer {
	int root_fd; /* borrowed */
	struct diff_options options;
	tar_writer *tar;        /* owned */
	GHashTable *added_dirs; /* set of paths (owned) whose entry was written */
	GHashTable *links;      /* inode number to the path (owned) of the entry that has its data */
	GHashTable *unchanged;  /* inode number to GPtrArray of paths of its unchanged names */
	uint8_t *buffer;        /* owned */
	bool begun;             /* a Windows layer: its two directories are written */
};

static guint64 *inode_key(const struct stat *st)
{
	guint64 ino = st->st_ino;
	return g_memdup2(&ino, sizeof ino);
}

static guint inode_hash(gconstpointer data)
{
	return (guint)(*(const guint64 *)data * 0x9E3779B97F4A7C15ULL >> 32);
}

change_writer *change_writer_new(int root_fd, const struct diff_options *options, bytes_sink_fn sink, void *data)
{
	change_writer *w = g_new0(change_writer, 1);
	w->root_fd = root_fd;
	w->options = *options;
	w->tar = tar_writer_new(sink, data);
	w->added_dirs = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
	w->links = g_hash_table_new_full(inode_hash, g_int64_equal, g_free, g_free);
	w->unchanged = g_hash_table_new_full(inode_hash, g_int64_equal, g_free, (GDestroyNotify)g_ptr_array_unref);
	w->buffer = g_malloc(READ_BYTES);
	return w;
}

void change_writer_free(change_writer *w)
{
	if (!w)
		return;
	tar_writer_free(w->tar);
	g_hash_table_unref(w->added_dirs);
	g_hash_table_unref(w->links);
	g_hash_table_unref(w->unchanged);
	g_free(w->buffer);
	g_free(w);
}

static bool put_top(change_writer *w, const char *name, GError **error)
{
	struct windows_entry top;
	windows_entry_init_top(&top, name);
	bool ok = tar_writer_entry(w->tar, &top.entry, error);
	windows_entry_clear(&top);
	return ok;
}

static bool begin(change_writer *w, GError **error)
{
	if (!w->options.windows || w->begun)
		return true;
	w->begun = true;
	return put_top(w, WINDOWS_HIVES, error) && put_top(w, WINDOWS_FILES, error);
}

static bool put_header(change_writer *w, const struct tar_entry *h, GError **error)
{
	if (!w->options.windows)
		return tar_writer_entry(w->tar, h, error);
	struct windows_entry win;
	windows_entry_init(&win, h);
	bool ok = tar_writer_entry(w->tar, &win.entry, error);
	windows_entry_clear(&win);
	return ok;
}

bool change_writer_finish(change_writer *w, GError **error)
{
	return begin(w, error) && tar_writer_finish(w->tar, error);
}

/* ---- xattrs: capabilities only, as in upstream's layers, unless the changes are for another tree */

static bool is_wanted_xattr(const change_writer *w, const char *name)
{
	return w->options.exact ? file_xattr_is_portable(name) : strcmp(name, "security.capability") == 0;
}

static void xattr_clear(gpointer data)
{
	struct tar_xattr *a = data;
	g_free((gpointer)a->name);
	g_free((gpointer)a->value);
}

static bool read_xattrs(const change_writer *w, int fd, GArray *xattrs, GError **error)
{
	size_t n_names;
	GError *problem = NULL;
	g_autofree char *names = file_list_xattrs(fd, &n_names, &problem);
	for (size_t at = 0; !problem && at < n_names; at += strlen(names + at) + 1) {
		if (!is_wanted_xattr(w, names + at))
			continue;
		struct tar_xattr a = {.name = g_strdup(names + at)};
		a.value = file_get_xattr(fd, a.name, &a.len, &problem);
		if (a.value)
			g_array_append_val(xattrs, a);
		else
			g_free((gpointer)a.name);
	}
	g_array_sort(xattrs, tar_xattr_order);
	if (!problem)
		return true;
	return error_propagate(error, problem);
}

/* ---- entries */

static int64_t mtime_of(const change_writer *w, const struct stat *st)
{
	bool is_late = st->st_mtim.tv_sec > w->options.max_time_s ||
		       (st->st_mtim.tv_sec == w->options.max_time_s && st->st_mtim.tv_nsec > 0);
	return w->options.clamp_times && is_late ? w->options.max_time_s : st->st_mtim.tv_sec;
}

static bool copy_data(change_writer *w, int fd, int64_t size, GError **error)
{
	while (size > 0) {
		if (!cancel_check(w->options.cancel, error))
			return false;
		ssize_t n = read(fd, w->buffer, (size_t)MIN(size, READ_BYTES));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_set_errno(error, errno, "read");
		if (n == 0)
			return error_set(error, ERROR_ABORTED, "file was truncated while it was read");
		if (!tar_writer_data(w->tar, w->buffer, (size_t)n, error))
			return false;
		size -= n;
	}
	return true;
}

/* Writes one entry with its data; h is filled except for xattrs and link target. */
static bool put_entry(change_writer *w, const struct change *c, struct tar_entry *h, GError **error)
{
	g_autoptr(GArray) xattrs = g_array_new(FALSE, FALSE, sizeof(struct tar_xattr));
	g_array_set_clear_func(xattrs, xattr_clear);
	char target[PATH_MAX];
	scoped_fd fd = -1;
	if (S_ISLNK(c->st->st_mode) && !h->link) {
		ssize_t n = readlinkat(c->dir_fd, c->name, target, sizeof target - 1);
		if (n < 0)
			return error_set_errno(error, errno, "readlink");
		target[n] = '\0';
		h->link = target;
	}
	if (S_ISREG(c->st->st_mode) || S_ISDIR(c->st->st_mode)) {
		bool is_dir = S_ISDIR(c->st->st_mode);
		fd = is_dir ? path_open_errno(c->dir_fd, c->name, O_PATH | O_NOFOLLOW, PATH_BENEATH)
			    : path_open_regular_at(c->dir_fd, c->name, O_RDONLY, NULL);
		if (fd < 0)
			return error_set_errno(error, -fd, "open");
		if (!read_xattrs(w, fd, xattrs, error))
			return false;
	}
	h->xattrs = (const struct tar_xattr *)(const void *)xattrs->data;
	h->n_xattrs = xattrs->len;
	return put_header(w, h, error) && copy_data(w, fd, h->size, error);
}

static struct tar_entry header_of(const change_writer *w, const struct stat *st, const char *name)
{
	struct tar_entry h = {.name = name,
			      .type = tar_type_of(st->st_mode),
			      .mode = st->st_mode & 07777,
			      .uid = st->st_uid,
			      .gid = st->st_gid,
			      .mtime_s = mtime_of(w, st)};
	if (w->options.exact)
		h.mtime_ns = st->st_mtim.tv_nsec;
	if (h.type == '0')
		h.size = st->st_size;
	if (h.type == '3' || h.type == '4') {
		h.device_major = major(st->st_rdev);
		h.device_minor = minor(st->st_rdev);
	}
	return h;
}

static bool put_dir(change_writer *w, const struct change *c, GError **error)
{
	g_autofree char *name = g_strconcat(c->path, "/", NULL);
	struct tar_entry h = header_of(w, c->st, name);
	g_hash_table_add(w->added_dirs, g_strdup(c->path));
	return put_entry(w, c, &h, error);
}

/* Writes entries for parent directories of a change that have none yet. */
static bool put_parents(change_writer *w, const char *path, GError **error)
{
	const char *last = strrchr(path, '/');
	if (!last)
		return true;
	g_autofree char *parents = g_strndup(path, (gsize)(last - path));
	if (g_hash_table_contains(w->added_dirs, parents))
		return true;
	for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		g_autofree char *dir = g_strndup(path, (gsize)(slash - path));
		if (g_hash_table_contains(w->added_dirs, dir))
			continue;
		char name[256];
		struct stat st;
		scoped_fd fd = path_open_parent(w->root_fd, dir, name, error);
		if (fd < 0)
			return false;
		if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return error_set_errno(error, errno, "stat %s", dir);
		struct change c = {CHANGE_PUT, dir, fd, name, &st};
		if (!put_dir(w, &c, error))
			return false;
	}
	return true;
}

static bool put_whiteout(change_writer *w, const char *path, GError **error)
{
	const char *slash = strrchr(path, '/');
	const char *base = slash ? slash + 1 : path;
	g_autofree char *name = g_strdup_printf("%.*s" WHITEOUT_PREFIX "%s", (int)(base - path), path, base);
	struct tar_entry h = {.name = name, .type = '0'};
	return put_parents(w, name, error) && put_header(w, &h, error);
}

/* Writes unchanged names of an inode whose data was just written, which would otherwise no longer be linked to it. */
static bool put_other_names(change_writer *w, const struct change *c, GError **error)
{
	GPtrArray *names = g_hash_table_lookup(w->unchanged, &(guint64){c->st->st_ino});
	for (guint i = 0; names && i < names->len; i++) {
		struct tar_entry h = header_of(w, c->st, names->pdata[i]);
		h.type = '1';
		h.size = 0;
		h.link = c->path;
		if (!put_parents(w, h.name, error) || !put_entry(w, c, &h, error))
			return false;
	}
	g_hash_table_remove(w->unchanged, &(guint64){c->st->st_ino});
	return true;
}

static void remember_unchanged(change_writer *w, const struct change *c)
{
	GPtrArray *names = g_hash_table_lookup(w->unchanged, &(guint64){c->st->st_ino});
	if (!names) {
		names = g_ptr_array_new_with_free_func(g_free);
		g_hash_table_insert(w->unchanged, inode_key(c->st), names);
	}
	g_ptr_array_add(names, g_strdup(c->path));
}

static bool put_other(change_writer *w, const struct change *c, GError **error)
{
	struct tar_entry h = header_of(w, c->st, c->path);
	if (c->kind == CHANGE_NONE && w->options.exact)
		return true;
	if (c->st->st_nlink < 2)
		return c->kind == CHANGE_NONE || (put_parents(w, c->path, error) && put_entry(w, c, &h, error));
	const char *first = g_hash_table_lookup(w->links, &(guint64){c->st->st_ino});
	if (first) {
		h.type = '1';
		h.size = 0;
		h.link = first;
	} else if (c->kind == CHANGE_NONE) {
		remember_unchanged(w, c);
		return true;
	} else {
		g_hash_table_insert(w->links, inode_key(c->st), g_strdup(c->path));
	}
	return put_parents(w, c->path, error) && put_entry(w, c, &h, error) && (first || put_other_names(w, c, error));
}

static bool put(change_writer *w, const struct change *c, GError **error)
{
	if (c->kind == CHANGE_DELETE)
		return put_whiteout(w, c->path, error);
	if (S_ISSOCK(c->st->st_mode)) /* archives cannot contain sockets */
		return true;
	if (!S_ISDIR(c->st->st_mode))
		return put_other(w, c, error);
	return c->kind == CHANGE_NONE || (put_parents(w, c->path, error) && put_dir(w, c, error));
}

bool change_writer_put(change_writer *w, const struct change *c, GError **error)
{
	if (!cancel_check(w->options.cancel, error) || !begin(w, error))
		return false;
	if (put(w, c, error))
		return true;
	return error_prefix(error, "failed to archive %s: ", c->path);
}
