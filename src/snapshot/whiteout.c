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

static bool make_file(int dir_fd, const char *name, GError **error)
{
	g_autofree char *file = g_strconcat(WHITEOUT_PREFIX, name, NULL);
	scoped_fd fd = openat(dir_fd, file, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	return fd >= 0 || error_set_errno(error, errno, "create whiteout of %s", name);
}

bool whiteout_make(int dir_fd, const char *name, bool user_xattrs, bool as_file, GError **error)
{
	if (mknodat(dir_fd, name, S_IFCHR, makedev(0, 0)) == 0)
		return true;
	if (errno == EEXIST)
		return hide_below(dir_fd, name, user_xattrs, error);
	if (errno == EPERM && as_file)
		return make_file(dir_fd, name, error);
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

bool whiteout_clear_dir(int dir_fd, GHashTable *made, GError **error)
{
	const struct tree_walk_options options = {.one_mount = true};
	g_autoptr(tree_walk) w = tree_walk_open(dir_fd, &options, error);
	for (const struct tree_entry *e; w && (e = tree_walk_next(w, error));) {
		int parent = e->left ? e->parent_fd : e->dir_fd;
		bool ok = true;
		struct stat st;
		if (parent < 0)
			continue;
		if (fstatat(parent, e->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			ok = errno == ENOENT || error_set_errno(error, errno, "stat %s", e->path);
		else if (e->left)
			ok = is_made(made, &st) || remove_if_empty(parent, e->name, error);
		else if (S_ISDIR(st.st_mode))
			ok = tree_walk_enter(w, error);
		else if (!is_made(made, &st))
			ok = tree_remove_at(parent, e->name, error);
		if (!ok)
			return false;
	}
	return w && tree_walk_is_done(w);
}
