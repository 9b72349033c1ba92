/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file_walk: copies one entry, recursively for a directory; file_copy resolves the paths and calls it.
 *
 *	file_walk_run(copy, src_parent, "dir", "/dir", dst_parent, "to", "/to", error);
 *
 * Thread: one at a time.
 */
#pragma once
#include "ops/file_copy.h"

/* src_name, dst_name "": the directories themselves. src_path, dst_path: clean paths in the trees, without links. */
bool file_walk_run(const struct file_copy *copy, int src_parent, const char *src_name, const char *src_path,
		   int dst_parent, const char *dst_name, const char *dst_path, GError **error);
