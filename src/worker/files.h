/* SPDX-License-Identifier: Apache-2.0 */
/*
 * files: reads files beneath the root of a tree for a frontend. Links are resolved inside the root.
 *
 *	g_autoptr(GBytes) text = files_read(root_fd, "/etc/passwd", 0, 0, error);
 *	g_autoptr(GPtrArray) entries = files_list(root_fd, "/etc", "*.conf", error);
 *	if (!files_stat(root_fd, "/etc", true, &stat, error)) ...
 *
 * Thread: any.
 */
#pragma once
#include "fssync/fssync.h"

/* length 0: to the end. FIFOs and devices are refused without blocking. Errors: RESOURCE_EXHAUSTED, too large. */
GBytes *files_read(int root_fd, const char *path, int64_t offset, int64_t length, GError **error);
/* Element type: struct fssync_stat * (owned); sorted by name. include: a pattern, or NULL or "" for all. */
GPtrArray *files_list(int root_fd, const char *path, const char *include, GError **error);
/* fssync_stat_clear. absolute_links false: a link to an absolute path is described itself. */
bool files_stat(int root_fd, const char *path, bool absolute_links, struct fssync_stat *ret, GError **error);
