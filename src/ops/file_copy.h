/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file_copy: copies one source path to a destination with the semantics of COPY.
 *
 *	struct file_copy copy = {.src_root = s, .dst_root = d, .src = "/dir", .dst = "/to/", ...};
 *	if (!file_copy_run(&copy, error)) ...
 *
 * All names are resolved inside their roots, then walked by descriptor; a tree of any depth takes one stack frame.
 * Thread: one at a time.
 */
#pragma once
#include "base/cancel.h"
#include "format/patterns.h"
#include "ops/file_dirs.h"

struct file_copy { /* all borrowed */
	int src_root, dst_root;
	const char *src; /* clean, absolute or relative; "/." and "/" at the end are significant */
	const char *dst; /* the same */
	struct file_owner owner;
	int mode;                          /* -1: the source's; permission and set-id bits */
	const char *mode_text;             /* symbolic, NULL: none; takes precedence over mode */
	int64_t time_ns;                   /* -1: the source's */
	bool contents;                     /* copy the contents of a directory instead of the directory */
	bool follow_links;                 /* of src only */
	bool replace;                      /* targets of another type are removed first */
	const patterns *include, *exclude; /* NULL: none */
	cancel *cancel;
};
bool file_copy_run(const struct file_copy *copy, GError **error);
/* Cleans a path, but keeps a "/" or "/." at the end. */
char *file_clean_path(const char *path);
