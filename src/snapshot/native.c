/* SPDX-License-Identifier: Apache-2.0 */
#include "snapshot/native.h"
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include "base/limits.h"
#include "base/scope.h"
#include "os/dir_chain.h"
#include "os/dirlist.h"
#include "os/path.h"
#include "os/tree.h"

/* A directory being copied. */
struct level {
	struct dirlist names; /* of the source */
	size_t next, path_len;
	struct stat st;
};

struct copy {
	int root_fd;          /* borrowed: destination */
	GArray *levels;       /* of struct level, the root first */
	dir_chain *from, *to; /* owned; one per level */
	GString *path;        /* of the current level, relative to the root, with a trailing slash */
	GHashTable *links;    /* "dev:ino" to the path of the first copy */
	bool share;           /* hard-link files to the source's files */
	cancel *cancel;
};

static void level_clear(gpointer data)
{
	dirlist_clear(&((struct level *)data)->names);
}

static bool set_times(int fd, const char *name, const struct stat *st, GError **error)
{
	struct timespec times[2] = {st->st_atim, st->st_mtim};
	int rc = name ? utimensat(fd, name, times, AT_SYMLINK_NOFOLLOW) : futimens(fd, times);
	return rc == 0 || error_set_errno(error, errno, "set times of %s", name ? name : "directory");
}

static bool set_owner_and_mode(int fd, const struct stat *st, GError **error)
{
	if (fchown(fd, st->st_uid, st->st_gid) < 0 || fchmod(fd, st->st_mode & 07777) < 0)
		return error_set_errno(error, errno, "set owner and mode");
	return true;
}

