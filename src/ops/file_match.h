/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file_match: finds the paths of a tree that a pattern with wildcards matches.
 *
 *	g_autoptr(GPtrArray) paths = file_match(root_fd, "/dir/x*.txt", false, error);     of char *
 *
 * The part before the first component with a wildcard is resolved inside the root, following links on request; the rest
 * is matched component by component as path.Match does, in real directories only. Sorted. Thread: any.
 */
#pragma once
#include "base/error.h"

/*
 * A path without wildcards matches itself, whether it exists or not. Errors: "lstat /dir: no such file or directory".
 */
GPtrArray *file_match(int root_fd, const char *pattern, bool follow_links, GError **error);
bool file_has_wildcard(const char *name);
