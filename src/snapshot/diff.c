/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One walk for two kinds of input: an overlay's upper directory lists the changed names; two trees are compared name by
 * name. Inside an opaque directory the first kind becomes the second, with whiteouts ignored.
 */
#include "snapshot/diff.h"
#include "snapshot/change_writer.h"
#include "snapshot/compare.h"
#include "snapshot/whiteout.h"
#include "base/limits.h"
#include "base/scope.h"
#include "os/dir_chain.h"
#include "os/dirlist.h"
#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

struct frame {
	int upper_fd, lower_fd; /* borrowed, in a frame that is being visited; lower -1: does not exist */
	bool has_lower;
	bool is_overlay;     /* names come from upper alone, and whiteouts are interpreted */
	bool hide_whiteouts; /* below an opaque directory: whiteouts are ignored */
	GPtrArray *names;    /* owned, sorted */
	guint next;
	size_t path_len; /* length of the walk's path up to this directory */
};

struct walk {
	GArray *frames;   /* of struct frame */
	dir_chain *upper; /* owned; one per frame */
	dir_chain *lower; /* owned; one per frame with a lower directory, which are the outer ones */
	GString *path;
	change_writer *writer; /* owned */
};

static void frame_clear(gpointer data)
{
	struct frame *f = data;
	g_clear_pointer(&f->names, g_ptr_array_unref);
}

static void walk_clear(struct walk *w)
{
	g_array_unref(w->frames);
	dir_chain_free(w->upper);
	dir_chain_free(w->lower);
	g_string_free(w->path, TRUE);
	change_writer_free(w->writer);
}

static int compare_names(gconstpointer a, gconstpointer b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool read_names(int dir_fd, GPtrArray *names, GError **error)
{
	struct dirlist list = {0};
	bool ok = dirlist_read(&list, dir_fd, error);
	for (size_t i = 0; i < list.n; i++)
		g_ptr_array_add(names, g_strdup(dirlist_name(&list, i)));
	dirlist_clear(&list);
	return ok;
}

static void drop_doubles(GPtrArray *names)
{
	guint kept = 0;
	for (guint i = 0; i < names->len; i++) {
		if (kept > 0 && strcmp(names->pdata[kept - 1], names->pdata[i]) == 0) {
			g_free(names->pdata[i]);
			names->pdata[i] = NULL;
			continue;
		}
		names->pdata[kept++] = names->pdata[i];
	}
	for (guint i = kept; i < names->len; i++)
		names->pdata[i] = NULL;
	g_ptr_array_set_size(names, (gint)kept);
}

/* Takes ownership of both fds. */
static bool push(struct walk *w, int upper_fd, int lower_fd, bool is_overlay, bool hide_whiteouts, GError **error)
{
	scoped_fd upper = upper_fd, lower = lower_fd;
	struct frame f = {.has_lower = lower >= 0,
			  .is_overlay = is_overlay,
			  .hide_whiteouts = hide_whiteouts,
			  .names = g_ptr_array_new_with_free_func(g_free),
			  .path_len = w->path->len};
	g_array_append_val(w->frames, f);
	if (w->frames->len > LIMIT_PATH_DEPTH)
		return error_set(error, ERROR_RESOURCE_EXHAUSTED, "directories nested deeper than %lld",
				 LIMIT_PATH_DEPTH);
	if (!read_names(upper, f.names, error))
		return false;
	bool both = !is_overlay && f.has_lower;
	if (both && !read_names(lower, f.names, error))
		return false;
	g_ptr_array_sort(f.names, compare_names);
	if (both)
		drop_doubles(f.names);
	return dir_chain_push(w->upper, fd_steal(&upper), error) &&
	       (!f.has_lower || dir_chain_push(w->lower, fd_steal(&lower), error));
}

static bool pop(struct walk *w, GError **error)
{
	bool has_lower = g_array_index(w->frames, struct frame, w->frames->len - 1).has_lower;
	g_array_set_size(w->frames, w->frames->len - 1);
	return dir_chain_pop(w->upper, error) && (!has_lower || dir_chain_pop(w->lower, error));
}

static bool is_whiteout(const struct stat *st)
{
	return S_ISCHR(st->st_mode) && st->st_rdev == makedev(0, 0);
}

/* Returns 1 if it exists, 0 if not, -1. */
static int stat_in(int dir_fd, const char *name, struct stat *ret, GError **error)
{
	if (dir_fd < 0)
		return 0;
	if (fstatat(dir_fd, name, ret, AT_SYMLINK_NOFOLLOW) == 0)
		return 1;
	if (errno == ENOENT)
		return 0;
	error_set_errno(error, errno, "stat %s", name);
	return -1;
}

static int open_dir(int dir_fd, const char *name, GError **error)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		error_set_errno(error, errno, "open directory %s", name);
	return fd;
}

static bool check_redirect(int fd, GError **error)
{
	char value[1];
	ssize_t n = fgetxattr(fd, "trusted.overlay.redirect", value, 0);
	return n <= 0 || error_set(error, ERROR_UNIMPLEMENTED, "diff does not support overlayfs with redirect_dir");
}

