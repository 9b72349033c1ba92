/* SPDX-License-Identifier: Apache-2.0 */
#include "snapshot/overlay.h"
#include <fcntl.h>
#include <string.h>
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
		return error_set_errno(error, errno, "create %s", name);
	return true;
}

static bool check_mounted(int dir_fd, int fs_fd, GError **error)
{
	char text[sizeof OVERLAY_REMOTE_MOUNT];
	struct statx st;
	ssize_t n = readlinkat(dir_fd, OVERLAY_REMOTE, text, sizeof text);
	if (n != (ssize_t)strlen(OVERLAY_REMOTE_MOUNT) || memcmp(text, OVERLAY_REMOTE_MOUNT, (size_t)n) != 0)
		return true;
	if (statx(fs_fd, "", AT_EMPTY_PATH, STATX_TYPE, &st) < 0)
		return error_set_errno(error, errno, "stat the mount of a remote snapshot");
	return (st.stx_attributes & STATX_ATTR_MOUNT_ROOT) ||
	       error_set(error, ERROR_UNAVAILABLE, "a remote snapshot is not mounted: restart the snapshotter");
}

int overlay_open_part(int dir_fd, const char *name, bool linked, GError **error)
{
	int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | (linked ? 0 : O_NOFOLLOW) | O_CLOEXEC);
	if (fd < 0)
		error_set_errno(error, errno, "open %s", name);
	if (fd >= 0 && linked && strcmp(name, "fs") == 0 && !check_mounted(dir_fd, fd, error))
		fd_close(&fd);
	return fd;
}

static int open_dir(int dir_fd, const char *name, GError **error)
{
	return overlay_open_part(dir_fd, name, false, error);
}

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

bool overlay_inherit(int dir_fd, int parent_dir_fd, bool linked, GError **error)
{
	scoped_fd fs = overlay_open_part(dir_fd, "fs", linked, error);
	scoped_fd parent = fs < 0 ? -1 : overlay_open_part(parent_dir_fd, "fs", linked, error);
	return parent >= 0 && copy_root_metadata(parent, fs, error);
}

bool overlay_prepare(int dir_fd, int parent_dir_fd, GError **error)
{
	if (!make_dir(dir_fd, "fs", error))
		return false;
	scoped_fd fs = open_dir(dir_fd, "fs", error);
	if (fs < 0 || fchmod(fs, 0755) < 0)
		return fs < 0 ? false : error_set_errno(error, errno, "change mode of tree");
	return parent_dir_fd < 0 || overlay_inherit(dir_fd, parent_dir_fd, false, error);
}

static int make_fresh(int dir_fd, const char *name, GError **error)
{
	if (!tree_remove_at(dir_fd, name, error) || !make_dir(dir_fd, name, error))
		return -1;
	return open_dir(dir_fd, name, error);
}

/* A new directory for each mount: a volatile mount leaves a mark that prevents the next one. */
static int make_work(int dir_fd, bool linked, GError **error)
{
	if (!linked)
		return make_fresh(dir_fd, "work", error);
	scoped_fd kept = overlay_open_part(dir_fd, "work", true, error);
	return kept < 0 ? -1 : make_fresh(kept, "buildkit", error);
}

int overlay_make_work(int dir_fd, GError **error)
{
	return make_work(dir_fd, false, error);
}

static void close_all(const int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		close(fds[i]);
}

int overlay_mount(const int *dirs, size_t n, bool write, bool linked, GError **error)
{
	if (n > MAX_LAYERS) {
		error_set(error, ERROR_RESOURCE_EXHAUSTED, "mount %zu layers: more than %d", n, MAX_LAYERS);
		return -1;
	}
	g_autofree int *layers = g_new(int, n);
	for (size_t i = 0; i < n; i++) {
		layers[i] = overlay_open_part(dirs[i], "fs", linked, error);
		if (layers[i] < 0) {
			close_all(layers, i);
			return -1;
		}
	}
	scoped_fd work = write ? make_work(dirs[0], linked, error) : -1;
	int mount_fd = -1;
	if (!write)
		mount_fd = mount_overlay(layers, n, -1, -1, false, error);
	else if (work >= 0)
		mount_fd = mount_overlay(layers + 1, n - 1, layers[0], work, true, error);
	close_all(layers, n);
	return mount_fd;
}

static bool probe_in(int probe_fd, bool *ret_can_clone, GError **error)
{
	if (!make_dir(probe_fd, "a", error) || !make_dir(probe_fd, "b", error))
		return false;
	scoped_fd a = open_dir(probe_fd, "a", error);
	scoped_fd b = a < 0 ? -1 : open_dir(probe_fd, "b", error);
	if (b < 0 || !overlay_prepare(a, -1, error) || !overlay_prepare(b, a, error))
		return false;
	scoped_fd mount_fd = overlay_mount((const int[]){b, a}, 2, true, false, error);
	if (mount_fd < 0)
		return false;
	scoped_fd file = openat(mount_fd, "probe", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (file < 0)
		return error_set_errno(error, errno, "write to an overlay mount");
	scoped_fd clone = mount_clone(mount_fd, false, NULL);
	*ret_can_clone = clone >= 0;
	return true;
}

bool overlay_probe(int root_fd, bool *ret_can_clone, GError **error)
{
	char name[6 + IDENT_SIZE] = "probe-";
	ident_new(name + 6);
	if (mkdirat(root_fd, name, 0700) < 0)
		return error_set_errno(error, errno, "create %s", name);
	scoped_fd probe = open_dir(root_fd, name, error);
	bool ok = probe >= 0 && probe_in(probe, ret_can_clone, error);
	tree_remove_at(root_fd, name, NULL);
	return ok;
}
