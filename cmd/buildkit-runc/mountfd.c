/* SPDX-License-Identifier: Apache-2.0 */
#include "mountfd.h"
#include "mountfd_old.h"
#include "sys.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>

int mountfd_prepare(const char *staging)
{
	return sys_is_old() ? mountfd_old_prepare(staging) : 0;
}

static void fd_path(int fd, char path[32])
{
	snprintf(path, 32, "/proc/self/fd/%d", fd);
}

/* ---- attributes */

static const struct {
	uint64_t attribute;
	unsigned long flag;
} attribute_flags[] = {
	{MOUNT_ATTR_RDONLY, MS_RDONLY},         {MOUNT_ATTR_NOSUID, MS_NOSUID},
	{MOUNT_ATTR_NODEV, MS_NODEV},           {MOUNT_ATTR_NOEXEC, MS_NOEXEC},
	{MOUNT_ATTR_NODIRATIME, MS_NODIRATIME}, {MOUNT_ATTR_NOSYMFOLLOW, 256 /* MS_NOSYMFOLLOW */},
};

unsigned long mountfd_flags(uint64_t attributes)
{
	unsigned long flags = 0;
	for (size_t i = 0; i < sizeof attribute_flags / sizeof *attribute_flags; i++)
		if ((attributes & attribute_flags[i].attribute) != 0)
			flags |= attribute_flags[i].flag;
	switch (attributes & MOUNT_ATTR__ATIME) {
	case MOUNT_ATTR_NOATIME:
		return flags | MS_NOATIME;
	case MOUNT_ATTR_STRICTATIME:
		return flags | MS_STRICTATIME;
	default:
		return flags | MS_RELATIME;
	}
}

static int set_attributes(int fd, bool recursive, struct mount_attr *attributes)
{
	return mount_setattr(fd, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), attributes, sizeof *attributes);
}

static int change_new(int fd, const struct mountfd_change *c)
{
	struct mount_attr ids = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)c->user_fd};
	struct mount_attr below = {.attr_set = c->set_recursive, .attr_clr = c->clear_recursive};
	struct mount_attr own = {.attr_set = c->set, .attr_clr = c->clear};
	/* The atime setting is a field, not a flag: clear it before it is set. */
	if ((c->set & MOUNT_ATTR__ATIME) != 0 || (c->clear & MOUNT_ATTR__ATIME) != 0)
		own.attr_clr |= MOUNT_ATTR__ATIME;
	if ((c->set_recursive & MOUNT_ATTR__ATIME) != 0)
		below.attr_clr |= MOUNT_ATTR__ATIME;
	struct mount_attr group = {.propagation = c->propagation & ~(uint64_t)MS_REC};
	if (c->user_fd > 0 && set_attributes(fd, true, &ids) != 0)
		return -errno;
	if (c->propagation != 0 && set_attributes(fd, (c->propagation & MS_REC) != 0, &group) != 0)
		return -errno;
	if ((below.attr_set != 0 || below.attr_clr != 0) && set_attributes(fd, true, &below) != 0)
		return -errno;
	if ((own.attr_set != 0 || own.attr_clr != 0) && set_attributes(fd, false, &own) != 0)
		return -errno;
	return 0;
}

int mountfd_change(int fd, const struct mountfd_change *c)
{
	return sys_is_old() ? mountfd_old_change(fd, c) : change_new(fd, c);
}

/* ---- file systems */

static int configure(int context, const char *data)
{
	char key[PATH_MAX];
	for (const char *at = data != NULL ? data : ""; *at != '\0'; at += *at == ',') {
		size_t n = strcspn(at, ",");
		if (n >= sizeof key)
			return -E2BIG;
		memcpy(key, at, n);
		key[n] = '\0';
		at += n;
		char *value = strchr(key, '=');
		if (n == 0)
			continue;
		if (value != NULL)
			*value++ = '\0';
		if (fsconfig(context, value != NULL ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, key, value, 0) != 0)
			return -errno;
	}
	return 0;
}

static const char *new_label; /* NULL or "": none */

void mountfd_set_label(const char *label)
{
	new_label = label;
}

static bool is_one_of(const char *type, const char *const *types)
{
	while (*types != NULL && strcmp(type, *types) != 0)
		types++;
	return *types != NULL;
}

/* Returns the label for the superblock of a new file system; NULL: none. */
static const char *label_of(const struct mountfd_type *t)
{
	static const char *const kernels[] = {"proc", "sysfs", "cgroup", "cgroup2", "mqueue", NULL};
	bool none = new_label == NULL || *new_label == '\0' || is_one_of(t->type, kernels);
	return none ? NULL : new_label;
}

