/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stat_read: reads one entry of a directory for transfer; hard links refer to the first member seen.
 *
 *	inode_table *t = inode_table_new();
 *	enum stat_read_result r = stat_read(dir_fd, "name", "dir/name", t, &stat, NULL, error);
 *
 * Thread: one at a time per table.
 */
#pragma once
#include "fssync/fssync.h"
#include <sys/stat.h>

typedef struct inode_table inode_table;
inode_table *inode_table_new(void);
void inode_table_free(inode_table *t);
void inode_table_note(inode_table *t, const struct stat *st, const char *path);

enum stat_read_result { STAT_READ_OK, STAT_READ_GONE, STAT_READ_FAILED };
/*
 * Fills ret except xattrs (the caller clears it when OK). table may be NULL: hard links are treated as plain files.
 * ret_st may be NULL.
 */
enum stat_read_result stat_read(int dir_fd, const char *name, const char *path, const inode_table *table,
				struct fssync_stat *ret, struct stat *ret_st, GError **error);
/* Adds the xattrs of a regular file or directory; values that may not be read or are too large are omitted. */
bool stat_read_xattrs(int dir_fd, const char *name, struct fssync_stat *stat, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(inode_table, inode_table_free)
