/* SPDX-License-Identifier: Apache-2.0 */
/* sys: system calls without a libc wrapper, and sockets that carry descriptors. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Reports whether the kernel has no mount_setattr (Linux 5.12): then none of the system calls that are newer than Linux
 * 4.18 is used. Found out once.
 */
bool sys_is_old(void);
void sys_set_old(void); /* for tests */
/*
 * /proc of the mount namespace in which this was called first, before the process joins another one; borrowed, closed by
 * sys_close_range. Used on old kernels only.
 */
int sys_proc(void);
/* Finds the id of the mount that a descriptor refers to. Returns 0 or -errno. */
int sys_mount_id(int fd, uint64_t *ret);
/* Closes the descriptors from first to last. Returns 0 or -errno. */
int sys_close_range(unsigned first, unsigned last);
int sys_openat2(int dir_fd, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve);
/* A close-on-exec copy above the standard streams, owned; -errno. */
int sys_dup(int fd);
/*
 * clone3 without a stack: returns twice, like fork. cgroup_fd -1: the caller's cgroup. ret_pidfd is untouched on old kernels,
 * where a cgroup is ENOSYS.
 */
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
