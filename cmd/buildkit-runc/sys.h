/* SPDX-License-Identifier: Apache-2.0 */
/* sys: system calls without a libc wrapper, and sockets that carry descriptors. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

int sys_openat2(int dir_fd, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve);
/* A close-on-exec copy above the standard streams, owned; -errno. */
int sys_dup(int fd);
/* clone3 without a stack: returns twice, like fork. cgroup_fd -1: the caller's cgroup. */
pid_t sys_clone(uint64_t flags, int cgroup_fd, int *ret_pidfd);
/* Sends a small message with n_fds <= RUNNER_FDS_A_MESSAGE descriptors. Returns 0 or -errno. */
int sys_send(int socket_fd, const void *bytes, size_t n, const int *fds, size_t n_fds);
/*
 * Receives one message of at most n bytes and max_fds descriptors (close-on-exec); *ret_n_fds is their number. Returns
 * -errno on failure.
 */
ssize_t sys_receive(int socket_fd, void *bytes, size_t n, int *fds, size_t max_fds, size_t *ret_n_fds, int flags);
/*
 * Reports whether the program runs in a user namespace that maps only some ids: devices cannot be created or filtered,
 * and mounts that were made outside are locked.
 */
bool sys_in_user_namespace(void);
/* Reads and writes whole files of the kernel. Return 0 or -errno. */
int sys_write_at(int dir_fd, const char *name, const char *text);
ssize_t sys_read_at(int dir_fd, const char *name, char *text, size_t size); /* ret is NUL-terminated */

static inline void sys_close(int *fd);
#include <unistd.h>
static inline void sys_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}
#define auto_fd __attribute__((cleanup(sys_close))) int
