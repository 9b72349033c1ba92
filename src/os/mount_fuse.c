/* SPDX-License-Identifier: Apache-2.0 */
#include "os/mount.h"
#include "os/mount_old.h"
#include <sys/mount.h>

static const char *const fixed_options[][2] = {{"rootmode", "40000"},
					       {"user_id", "0"},
					       {"group_id", "0"},
					       {"default_permissions", NULL},
					       {"allow_other", NULL}};

struct fuse {
	const char *source;
	char number[16]; /* of the device */
	bool readonly;
};

static int fuse_at(const char *target, const void *data)
{
	const struct fuse *f = data;
	g_autoptr(GString) options = g_string_new("fd=");
	g_string_append(options, f->number);
	for (size_t i = 0; i < G_N_ELEMENTS(fixed_options); i++)
		g_string_append_printf(options, ",%s%s%s", fixed_options[i][0], fixed_options[i][1] ? "=" : "",
				       fixed_options[i][1] ? fixed_options[i][1] : "");
	unsigned long flags = f->readonly ? MS_RDONLY : 0;
	return mount(f->source, target, "fuse", flags, options->str) < 0 ? -errno : 0;
}

static bool set(int context, const char *key, const char *value)
{
	return fsconfig(context, value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, key, value, 0) == 0;
}

static int by_context(const struct fuse *f)
{
	scoped_fd context = fsopen("fuse", FSOPEN_CLOEXEC);
	bool ok = context >= 0 && set(context, "source", f->source) && set(context, "fd", f->number);
	for (size_t i = 0; ok && i < G_N_ELEMENTS(fixed_options); i++)
		ok = set(context, fixed_options[i][0], fixed_options[i][1]);
	int fd = -1;
	if (ok && fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
		fd = fsmount(context, FSMOUNT_CLOEXEC, f->readonly ? MOUNT_ATTR_RDONLY : 0);
	return fd < 0 ? -errno : fd;
}

int mount_fuse(const char *source, int device_fd, bool readonly, GError **error)
{
	struct fuse f = {.source = source, .readonly = readonly};
	g_snprintf(f.number, sizeof f.number, "%d", device_fd);
	int fd = mount_is_old() ? mount_old_make(fuse_at, &f) : by_context(&f);
	if (fd < 0)
		error_set_errno(error, -fd, "mount a file system of %s", source);
	return MAX(fd, -1);
}