static int type_new(int place_fd, const struct mountfd_type *t)
{
	auto_fd context = fsopen(t->type, FSOPEN_CLOEXEC);
	if (context < 0)
		return -errno;
	if (t->source != NULL && *t->source != '\0' &&
	    fsconfig(context, FSCONFIG_SET_STRING, "source", t->source, 0) != 0)
		return -errno;
	int r = configure(context, t->data);
	if (r != 0)
		return r;
	if (label_of(t) != NULL && fsconfig(context, FSCONFIG_SET_STRING, "context", label_of(t), 0) != 0)
		return -errno;
	/* Sets the superblock read-only, as mount(2) does with MS_RDONLY. */
	if ((t->attributes & MOUNT_ATTR_RDONLY) != 0 && fsconfig(context, FSCONFIG_SET_FLAG, "ro", NULL, 0) != 0)
		return -errno;
	if (fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) != 0)
		return -errno;
	int fd = fsmount(context, FSMOUNT_CLOEXEC, (unsigned)t->attributes);
	if (fd < 0)
		return -errno;
	if (move_mount(fd, "", place_fd, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) == 0)
		return fd;
	r = -errno;
	close(fd);
	return r;
}

/*
 * Opens the root of the mount that was just made over a place, by resolving the place's name again. No other process
 * changes this mount namespace; if a name below a shared tree changed, the object found there is not the root of a
 * mount and an error is returned.
 */
static int reopen(int place_fd)
{
	char path[32], link[PATH_MAX];
	struct statx st;
	fd_path(place_fd, path);
	ssize_t n = readlink(path, link, sizeof link - 1);
	if (n < 0)
		return -errno;
	link[n] = '\0';
	auto_fd fd = open(link, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || statx(fd, "", AT_EMPTY_PATH, STATX_TYPE, &st) != 0)
		return -errno;
	if ((st.stx_attributes & STATX_ATTR_MOUNT_ROOT) == 0)
		return -ESTALE;
	int found = fd;
	fd = -1;
	return found;
}

static int type_old(int place_fd, const struct mountfd_type *t)
{
	struct stat st;
	int fd = fstat(place_fd, &st) != 0 ? -errno
					   : mountfd_old_type(t, S_ISDIR(st.st_mode), mountfd_flags(t->attributes));
	int r = fd < 0 ? fd : mountfd_old_move(place_fd, fd);
	if (r >= 0)
		return fd;
	sys_close(&fd);
	return r;
}

/* A label contains commas. */
static int add_label(const struct mountfd_type *t, char *data, size_t size)
{
	const char *given = t->data != NULL ? t->data : "";
	int n = snprintf(data, size, "%s%scontext=\"%s\"", given, *given != '\0' ? "," : "", label_of(t));
	return n < 0 || (size_t)n >= size ? -ENAMETOOLONG : 0;
}

static int type_any(int place_fd, const struct mountfd_type *t)
{
	char path[32], data[8192];
	struct mountfd_type with = *t;
	int fd = sys_is_old() ? -ENOSYS : type_new(place_fd, t);
	if (fd >= 0)
		return fd;
	if (label_of(t) != NULL) {
		int r = add_label(t, data, sizeof data);
		if (r != 0)
			return r;
		with.data = data;
	}
	if (sys_is_old())
		return type_old(place_fd, &with);
	/* Fall back to mount(2): it accepts longer values and reports more specific errors. */
	fd_path(place_fd, path);
	if (mount(t->source != NULL && *t->source != '\0' ? t->source : t->type, path, t->type,
		  mountfd_flags(t->attributes), with.data) != 0)
		return -errno;
	return reopen(place_fd);
}

int mountfd_type(int place_fd, const struct mountfd_type *t)
{
	char path[32];
	int fd = type_any(place_fd, t);
	if (fd < 0 || new_label == NULL || *new_label == '\0' || strcmp(t->type, "mqueue") != 0)
		return fd;
	fd_path(fd, path);
	if (setxattr(path, "security.selinux", new_label, strlen(new_label) + 1, 0) == 0)
		return fd;
	int r = -errno;
	close(fd);
	return r;
}

/* ---- trees */

int mountfd_clone(int fd, bool recursive)
{
	if (sys_is_old())
		return mountfd_old_clone(fd, recursive);
	int tree =
		open_tree(fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0));
	return tree < 0 ? -errno : tree;
}

int mountfd_attach(int place_fd, int mount_fd, const struct mountfd_change *change)
{
	int r = mountfd_change(mount_fd, change);
	if (r == 0 && sys_is_old())
		r = mountfd_old_move(place_fd, mount_fd);
	else if (r == 0 &&
		 move_mount(mount_fd, "", place_fd, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) != 0)
		r = -errno;
	return r != 0 ? r : mount_fd;
}

int mountfd_bind(int place_fd, int source_fd, const struct mountfd_change *change)
{
	int clone = mountfd_clone(source_fd, true);
	int fd = clone < 0 ? clone : mountfd_attach(place_fd, clone, change);
	if (fd < 0)
		sys_close(&clone);
	return fd;
}
