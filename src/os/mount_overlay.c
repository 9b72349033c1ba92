/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Three methods of mounting an overlay, newest first: one lowerdir+ option per layer (Linux 6.8), one lowerdir string
 * of at most 255 bytes (Linux 5.2, the limit of fsconfig values), and mount(2) in a private directory, where names
 * relative to /proc/self/fd allow several hundred layers in its one page of options. Layers are always named by our own
 * fds, so that names never contain ':' or ','.
 */
#include "os/mount.h"
#include "base/thread.h"
#include "os/mount_old.h"
#include "os/overlay_method.h"
#include "os/user_namespace.h"
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

enum { FSCONFIG_VALUE_MAX = 255, OPTIONS_MAX = 4095 };

/* Explicit, so that the host's module parameters cannot change how an image's xattrs are interpreted. */
static const char *const fixed_options[][2] = {{"index", "off"}, {"metacopy", "off"}, {"xino", "off"}};

/* With userxattr, the kernel accepts only redirects that are neither made nor followed. */
static const char *redirect_mode(void)
{
	return user_namespace_is_limited() ? "nofollow" : "off";
}

static bool set_string(int context, const char *key, const char *value)
{
	return fsconfig(context, FSCONFIG_SET_STRING, key, value, 0) == 0;
}

static bool set_dir(int context, const char *key, int fd)
{
	char path[32];
	g_snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	return set_string(context, key, path);
}

static bool set_lowers_each(int context, const struct overlay *o)
{
	for (size_t i = 0; i < o->n_lowers; i++)
		if (!set_dir(context, "lowerdir+", o->lower_fds[i]))
			return false;
	return true;
}

static bool set_lowers_joined(int context, const struct overlay *o)
{
	g_autoptr(GString) all = g_string_new(NULL);
	for (size_t i = 0; i < o->n_lowers && all->len <= FSCONFIG_VALUE_MAX; i++)
		g_string_append_printf(all, "%s/proc/self/fd/%d", i > 0 ? ":" : "", o->lower_fds[i]);
	errno = E2BIG;
	return all->len <= FSCONFIG_VALUE_MAX && set_string(context, "lowerdir", all->str);
}

static bool set_options(int context, const struct overlay *o)
{
	for (size_t i = 0; i < G_N_ELEMENTS(fixed_options); i++)
		if (!set_string(context, fixed_options[i][0], fixed_options[i][1]))
			return false;
	if (!set_string(context, "redirect_dir", redirect_mode()))
		return false;
	if (user_namespace_is_limited() && fsconfig(context, FSCONFIG_SET_FLAG, "userxattr", NULL, 0) < 0)
		return false;
	if (o->upper_fd < 0)
		return true;
	if (o->is_volatile && fsconfig(context, FSCONFIG_SET_FLAG, "volatile", NULL, 0) < 0)
		return false;
	return set_dir(context, "upperdir", o->upper_fd) && set_dir(context, "workdir", o->work_fd);
}