static bool copy_file(int from_dir, int to_dir, const char *name, const struct stat *st, cancel *c, GError **error)
{
	scoped_fd from = path_open_regular_at(from_dir, name, O_RDONLY, NULL);
	if (from < 0)
		return error_set_errno(error, -from, "open %s", name);
	scoped_fd to = openat(to_dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (to < 0)
		return error_set_errno(error, errno, "create %s", name);
	return file_copy_data(from, to, st->st_size, c, error) && set_owner_and_mode(to, st, error) &&
	       file_copy_xattrs(from, to, error) && set_times(to, NULL, st, error);
}

static bool copy_symlink(int from_dir, int to_dir, const char *name, const struct stat *st, GError **error)
{
	char target[4097];
	ssize_t n = readlinkat(from_dir, name, target, sizeof target - 1);
	if (n < 0)
		return error_set_errno(error, errno, "read link %s", name);
	target[n] = '\0';
	if (symlinkat(target, to_dir, name) < 0 ||
	    fchownat(to_dir, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0)
		return error_set_errno(error, errno, "create link %s", name);
	return set_times(to_dir, name, st, error);
}

static bool copy_special(int to_dir, const char *name, const struct stat *st, GError **error)
{
	if (mknodat(to_dir, name, st->st_mode, st->st_rdev) < 0 ||
	    fchownat(to_dir, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0 ||
	    fchmodat(to_dir, name, st->st_mode & 07777, 0) < 0)
		return error_set_errno(error, errno, "create %s", name);
	return set_times(to_dir, name, st, error);
}

/* Returns true if the file is another name of one copied before, and was linked. */
static bool copy_link(struct copy *c, int to_dir, const char *name, const struct stat *st)
{
	if (st->st_nlink < 2)
		return false;
	g_autofree char *key = g_strdup_printf("%ju:%ju", (uintmax_t)st->st_dev, (uintmax_t)st->st_ino);
	const char *first = g_hash_table_lookup(c->links, key);
	if (first)
		return linkat(c->root_fd, first, to_dir, name, 0) == 0;
	g_hash_table_insert(c->links, g_steal_pointer(&key), g_strconcat(c->path->str, name, NULL));
	return false;
}

/* Takes ownership of both fds. */
static bool push(struct copy *c, int from_fd, int to_fd, const char *name, const struct stat *st, GError **error)
{
	struct level l = {.path_len = c->path->len, .st = *st};
	scoped_fd from = from_fd, to = to_fd;
	if (!dirlist_read(&l.names, from, error))
		return error_prefix(error, "%s: ", name);
	g_array_append_val(c->levels, l);
	if (*name)
		g_string_append_printf(c->path, "%s/", name);
	return dir_chain_push(c->from, fd_steal(&from), error) && dir_chain_push(c->to, fd_steal(&to), error);
}

static bool enter(struct copy *c, int from_dir, int to_dir, const char *name, const struct stat *st, GError **error)
{
	if (c->levels->len > (guint)LIMIT_PATH_DEPTH)
		return error_set(error, ERROR_RESOURCE_EXHAUSTED, "directories nested deeper than %lld",
				 LIMIT_PATH_DEPTH);
	scoped_fd from = openat(from_dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (from < 0)
		return error_set_errno(error, errno, "open %s", name);
	if (mkdirat(to_dir, name, 0700) < 0)
		return error_set_errno(error, errno, "create %s", name);
	scoped_fd to = openat(to_dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (to < 0)
		return error_set_errno(error, errno, "open %s", name);
	return push(c, fd_steal(&from), fd_steal(&to), name, st, error);
}

/* Times last, because creating children changed them. */
static bool leave(struct copy *c, GError **error)
{
	const struct level *l = &g_array_index(c->levels, struct level, c->levels->len - 1);
	int from = dir_chain_fd(c->from), to = dir_chain_fd(c->to);
	bool ok = set_owner_and_mode(to, &l->st, error) && file_copy_xattrs(from, to, error) &&
		  set_times(to, NULL, &l->st, error);
	g_string_truncate(c->path, l->path_len);
	g_array_set_size(c->levels, c->levels->len - 1);
	return ok && dir_chain_pop(c->from, error) && dir_chain_pop(c->to, error);
}

static bool copy_entry(struct copy *c, const char *name, GError **error)
{
	int from = dir_chain_fd(c->from), to = dir_chain_fd(c->to);
	struct stat st;
	if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return error_set_errno(error, errno, "stat %s", name);
	if (S_ISDIR(st.st_mode))
		return enter(c, from, to, name, &st, error);
	if (c->share && S_ISREG(st.st_mode) && linkat(from, name, to, name, 0) == 0)
		return true; /* if that fails (too many links, another device), it is copied */
	if (copy_link(c, to, name, &st))
		return true;
	if (S_ISREG(st.st_mode))
		return copy_file(from, to, name, &st, c->cancel, error);
	if (S_ISLNK(st.st_mode))
		return copy_symlink(from, to, name, &st, error);
	return copy_special(to, name, &st, error);
}

static bool copy_run(struct copy *c, GError **error)
{
	while (c->levels->len > 0) {
		struct level *l = &g_array_index(c->levels, struct level, c->levels->len - 1);
		if (l->next == l->names.n) {
			if (!leave(c, error))
				return false;
			continue;
		}
		g_autofree char *name =
			g_strdup(dirlist_name(&l->names, l->next++)); /* entering a directory moves levels */
		if (!cancel_check(c->cancel, error) || !copy_entry(c, name, error))
			return false;
	}
	return true;
}

bool native_copy_tree(int src_fd, int dst_fd, bool share, cancel *stop, GError **error)
{
	struct stat st;
	scoped_fd from = openat(src_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	scoped_fd to = openat(dst_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (from < 0 || to < 0 || fstat(from, &st) < 0)
		return error_set_errno(error, errno, "open trees");
	g_autoptr(GArray) levels = g_array_new(FALSE, FALSE, sizeof(struct level));
	g_array_set_clear_func(levels, level_clear);
	g_autoptr(dir_chain) from_chain = dir_chain_new();
	g_autoptr(dir_chain) to_chain = dir_chain_new();
	g_autoptr(GString) path = g_string_new(NULL);
	g_autoptr(GHashTable) links = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
	struct copy c = {.root_fd = dst_fd,
			 .levels = levels,
			 .from = from_chain,
			 .to = to_chain,
			 .path = path,
			 .links = links,
			 .share = share,
			 .cancel = stop};
	return push(&c, fd_steal(&from), fd_steal(&to), "", &st, error) && copy_run(&c, error);
}
