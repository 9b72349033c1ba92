/* SPDX-License-Identifier: Apache-2.0 */
#include "snapshot/whiteout.h"
#include "base/scope.h"
#include "os/tree.h"
#include "os/tree_walk.h"
#include <fcntl.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

bool whiteout_kind_of(const char *base_name, enum whiteout_kind *ret, GError **error)
{
	*ret = WHITEOUT_NONE;
	if (!g_str_has_prefix(base_name, WHITEOUT_PREFIX))
		return true;
	const char *hidden = base_name + strlen(WHITEOUT_PREFIX);
	if (*hidden == '\0' || strcmp(hidden, ".") == 0 || strcmp(hidden, "..") == 0)
		return error_set(error, ERROR_INVALID_ARGUMENT, "invalid whiteout name: %s", base_name);
	if (strcmp(base_name, WHITEOUT_OPAQUE_NAME) == 0)
		*ret = WHITEOUT_OPAQUE;
	else
		*ret = g_str_has_prefix(hidden, WHITEOUT_PREFIX) ? WHITEOUT_IGNORED : WHITEOUT_ENTRY;
	return true;
}

bool whiteout_set_opaque(int dir_fd, bool user_xattrs, GError **error)
{
	const char *name = user_xattrs ? "user.overlay.opaque" : "trusted.overlay.opaque";
	if (fsetxattr(dir_fd, name, "y", 1, 0) == 0)
		return true;
	return error_set_errno(error, errno, "make directory opaque");
}

int whiteout_is_opaque(int dir_fd, GError **error)
{
	static const char *const names[] = {"trusted.overlay.opaque", "user.overlay.opaque"};
	for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
		char value[2];
		ssize_t n = fgetxattr(dir_fd, names[i], value, sizeof value);
		if (n == 1 && value[0] == 'y')
			return 1;
		if (n < 0 && errno != ENODATA && errno != ENOTSUP && errno != ERANGE) {
			error_set_errno(error, errno, "read %s", names[i]);
			return -1;
		}
	}
	return 0;
}

/* Entries created by the same layer stay; a directory then hides its counterpart in lower layers. */
static bool hide_below(int dir_fd, const char *name, bool user_xattrs, GError **error)
{
	scoped_fd fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && (errno == ENOTDIR || errno == ELOOP))
		return true;
	if (fd < 0)
		return error_set_errno(error, errno, "open %s", name);
	return whiteout_set_opaque(fd, user_xattrs, error);
}

bool whiteout_make(int dir_fd, const char *name, bool user_xattrs, GError **error)
{
	if (mknodat(dir_fd, name, S_IFCHR, makedev(0, 0)) == 0)
		return true;
	if (errno == EEXIST)
		return hide_below(dir_fd, name, user_xattrs, error);
	return error_set_errno(error, errno, "create whiteout of %s", name);
}

static bool is_made(GHashTable *made, const struct stat *st)
{
	guint64 ino = st->st_ino;
	return g_hash_table_contains(made, &ino);
}

/* A directory that the stream did not create is removed if it is empty: the stream may have created entries in it. */
static bool remove_if_empty(int dir_fd, const char *name, GError **error)
{
	if (unlinkat(dir_fd, name, AT_REMOVEDIR) == 0 || errno == ENOTEMPTY || errno == ENOENT)
		return true;
	return error_set_errno(error, errno, "remove %s", name);
}

bool whiteout_clear_entry(int dir_fd, const char *name, GHashTable *made, GError **error)
{
	struct stat st;
	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT || error_set_errno(error, errno, "stat %s", name);
	if (!S_ISDIR(st.st_mode))
		return is_made(made, &st) || tree_remove_at(dir_fd, name, error);
	if (g_hash_table_size(made) == 0)
		return tree_remove_at(dir_fd, name, error);
	scoped_fd fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return error_set_errno(error, errno, "open %s", name);
	return whiteout_clear_dir(fd, made, error) && (is_made(made, &st) || remove_if_empty(dir_fd, name, error));
}

/* Handles one entry of the walk: removed, kept, or entered. */
static void clear_step(tree_walk *w, const struct dirent *entry, GHashTable *made, GError **problem)
{
	struct stat st;
	int fd = tree_walk_fd(w);
	if (fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno != ENOENT)
			error_set_errno(problem, errno, "stat %s", entry->d_name);
	} else if (S_ISDIR(st.st_mode)) {
		tree_walk_enter(w, entry->d_name, problem);
	} else if (!is_made(made, &st)) {
		tree_remove_at(fd, entry->d_name, problem);
	}
}

static void clear_leave(tree_walk *w, GHashTable *made, GError **problem)
{
	g_autofree char *name = NULL;
	struct stat st;
	if (!tree_walk_leave(w, &name, problem))
		return;
	if (fstatat(tree_walk_fd(w), name, &st, AT_SYMLINK_NOFOLLOW) == 0 && !is_made(made, &st))
		remove_if_empty(tree_walk_fd(w), name, problem);
}

bool whiteout_clear_dir(int dir_fd, GHashTable *made, GError **error)
{
	g_autoptr(GError) problem = NULL;
	g_autoptr(tree_walk) w = tree_walk_new(dir_fd, false, error);
	if (!w)
		return false;
	while (!problem) {
		const struct dirent *entry = tree_walk_next(w, &problem);
		if (entry)
			clear_step(w, entry, made, &problem);
		else if (!problem && tree_walk_depth(w) == 0)
			return true;
		else if (!problem)
			clear_leave(w, made, &problem);
	}
	return error_propagate(error, g_steal_pointer(&problem));
}