/* Enters a directory of the upper tree. */
static bool descend(struct walk *w, const struct frame *f, const char *name, const struct stat *lower, GError **error)
{
	bool is_overlay = f->is_overlay, hide_whiteouts = f->hide_whiteouts;
	scoped_fd upper_fd = open_dir(f->upper_fd, name, error);
	if (upper_fd < 0)
		return false;
	scoped_fd lower_fd = -1;
	if (lower && S_ISDIR(lower->st_mode)) {
		lower_fd = open_dir(f->lower_fd, name, error);
		if (lower_fd < 0)
			return false;
	}
	if (is_overlay) {
		int opaque = check_redirect(upper_fd, error) ? whiteout_is_opaque(upper_fd, error) : -1;
		if (opaque < 0)
			return false;
		if (opaque && lower_fd >= 0) {
			is_overlay = false;
			hide_whiteouts = true;
		}
	}
	return push(w, fd_steal(&upper_fd), fd_steal(&lower_fd), is_overlay, hide_whiteouts, error);
}

static bool tell(struct walk *w, enum change_kind kind, const struct frame *f, const char *name, const struct stat *st,
		 GError **error)
{
	struct change c = {kind, w->path->str, f->upper_fd, name, st};
	return change_writer_put(w->writer, &c, error);
}

/* Handles an entry of the upper tree that is not a whiteout. */
static bool visit_present(struct walk *w, const struct frame *f, const char *name, const struct stat *upper,
			  const struct stat *lower, GError **error)
{
	int same = lower ? compare_entries(f->lower_fd, lower, f->upper_fd, upper, name, error) : 0;
	if (same < 0)
		return false;
	enum change_kind kind = same ? CHANGE_NONE : CHANGE_PUT;
	bool silent = same && (f->is_overlay || S_ISDIR(upper->st_mode) || upper->st_nlink < 2);
	if (!silent && !tell(w, kind, f, name, upper, error))
		return false;
	return !S_ISDIR(upper->st_mode) || descend(w, f, name, lower, error);
}

static bool visit(struct walk *w, const struct frame *f, const char *name, GError **error)
{
	struct stat upper, lower;
	int has_upper = stat_in(f->upper_fd, name, &upper, error);
	int has_lower = has_upper < 0 ? -1 : stat_in(f->lower_fd, name, &lower, error);
	if (has_lower < 0)
		return false;
	if (has_upper && (f->is_overlay || f->hide_whiteouts) && is_whiteout(&upper))
		has_upper = 0;
	if (has_upper)
		return visit_present(w, f, name, &upper, has_lower ? &lower : NULL, error);
	return !has_lower || tell(w, CHANGE_DELETE, f, name, NULL, error);
}

static bool walk_run(struct walk *w, GError **error)
{
	while (w->frames->len > 0) {
		struct frame *f = &g_array_index(w->frames, struct frame, w->frames->len - 1);
		if (f->next == f->names->len) {
			if (!pop(w, error))
				return false;
			continue;
		}
		const char *name = f->names->pdata[f->next++];
		g_string_truncate(w->path, f->path_len);
		if (f->path_len > 0)
			g_string_append_c(w->path, '/');
		g_string_append(w->path, name);
		struct frame at = *f; /* entering a directory may move the array */
		at.upper_fd = dir_chain_fd(w->upper);
		at.lower_fd = f->has_lower ? dir_chain_fd(w->lower) : -1;
		if (!visit(w, &at, name, error))
			return false;
	}
	return change_writer_finish(w->writer, error);
}

static bool diff(int lower_fd, int upper_fd, bool is_overlay, const struct diff_options *options, bytes_sink_fn sink,
		 void *data, GError **error)
{
	__attribute__((cleanup(walk_clear))) struct walk w = {
		.frames = g_array_new(FALSE, FALSE, sizeof(struct frame)),
		.upper = dir_chain_new(),
		.lower = dir_chain_new(),
		.path = g_string_new(NULL),
		.writer = change_writer_new(upper_fd, options, sink, data),
	};
	g_array_set_clear_func(w.frames, frame_clear);
	scoped_fd upper = open_dir(upper_fd, ".", error);
	scoped_fd lower = upper >= 0 && lower_fd >= 0 ? open_dir(lower_fd, ".", error) : -1;
	if (upper < 0 || (lower_fd >= 0 && lower < 0))
		return false;
	return push(&w, fd_steal(&upper), fd_steal(&lower), is_overlay, false, error) && walk_run(&w, error);
}

bool diff_overlay(int lower_fd, int upper_fd, const struct diff_options *options, bytes_sink_fn sink, void *data,
		  GError **error)
{
	return diff(lower_fd, upper_fd, true, options, sink, data, error);
}

bool diff_trees(int lower_fd, int upper_fd, const struct diff_options *options, bytes_sink_fn sink, void *data,
		GError **error)
{
	return diff(lower_fd, upper_fd, false, options, sink, data, error);
}
