/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mounts of cgroups in the step. v2: the hierarchy, limited by the cgroup namespace or to the step's subtree. v1: a
 * tmpfs with the step's subtree of each hierarchy, under the names that the host uses.
 */
#include "tree_parts.h"
#include "fail.h"
#include "inroot.h"
#include "mountfd.h"
#include "sys.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

static int mount_hierarchy(const struct tree *t, const struct plan_mount *m, unsigned i, int place)
{
	const struct hierarchy *h = &t->cgroup->all->list[i];
	bool v2 = h->controllers == CGROUP_UNIFIED;
	if (t->cgroup_namespace) {
		const struct mountfd_type type = {.type = v2 ? "cgroup2" : "cgroup",
						  .source = "cgroup",
						  .data = v2 ? NULL : h->options,
						  .attributes = m->set};
		/* cgroup v1 mounts need the same super options as the host's mount. */
		int fd = mountfd_type(place, &type);
		if (fd >= 0)
			return fd;
	}
	/* Opened by name, because a descriptor from before the clone belongs to a mount of the parent's namespace. */
	char path[512];
	snprintf(path, sizeof path, "%s/%s%s", t->cgroup_root, h->name, t->cgroup->path);
	auto_fd source = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return source < 0 ? -errno : mountfd_bind(place, source, &(struct mountfd_change){.set = m->set});
}

static int mount_all(const struct tree *t, const struct plan_mount *m, int root)
{
	const struct cgroups *all = t->cgroup->all;
	for (unsigned i = 0; i < all->n; i++) {
		const struct hierarchy *h = &all->list[i];
		if (t->cgroup->fds[i] < 0)
			continue;
		auto_fd place = inroot_ensure(root, h->name, true);
		auto_fd fd = place < 0 ? place : mount_hierarchy(t, m, i, place);
		if (fd < 0)
			return fd;
		/* "cpu,cpuacct" is also linked as "cpu" and "cpuacct". */
		char names[64], *save = NULL;
		memcpy(names, h->name, sizeof names);
		if (strchr(names, ',') == NULL)
			continue;
		for (char *one = strtok_r(names, ",", &save); one != NULL; one = strtok_r(NULL, ",", &save))
			if (symlinkat(h->name, root, one) != 0 && errno != EEXIST)
				return -errno;
	}
	return 0;
}

int tree_mount_cgroup(struct tree *t, const struct plan_mount *m, int place)
{
	static const struct mountfd_type frame = {.type = "tmpfs",
						  .source = "tmpfs",
						  .data = "mode=755",
						  .attributes =
							  MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC};
	if (t->cgroup == NULL || t->cgroup->all->n == 0)
		return mountfd_type(place, &frame);
	if (t->cgroup->all->unified_only)
		return mount_hierarchy(t, m, (unsigned)t->cgroup->all->unified, place);
	int fd = mountfd_type(place, &frame);
	int r = fd < 0 ? fd : mount_all(t, m, fd);
	if (r == 0 && (m->set & MOUNT_ATTR_RDONLY) != 0)
		r = mountfd_change(fd, &(struct mountfd_change){.set = MOUNT_ATTR_RDONLY});
	if (r < 0) {
		sys_close(&fd);
		return r;
	}
	return fd;
}
