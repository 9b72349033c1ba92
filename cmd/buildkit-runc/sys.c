/* SPDX-License-Identifier: Apache-2.0 */
#include "sys.h"
#include "runner/plan.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>

/* ---- kernels before 5.12 */

static int age; /* 1: new, 2: old */

bool sys_is_old(void)
{
	/* An attribute structure of no bytes is EINVAL, before privileges are checked. */
	if (age == 0)
		age = mount_setattr(-1, "", 0, NULL, 0) != 0 && errno == EINVAL ? 1 : 2;
	return age == 2;
}

void sys_set_old(void)
{
	age = 2;
}

static int proc_fd = -1;

int sys_proc(void)
{
	if (proc_fd < 0)
		proc_fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return proc_fd;
}

int sys_mount_id(int fd, uint64_t *ret)
{
	char path[40], text[1024];
	unsigned long long id;
	snprintf(path, sizeof path, "self/fdinfo/%d", fd);
	ssize_t n = sys_read_at(sys_proc(), path, text, sizeof text);
	const char *at = n > 0 ? strstr(text, "mnt_id:") : NULL;
	if (at == NULL || sscanf(at, "mnt_id: %llu", &id) != 1)
		return n < 0 ? (int)n : -ENOENT;
	*ret = id;
	return 0;
}

/* The descriptor of /proc is closed last. */
static int close_listed(unsigned first, unsigned last)
{
	auto_fd list = openat(sys_proc(), "self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int copy = list < 0 ? -1 : fcntl(list, F_DUPFD_CLOEXEC, 3);
	DIR *d = copy < 0 ? NULL : fdopendir(copy);
	if (d == NULL) {
		sys_close(&copy);
		return -errno;
	}
	bool ours = false;
	for (const struct dirent *e; (e = readdir(d)) != NULL;) {
		unsigned fd = (unsigned)strtoul(e->d_name, NULL, 10);
		if (e->d_name[0] == '.' || fd < first || fd > last || fd == (unsigned)list || fd == (unsigned)dirfd(d))
			continue;
		if (fd == (unsigned)sys_proc())
			ours = true;
		else
			close((int)fd);
	}
	closedir(d);
	if (ours)
		sys_close(&proc_fd);
	return 0;
}

int sys_close_range(unsigned first, unsigned last)
{
	if (sys_is_old())
		return close_listed(first, last);
	return syscall(SYS_close_range, first, last, 0) == 0 ? 0 : -errno;
}

/* A clone of before CLONE_INTO_CGROUP; without a stack and thread ids, the order of its arguments does not matter. */
static pid_t old_clone(uint64_t flags, int cgroup_fd)
{
	if (cgroup_fd >= 0) {
		errno = ENOSYS;
		return -1;
	}
	return (pid_t)syscall(SYS_clone, (unsigned long)flags | ((flags & CLONE_PARENT) != 0 ? 0 : SIGCHLD), NULL, NULL,
			      NULL, NULL);
}

/* ---- */

int sys_openat2(int dir_fd, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve)
{
	struct open_how how = {.flags = flags, .mode = mode, .resolve = resolve};
	for (int tries = 0;; tries++) {
		int fd = (int)syscall(SYS_openat2, dir_fd, path, &how, sizeof how);
		/* EAGAIN: a concurrent rename; retry. */
		if (fd >= 0 || errno != EAGAIN || tries == 128)
			return fd;
	}
}

int sys_dup(int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	return copy < 0 ? -errno : copy;
}

pid_t sys_clone(uint64_t flags, int cgroup_fd, int *ret_pidfd)
{
	if (sys_is_old())
		return old_clone(flags, cgroup_fd);
	struct clone_args args = {
		.flags = flags | CLONE_PIDFD | (cgroup_fd >= 0 ? CLONE_INTO_CGROUP : 0),
		.pidfd = (uint64_t)(uintptr_t)ret_pidfd,
		.exit_signal = (flags & CLONE_PARENT) != 0 ? 0 : SIGCHLD, /* CLONE_PARENT keeps the caller's */
		.cgroup = cgroup_fd >= 0 ? (uint64_t)cgroup_fd : 0,
	};
	return (pid_t)syscall(SYS_clone3, &args, sizeof args);
}

int sys_send(int socket_fd, const void *bytes, size_t n, const int *fds, size_t n_fds)
{
	char control[CMSG_SPACE(RUNNER_FDS_A_MESSAGE * sizeof(int))];
	struct iovec part = {(void *)(uintptr_t)bytes, n};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
	if (n_fds > 0) {
		memset(control, 0, CMSG_SPACE(n_fds * sizeof(int)));
		message.msg_control = control;
		message.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		struct cmsghdr *c = CMSG_FIRSTHDR(&message);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, n_fds * sizeof(int));
	}
	for (;;) {
		ssize_t sent = sendmsg(socket_fd, &message, MSG_NOSIGNAL);
		if (sent >= 0)
			return (size_t)sent == n ? 0 : -EMSGSIZE;
		if (errno != EINTR)
			return -errno;
	}
}

ssize_t sys_receive(int socket_fd, void *bytes, size_t n, int *fds, size_t max_fds, size_t *ret_n_fds, int flags)
{
	char control[CMSG_SPACE(RUNNER_FDS_A_MESSAGE * sizeof(int))];
	struct iovec part = {bytes, n};
	struct msghdr message = {.msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = control,
				 .msg_controllen = max_fds > 0 ? CMSG_SPACE(max_fds * sizeof(int)) : 0};
	ssize_t got;
	do
		got = recvmsg(socket_fd, &message, flags | MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return -errno;
	size_t n_fds = 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c != NULL; c = CMSG_NXTHDR(&message, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		size_t here = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < here; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
			if (n_fds < max_fds)
				fds[n_fds++] = fd;
			else
				close(fd);
		}
	}
	if (ret_n_fds != NULL)
		*ret_n_fds = n_fds;
	return (message.msg_flags & MSG_CTRUNC) != 0 ? -EMSGSIZE : got;
}

int sys_write_at(int dir_fd, const char *name, const char *text)
{
	auto_fd fd = openat(dir_fd, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	size_t n = strlen(text);
	if (fd < 0)
		return -errno;
	ssize_t written = write(fd, text, n);
	return written < 0 ? -errno : (size_t)written == n ? 0 : -EIO;
}

ssize_t sys_read_at(int dir_fd, const char *name, char *text, size_t size)
{
	auto_fd fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	size_t used = 0;
	if (fd < 0)
		return -errno;
	for (;;) {
		ssize_t n = read(fd, text + used, size - 1 - used);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		used += (size_t)n;
		if (n == 0 || used == size - 1)
			break;
	}
	text[used] = '\0';
	return (ssize_t)used;
}

bool sys_in_user_namespace(void)
{
	static int known; /* 1: no, 2: yes */
	char map[256];
	unsigned inside, outside, count;
	if (known == 0)
		known = sys_read_at(AT_FDCWD, "/proc/self/uid_map", map, sizeof map) > 0 &&
					sscanf(map, "%u %u %u", &inside, &outside, &count) == 3 &&
					(inside != 0 || outside != 0 || count != UINT32_MAX)
				? 2
				: 1;
	return known == 2;
}
