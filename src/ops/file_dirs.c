/* SPDX-License-Identifier: Apache-2.0 */
#include "ops/file_dirs.h"
#include "base/scope.h"
#include "base/time.h"
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
