/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file_copy: copies one source path to a destination with the semantics of COPY, and creates the directories of a
 * destination path.
 *
 *	struct file_copy copy = {.src_root = s, .dst_root = d, .src = "/dir", .dst = "/to/", ...};
 *	if (!file_copy_run(&copy, error)) ...
 *
 *	struct file_dirs made; file_dirs_init(&made, root_fd, owner, time_ns);
 *	int fd = file_dirs_make(&made, "/a/b", 0755, error);
 *	... fill them ...
 *	file_dirs_done(&made);           sets the times of all created directories, if a time was given
 *
 * All names are resolved inside their roots, then walked by descriptor; a tree of any depth takes one stack frame.
 * Thread: one at a time.
 */
#pragma once
#include "base/cancel.h"
#include "format/patterns.h"
#include "ops/file_links.h"
#include <sys/stat.h>

struct file_owner {
	bool set; /* otherwise the file's owner is kept; new files belong to the daemon's user */
	uid_t uid;
	gid_t gid;
};
struct file_dirs {
	int root_fd; /* borrowed */
	struct file_owner owner;
	int64_t time_ns; /* -1: none */
	GPtrArray *made; /* of char *, clean paths */
};
void file_dirs_init(struct file_dirs *d, int root_fd, struct file_owner owner, int64_t time_ns);
/*
 * Opens a directory by a clean path without links (path_resolve), creating missing directories. The caller closes it.
 * Errors: "mkdir /a: not a directory".
 */
int file_dirs_make(struct file_dirs *d, const char *path, mode_t mode, GError **error);
void file_dirs_done(struct file_dirs *d);

/* Sets both times of an entry without following links; name "" is the directory itself. -1: leaves them unchanged. */
bool file_set_time(int dir_fd, const char *name, int64_t time_ns);
bool file_set_owner(int dir_fd, const char *name, struct file_owner owner);

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
	file_links *links;                 /* files may be linked to those of the source; NULL: they are copied */
	cancel *cancel;
};
bool file_copy_run(const struct file_copy *copy, GError **error);
/* Cleans a path, but keeps a "/" or "/." at the end. */
char *file_clean_path(const char *path);
