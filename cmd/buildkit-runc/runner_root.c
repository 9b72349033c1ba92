/* SPDX-License-Identifier: Apache-2.0 */
#include "runner_root.h"
#include "fail.h"
#include "mountfd.h"
#include "namespaces.h"
#include "sys.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

static const struct {
	const char *name;
	unsigned major, minor;
} devices[] = {{"null", 1, 3}, {"zero", 1, 5}, {"full", 1, 7}, {"tty", 5, 0}, {"random", 1, 8}, {"urandom", 1, 9}};

/* In a user namespace, the mounts below a mount of the host are locked to it: they can only be cloned together. */
static int clone_mount(int fd)
{
	return mountfd_clone(fd, sys_in_user_namespace());
}

static int clone_of(const char *path)
{
	auto_fd fd = open(path, O_PATH | O_CLOEXEC);
	int clone = fd < 0 ? -errno : clone_mount(fd);
	if (clone < 0)
		fail(PHASE_ROOT, -clone, "clone %s", path);
	return clone;
}

static void attach(int runner_root_fd, const char *name, int mount_fd)
{
	if (mkdirat(runner_root_fd, name, 0755) != 0 && errno != EEXIST)
		fail(PHASE_ROOT, errno, "make %s", name);
	auto_fd place = openat(runner_root_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int r = place < 0 ? -errno : mountfd_attach(place, mount_fd, &(struct mountfd_change){0});
	if (r < 0)
		fail(PHASE_ROOT, -r, "attach %s", name);
}

/* Where device nodes cannot be created, those of the host are bind-mounted. */
static void bind_device(int runner_root_fd, const char *path, const char *host)
{
	auto_fd file = openat(runner_root_fd, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (file < 0)
		fail(PHASE_ROOT, errno, "make /%s", path);
	int clone = clone_of(host);
	auto_fd place = openat(runner_root_fd, path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	int r = place < 0 ? -errno : mountfd_attach(place, clone, &(struct mountfd_change){0});
	if (r < 0)
		fail(PHASE_ROOT, -r, "attach /%s", path);
	close(clone);
}

static void make_devices(int runner_root_fd)
{
	char path[32], host[40];
	if (mkdirat(runner_root_fd, "dev", 0755) != 0)
		fail(PHASE_ROOT, errno, "make /dev");
	for (size_t i = 0; i < sizeof devices / sizeof *devices; i++) {
		snprintf(path, sizeof path, "dev/%s", devices[i].name);
		snprintf(host, sizeof host, "/%s", path);
		if (mknodat(runner_root_fd, path, S_IFCHR | 0666, makedev(devices[i].major, devices[i].minor)) == 0)
			continue;
		if (errno != EPERM)
			fail(PHASE_ROOT, errno, "make /%s", path);
		if (access(host, F_OK) == 0)
			bind_device(runner_root_fd, path, host);
	}
}

int runner_root_enter(struct cgroups *cgroups)
{
	auto_fd host_null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (unshare(CLONE_NEWNS) != 0)
		fail(PHASE_NAMESPACE, errno, "unshare mounts");
	auto_fd chroot_fd = namespaces_detach_mounts(MS_PRIVATE);
	/* Mounts can be cloned only if they were opened in this namespace. */
	cgroups_find(cgroups);
	int proc = clone_of("/proc"), sys = clone_of("/sys"), trees[CGROUPS_MAX];
	for (unsigned i = 0; i < cgroups->n; i++)
		trees[i] = clone_mount(cgroups->list[i].fd);
	auto_fd place = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_fd root_mount = mountfd_type(place, &(struct mountfd_type){.type = "tmpfs",
									.source = "tmpfs",
									.data = "mode=0755,size=1m",
									.attributes = MOUNT_ATTR_NOSUID});
	if (root_mount < 0)
		fail(PHASE_ROOT, -root_mount, "mount the runner root");
	if (mkdirat(root_mount, &RUNNER_ROOT_STAGING[1], 0755) != 0 ||
	    mkdirat(root_mount, &RUNNER_ROOT_CGROUP[1], 0755) != 0)
		fail(PHASE_ROOT, errno, "make %s", RUNNER_ROOT_STAGING);
	make_devices(root_mount);
	attach(root_mount, "proc", proc);
	attach(root_mount, "sys", sys);
	for (unsigned i = 0; i < cgroups->n; i++) {
		char name[80];
		struct hierarchy *h = &cgroups->list[i];
		if (trees[i] < 0)
			fail(PHASE_CGROUP, -trees[i], "clone the hierarchy %s", h->name);
		snprintf(name, sizeof name, "%s/%s", &RUNNER_ROOT_CGROUP[1], h->name);
		attach(root_mount, name, trees[i]);
		close(h->fd);
		h->fd = openat(trees[i], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		close(trees[i]);
	}
	close(proc);
	close(sys);
	namespaces_leave_chroot(chroot_fd);
	if (fchdir(root_mount) != 0 || syscall(SYS_pivot_root, ".", ".") != 0 || umount2(".", MNT_DETACH) != 0 ||
	    chdir("/") != 0)
		fail(PHASE_PIVOT, errno, "enter the runner root");
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0 && (null = fcntl(host_null, F_DUPFD_CLOEXEC, 3)) < 0)
		fail(PHASE_ROOT, errno, "open /dev/null");
	return null;
}

int runner_root_device(const char *path)
{
	int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}