/* Returns a detached mount, or -errno. */
static int overlay_by_context(const struct overlay *o, bool each)
{
	scoped_fd context = fsopen("overlay", FSOPEN_CLOEXEC);
	if (context < 0)
		return -errno;
	set_string(context, "source", "overlay");
	if (!(each ? set_lowers_each(context, o) : set_lowers_joined(context, o)) || !set_options(context, o) ||
	    fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -errno;
	int fd = fsmount(context, FSMOUNT_CLOEXEC, o->upper_fd < 0 ? MOUNT_ATTR_RDONLY : 0);
	return fd < 0 ? -errno : fd;
}

/* Returns the option string of mount(2), with names relative to /proc/self/fd. */
char *overlay_options(const struct overlay *o, enum overlay_age age)
{
	GString *all = g_string_new("lowerdir=");
	for (size_t i = 0; i < o->n_lowers; i++)
		g_string_append_printf(all, "%s%d", i > 0 ? ":" : "", o->lower_fds[i]);
	for (size_t i = 0; i < G_N_ELEMENTS(fixed_options); i++)
		if (age < OVERLAY_WITHOUT_METACOPY || strcmp(fixed_options[i][0], "metacopy") != 0)
			g_string_append_printf(all, ",%s=%s", fixed_options[i][0], fixed_options[i][1]);
	g_string_append_printf(all, ",redirect_dir=%s", redirect_mode());
	if (user_namespace_is_limited())
		g_string_append(all, ",userxattr");
	if (o->upper_fd >= 0)
		g_string_append_printf(all, "%s,upperdir=%d,workdir=%d",
				       o->is_volatile && age < OVERLAY_WITHOUT_VOLATILE ? ",volatile" : "", o->upper_fd,
				       o->work_fd);
	return g_string_free(all, FALSE);
}

struct legacy {
	const char *options, *target;
	bool readonly;
	int result;
};

/* Runs on a separate thread, because it changes the thread's working directory. */
static gpointer legacy_thread(gpointer data)
{
	struct legacy *l = data;
	l->result = 0;
	if (unshare(CLONE_FS) < 0 || chdir("/proc/self/fd") < 0 ||
	    mount("overlay", l->target, "overlay", l->readonly ? MS_RDONLY : 0, l->options) < 0)
		l->result = -errno;
	return NULL;
}

static int mount_by_thread(struct legacy *l)
{
	l->result = -EAGAIN;
	if (strlen(l->options) > OPTIONS_MAX)
		return -E2BIG;
	GThread *thread = thread_start("overlay", legacy_thread, l, NULL);
	if (thread)
		g_thread_join(thread);
	return l->result;
}

/* Options that the kernel does not know are EINVAL: then those of older kernels are tried, and kept if they work. */
static int overlay_at(const char *target, const void *data)
{
	static gint known = OVERLAY_OPTIONS_ALL;
	const struct overlay *o = data;
	int r = -EINVAL;
	for (int age = g_atomic_int_get(&known); r == -EINVAL && age < OVERLAY_AGES; age++) {
		g_autofree char *options = overlay_options(o, age);
		struct legacy l = {options, target, o->upper_fd < 0, 0};
		r = mount_by_thread(&l);
		if (r == 0)
			g_atomic_int_set(&known, age);
	}
	return r;
}

static int overlay_by_mount(const struct overlay *o)
{
	if (mount_is_old())
		return mount_old_make(overlay_at, o);
	g_autofree char *target = g_build_filename(g_get_tmp_dir(), "buildkit-overlay-XXXXXX", NULL);
	if (!g_mkdtemp_full(target, 0700))
		return -errno;
	int fd = overlay_at(target, o);
	if (fd == 0) {
		fd = open_tree(AT_FDCWD, target, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
		fd = fd < 0 ? -errno : fd;
		umount2(target, MNT_DETACH | UMOUNT_NOFOLLOW);
	}
	rmdir(target);
	return fd;
}

int overlay_mount_with(enum overlay_method method, const struct overlay *o)
{
	return method == OVERLAY_MOUNT ? overlay_by_mount(o) : overlay_by_context(o, method == OVERLAY_EACH);
}

static int overlay_any_method(const struct overlay *o)
{
	static int each_unsupported; /* detected once */
	int fd = -EINVAL;
	if (mount_is_old())
		return overlay_mount_with(OVERLAY_MOUNT, o);
	if (!g_atomic_int_get(&each_unsupported))
		fd = overlay_mount_with(OVERLAY_EACH, o);
	if (fd >= 0)
		return fd;
	int newest = fd;
	fd = overlay_mount_with(OVERLAY_JOINED, o);
	if (fd < 0)
		fd = overlay_mount_with(OVERLAY_MOUNT, o);
	if (fd >= 0 && newest == -EINVAL)
		g_atomic_int_set(&each_unsupported, 1);
	return fd;
}

/* A single layer needs no overlay. */
static int single(int fd, bool readonly, GError **error)
{
	scoped_fd clone = mount_clone(fd, false, error);
	if (clone < 0 || (readonly && !mount_set_readonly(clone, false, error)))
		return -1;
	return fd_steal(&clone);
}

int mount_overlay(const int *lower_fds, size_t n_lowers, int upper_fd, int work_fd, bool volatile_upper, GError **error)
{
	if (n_lowers == 0 && upper_fd < 0) {
		error_set(error, ERROR_INVALID_ARGUMENT, "overlay without layers");
		return -1;
	}
	if (n_lowers == 0)
		return single(upper_fd, false, error);
	if (n_lowers == 1 && upper_fd < 0)
		return single(lower_fds[0], true, error);
	const struct overlay o = {lower_fds, n_lowers, upper_fd, work_fd, volatile_upper};
	int fd = overlay_any_method(&o);
	if (fd < 0)
		error_set_errno(error, -fd, "mount overlay of %zu layers", n_lowers);
	return fd;
}
