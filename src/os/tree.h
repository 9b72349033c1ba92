/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tree: removes, copies and measures directory trees. Uses fds and iteration, so trees may be deeper than PATH_MAX.
 *
 *	tree_remove_at(parent_fd, "name", error);
 *	file_copy_data(src_fd, dst_fd, stat.st_size, cancel, error);
 *
 * Thread: any.
 */
#pragma once
#include "base/cancel.h"
#include <sys/stat.h>

/* Removes a file or a whole tree; a missing one is a success. Never crosses a mount. */
bool tree_remove_at(int parent_fd, const char *name, GError **error);
bool tree_remove_contents(int dir_fd, GError **error);
/* Allocated bytes (st_blocks); hard links count once. */
bool tree_usage(int dir_fd, int64_t *ret_bytes, int64_t *ret_inodes, GError **error);
/* Excludes files that also have a name outside of the tree. */
bool tree_usage_own(int dir_fd, int64_t *ret_bytes, GError **error);

/* Keys of hash tables that recognise the names of one file. */
struct tree_inode {
	dev_t dev;
	ino_t ino;
};
struct tree_inode *tree_inode_new(const struct stat *st);
guint tree_inode_hash(gconstpointer inode);
gboolean tree_inode_equal(gconstpointer a, gconstpointer b);

/* Creates a copy of a regular file with all of its metadata; st: of the file. A file that it could not complete stays. */
bool tree_copy_file(int from_dir, const char *from, int to_dir, const char *to, const struct stat *st, cancel *c,
		    GError **error);
/* Copies data from src to dst: reflink, else copy_file_range (keeps holes), else read and write. */
bool file_copy_data(int src_fd, int dst_fd, int64_t size, cancel *c, GError **error);
/* Copies all xattrs of src to dst except those that overlayfs and the kernel manage; ENOTSUP is ignored. */
bool file_copy_xattrs(int src_fd, int dst_fd, GError **error);
/*
 * Attributes of files that a peer or an archive may set: none that overlayfs, a security module or the kernel interprets,
 * except capabilities and access control lists.
 */
bool file_xattr_is_portable(const char *name);
/* Lists xattrs by O_PATH fd (through /proc/self/fd); names NUL-separated. NULL without an error if there are none. */
char *file_list_xattrs(int fd, size_t *ret_len, GError **error);
void *file_get_xattr(int fd, const char *name, size_t *ret_len, GError **error);
bool file_set_xattr(int fd, const char *name, const void *value, size_t len, GError **error);
