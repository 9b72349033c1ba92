/* SPDX-License-Identifier: Apache-2.0 */
/*
 * extract: adds archive entries to a tree, one after the other, without leaving the root.
 *
 *	g_autoptr(extractor) x = extractor_new(root_fd, options);
 *	extractor_add(x, &entry, &writer_fd, error);   a regular file's data goes to writer_fd, then extractor_end_file
 *	extractor_finish(x, error);                    sets directory times
 *
 * Private to snapshot; apply.c parses the tar. Thread: one at a time.
 */
#pragma once
#include "snapshot/apply.h"

enum entry_type { ENTRY_FILE, ENTRY_DIR, ENTRY_SYMLINK, ENTRY_HARDLINK, ENTRY_FIFO, ENTRY_CHAR, ENTRY_BLOCK };
struct entry_xattr {
	const char *name;
	const void *value;
	size_t len;
};
struct entry {
	enum entry_type type;
	const char *name, *link; /* as in the stream */
	mode_t mode;             /* permission bits */
	uid_t uid;
	gid_t gid;
	int64_t mtime_ns;
	int64_t size;
	dev_t device;
	const struct entry_xattr *xattrs; /* checked by the extractor */
	size_t n_xattrs;
};
typedef struct extractor extractor;

extractor *extractor_new(int root_fd, const struct apply_options *options);
void extractor_free(extractor *x);
/* *ret_fd is -1 except for regular files: a new file for the caller to fill, owned. */
bool extractor_add(extractor *x, const struct entry *e, int *ret_fd, GError **error);
bool extractor_end_file(extractor *x, const struct entry *e, int fd, GError **error);
bool extractor_finish(extractor *x, GError **error);
int64_t extractor_dropped_xattrs(const extractor *x);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(extractor, extractor_free)
