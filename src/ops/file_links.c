/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/file_links.h"
#include "base/ident.h"
#include "base/scope.h"
#include "os/path.h"
#include "os/tree.h"
#include "os/tree_walk.h"
#include <string.h>

/* A file to link when the mount is closed. */
struct waiting {
	char *from, *to; /* owned: names in the directories of the group */
	struct stat st;
};

/* The waiting files of one directory. */
struct group {
	char *from, *to; /* owned: paths of the directories in their trees */
	bool has_times;
	struct timespec times[2];
	GArray *files; /* of struct waiting */
};

struct file_links {
	cache_links *links;
	bool is_on;        /* files of the current source may be linked */
	int from_root;     /* owned: of the current source */
	GPtrArray *groups; /* of struct group * */
};

static void waiting_clear(void *data)
{
	struct waiting *w = data;
	g_free(w->from);
	g_free(w->to);
}

static void group_free(void *data)
{
	struct group *g = data;
	g_free(g->from);
	g_free(g->to);
	g_array_unref(g->files);
	g_free(g);
}

file_links *file_links_new(cache_ref *to)
{
	file_links *l = g_new0(file_links, 1);
	l->links = cache_links_new(to);
	l->from_root = -1;
	l->groups = g_ptr_array_new_with_free_func(group_free);
	return l;
}

void file_links_free(file_links *l)
{
	if (!l)
		return;
	cache_links_free(l->links);
	fd_close(&l->from_root);
	g_ptr_array_unref(l->groups);
	g_free(l);
}

