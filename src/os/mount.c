/* SPDX-License-Identifier: Apache-2.0 */
#include "os/mount.h"
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* ---- the mount namespace of the daemon */

static bool is_root_of_namespace(int root)
{
	const unsigned mask = STATX_INO | STATX_MNT_ID;
	struct statx a, b;
	return statx(root, "", AT_EMPTY_PATH, mask, &a) == 0 && statx(AT_FDCWD, "/", 0, mask, &b) == 0 &&
	       a.stx_mnt_id == b.stx_mnt_id && a.stx_ino == b.stx_ino;
}

/* pivot_root needs a mount point; a clone over the directory makes it one. */
static bool make_root_of_namespace(int root, GError **error)
{
	scoped_fd top = mount_clone(root, true, error);
	if (top < 0 || !mount_attach(top, root, "", error))
		return false;
	if (fchdir(top) == 0 && syscall(SYS_pivot_root, ".", ".") == 0 && umount2(".", MNT_DETACH) == 0)
		return true;
	return error_set_errno(error, errno, "make the chroot the root of the mount namespace");
}

/* setns to its own namespace moves a process to the root of the namespace, out of a chroot. */
bool mount_make_private_namespace(GError **error)
{
	g_autofree char *cwd = g_get_current_dir();
	if (unshare(CLONE_NEWNS) < 0)
		return error_set_errno(error, errno, "unshare mount namespace");
	scoped_fd root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	scoped_fd self = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	if (root < 0 || self < 0)
		return error_set_errno(error, errno, "open /proc/self/ns/mnt");
	if (setns(self, CLONE_NEWNS) < 0)
		return error_set_errno(error, errno, "enter the root of the mount namespace");
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return error_set_errno(error, errno, "make mounts slaves");
	if (!is_root_of_namespace(root) && !make_root_of_namespace(root, error))
		return false;
	if (chdir(cwd) < 0)
		return error_set_errno(error, errno, "change to directory %s", cwd);
	return true;
}

/* ---- mounts */

int mount_clone(int fd, bool recursive, GError **error)
{
	unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH;
	int tree = open_tree(fd, "", recursive ? flags | AT_RECURSIVE : flags);
	if (tree < 0)
		error_set_errno(error, errno, "clone mount");
	return tree;
}

bool mount_set_readonly(int mount_fd, bool recursive, GError **error)
{
	struct mount_attr attributes = {.attr_set = MOUNT_ATTR_RDONLY};
	unsigned flags = AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0);
	if (mount_setattr(mount_fd, "", flags, &attributes, sizeof attributes) == 0)
		return true;
	return error_set_errno(error, errno, "make mount read-only");
}

bool mount_forbid_devices(int mount_fd, GError **error)
{
	struct mount_attr attributes = {.attr_set = MOUNT_ATTR_NODEV};
	if (mount_setattr(mount_fd, "", AT_EMPTY_PATH, &attributes, sizeof attributes) == 0)
		return true;
	return error_set_errno(error, errno, "set nodev on mount");
}

bool mount_allow_devices(int mount_fd, GError **error)
{
	struct mount_attr attributes = {.attr_clr = MOUNT_ATTR_NODEV};
	if (mount_setattr(mount_fd, "", AT_EMPTY_PATH, &attributes, sizeof attributes) == 0 || errno == EPERM)
		return true;
	return error_set_errno(error, errno, "clear nodev of mount");
}

int mount_over_without_devices(int dir_fd, GError **error)
{
	scoped_fd tree = mount_clone(dir_fd, true, error);
	if (tree < 0 || !mount_forbid_devices(tree, error) || !mount_attach(tree, dir_fd, "", error))
		return -1;
	int fd = openat(tree, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		error_set_errno(error, errno, "open directory");
	return fd;
}

int mount_tmpfs(int64_t size_bytes, mode_t mode, GError **error)
{
	char size[32], octal[16];
	g_snprintf(size, sizeof size, "%" G_GINT64_FORMAT, size_bytes);
	g_snprintf(octal, sizeof octal, "%o", mode & 07777);
	scoped_fd context = fsopen("tmpfs", FSOPEN_CLOEXEC);
	if (context < 0 || fsconfig(context, FSCONFIG_SET_STRING, "source", "tmpfs", 0) < 0 ||
	    fsconfig(context, FSCONFIG_SET_STRING, "mode", octal, 0) < 0 ||
	    (size_bytes > 0 && fsconfig(context, FSCONFIG_SET_STRING, "size", size, 0) < 0) ||
	    fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0) {
		error_set_errno(error, errno, "create tmpfs");
		return -1;
	}
	int fd = fsmount(context, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID);
	if (fd < 0)
		error_set_errno(error, errno, "mount tmpfs");
	return fd;
}

bool mount_attach(int mount_fd, int dir_fd, const char *name, GError **error)
{
	if (strchr(name, '/'))
		return error_set(error, ERROR_INVALID_ARGUMENT, "mount point %s is not a plain file name", name);
	unsigned flags = MOVE_MOUNT_F_EMPTY_PATH | (*name ? 0 : MOVE_MOUNT_T_EMPTY_PATH);
	if (move_mount(mount_fd, "", dir_fd, name, flags) == 0)
		return true;
	return error_set_errno(error, errno, "attach mount %s", name);
}

bool mount_detach(int dir_fd, const char *name, GError **error)
{
	g_autofree char *path = NULL;
	if (strchr(name, '/'))
		return error_set(error, ERROR_INVALID_ARGUMENT, "mount point %s is not a plain file name", name);
	if (*name)
		path = g_strdup_printf("/proc/self/fd/%d/%s", dir_fd, name);
	else
		path = g_strdup_printf("/proc/self/fd/%d", dir_fd);
	if (umount2(path, MNT_DETACH | (*name ? UMOUNT_NOFOLLOW : 0)) == 0)
		return true;
	return error_set_errno(error, errno, "unmount %s", name);
}

/* Paths in mountinfo encode blanks and backslashes as \ooo. */
static char *mount_point_of(const char *line)
{
	g_auto(GStrv) fields = g_strsplit(line, " ", 6);
	return g_strv_length(fields) < 5 ? NULL : g_strcompress(fields[4]);
}

void mount_sweep_below(const char *path)
{
	g_autofree char *table = NULL;
	g_autofree char *prefix = g_strconcat(path, "/", NULL);
	if (!g_file_get_contents("/proc/self/mountinfo", &table, NULL, NULL))
		return;
	g_auto(GStrv) lines = g_strsplit(table, "\n", -1);
	for (guint i = g_strv_length(lines); i-- > 0;) { /* later mounts may be stacked on earlier ones */
		g_autofree char *point = mount_point_of(lines[i]);
		if (point && g_str_has_prefix(point, prefix))
			umount2(point, MNT_DETACH | UMOUNT_NOFOLLOW);
	}
}
