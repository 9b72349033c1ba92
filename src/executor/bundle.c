/* SPDX-License-Identifier: Apache-2.0 */
#include "executor/bundle.h"
#include "base/scope.h"
#include "os/file.h"
#include "os/mount.h"
#include "os/tree.h"
#include <fcntl.h>
#include <linux/stat.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct bundle {
	int executor_fd; /* borrowed */
	int fd;          /* owned */
	int secret_fd;   /* owned, -1: the file in memory of bundle_write_secret */
	char *id, *path;
	GPtrArray *paths; /* of char *: mounted paths, in order */
};

bundle *bundle_new(int executor_fd, const char *executor_path, const char *id, GError **error)
{
	if (mkdirat(executor_fd, id, 0711) != 0)
		return error_null_errno(error, errno, "mkdir %s/%s", executor_path, id);
	bundle *b = g_new0(bundle, 1);
	b->executor_fd = executor_fd;
	b->secret_fd = -1;
	b->id = g_strdup(id);
	b->path = g_strconcat(executor_path, "/", id, NULL);
	b->paths = g_ptr_array_new_with_free_func(g_free);
	b->fd = openat(executor_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (b->fd < 0) {
		error_set_errno(error, errno, "open %s", b->path);
		bundle_free(b);
		return NULL;
	}
	return b;
}

/*
 * Returns a separate mount: the root of a detached mount is used as it is (it is not visible elsewhere), anything else
 * is cloned.
 */
static bool attach(int fd, bool move, int dir_fd, const char *name, GError **error)
{
	struct statx st;
	if (statx(fd, "", AT_EMPTY_PATH | AT_NO_AUTOMOUNT, STATX_TYPE, &st) != 0)
		return error_set_errno(error, errno, "statx");
	if (move && !mount_is_old() && (st.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0 &&
	    mount_attach(fd, dir_fd, name, NULL))
		return true;
	scoped_fd clone = mount_clone(fd, true, error);
	return clone >= 0 && mount_attach(clone, dir_fd, name, error);
}

static const char *add(bundle *b, int fd, bool move, const char *name, bool *ret_directory, GError **error)
{
	struct stat st;
	char next[16];
	if (!name) {
		g_snprintf(next, sizeof next, "m%u", b->paths->len);
		name = next;
	}
	if (fstat(fd, &st) != 0)
		return error_null_errno(error, errno, "stat mount");
	bool directory = S_ISDIR(st.st_mode);
	if (directory ? mkdirat(b->fd, name, 0700) != 0 : mknodat(b->fd, name, S_IFREG | 0600, 0) != 0)
		return error_null_errno(error, errno, "create %s/%s", b->path, name);
	if (!attach(fd, move, b->fd, name, error))
		return NULL;
	char *path = g_strconcat(b->path, "/", name, NULL);
	g_ptr_array_add(b->paths, path);
	if (ret_directory)
		*ret_directory = directory;
	return path;
}

const char *bundle_attach(bundle *b, int fd, const char *name, bool *ret_directory, GError **error)
{
	return add(b, fd, true, name, ret_directory, error);
}

const char *bundle_bind(bundle *b, int fd, bool *ret_directory, GError **error)
{
	return add(b, fd, false, NULL, ret_directory, error);
}

bool bundle_write_secret(bundle *b, const char *name, const void *bytes, size_t n, GError **error)
{
	g_return_val_if_fail(b->secret_fd < 0, false);
	b->secret_fd = memfd_create(name, MFD_CLOEXEC);
	if (b->secret_fd < 0 || !file_write_all(b->secret_fd, bytes, n))
		return error_set_errno(error, errno, "write %s", name);
	g_autofree char *target = g_strdup_printf("/proc/%d/fd/%d", (int)getpid(), b->secret_fd);
	return symlinkat(target, b->fd, name) == 0 || error_set_errno(error, errno, "symlink %s/%s", b->path, name);
}

int bundle_fd(const bundle *b)
{
	return b->fd;
}

const char *bundle_path(const bundle *b)
{
	return b->path;
}

void bundle_free(bundle *b)
{
	for (guint i = b->paths->len; i > 0; i--) {
		const char *path = g_ptr_array_index(b->paths, i - 1);
		mount_detach(b->fd, path + strlen(b->path) + 1, NULL);
	}
	fd_close(&b->fd);
	fd_close(&b->secret_fd);
	/* Never crosses a mount, so that a leftover mount's tree is not deleted. */
	tree_remove_at(b->executor_fd, b->id, NULL);
	g_ptr_array_unref(b->paths);
	g_free(b->id);
	g_free(b->path);
	g_free(b);
}
