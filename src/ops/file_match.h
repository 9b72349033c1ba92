/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file_match: which paths of a tree a pattern with wildcards names.
 *
 *	g_autoptr(GPtrArray) paths = file_match(root_fd, "/dir/x*.txt", false, error);     of char *
 *
 * The part before the first component with a wildcard is resolved inside the root, links followed when asked; the
 * rest is matched component by component as path.Match does, real directories only. Sorted. Thread: any.
 */
#pragma once
#include "base/error.h"

/* A path without wildcards is its own match, there or not. Errors: "lstat /dir: no such file or directory". */
GPtrArray *file_match(int root_fd, const char *pattern, bool follow_links, GError **error);
bool file_has_wildcard(const char *name);
