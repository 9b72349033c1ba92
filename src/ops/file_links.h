/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file_links: copies of a file op that are hard links to the files of the source (cache_links).
 *
 *	file_links *l = file_links_new(m);
 *	file_links_begin(l, from, from_root);                 before an action; from: what it copies, or NULL
 *	if (file_links_may(l, &st)) file_links_make(l, ...);  of an entry whose attributes do not change
 *	if (file_links_is_pending(l)) ... close the tree; file_links_settle(l, cancel, error);
 *
 * A tree with parents is written through an overlay mount, which cannot contain a link to a file elsewhere. Its links
 * are collected, and made in the directory below the mount when that is closed. Thread: one at a time.
 */
#pragma once
#include "cache/cache.h"
#include <sys/stat.h>

typedef struct file_links file_links;
file_links *file_links_new(cache_ref *to);
void file_links_free(file_links *l);
/* from NULL: nothing is linked; from_root: its tree, borrowed. */
void file_links_begin(file_links *l, cache_ref *from, int from_root);
/* Before each path of the source that is copied. l may be NULL. */
void file_links_next(file_links *l);
/* Reports whether a file of the source may be linked; l may be NULL. */
bool file_links_may(const file_links *l, const struct stat *st);

struct file_link {
	int from_dir, to_dir;             /* the directories that contain the names */
	const char *from_name, *to_name;  /* to_name does not exist */
	const char *from_path, *to_path;  /* in their trees */
	const struct stat *st;            /* of the source */
	const struct timespec *dir_times; /* two: of to_dir when it is complete; NULL: they are not set */
};
/* Links now or later; false: the file must be copied. */
bool file_links_make(file_links *l, const struct file_link *link);
bool file_links_is_pending(const file_links *l);
bool file_links_settle(file_links *l, cancel *c, GError **error);
/* Replaces a file in the tree by a copy, with all its names, if it is linked to a file of a source. l may be NULL. */
bool file_links_unshare(file_links *l, int root_fd, int dir_fd, const char *name, GError **error);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(file_links, file_links_free)