void file_links_begin(file_links *l, cache_ref *from, int from_root)
{
	fd_close(&l->from_root);
	l->is_on = cache_links_begin(l->links, from);
	if (l->is_on)
		l->from_root = openat(from_root, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	l->is_on = l->from_root >= 0;
}

void file_links_next(file_links *l)
{
	if (l)
		cache_links_next(l->links);
}

bool file_links_may(const file_links *l, const struct stat *st)
{
	return l && l->is_on && cache_links_may(l->links, st);
}

/* ---- links that wait */

/* The directory must exist below the mount, where the link is made: changing its mode creates it there. */
static bool copy_up(int dir_fd)
{
	struct stat st;
	return fstat(dir_fd, &st) == 0 && fchmod(dir_fd, st.st_mode & 07777) == 0;
}

static struct group *group_for(file_links *l, const struct file_link *link)
{
	g_autofree char *from = g_path_get_dirname(link->from_path);
	g_autofree char *to = g_path_get_dirname(link->to_path);
	struct group *last = l->groups->len > 0 ? l->groups->pdata[l->groups->len - 1] : NULL;
	if (last && strcmp(last->to, to) == 0 && strcmp(last->from, from) == 0)
		return last;
	if (!copy_up(link->to_dir))
		return NULL;
	struct group *g = g_new0(struct group, 1);
	g->from = g_steal_pointer(&from);
	g->to = g_steal_pointer(&to);
	g->has_times = link->dir_times;
	if (g->has_times)
		memcpy(g->times, link->dir_times, sizeof g->times);
	g->files = g_array_new(FALSE, FALSE, sizeof(struct waiting));
	g_array_set_clear_func(g->files, waiting_clear);
	g_ptr_array_add(l->groups, g);
	return g;
}

bool file_links_make(file_links *l, const struct file_link *link)
{
	struct stat st;
	if (!cache_links_is_direct(l->links)) {
		struct group *g = group_for(l, link);
		if (!g)
			return false;
		struct waiting w = {g_strdup(link->from_name), g_strdup(link->to_name), *link->st};
		g_array_append_val(g->files, w);
		cache_links_add(l->links, link->st);
		return true;
	}
	/* Fails for files that must not get further links, and for too many links. */
	if (linkat(link->from_dir, link->from_name, link->to_dir, link->to_name, 0) < 0)
		return false;
	cache_links_add(l->links, link->st);
	if (fstatat(link->to_dir, link->to_name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		cache_links_note(l->links, &st, link->from_path);
	return true;
}

bool file_links_is_pending(const file_links *l)
{
	return l->groups->len > 0;
}

static void temporary_name(char ret[8 + IDENT_SIZE])
{
	memcpy(ret, ".link-", 6);
	ident_new(ret + 6);
}

/* Gives the file a name that may exist, such as a whiteout. */
static bool replace(int dir_fd, const char *temporary, const char *name, GError **error)
{
	if (renameat(dir_fd, temporary, dir_fd, name) < 0) {
		int why = errno;
		unlinkat(dir_fd, temporary, 0);
		return error_set_errno(error, why, "rename %s", name);
	}
	unlinkat(dir_fd, temporary, 0); /* it still exists if both were names of one file */
	return true;
}

static bool link_one(int from_dir, int to_dir, const struct waiting *w, cancel *c, GError **error)
{
	char temporary[8 + IDENT_SIZE];
	if (linkat(from_dir, w->from, to_dir, w->to, 0) == 0)
		return true;
	temporary_name(temporary);
	if ((errno != EEXIST || linkat(from_dir, w->from, to_dir, temporary, 0) < 0) &&
	    !tree_copy_file(from_dir, w->from, to_dir, temporary, &w->st, c, error)) {
		unlinkat(to_dir, temporary, 0);
		return false;
	}
	return replace(to_dir, temporary, w->to, error);
}

static void note(file_links *l, const struct group *g, int to_dir, const struct waiting *w)
{
	struct stat st;
	if (fstatat(to_dir, w->to, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_ino != w->st.st_ino)
		return;
	g_autofree char *from = path_join(g->from, w->from);
	cache_links_note(l->links, &st, from);
}

static bool settle_group(file_links *l, int to_root, const struct group *g, cancel *c, GError **error)
{
	scoped_fd from = path_open_errno(l->from_root, g->from, O_PATH | O_DIRECTORY, PATH_BENEATH);
	if (from < 0)
		return error_set_errno(error, -from, "open %s", g->from);
	scoped_fd to = path_open_errno(to_root, g->to, O_RDONLY | O_DIRECTORY, PATH_BENEATH);
	if (to < 0)
		return error_set_errno(error, -to, "open %s", g->to);
	for (guint i = 0; i < g->files->len; i++) {
		const struct waiting *w = &g_array_index(g->files, struct waiting, i);
		if (!cancel_check(c, error))
			return false;
		if (!link_one(from, to, w, c, error))
			return error_prefix(error, "failed to copy files: %s/%s: ", g->to, w->to);
		note(l, g, to, w);
	}
	return !g->has_times || futimens(to, g->times) == 0 || error_set_errno(error, errno, "set times of %s", g->to);
}

bool file_links_settle(file_links *l, cancel *c, GError **error)
{
	scoped_fd root = cache_links_open_target(l->links, error);
	bool ok = root >= 0;
	for (guint i = 0; ok && i < l->groups->len; i++)
		ok = settle_group(l, root, l->groups->pdata[i], c, error);
	g_ptr_array_set_size(l->groups, 0);
	return ok;
}

/* ---- before a file is written in place */

/* Gives the copy all other names that the file has in the tree. */
static bool replace_others(int root_fd, ino_t inode, int copy_dir, const char *copy, GError **error)
{
	const struct tree_walk_options options = {.one_mount = true};
	g_autoptr(tree_walk) walk = tree_walk_open(root_fd, &options, error);
	for (const struct tree_entry *e; walk && (e = tree_walk_next(walk, error));) {
		char temporary[8 + IDENT_SIZE];
		struct stat st;
		if (e->left)
			continue;
		if (fstatat(e->dir_fd, e->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return error_set_errno(error, errno, "stat %s", e->path);
		if (S_ISDIR(st.st_mode) && !tree_walk_enter(walk, error))
			return false;
		if (!S_ISREG(st.st_mode) || st.st_ino != inode)
			continue;
		temporary_name(temporary);
		if (linkat(copy_dir, copy, e->dir_fd, temporary, 0) < 0)
			return error_set_errno(error, errno, "link %s", e->path);
		if (!replace(e->dir_fd, temporary, e->name, error))
			return false;
	}
	return walk && tree_walk_is_done(walk);
}

static bool break_link(int root_fd, int dir_fd, const char *name, const struct stat *st, bool has_second,
		       GError **error)
{
	char temporary[8 + IDENT_SIZE];
	temporary_name(temporary);
	if (!tree_copy_file(dir_fd, name, dir_fd, temporary, st, NULL, error)) {
		unlinkat(dir_fd, temporary, 0);
		return false;
	}
	return replace(dir_fd, temporary, name, error) &&
	       (!has_second || replace_others(root_fd, st->st_ino, dir_fd, name, error));
}

bool file_links_unshare(file_links *l, int root_fd, int dir_fd, const char *name, GError **error)
{
	struct stat st, dir;
	bool has_second;
	if (!l || fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode) || st.st_nlink < 2 ||
	    !cache_links_has(l->links, &st, &has_second))
		return true;
	if (fstat(dir_fd, &dir) < 0)
		return error_set_errno(error, errno, "stat directory of %s", name);
	if (!break_link(root_fd, dir_fd, name, &st, has_second, error))
		return false;
	/* Writing in place would not have changed the directory. */
	const struct timespec times[2] = {dir.st_atim, dir.st_mtim};
	return utimensat(dir_fd, ".", times, 0) == 0 ||
	       error_set_errno(error, errno, "set times of directory of %s", name);
}
