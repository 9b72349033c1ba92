/* SPDX-License-Identifier: Apache-2.0 */
#include "os/process_fd.h"
#include "base/scope.h"
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>

int process_fd_open(pid_t pid)
{
	char path[32];
	int fd = pidfd_open(pid, 0); /* is close-on-exec */
	if (fd >= 0 || errno != ENOSYS)
		return fd < 0 ? -errno : fd;
	g_snprintf(path, sizeof path, "/proc/%d", (int)pid);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd >= 0 ? fd : errno == ENOENT ? -ESRCH : -errno;
}

/* The number is that of the directory's name: /proc/PID. */
static int signal_by_number(int dir_fd, int signal)
{
	g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", dir_fd);
	g_autofree char *target = g_file_read_link(path, NULL);
	const char *name = target ? strrchr(target, '/') : NULL;
	char text[4096];
	int64_t pid;
	if (!name || !g_ascii_string_to_signed(name + 1, 10, 1, INT_MAX, &pid, NULL))
		return -ESRCH;
	scoped_fd stat_fd = openat(dir_fd, "stat", O_RDONLY | O_CLOEXEC); /* fails for a process that was reaped */
	ssize_t n = stat_fd < 0 ? -1 : read(stat_fd, text, sizeof text - 1);
	if (n <= 0)
		return -ESRCH;
	return kill((pid_t)pid, signal) == 0 ? 0 : -errno;
}

int process_fd_signal(int fd, int signal)
{
	if (pidfd_send_signal(fd, signal, NULL, 0) == 0)
		return 0;
	return errno == ENOSYS ? signal_by_number(fd, signal) : -errno;
}
