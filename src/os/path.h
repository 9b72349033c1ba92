/* SPDX-License-Identifier: Apache-2.0 */
/*
 * path: opens paths from peers beneath a root fd, without building path strings.
 *
 *	scoped_fd fd = path_open(root_fd, "etc/passwd", O_RDONLY, PATH_IN_ROOT, error);
 *
 * PATH_IN_ROOT: image semantics, links and ".." resolved inside the root. PATH_BENEATH: no links, no "..",
 * any path length. Uses openat2, or a component walk on kernels without it. Thread: any.
 */
#pragma once
#include "base/path_text.h"
#include "base/scope.h"
#include "base/error.h"
#include <fcntl.h>
#include <sys/stat.h>

enum path_mode { PATH_IN_ROOT, PATH_BENEATH };

/* Errors have the code of the errno (NOT_FOUND, ...) and name the path as given. path "" or "/" is the root itself. */
int path_open(int root_fd, const char *path, int flags, enum path_mode mode, GError **error);
/* The same without a GError: -errno on failure. */
int path_open_errno(int root_fd, const char *path, int flags, enum path_mode mode);
/*
 * Opens a regular file in a tree that a step or a peer created. Opening a device node or a FIFO has effects on the
 * host, so the type is checked first: O_PATH, then the same inode again. flags: the access mode, O_TRUNC, O_NOFOLLOW.
 * Fails with -EISDIR for a directory, -ELOOP for a symbolic link that is not followed, -ENXIO for a device node, a FIFO
 * or a socket. ret_st may be NULL.
 */
int path_open_regular_errno(int root_fd, const char *path, int flags, enum path_mode mode, struct stat *ret_st);
/* The same with a GError: INVALID_ARGUMENT "not a regular file" for -EISDIR, -ELOOP and -ENXIO. */
int path_open_regular(int root_fd, const char *path, int flags, enum path_mode mode, struct stat *ret_st,
		      GError **error);
/* The same for an entry of a directory; links are not followed. */
int path_open_regular_at(int dir_fd, const char *name, int flags, struct stat *ret_st);
/* True for the -errno values that mean that an entry exists but is not a regular file. */
bool path_is_irregular(int negative_errno);
/*
 * Opens the directory that contains the last component (links in the parents are resolved inside the root) and returns
 * that component's name, which is never empty, "." or "..". Errors: INVALID_ARGUMENT if there is none.
 */
int path_open_parent(int root_fd, const char *path, char ret_name[256], GError **error);
/* Creates missing directories (mode, uid, gid; times when time_ns >= 0) and opens the last one. */
int path_make_dirs(int root_fd, const char *path, mode_t mode, uid_t uid, gid_t gid, int64_t time_ns, GError **error);
/*
 * Resolves a path inside the root with all links (parents always, the last component if follow) to a clean absolute
 * path. Missing components at the end are kept unchanged; a path below a file is an error. Texts are those of upstream;
 * too many links: UNKNOWN.
 */
char *path_resolve(int root_fd, const char *path, bool follow_last, GError **error);
/* Reads a regular file, at most max_bytes. FIFOs and devices never block. */
GBytes *path_read(int root_fd, const char *path, size_t max_bytes, enum path_mode mode, GError **error);
