/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file_dirs: directories on the way to a destination, and the times they get in the end.
 *
 *	struct file_dirs made; file_dirs_init(&made, root_fd, owner, time_ns);
 *	int fd = file_dirs_make(&made, "/a/b", 0755, error);
 *	... fill them ...
 *	file_dirs_done(&made);           sets the times of all that were made, when there is a time
 *
 * Thread: one at a time.
 */
#pragma once
#include "base/error.h"
#include <sys/stat.h>

struct file_owner {
	bool set; /* else: what the file has, or the daemon's for new ones */
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
 * Opens a directory by a clean path without links (path_resolve), making what is missing; the caller's.
 * Errors: "mkdir /a: not a directory".
 */
int file_dirs_make(struct file_dirs *d, const char *path, mode_t mode, GError **error);
void file_dirs_done(struct file_dirs *d);

/* Both times of an entry, links not followed; name "" is the directory itself. -1: leaves them. */
bool file_set_time(int dir_fd, const char *name, int64_t time_ns);
bool file_set_owner(int dir_fd, const char *name, struct file_owner owner);
