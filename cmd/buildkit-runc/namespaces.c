/* SPDX-License-Identifier: Apache-2.0 */
#include "namespaces.h"
#include "fail.h"
#include "inroot.h"
#include "sys.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static int write_map(pid_t pid, const char *file, const struct plan_id_map *maps, uint32_t n)
{
	char text[4096], path[64];
	size_t used = 0;
	if (n == 0)
		return 0;
	for (uint32_t i = 0; i < n; i++) {
		int r = snprintf(text + used, sizeof text - used, "%u %u %u\n", maps[i].inside, maps[i].outside,
				 maps[i].count);
		if (r < 0 || (size_t)r >= sizeof text - used)
			return -E2BIG; /* the kernel accepts at most one page per write */
		used += (size_t)r;
	}
	snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
	return sys_write_at(AT_FDCWD, path, text);
}

int namespaces_map(pid_t pid, const struct plan *p)
{
	int r = write_map(pid, "uid_map", p->uid_maps, p->n_uid_maps);
	return r != 0 ? r : write_map(pid, "gid_map", p->gid_maps, p->n_gid_maps);
}

void namespaces_become_root(void)
{
	/* Fails if id 0 is not mapped; identity_user sets the plan's user later in any case. */
	if (setresgid(0, 0, 0) != 0 || setresuid(0, 0, 0) != 0)
		fail(PHASE_NAMESPACE, errno, "become root of the user namespace");
	if (setgroups(0, NULL) != 0 && errno != EPERM)
		fail(PHASE_NAMESPACE, errno, "drop groups");
}

static void join(const struct plan_join *j, const int *fds)
{
	if (setns(fds[j->fd], (int)j->type) != 0)
		fail(PHASE_NAMESPACE, errno, "join namespace %#llx", (unsigned long long)j->type);
}

bool namespaces_join(const struct plan *p, const int *fds)
{
	bool new_pid = false;
	/* Join the user namespace first: it grants the privileges to join the others. */
	for (int pass = 0; pass < 2; pass++) {
		for (uint32_t i = 0; i < p->n_joins; i++) {
			const struct plan_join *j = &p->joins[i];
			if (((j->type & CLONE_NEWUSER) != 0) != (pass == 0))
				continue;
			join(j, fds);
			if ((j->type & CLONE_NEWUSER) != 0)
				namespaces_become_root();
			new_pid |= (j->type & CLONE_NEWPID) != 0;
		}
	}
	return new_pid;
}

void namespaces_leave_chroot(int namespace_fd)
{
	if (namespace_fd >= 0 && setns(namespace_fd, CLONE_NEWNS) != 0)
		fail(PHASE_PIVOT, errno, "leave the chroot");
}

struct place {
	uint64_t mount, inode;
};

static bool find_place(int fd, struct place *ret)
{
	struct statx st;
	struct stat old;
	if (sys_is_old()) {
		bool ok = fstat(fd, &old) == 0 && sys_mount_id(fd, &ret->mount) == 0;
		ret->inode = ok ? old.st_ino : 0;
		return ok;
	}
	if (statx(fd, "", AT_EMPTY_PATH, STATX_INO | STATX_MNT_ID, &st) != 0)
		return false;
	*ret = (struct place){st.stx_mnt_id, st.stx_ino};
	return true;
}

/*
 * Without /proc the process cannot leave a chroot: then only the mounts inside it are changed, and its root must be a
 * mount point.
 */
int namespaces_detach_mounts(unsigned long propagation)
{
	struct place before, after;
	int own = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	auto_fd root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_fd cwd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	bool left = own >= 0 && root >= 0 && cwd >= 0 && find_place(root, &before) && setns(own, CLONE_NEWNS) == 0;
	auto_fd top = left ? open("/", O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
	if (left && (top < 0 || !find_place(top, &after)))
		fail(PHASE_NAMESPACE, errno, "stat the root");
	if (mount(NULL, "/", NULL, MS_REC | propagation, NULL) != 0)
		fail(PHASE_NAMESPACE, errno, "detach mounts from the host's");
	if (left && (fchdir(root) != 0 || chroot(".") != 0 || fchdir(cwd) != 0))
		fail(PHASE_NAMESPACE, errno, "return to the root");
	if (!left || (before.mount == after.mount && before.inode == after.inode))
		sys_close(&own);
	return own;
}

static void raise_loopback(void)
{
	struct ifreq request = {.ifr_name = "lo"};
	auto_fd fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &request) != 0)
		fail(PHASE_NAMESPACE, errno, "find the loopback interface");
	request.ifr_flags |= IFF_UP;
	if (ioctl(fd, SIOCSIFFLAGS, &request) != 0)
		fail(PHASE_NAMESPACE, errno, "bring up the loopback interface");
}

void namespaces_set_up(const struct plan *p, uint64_t made)
{
	if ((made & CLONE_NEWNET) != 0)
		raise_loopback();
	if (p->hostname != NULL && p->hostname[0] != '\0' && sethostname(p->hostname, strlen(p->hostname)) != 0)
		fail(PHASE_SYSTEM, errno, "set host name %s", p->hostname);
	if (p->domainname != NULL && p->domainname[0] != '\0' &&
	    setdomainname(p->domainname, strlen(p->domainname)) != 0)
		fail(PHASE_SYSTEM, errno, "set domain name %s", p->domainname);
}

void namespaces_sysctls(const struct plan *p, int proc_fd)
{
	char path[512];
	for (uint32_t i = 0; i < p->n_sysctls; i++) {
		const char *name = p->sysctls[i].name, *value = p->sysctls[i].value;
		int n = snprintf(path, sizeof path, "sys/%s", name);
		if (n < 0 || (size_t)n >= sizeof path)
			fail(PHASE_SYSTEM, ENAMETOOLONG, "sysctl %s", name);
		/* Accepts a.b.c and a/b/c; the first separator determines the form, as in sysctl(8). */
		const char *first = name + strcspn(name, "./");
		for (char *c = path + 4; *first == '.' && *c != '\0'; c++)
			*c = *c == '.' ? '/' : *c == '/' ? '.' : *c;
		auto_fd fd = inroot_open_kernel(proc_fd, path, O_WRONLY);
		size_t length = strlen(value);
		if (fd < 0 || write(fd, value, length) != (ssize_t)length)
			fail(PHASE_SYSTEM, fd < 0 ? -fd : errno, "sysctl %s", name);
	}
}
