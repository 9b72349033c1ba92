/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dest: writes received entries to disk. Every name is one component in an open directory.
 *
 *	dest_dir *d = dest_dir_make(&how, parent, "name", &stat, error);
 *	dest_file_create(&how, d, "file", exists, &stat, &file, error);
 *	dest_file_write(&file, bytes, n, error); dest_file_finish(&how, &file, &stat, NULL, error);
 *	dest_dir_unref(d);                          the last reference sets its time
 *
 * An entry that replaces another is created under a temporary name and renamed. Nothing is synced.
 * Thread: any for directories (counted); a file belongs to one thread at a time.
 */
#pragma once
#include "base/scope.h"
#include "fssync/fssync.h"

/* Options for creating files, constant during a transfer. */
struct dest_how {
	bool as_root;
	uid_t euid;
	gid_t egid;
	mode_t umask;
	uint64_t seed; /* of temporary names */
	gint counter;  /* atomic */
	/* Atomic; errno of a shortage when a directory got its time or mode in dest_dir_unref; 0: none. */
	gint late_errno;
};
void dest_how_init(struct dest_how *how, bool as_root);

typedef struct dest_dir dest_dir;
/* Takes fd. */
dest_dir *dest_dir_new(int fd);
void dest_dir_unref(dest_dir *d);
/* Closes the fd of a directory that only the caller references, and reopens it from an open child. */
void dest_dir_suspend(dest_dir *d);
bool dest_dir_resume(dest_dir *d, const dest_dir *child, GError **error);
int dest_dir_fd(const dest_dir *d);
/* Creates a directory, which must not exist. */
dest_dir *dest_dir_make(struct dest_how *how, dest_dir *parent, const char *name, const struct fssync_stat *stat,
			GError **error);
/* Opens an existing one; update: sets the attributes of stat. */
dest_dir *dest_dir_open(struct dest_how *how, dest_dir *parent, const char *name, const struct fssync_stat *stat,
			bool update, GError **error);

/* Creates symlinks, devices and pipes; replaces an existing entry if exists. */
bool dest_make_special(struct dest_how *how, dest_dir *d, const char *name, bool exists, const struct fssync_stat *stat,
		       GError **error);
/* Adds another name for a file: target_name in target_fd. */
bool dest_make_link(struct dest_how *how, dest_dir *d, const char *name, bool exists, int target_fd,
		    const char *target_name, GError **error);
/* Removes an entry, including whole trees. */
bool dest_remove(dest_dir *d, const char *name, GError **error);

struct dest_file {
	int fd;
	dest_dir *dir; /* ref, only if there is a temporary name */
	char *name;    /* owned: the final name; NULL when the file has it */
	char temp[40];
	bool exact_mode; /* was created with its final permissions */
	int64_t size;    /* written so far */
};
bool dest_file_create(struct dest_how *how, dest_dir *d, const char *name, bool exists, const struct fssync_stat *stat,
		      struct dest_file *ret, GError **error);
bool dest_file_write(struct dest_file *f, const void *bytes, size_t n, GError **error);
/* The complete file. */
struct dest_state {
	struct stat st;
	bool has_xattrs;
};
/* Sets attributes, time and name. Closes the file, even on failure. ret may be NULL. */
bool dest_file_finish(struct dest_how *how, struct dest_file *f, const struct fssync_stat *stat, struct dest_state *ret,
		      GError **error);
/* Abandons a file and removes its temporary name. */
void dest_file_drop(struct dest_file *f);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(dest_dir, dest_dir_unref)
