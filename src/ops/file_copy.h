/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file_copy: one source path copied to a destination, as COPY means it (llb-and-solver.md section 8, copy 4 to 9).
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
	const char *src; /* clean, absolute or relative; "/." and "/" at the end mean what they say */
	const char *dst; /* the same */
	struct file_owner owner;
	int mode;                          /* -1: the source's; permission and set-id bits */
	const char *mode_text;             /* symbolic, NULL: none; counts before mode */
	int64_t time_ns;                   /* -1: the source's */
	bool contents;                     /* of a directory, not the directory */
	bool follow_links;                 /* of src itself */
	bool replace;                      /* targets of another type are removed first */
	const patterns *include, *exclude; /* NULL: none */
	cancel *cancel;
};
bool file_copy_run(const struct file_copy *copy, GError **error);
/* A path cleaned, but a "/" or "/." at the end kept. */
char *file_clean_path(const char *path);
