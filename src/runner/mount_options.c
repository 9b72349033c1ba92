/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/mount_options.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>

/* https://github.com/opencontainers/runtime-spec/blob/main/config.md, "Linux mount options"; mount(8). */
static const struct {
	const char *name;
	bool clear;
	uint64_t attribute;
} attributes[] = {
	{"ro", false, MOUNT_ATTR_RDONLY},
	{"rw", true, MOUNT_ATTR_RDONLY},
	{"nosuid", false, MOUNT_ATTR_NOSUID},
	{"suid", true, MOUNT_ATTR_NOSUID},
	{"nodev", false, MOUNT_ATTR_NODEV},
	{"dev", true, MOUNT_ATTR_NODEV},
	{"noexec", false, MOUNT_ATTR_NOEXEC},
	{"exec", true, MOUNT_ATTR_NOEXEC},
	{"nodiratime", false, MOUNT_ATTR_NODIRATIME},
	{"diratime", true, MOUNT_ATTR_NODIRATIME},
	{"noatime", false, MOUNT_ATTR_NOATIME},
	{"atime", true, MOUNT_ATTR_NOATIME},
	{"strictatime", false, MOUNT_ATTR_STRICTATIME},
	{"nostrictatime", true, MOUNT_ATTR_STRICTATIME},
	{"relatime", true, MOUNT_ATTR__ATIME},
	{"norelatime", true, MOUNT_ATTR__ATIME},
	{"nosymfollow", false, MOUNT_ATTR_NOSYMFOLLOW},
	{"symfollow", true, MOUNT_ATTR_NOSYMFOLLOW},
};
static const struct {
	const char *name;
	uint64_t flags;
} propagations[] = {
	{"private", MS_PRIVATE},
	{"shared", MS_SHARED},
	{"slave", MS_SLAVE},
	{"unbindable", MS_UNBINDABLE},
};

static void set_or_clear(uint64_t *set, uint64_t *clear, uint64_t attribute, bool clears)
{
	/* The last option of a kind wins. */
	*(clears ? set : clear) &= ~attribute;
	*(clears ? clear : set) |= attribute;
}

static bool is_attribute(struct plan_mount *m, const char *option)
{
	for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++) {
		bool below = option[0] == 'r' && strcmp(option + 1, attributes[i].name) == 0;
		if (strcmp(option, attributes[i].name) == 0) {
			set_or_clear(&m->set, &m->clear, attributes[i].attribute, attributes[i].clear);
			return true;
		}
		if (below) {
			set_or_clear(&m->set_recursive, &m->clear_recursive, attributes[i].attribute,
				     attributes[i].clear);
			return true;
		}
	}
	return false;
}

static bool is_propagation(struct plan_mount *m, const char *option)
{
	for (size_t i = 0; i < sizeof propagations / sizeof *propagations; i++) {
		bool recursive = option[0] == 'r' && strcmp(option + 1, propagations[i].name) == 0;
		if (!recursive && strcmp(option, propagations[i].name) != 0)
			continue;
		m->propagation = propagations[i].flags | (recursive ? MS_REC : 0);
		return true;
	}
	return false;
}

int mount_option(struct plan_mount *m, const char *option, char *data, size_t size, enum mount_bind *ret_bind)
{
	if (strcmp(option, "bind") == 0 || strcmp(option, "rbind") == 0) {
		if (ret_bind)
			*ret_bind = option[0] == 'r' ? MOUNT_BIND_BELOW : MOUNT_BIND;
		return 0;
	}
	if (strcmp(option, "tmpcopyup") == 0) {
		m->copy_up = 1;
		return 0;
	}
	if (option[0] == '\0' || strcmp(option, "defaults") == 0 || is_attribute(m, option) ||
	    is_propagation(m, option))
		return 0;
	size_t used = strlen(data);
	int n = snprintf(data + used, size - used, "%s%s", used > 0 ? "," : "", option);
	return n >= 0 && (size_t)n < size - used ? 0 : -E2BIG;
}
