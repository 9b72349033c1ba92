/* SPDX-License-Identifier: Apache-2.0 */
/* Devices: created in the step's /dev, or bind-mounted from the host where a user namespace must not create them. */
#include "tree_parts.h"
#include "fail.h"
#include "inroot.h"
#include "mountfd.h"
#include "sys.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

static const struct plan_device default_devices[] = {
	{"null", S_IFCHR, 1, 3, 0666, 0, 0},   {"zero", S_IFCHR, 1, 5, 0666, 0, 0},
	{"full", S_IFCHR, 1, 7, 0666, 0, 0},   {"tty", S_IFCHR, 5, 0, 0666, 0, 0},
	{"random", S_IFCHR, 1, 8, 0666, 0, 0}, {"urandom", S_IFCHR, 1, 9, 0666, 0, 0},
};

static const struct {
	const char *name, *target;
} links[] = {
	{"fd", "/proc/self/fd"},       {"stdin", "/proc/self/fd/0"}, {"stdout", "/proc/self/fd/1"},
	{"stderr", "/proc/self/fd/2"}, {"ptmx", "pts/ptmx"},
};

static bool is_device(int fd, const struct plan_device *d)
{
	struct stat st;
	return fstat(fd, &st) == 0 && (st.st_mode & S_IFMT) == d->type && st.st_rdev == makedev(d->major, d->minor);
}

/* An existing file at this path must be the same device; any other file is an error. */
static int bind_device(const struct tree *t, int dir_fd, const char *name, const char *host,
		       const struct plan_device *d)
{
	auto_fd source = t->device_source != NULL ? t->device_source(host) : -EPERM;
	if (source < 0)
		return source;
	if (!is_device(source, d))
		return -ENODEV;
	auto_fd place = inroot_ensure(dir_fd, name, false);
	if (place < 0)
		return place;
	int fd = mountfd_bind(place, source, &(struct mountfd_change){0});
	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

static int make_device(const struct tree *t, int dir_fd, const char *name, const char *host,
		       const struct plan_device *d)
{
	int r = mknodat(dir_fd, name, d->type | d->mode, makedev(d->major, d->minor)) == 0 ? 0 : -errno;
	if (r == -EPERM && d->type != S_IFIFO)
		return bind_device(t, dir_fd, name, host, d);
	if (r == -EEXIST) {
		auto_fd there = openat(dir_fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		return there >= 0 && is_device(there, d) ? 0 : -EEXIST;
	}
	if (r == 0 && (d->uid != 0 || d->gid != 0) && fchownat(dir_fd, name, d->uid, d->gid, AT_SYMLINK_NOFOLLOW) != 0)
		r = -errno;
	return r;
}

/* Reports whether the plan has a device or a mount at this path. */
static bool is_planned(const struct plan *p, const char *path)
{
	for (uint32_t i = 0; i < p->n_devices; i++)
		if (strcmp(p->devices[i].path, path) == 0)
			return true;
	for (uint32_t i = 0; i < p->n_mounts; i++)
		if (strcmp(p->mounts[i].dest, path) == 0)
			return true;
	return false;
}

static void make_defaults(struct tree *t, const struct plan *p)
{
	char host[32] = "/dev/";
	for (size_t i = 0; i < sizeof default_devices / sizeof *default_devices; i++) {
		const struct plan_device *d = &default_devices[i];
		memcpy(host + 5, d->path, strlen(d->path) + 1);
		int r = make_device(t, t->dev_fd, d->path, host, d);
		if (r != 0 && (r != -EEXIST || !is_planned(p, host)))
			fail(PHASE_DEVICE, -r, "make %s", host);
	}
	for (size_t i = 0; i < sizeof links / sizeof *links; i++)
		if (symlinkat(links[i].target, t->dev_fd, links[i].name) != 0 && errno != EEXIST)
			fail(PHASE_DEVICE, errno, "link /dev/%s", links[i].name);
	if (faccessat(tree_proc(t), "kcore", F_OK, 0) == 0 && symlinkat("/proc/kcore", t->dev_fd, "core") != 0 &&
	    errno != EEXIST)
		fail(PHASE_DEVICE, errno, "link /dev/core");
}

void tree_make_devices(struct tree *t, const struct plan *p)
{
	mode_t old = umask(0);
	for (uint32_t i = 0; i < p->n_devices; i++) {
		/* /dev/ptmx is a link to pts/ptmx: the container must not open the host's terminals. */
		if (strcmp(p->devices[i].path, "/dev/ptmx") == 0)
			continue;
		/* Devices beneath /dev are created through dev_fd, so that links of the image do not redirect them. */
		const struct plan_device *d = &p->devices[i];
		const char *name;
		bool in_dev = strncmp(d->path, "/dev/", 5) == 0;
		auto_fd dir =
			inroot_ensure_parent(in_dev ? t->dev_fd : t->root_fd, in_dev ? d->path + 4 : d->path, &name);
		int r = dir < 0 ? dir : make_device(t, dir, name, d->path, d);
		/* A mount, an earlier device or a file of the image at the same path is kept, as in other runtimes. */
		if (r != 0 && r != -EEXIST)
			fail(PHASE_DEVICE, -r, "make %s", p->devices[i].path);
	}
	if (p->default_devices != 0)
		make_defaults(t, p);
	umask(old);
}
