/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/file_copy.h"
#include "base/scope.h"
#include "base/time.h"
#include "ops/file_walk.h"
#include "os/path.h"

bool file_set_time(int dir_fd, const char *name, int64_t time_ns)
{
	if (time_ns == -1)
		return true;
	struct timespec t = timespec_from_ns(time_ns);
	const struct timespec times[2] = {t, t};
	return utimensat(dir_fd, *name != '\0' ? name : ".", times, AT_SYMLINK_NOFOLLOW) == 0;
}

bool file_set_owner(int dir_fd, const char *name, struct file_owner owner)
{
	return !owner.set || fchownat(dir_fd, name, owner.uid, owner.gid,
				      AT_SYMLINK_NOFOLLOW | (*name == '\0' ? AT_EMPTY_PATH : 0)) == 0;
}

void file_dirs_init(struct file_dirs *d, int root_fd, struct file_owner owner, int64_t time_ns)
{
	*d = (struct file_dirs){root_fd, owner, time_ns, g_ptr_array_new_with_free_func(g_free)};
}

/* Returns the path up to the end of component i of a clean path. */
static char *path_until(char *const *names, size_t i)
{
	GString *text = g_string_new(NULL);
	for (size_t k = 0; k <= i; k++)
		g_string_append_printf(text, "/%s", names[k]);
	return g_string_free(text, FALSE);
}

