/* SPDX-License-Identifier: Apache-2.0 */
/*
 * path: names that a peer chose, opened beneath a root that we hold. Never joined into strings.
 *
 *	scoped_fd fd = path_open(root_fd, "etc/passwd", O_RDONLY, PATH_IN_ROOT, error);
 *
 * PATH_IN_ROOT: image semantics, links and ".." resolved inside the root. PATH_BENEATH: no links, no "..".
 * openat2 with a tested component walk where the kernel lacks it. Thread: any.
 */
#pragma once
#include "base/scope.h"
#include "base/error.h"
#include <fcntl.h>
#include <sys/stat.h>

enum path_mode { PATH_IN_ROOT, PATH_BENEATH };

/* Errors carry errno's meaning (NOT_FOUND, ...) and the path as given. path "" or "/" is the root itself. */
int path_open(int root_fd, const char *path, int flags, enum path_mode mode, GError **error);
/* The same without a GError: -errno on failure. */
int path_open_errno(int root_fd, const char *path, int flags, enum path_mode mode);
/*
 * Opens the directory that holds the last component (links in the parents resolved inside the root) and gives that
 * component's name, which is never empty, "." or ".."; INVALID_ARGUMENT when there is none.
 */
int path_open_parent(int root_fd, const char *path, char ret_name[256], GError **error);
/* Creates missing directories (mode, uid, gid; times when time_ns >= 0) and opens the last one. */
int path_make_dirs(int root_fd, const char *path, mode_t mode, uid_t uid, gid_t gid, int64_t time_ns, GError **error);
/*
 * Where a path leads inside the root with all links resolved (parents always, the last component when follow), as a
 * clean absolute path. A missing tail is kept as it is.
 */
char *path_resolve(int root_fd, const char *path, bool follow_last, GError **error);
/* A regular file's bytes, at most max_bytes. FIFOs and devices never block. */
GBytes *path_read(int root_fd, const char *path, size_t max_bytes, enum path_mode mode, GError **error);

/* Go's path.Clean and path.Join on strings (no file system). */
char *path_clean(const char *path);
char *path_join(const char *a, const char *b);
