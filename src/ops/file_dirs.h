/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file_dirs: creates the directories of a destination path and sets their times afterwards.
 *
 *	struct file_dirs made; file_dirs_init(&made, root_fd, owner, time_ns);
 *	int fd = file_dirs_make(&made, "/a/b", 0755, error);
 *	... fill them ...
 *	file_dirs_done(&made);           sets the times of all created directories, if a time was given
 *
 * Thread: one at a time.
 */
#pragma once
#include "base/error.h"
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
