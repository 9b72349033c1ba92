/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file_key: the paths that a file op reads: selectors for the content key of an input, and the matches of wildcards.
 *
 *	g_autoptr(GArray) selectors = file_key_selectors(pb, input);
 *	g_autoptr(GPtrArray) paths = file_match(root_fd, "/dir/x*.txt", false, error);     of char *
 *
 * Thread: any.
 */
#pragma once
#include "cache/cache.h"
#include "ops.pb-c.h"

/*
 * Array of struct contenthash_selector, sorted by path, at least one; strings belong to pb and to the array. The
 * selectors are normalised as upstream does.
 */
GArray *file_key_selectors(const Pb__FileOp *pb, unsigned input);
/*
 * The paths of a tree that a pattern matches, sorted. The part before the first component with a wildcard is resolved
 * inside the root, following links on request; the rest is matched component by component as path.Match does, in real
 * directories only. A path without wildcards matches itself, whether it exists or not. Errors: "lstat /dir: no such file
 * or directory".
 */
GPtrArray *file_match(int root_fd, const char *pattern, bool follow_links, GError **error);
