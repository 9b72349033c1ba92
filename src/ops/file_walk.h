/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file_walk: copies one entry, and when it is a directory all below it; the part of file_copy behind the names.
 *
 *	file_walk_run(copy, src_parent, "dir", dst_parent, "to", "/to", error);
 *
 * Thread: one at a time.
 */
#pragma once
#include "ops/file_copy.h"

/* src_name, dst_name "": the directories themselves. dst_path: where that is, for messages. */
bool file_walk_run(const struct file_copy *copy, int src_parent, const char *src_name, int dst_parent,
		   const char *dst_name, const char *dst_path, GError **error);
