/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tree: whole directory trees: walk, copy, remove, measure. All fd-relative, iterative, deeper than PATH_MAX.
 *
 *	tree_remove_at(parent_fd, "name", error);
 *	file_copy(src_fd, dst_fd, &stat, error);
 *
 * Thread: any.
 */
#pragma once
#include "base/cancel.h"
#include <sys/stat.h>

/* Removes a file or a whole tree; absent is success. Never crosses a mount. */
bool tree_remove_at(int parent_fd, const char *name, GError **error);
bool tree_remove_contents(int dir_fd, GError **error);
/* Allocated bytes (st_blocks), hard links once. */
bool tree_usage(int dir_fd, int64_t *ret_bytes, int64_t *ret_inodes, GError **error);
/* Without files that have a name outside of the tree as well. */
bool tree_usage_own(int dir_fd, int64_t *ret_bytes, GError **error);

/* Data from src to dst: reflink, else copy_file_range (holes kept), else read and write. */
bool file_copy_data(int src_fd, int dst_fd, int64_t size, cancel *c, GError **error);
/* All xattrs of src to dst but those that overlayfs and the kernel own; ENOTSUP is ignored. */
bool file_copy_xattrs(int src_fd, int dst_fd, GError **error);
/* xattrs by O_PATH fd (through /proc/self/fd); names NUL-separated. NULL with no error when there are none. */
char *file_list_xattrs(int fd, size_t *ret_len, GError **error);
void *file_get_xattr(int fd, const char *name, size_t *ret_len, GError **error);
bool file_set_xattr(int fd, const char *name, const void *value, size_t len, GError **error);
