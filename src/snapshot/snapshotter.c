/* SPDX-License-Identifier: Apache-2.0 */
#include "snapshot/snapshotter.h"
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include "base/scope.h"
#include "os/mount.h"
#include "os/tree.h"
#include "snapshot/fuse.h"
#include "snapshot/native.h"
#include "snapshot/overlay.h"

struct snapshotter {
	const char *name;
	bool stacked;
	bool is_fuse;
	const struct snapshot_keeper *keeper; /* borrowed; NULL: trees are stored in their directories */
	bool can_clone;                       /* detached mounts can be cloned directly */
	int mounts_fd; /* owned: directory for attaching mounts that cannot be cloned otherwise */
	gint next_mount;
};

struct snapshot_view {
	snapshotter *snapshotter; /* borrowed: outlives the view */
	int root_fd;              /* owned: a plain directory, or the root of the mount */
	process *server;          /* owned: serves the mount; NULL: the kernel does */
	bool is_mount;
	bool write;
	GMutex mu;      /* guards attached */
	char *attached; /* name beneath mounts_fd, NULL: detached */
};

static int open_mounts(int root_fd, GError **error)
{
	if (mkdirat(root_fd, "mounts", 0700) < 0 && errno != EEXIST) {
		error_set_errno(error, errno, "create the mounts directory");
		return -1;
	}
	int fd = openat(root_fd, "mounts", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		error_set_errno(error, errno, "open mounts");
	return fd;
}

static bool choose_stacked(snapshotter *s, int root_fd, const char *name, GError **error)
{
	s->is_fuse = strcmp(name, "fuse-overlayfs") == 0;
	if (!(s->is_fuse ? fuse_probe : overlay_probe)(root_fd, &s->can_clone, error)) {
		g_prefix_error(error, "%s does not work here: ", name);
		return false;
	}
	s->name = s->is_fuse ? "fuse-overlayfs" : "overlayfs";
	s->stacked = true;
	return true;
}

static bool choose(snapshotter *s, int root_fd, const char *name, GError **error)
{
	static const char *const stacked[] = {"overlayfs", "fuse-overlayfs", NULL};
	bool automatic = strcmp(name, "auto") == 0;
	for (size_t i = 0; automatic && stacked[i]; i++)
		if (choose_stacked(s, root_fd, stacked[i], NULL))
			return true;
	if (automatic || strcmp(name, "native") == 0) {
		s->is_fuse = false;
		s->name = "native";
		return true;
	}
	if (!g_strv_contains(stacked, name))
		return error_set(error, ERROR_UNIMPLEMENTED, "unknown snapshotter name: \"%s\"", name);
	return choose_stacked(s, root_fd, name, error);
}

const char *snapshotter_choose(int root_fd, const char *name)
{
	snapshotter s = {0};
	return strcmp(name, "auto") == 0 && choose(&s, root_fd, name, NULL) ? s.name : name;
}

snapshotter *snapshotter_open(int root_fd, const char *name, GError **error)
{
	g_autoptr(snapshotter) s = g_new0(snapshotter, 1);
	s->mounts_fd = open_mounts(root_fd, error);
	if (s->mounts_fd < 0 || !choose(s, root_fd, name, error))
		return NULL;
	return g_steal_pointer(&s);
}

snapshotter *snapshotter_open_kept(int root_fd, const struct snapshot_keeper *keeper, GError **error)
{
	g_autoptr(snapshotter) s = g_new0(snapshotter, 1);
	s->mounts_fd = open_mounts(root_fd, error);
	if (s->mounts_fd < 0 || (keeper->is_stacked && !overlay_probe(root_fd, &s->can_clone, error)))
		return NULL;
	s->name = keeper->name;
	s->stacked = keeper->is_stacked;
	s->keeper = keeper;
	return g_steal_pointer(&s);
}

void snapshotter_close(snapshotter *s)
{
	if (!s)
		return;
	if (s->mounts_fd >= 0)
		close(s->mounts_fd);
	g_free(s);
}

const char *snapshotter_name(const snapshotter *s)
{
	return s->name;
}

bool snapshotter_is_stacked(const snapshotter *s)
{
	return s->stacked;
}

bool snapshotter_has_upper(const snapshotter *s)
{
	return s->stacked && !s->is_fuse;
}

bool snapshotter_can_link(const snapshotter *s)
{
	return !s->keeper && !s->is_fuse;
}

int snapshotter_open_fs(const snapshotter *s, int dir_fd, GError **error)
{
	return overlay_open_part(dir_fd, "fs", s->keeper != NULL, error);
}

static bool native_prepare(const snapshotter *s, int dir_fd, int parent_dir_fd, bool share, cancel *c, GError **error)
{
	if (mkdirat(dir_fd, "fs", 0755) < 0)
		return error_set_errno(error, errno, "create tree");
	scoped_fd fs = snapshotter_open_fs(s, dir_fd, error);
	if (fs < 0)
		return false;
	if (fchmod(fs, 0755) < 0)
		return error_set_errno(error, errno, "change mode of tree");
	if (parent_dir_fd < 0)
		return true;
	scoped_fd parent = snapshotter_open_fs(s, parent_dir_fd, error);
	return parent >= 0 && native_copy_tree(parent, fs, share, c, error);
}

static bool kept_prepare(const snapshotter *s, int dir_fd, int parent_dir_fd, cancel *c, GError **error)
{
	if (!s->keeper->prepare(s->keeper->self, dir_fd, parent_dir_fd, c, error))
		return false;
	return !s->stacked || parent_dir_fd < 0 || overlay_inherit(dir_fd, parent_dir_fd, true, error);
}

bool snapshotter_prepare(snapshotter *s, int dir_fd, int parent_dir_fd, bool share, cancel *c, GError **error)
{
	if (s->keeper)
		return kept_prepare(s, dir_fd, parent_dir_fd, c, error);
	return s->stacked ? overlay_prepare(dir_fd, parent_dir_fd, error)
			  : native_prepare(s, dir_fd, parent_dir_fd, share, c, error);
}

bool snapshotter_prepare_remote(snapshotter *s, int dir_fd, int parent_dir_fd, const struct snapshot_remote *from,
				cancel *stop, bool *ret_found, GError **error)
{
	*ret_found = false;
	return !snapshotter_has_remote(s) ||
	       s->keeper->prepare_remote(s->keeper->self, dir_fd, parent_dir_fd, from, stop, ret_found, error);
}

bool snapshotter_has_remote(const snapshotter *s)
{
	return s->keeper && s->keeper->prepare_remote;
}

bool snapshotter_is_remote(const snapshotter *s, int dir_fd)
{
	return snapshotter_has_remote(s) && faccessat(dir_fd, OVERLAY_REMOTE, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

bool snapshotter_seal(snapshotter *s, int dir_fd, GError **error)
{
	if (s->keeper)
		return s->keeper->seal(s->keeper->self, dir_fd, error);
	return !s->stacked || tree_remove_at(dir_fd, "work", error);
}

bool snapshotter_discard(snapshotter *s, int dir_fd, GError **error)
{
	return !s->keeper || s->keeper->discard(s->keeper->self, dir_fd, error);
}

bool snapshotter_is_kept(const snapshotter *s)
{
	return s->keeper != NULL;
}

bool snapshotter_sync(snapshotter *s, GError **error)
{
	return !s->keeper || s->keeper->sync(s->keeper->self, error);
}

/* ---- views */
snapshot_view *snapshot_view_open(snapshotter *s, const int *dirs, size_t n, bool write, GError **error)
{
	bool is_mount = s->stacked && n > 1;
	bool linked = s->keeper != NULL;
	process *server = NULL;
	scoped_fd root = !is_mount    ? snapshotter_open_fs(s, dirs[0], error)
			 : s->is_fuse ? fuse_mount(dirs, n, write, &server, error)
				      : overlay_mount(dirs, n, write, linked, error);
	if (root < 0 || (is_mount && !mount_forbid_devices(root, error))) {
		fd_close(&root);
		fuse_end(server);
		return NULL;
	}
	snapshot_view *v = g_new0(snapshot_view, 1);
	g_mutex_init(&v->mu);
	v->snapshotter = s;
	v->root_fd = fd_steal(&root);
	v->server = server;
	v->is_mount = is_mount;
	v->write = write;
	return v;
}

void snapshot_view_close(snapshot_view *v)
{
	if (!v)
		return;
	if (v->attached) {
		mount_detach(v->snapshotter->mounts_fd, v->attached, NULL);
		unlinkat(v->snapshotter->mounts_fd, v->attached, AT_REMOVEDIR);
	}
	close(v->root_fd);
	if (v->is_mount)
		mount_collect();
	fuse_end(v->server);
	g_mutex_clear(&v->mu);
	g_free(v->attached);
	g_free(v);
}

int snapshot_view_dir(snapshot_view *v, GError **error)
{
	int fd = openat(v->root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		error_set_errno(error, errno, "open tree");
	return fd;
}

/* Older kernels only clone mounts that are attached in our namespace. */
static bool view_ensure_attached(snapshot_view *v, GError **error)
{
	snapshotter *s = v->snapshotter;
	if (!v->is_mount || s->can_clone || v->attached)
		return true;
	g_autofree char *name = g_strdup_printf("%d", g_atomic_int_add(&s->next_mount, 1));
	if (mkdirat(s->mounts_fd, name, 0700) < 0 && errno != EEXIST)
		return error_set_errno(error, errno, "create mount point");
	if (!mount_attach(v->root_fd, s->mounts_fd, name, error)) {
		unlinkat(s->mounts_fd, name, AT_REMOVEDIR);
		return false;
	}
	v->attached = g_steal_pointer(&name);
	return true;
}

int snapshot_view_mount(snapshot_view *v, GError **error)
{
	g_mutex_lock(&v->mu);
	bool ok = view_ensure_attached(v, error);
	g_mutex_unlock(&v->mu);
	scoped_fd fd = ok ? mount_clone(v->root_fd, false, error) : -1;
	if (fd < 0 || !mount_allow_devices(fd, error) || (!v->write && !mount_set_readonly(fd, false, error)))
		return -1;
	return fd_steal(&fd);
}
