/* SPDX-License-Identifier: Apache-2.0 */
#include "tree.h"
#include "fail.h"
#include "inroot.h"
#include "mountfd.h"
#include "namespaces.h"
#include "sys.h"
#include "tree_parts.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

void tree_init(struct tree *t)
{
	*t = (struct tree){
		.root_fd = -1, .chroot_fd = -1, .proc_fd = -1, .dev_fd = -1, .devpts_fd = -1, .scratch_fd = -1};
}

static const uint64_t everything_off = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;

/* ---- mounts */

static bool is_kernel_type(const char *type)
{
	return strcmp(type, "proc") == 0 || strcmp(type, "sysfs") == 0;
}

/*
 * Mount points of proc and sysfs must not be symbolic links: a link would mount elsewhere and leave the image's files
 * visible under that name.
 */
static int open_place(const struct tree *t, const struct plan_mount *m)
{
	bool directory = m->kind == PLAN_MOUNT_TYPE || m->kind == PLAN_MOUNT_CGROUP || m->directory != 0;
	if (m->kind == PLAN_MOUNT_TYPE && is_kernel_type(m->type)) {
		const char *name;
		auto_fd parent = inroot_ensure_parent(t->root_fd, m->dest, &name);
		if (parent < 0)
			return parent;
		if (mkdirat(parent, name, 0755) != 0 && errno != EEXIST)
			return -errno;
		int fd = openat(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		return fd < 0 ? -errno : fd;
	}
	return inroot_ensure(t->root_fd, m->dest, directory);
}

/* A tmpfs over an existing directory gets that directory's mode, as in other runtimes. */
static const char *tmpfs_data(const struct plan_mount *m, int place, bool existed, char *data, size_t size)
{
	struct stat st;
	if (!existed || strcmp(m->type, "tmpfs") != 0 || strstr(m->data, "mode=") != NULL || fstat(place, &st) != 0)
		return m->data;
	snprintf(data, size, "mode=%04o%s%s", (unsigned)st.st_mode & 07777, m->data[0] != '\0' ? "," : "", m->data);
	return data;
}

static int bind_sysfs(const struct plan_mount *m, int place)
{
	auto_fd host = open("/sys", O_PATH | O_DIRECTORY | O_CLOEXEC);
	const struct mountfd_change change = {.set_recursive = m->set};
	return host < 0 ? -errno : mountfd_bind(place, host, &change);
}

static int mount_type(struct tree *t, const struct plan_mount *m, int place, bool existed)
{
	char data[4096];
	/*
	 * A read-only tmpfs becomes read-only after it is filled, as an attribute of the mount: the superblock remains
	 * writable.
	 */
	uint64_t late = strcmp(m->type, "tmpfs") == 0 ? m->set & MOUNT_ATTR_RDONLY : 0;
	const struct mountfd_type type = {.type = m->type,
					  .source = m->source,
					  .attributes = m->set & ~late,
					  .data = tmpfs_data(m, place, existed, data, sizeof data)};
	/*
	 * Only the owner of the network namespace may mount sysfs. A step in the host's network gets a copy of the host's,
	 * with what is mounted below it.
	 */
	bool sysfs = strcmp(m->type, "sysfs") == 0 && sys_in_user_namespace();
	auto_fd below = m->copy_up != 0 ? inroot_open(t->root_fd, m->dest, O_RDONLY | O_DIRECTORY) : -1;
	int fd = mountfd_type(place, &type);
	if (fd == -EPERM && sysfs)
		fd = bind_sysfs(m, place);
	if (fd < 0)
		return fd;
	if (below >= 0)
		tree_copy_up(below, fd);
	int r = late != 0 ? mountfd_change(fd, &(struct mountfd_change){.set = late}) : 0;
	if (r != 0)
		return r;
	/* A read-only /proc cannot be used to write sysctls and attributes. */
	bool proc = strcmp(m->type, "proc") == 0 && strcmp(m->dest, "/proc") == 0 && (m->set & MOUNT_ATTR_RDONLY) == 0;
	int *const known = proc                             ? &t->proc_fd
			   : strcmp(m->type, "devpts") == 0 ? &t->devpts_fd
			   : strcmp(m->dest, "/dev") == 0   ? &t->dev_fd
							    : NULL;
	if (known != NULL && *known < 0)
		*known = r = sys_dup(fd);
	if (r < 0) {
		close(fd);
		return r;
	}
	return fd;
}

static int mount_tree(const struct tree *t, const struct plan_mount *m, int place)
{
	const struct mountfd_change change = {
		.set = m->set,
		.clear = m->clear,
		.set_recursive = m->set_recursive,
		.clear_recursive = m->clear_recursive,
		/* Never a peer of the host's mount: mounts made here must not propagate to the host. */
		.propagation = m->propagation != 0 ? m->propagation : MS_SLAVE | MS_REC,
		.user_fd = m->user_fd != PLAN_NO_FD ? t->fds[m->user_fd] : -1,
	};
	int fd = mountfd_attach(place, t->fds[m->fd], &change);
	return fd < 0 ? fd : sys_dup(fd);
}

/* Writes the bytes to a tmpfs of this step. */
static int mount_file(struct tree *t, const struct plan_mount *m, int place)
{
	char name[24];
	snprintf(name, sizeof name, "f%u", t->n_files++);
	auto_fd file = openat(t->scratch_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (file < 0 || fchmod(file, 0644) != 0)
		return -errno;
	for (size_t done = 0; done < m->bytes.len;) {
		ssize_t n = write(file, (const char *)m->bytes.ptr + done, m->bytes.len - done);
		if (n < 0 && errno != EINTR)
			return -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	return mountfd_bind(place, file, &(struct mountfd_change){.set = m->set});
}

static void mount_one(struct tree *t, const struct plan_mount *m)
{
	auto_fd before = m->kind == PLAN_MOUNT_TYPE ? inroot_open(t->root_fd, m->dest, O_PATH) : -1;
	auto_fd place = open_place(t, m);
	if (place < 0)
		fail(PHASE_MOUNT, -place,
		     m->kind == PLAN_MOUNT_TYPE && is_kernel_type(m->type) ? "%s must be a directory"
									   : "make mount point %s",
		     m->dest);
	int fd = -EINVAL;
	switch (m->kind) {
	case PLAN_MOUNT_TYPE:
		fd = mount_type(t, m, place, before >= 0);
		break;
	case PLAN_MOUNT_TREE:
		fd = mount_tree(t, m, place);
		break;
	case PLAN_MOUNT_FILE:
		fd = mount_file(t, m, place);
		break;
	case PLAN_MOUNT_CGROUP:
		fd = tree_mount_cgroup(t, m, place);
		break;
	default:
		break;
	}
	if (fd < 0)
		fail(PHASE_MOUNT, -fd, "mount %s on %s%s", m->kind == PLAN_MOUNT_TYPE ? m->type : "tree", m->dest,
		     fd == -EPERM && m->kind == PLAN_MOUNT_TYPE && strcmp(m->type, "proc") == 0 &&
				     sys_in_user_namespace()
			     ? " (parts of the container's /proc are masked: unmask them, or start the daemon with "
			       "--oci-worker-no-process-sandbox)"
			     : "");
	if (m->kind == PLAN_MOUNT_TYPE && m->propagation != 0) {
		int r = mountfd_change(fd, &(struct mountfd_change){.propagation = m->propagation});
		if (r != 0)
			fail(PHASE_MOUNT, -r, "propagation of %s", m->dest);
	}
	close(fd);
}

/* ---- the root */

static bool needs_scratch(const struct plan *p)
{
	bool needed = p->masked.n > 0;
	for (uint32_t i = 0; i < p->n_mounts; i++)
		needed |= p->mounts[i].kind == PLAN_MOUNT_FILE;
	return needed;
}

void tree_build(struct tree *t, const struct plan *p)
{
	mountfd_set_label(p->mount_label);
	auto_fd staging = open(t->staging, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (staging < 0)
		fail(PHASE_ROOT, errno, "open %s", t->staging);
	if (needs_scratch(p))
		tree_make_scratch(t, staging);
	int r = mountfd_attach(staging, t->root_fd, &(struct mountfd_change){.propagation = MS_SLAVE | MS_REC});
	/* Makes the root read-only on a new bind mount: the caller continues to use the original mount. */
	if (r >= 0 && p->root_readonly != 0)
		r = t->root_fd = mountfd_bind(t->root_fd, t->root_fd, &(struct mountfd_change){0});
	if (r < 0)
		fail(PHASE_ROOT, -r, "attach the root");
	for (uint32_t i = 0; i < p->n_mounts; i++)
		mount_one(t, &p->mounts[i]);
	if (p->default_devices != 0 || p->n_devices > 0) {
		if (t->dev_fd < 0)
			t->dev_fd = inroot_ensure(t->root_fd, "/dev", true);
		if (t->dev_fd < 0)
			fail(PHASE_DEVICE, -t->dev_fd, "make /dev");
	}
	tree_make_devices(t, p);
}

int tree_proc(struct tree *t)
{
	if (t->proc_fd >= 0)
		return t->proc_fd;
	/* A procfs that is mounted nowhere does not exist on old kernels; the runner's is as safe from the step. */
	if (sys_is_old())
		return t->proc_fd = sys_dup(sys_proc());
	auto_fd context = fsopen("proc", FSOPEN_CLOEXEC);
	if (context >= 0 && fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
		t->proc_fd = fsmount(context, FSMOUNT_CLOEXEC, (unsigned)everything_off);
	if (t->proc_fd < 0)
		t->proc_fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return t->proc_fd;
}

void tree_mask(struct tree *t, const struct plan *p)
{
	for (uint32_t i = 0; i < p->readonly.n; i++)
		tree_make_readonly(t, p->readonly.list[i]);
	for (uint32_t i = 0; i < p->masked.n; i++)
		tree_hide(t, p->masked.list[i]);
}

void tree_enter(struct tree *t, const struct plan *p)
{
	if (p->root_readonly != 0) {
		int error = mountfd_change(t->root_fd, &(struct mountfd_change){.set = MOUNT_ATTR_RDONLY});
		if (error != 0)
			fail(PHASE_ROOT, -error, "make the root read-only");
	}
	/*
	 * Leave the chroot first: pivot_root must replace the root of the namespace. Then no mount of the host remains,
	 * and a process that joins the namespace gets the new root.
	 */
	namespaces_leave_chroot(t->chroot_fd);
	if (fchdir(t->root_fd) != 0 || syscall(SYS_pivot_root, ".", ".") != 0)
		fail(PHASE_PIVOT, errno, "pivot_root");
	/* The old root is now mounted on top of the new one. */
	if (umount2(".", MNT_DETACH) != 0 || chdir("/") != 0)
		fail(PHASE_PIVOT, errno, "leave the old root");
	if (p->root_propagation != 0 && mount(NULL, "/", NULL, (unsigned long)p->root_propagation, NULL) != 0)
		fail(PHASE_PIVOT, errno, "propagation of the root");
	sys_close(&t->proc_fd);
	sys_close(&t->dev_fd);
	sys_close(&t->devpts_fd);
	sys_close(&t->scratch_fd);
}
