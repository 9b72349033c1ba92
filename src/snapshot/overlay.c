/* SPDX-License-Identifier: Apache-2.0 */
#include "snapshot/overlay.h"
#include <fcntl.h>
#include <sys/stat.h>
#include "base/ident.h"
#include "base/scope.h"
#include "os/mount.h"
#include "os/tree.h"
#include "snapshot/snapshotter.h"

#define MAX_LAYERS 500

static bool make_dir(int dir_fd, const char *name, GError **error)
{
	if (mkdirat(dir_fd, name, 0755) < 0)
		return error_set_errno(error, errno, "make %s", name);
	return true;
}

static int open_dir(int dir_fd, const char *name, GError **error)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		error_set_errno(error, errno, "open %s", name);
	return fd;
}

/* The merged root shows the top layer's own metadata: it begins as its parent's. */
static bool copy_root_metadata(int from_fd, int to_fd, GError **error)
{
	struct stat st;
	if (fstat(from_fd, &st) < 0)
		return error_set_errno(error, errno, "stat parent tree");
	struct timespec times[2] = {st.st_atim, st.st_mtim};
	if (fchown(to_fd, st.st_uid, st.st_gid) < 0 || fchmod(to_fd, st.st_mode & 07777) < 0 ||
	    futimens(to_fd, times) < 0)
		return error_set_errno(error, errno, "copy metadata of parent tree");
	return true;
}

bool overlay_prepare(int dir_fd, int parent_dir_fd, GError **error)
{
	if (!make_dir(dir_fd, "fs", error))
		return false;
	scoped_fd fs = open_dir(dir_fd, "fs", error);
	if (fs < 0 || fchmod(fs, 0755) < 0)
		return fs < 0 ? false : error_set_errno(error, errno, "change mode of tree");
	if (parent_dir_fd < 0)
		return true;
	scoped_fd parent = open_dir(parent_dir_fd, "fs", error);
	return parent >= 0 && copy_root_metadata(parent, fs, error);
}

/* A fresh one for each mount: a volatile mount leaves a mark that forbids the next. */
static int make_work(int dir_fd, GError **error)
{
	if (!tree_remove_at(dir_fd, "work", error) || !make_dir(dir_fd, "work", error))
		return -1;
	return open_dir(dir_fd, "work", error);
}

static void close_all(const int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		close(fds[i]);
}

int overlay_mount(const int *dirs, size_t n, bool write, GError **error)
{
	if (n > MAX_LAYERS) {
		error_set(error, ERROR_RESOURCE_EXHAUSTED, "mount %zu layers: more than %d", n, MAX_LAYERS);
		return -1;
	}
	g_autofree int *layers = g_new(int, n);
	for (size_t i = 0; i < n; i++) {
		layers[i] = open_dir(dirs[i], "fs", error);
		if (layers[i] < 0) {
			close_all(layers, i);
			return -1;
		}
	}
	scoped_fd work = write ? make_work(dirs[0], error) : -1;
	int mount_fd = -1;
	if (!write)
		mount_fd = mount_overlay(layers, n, -1, -1, false, error);
	else if (work >= 0)
		mount_fd = mount_overlay(layers + 1, n - 1, layers[0], work, true, error);
	close_all(layers, n);
	return mount_fd;
}

static bool probe_write(int mount_fd, GError **error)
{
	scoped_fd fd = openat(mount_fd, "probe", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_set_errno(error, errno, "write to an overlay mount");
	return true;
}

static bool probe_in(int probe_fd, bool *ret_can_clone, GError **error)
{
	if (!make_dir(probe_fd, "a", error) || !make_dir(probe_fd, "b", error))
		return false;
	scoped_fd a = open_dir(probe_fd, "a", error);
	scoped_fd b = a < 0 ? -1 : open_dir(probe_fd, "b", error);
	if (b < 0 || !overlay_prepare(a, -1, error) || !overlay_prepare(b, a, error))
		return false;
	scoped_fd mount_fd = overlay_mount((const int[]){b, a}, 2, true, error);
	if (mount_fd < 0 || !probe_write(mount_fd, error))
		return false;
	scoped_fd clone = mount_clone(mount_fd, false, NULL);
	*ret_can_clone = clone >= 0;
	return true;
}

bool overlay_probe(int root_fd, bool *ret_can_clone, GError **error)
{
	char name[6 + IDENT_SIZE] = "probe-";
	ident_new(name + 6);
	if (mkdirat(root_fd, name, 0700) < 0)
		return error_set_errno(error, errno, "make %s", name);
	scoped_fd probe = open_dir(root_fd, name, error);
	bool ok = probe >= 0 && probe_in(probe, ret_can_clone, error);
	tree_remove_at(root_fd, name, NULL);
	return ok;
}