/* Enters or creates one component; -1 and errno. */
static int enter(struct file_dirs *d, int at, char *const *names, size_t i, mode_t mode)
{
	int fd = openat(at, names[i], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0 || errno != ENOENT)
		return fd;
	if (mkdirat(at, names[i], mode & 0777) != 0)
		return -1;
	fd = openat(at, names[i], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	/* The umask does not apply. */
	if (fd >= 0 && (fchmod(fd, mode & 0777) != 0 || !file_set_owner(fd, "", d->owner)))
		fd_close(&fd);
	if (fd >= 0)
		g_ptr_array_add(d->made, path_until(names, i));
	return fd;
}

int file_dirs_make(struct file_dirs *d, const char *path, mode_t mode, GError **error)
{
	g_auto(GStrv) names = g_strsplit(path + 1, "/", -1);
	scoped_fd at = openat(d->root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; names[i] && *names[i] != '\0'; i++) {
		int next = at >= 0 ? enter(d, at, names, i, mode) : -1;
		if (next < 0) {
			int why = errno == ELOOP ? ENOTDIR : errno;
			g_autofree char *where = path_until(names, i);
			error_set_errno(error, why, "mkdir %s", where);
			return -1;
		}
		fd_close(&at);
		at = next;
	}
	if (at < 0)
		error_set_errno(error, errno, "open %s", path);
	return fd_steal(&at);
}

void file_dirs_done(struct file_dirs *d)
{
	/* Inner directories first: no further entries are created in them. */
	for (guint i = d->made->len; i > 0 && d->time_ns != -1; i--) {
		scoped_fd fd = path_open_errno(d->root_fd, g_ptr_array_index(d->made, i - 1),
					       O_PATH | O_DIRECTORY | O_NOFOLLOW, PATH_BENEATH);
		if (fd >= 0)
			file_set_time(fd, "", d->time_ns);
	}
	g_ptr_array_unref(d->made);
}

char *file_clean_path(const char *path)
{
	g_autofree char *rooted = g_strconcat("/", path, NULL);
	char *clean = path_clean(rooted);
	bool is_root = g_str_equal(clean, "/");
	const char *tail = "";
	if (g_str_has_suffix(path, "/."))
		tail = is_root ? "." : "/.";
	else if (g_str_has_suffix(path, "/") && !is_root)
		tail = "/";
	if (*tail == '\0')
		return clean;
	char *with_tail = g_strconcat(clean, tail, NULL);
	g_free(clean);
	return with_tail;
}

/* The directory part of a destination: the destination itself if it ends in "/" or "/.". */
static char *destination_directory(const char *dst)
{
	const char *slash = strrchr(dst, '/');
	const char *last = slash ? slash + 1 : dst;
	if (*last == '\0' || g_str_equal(last, "."))
		return g_strdup(dst);
	return slash ? g_strndup(dst, (gsize)(slash - dst + 1)) : g_strdup("/");
}

/* The name that a source gets in a destination directory; "" for the root and for a path that ends in "/.". */
static char *last_name(const char *path)
{
	size_t n = strlen(path);
	while (n > 0 && path[n - 1] == '/')
		n--;
	g_autofree char *plain = g_strndup(path, n);
	const char *slash = strrchr(plain, '/');
	const char *name = slash ? slash + 1 : plain;
	return g_strdup(g_str_equal(name, ".") ? "" : name);
}

static mode_t directory_mode(const struct file_copy *c)
{
	return !c->mode_text && c->mode != -1 ? (mode_t)c->mode & 0777 : 0755;
}

/* Splits a clean absolute path; the root has an empty name. */
static void split(const char *path, char **ret_parent, const char **ret_name)
{
	const char *slash = strrchr(path, '/');
	*ret_name = slash + 1;
	*ret_parent = g_strndup(path, MAX((gsize)(slash - path), 1));
}

/* Location and type of the source. */
static int open_source(const struct file_copy *c, char **ret_path, char **ret_name, struct stat *ret_st, GError **error)
{
	g_autofree char *rooted = g_strconcat("/", c->src, NULL);
	g_autofree char *clean = path_clean(rooted);
	g_autofree char *real = path_resolve(c->src_root, clean, c->follow_links, error);
	if (!real)
		return -1;
	g_autofree char *parent = NULL;
	const char *name;
	split(real, &parent, &name);
	scoped_fd fd = path_open_errno(c->src_root, parent, O_PATH | O_DIRECTORY | O_NOFOLLOW, PATH_BENEATH);
	int why = fd < 0 ? -fd : 0;
	if (why == 0 && fstatat(fd, name, ret_st, AT_SYMLINK_NOFOLLOW | (*name == '\0' ? AT_EMPTY_PATH : 0)) != 0)
		why = errno;
	if (why != 0) {
		error_set_errno(error, why, "lstat %s", real);
		return -1;
	}
	*ret_name = g_strdup(name);
	*ret_path = g_steal_pointer(&real);
	return fd_steal(&fd);
}

/* Checks a resolved destination: 1 exists, 0 does not exist, -1 error. */
static int stat_destination(const struct file_copy *c, const char *path, struct stat *ret, GError **error)
{
	int fd = path_open_errno(c->dst_root, path, O_PATH | O_NOFOLLOW, PATH_BENEATH);
	if (fd == -ENOENT)
		return 0;
	if (fd < 0 || fstat(fd, ret) != 0) {
		error_set_errno(error, fd < 0 ? -fd : errno, "failed to lstat destination path: stat %s", path);
		fd_close(&fd);
		return -1;
	}
	close(fd);
	return 1;
}

/* Determines the path of the copied source, and the directory to create for it. */
static bool plan_target(const struct file_copy *c, bool is_directory, char **ret_path, char **ret_directory,
			GError **error)
{
	g_autofree char *clean = path_clean(c->dst);
	g_autofree char *path = path_resolve(c->dst_root, clean, true, error);
	struct stat st = {0};
	int there = path ? stat_destination(c, path, &st, error) : -1;
	if (there < 0)
		return false;
	bool into = is_directory ? !c->contents && there : there && S_ISDIR(st.st_mode);
	if (into) {
		g_autofree char *name = last_name(c->src);
		char *inner = *name != '\0' ? path_join(path, name) : g_strdup(path);
		g_free(path);
		path = inner;
	}
	const char *name;
	if (is_directory && c->contents && !there)
		*ret_directory = g_strdup(path);
	else
		split(path, ret_directory, &name);
	*ret_path = g_steal_pointer(&path);
	return true;
}

static bool copy_to(const struct file_copy *c, struct file_dirs *dirs, int src_parent, const char *src_name,
		    const char *src_path, bool is_directory, GError **error)
{
	g_autofree char *path = NULL, *directory = NULL, *parent = NULL;
	const char *name;
	if (!plan_target(c, is_directory, &path, &directory, error))
		return false;
	scoped_fd made = file_dirs_make(dirs, directory, directory_mode(c), error);
	if (made < 0)
		return false;
	split(path, &parent, &name);
	scoped_fd dst = path_open_errno(c->dst_root, parent, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, PATH_BENEATH);
	if (dst < 0)
		return error_set_errno(error, -dst, "open %s", parent);
	return file_walk_run(c, src_parent, src_name, src_path, dst, name, path, error);
}

bool file_copy_run(const struct file_copy *c, GError **error)
{
	struct file_dirs dirs;
	struct stat st;
	g_autofree char *name = NULL, *real = NULL;
	file_dirs_init(&dirs, c->dst_root, c->owner, c->time_ns);
	g_autofree char *wanted = destination_directory(c->dst);
	g_autofree char *clean = path_clean(wanted);
	g_autofree char *path = path_resolve(c->dst_root, clean, true, error);
	scoped_fd dst = path ? file_dirs_make(&dirs, path, directory_mode(c), error) : -1;
	scoped_fd src = dst >= 0 ? open_source(c, &real, &name, &st, error) : -1;
	bool ok = src >= 0 && copy_to(c, &dirs, src, name, real, S_ISDIR(st.st_mode), error);
	file_dirs_done(&dirs);
	return ok;
}
