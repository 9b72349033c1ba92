/* SPDX-License-Identifier: Apache-2.0 */
#include "os/mount.h"
#include "os/mount_id.h"
#include "os/mount_old.h"
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* ---- the mount namespace of the daemon */

static bool is_root_of_namespace(int root)
{
	scoped_fd top = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat a, b;
	uint64_t mount_a, mount_b;
	return top >= 0 && fstat(root, &a) == 0 && fstat(top, &b) == 0 && a.st_ino == b.st_ino &&
	       mount_id_of(root, &mount_a) && mount_id_of(top, &mount_b) && mount_a == mount_b;
}

/* Mounts a directory on itself; returns the root of the new mount. */
static int mount_over(int dir_fd, GError **error)
{
	if (!mount_is_old()) {
		scoped_fd tree = mount_clone(dir_fd, true, error);
		return tree >= 0 && mount_attach(tree, dir_fd, "", error) ? fd_steal(&tree) : -1;
	}
	g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", dir_fd);
	g_autofree char *name = g_file_read_link(path, NULL);
	int fd = name && mount(path, path, NULL, MS_BIND | MS_REC, NULL) == 0 ? open(name, O_PATH | O_CLOEXEC) : -1;
	if (fd < 0)
		error_set_errno(error, errno, "mount a directory on itself");
	return fd;
}

/* pivot_root needs a mount point; a copy over the directory makes it one. */
static bool make_root_of_namespace(int root, GError **error)
{
	scoped_fd top = mount_over(root, error);
	if (top < 0)
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
	/* A directory that this user could not have entered: relative paths did not work there either. */
	if (chdir(cwd) < 0 && (errno != EACCES || chdir("/") < 0))
		return error_set_errno(error, errno, "change to directory %s", cwd);
	return true;
}

bool mount_own_proc(GError **error)
{
	g_autofree char *self = g_file_read_link("/proc/self", NULL);
	if (self && g_ascii_strtoll(self, NULL, 10) == getpid())
		return true;
	return mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == 0 ||
	       error_set_errno(error, errno, "mount /proc of the pid namespace");
}

/* ---- mounts */

bool mount_use_directory(int dir_fd, GError **error)
{
	int r = mount_is_old() ? mount_old_use(dir_fd) : 0;
	return r == 0 || error_set_errno(error, -r, "mount a place for detached mounts");
}

void mount_collect(void)
{
	if (mount_is_old())
		mount_old_collect();
}

int mount_clone(int fd, bool recursive, GError **error)
{
	unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH;
	int tree = mount_is_old() ? mount_old_clone(fd, recursive)
				  : open_tree(fd, "", recursive ? flags | AT_RECURSIVE : flags);
	if (tree < -1)
		errno = -tree;
	if (tree < 0)
		error_set_errno(error, errno, "clone mount");
	return MAX(tree, -1);
}

/* Sets or clears one of MS_RDONLY and MS_NODEV. Returns 0 or -errno. */
static int set_attribute(int mount_fd, unsigned long flag, bool set, bool recursive)
{
	const uint64_t attribute = flag == MS_RDONLY ? MOUNT_ATTR_RDONLY : MOUNT_ATTR_NODEV;
	struct mount_attr attributes = {.attr_set = set ? attribute : 0, .attr_clr = set ? 0 : attribute};
	unsigned at = AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0);
	if (mount_is_old())
		return mount_old_set(mount_fd, set ? flag : 0, set ? 0 : flag, recursive);
	return mount_setattr(mount_fd, "", at, &attributes, sizeof attributes) == 0 ? 0 : -errno;
}

bool mount_set_readonly(int mount_fd, bool recursive, GError **error)
{
	int r = set_attribute(mount_fd, MS_RDONLY, true, recursive);
	return r == 0 || error_set_errno(error, -r, "make mount read-only");
}

bool mount_forbid_devices(int mount_fd, GError **error)
{
	int r = set_attribute(mount_fd, MS_NODEV, true, false);
	return r == 0 || error_set_errno(error, -r, "set nodev on mount");
}

bool mount_allow_devices(int mount_fd, GError **error)
{
	int r = set_attribute(mount_fd, MS_NODEV, false, false);
	return r == 0 || r == -EPERM || error_set_errno(error, -r, "clear nodev of mount");
}

int mount_over_without_devices(int dir_fd, GError **error)
{
	scoped_fd tree = mount_over(dir_fd, error);
	if (tree < 0 || !mount_forbid_devices(tree, error))
		return -1;
	int fd = openat(tree, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		error_set_errno(error, errno, "open directory");
	return fd;
}

static int tmpfs_at(const char *target, const void *options)
{
	return mount("tmpfs", target, "tmpfs", MS_NOSUID, options) < 0 ? -errno : 0;
}

static int tmpfs_old(int64_t size_bytes, mode_t mode, GError **error)
{
	g_autofree char *options = g_strdup_printf("mode=%o,size=%" G_GINT64_FORMAT, mode & 07777, size_bytes);
	if (size_bytes <= 0)
		*strchr(options, ',') = '\0';
	int fd = mount_old_make(tmpfs_at, options);
	if (fd < 0)
		error_set_errno(error, -fd, "create tmpfs");
	return MAX(fd, -1);
}

int mount_tmpfs(int64_t size_bytes, mode_t mode, GError **error)
{
	if (mount_is_old())
		return tmpfs_old(size_bytes, mode, error);
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
	int r = mount_is_old()                                      ? mount_old_move(mount_fd, dir_fd, name)
		: move_mount(mount_fd, "", dir_fd, name, flags) < 0 ? -errno
								    : 0;
	return r == 0 || error_set_errno(error, -r, "attach mount %s", name);
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
