/* SPDX-License-Identifier: Apache-2.0 */
/*
 * content_tree: the content digests of a tree; each entry is read once.
 *
 *	content_tree *t = content_tree_new();
 *	struct content_source source = {.open_root = open, .data = ref};
 *	content_tree_sum(t, &source, &selector, cancel, &digest, error)
 *
 * Directories are listed when an entry below them is requested; files are hashed when their digest is requested, in
 * parallel. Names a transfer announces need no listing. After a writer changed the tree without announcing it, call
 * content_tree_distrust: the next sum then compares all inodes with the recorded state. Thread: any; sums of one tree
 * wait for each other.
 */
#pragma once
#include "base/cancel.h"
#include "cache/cache.h"

typedef struct content_tree content_tree;

struct content_source {
	/* Opens the tree's root for reading. Called at most once per sum and only if the disk must be read. */
	int (*open_root)(void *data, GError **error);
	void *data;
};

content_tree *content_tree_new(void);
content_tree *content_tree_ref(content_tree *t);
void content_tree_unref(content_tree *t);

/*
 * Returns the digest of the entries that one selector matches. Errors: NOT_FOUND "P": not found, INVALID_ARGUMENT for
 * patterns, UNKNOWN "too many links".
 */
bool content_tree_sum(content_tree *t, const struct content_source *source, const struct cache_selector *selector,
		      cancel *c, struct digest *ret, GError **error);
/*
 * Appends the entries that the selector matches (struct cache_content_entry *), at most max in total; *ret_all false:
 * there are more.
 */
bool content_tree_list(content_tree *t, const struct content_source *source, const struct cache_selector *selector,
		       cancel *c, guint max, GPtrArray *ret, bool *ret_all, GError **error);
/* Implements cache_ref_note_entry. */
void content_tree_note(content_tree *t, const struct fssync_stat *stat, const struct digest *record_digest,
		       bool removed);
void content_tree_distrust(content_tree *t);

/*
 * Reports whether there are changes that content_tree_save has not written yet. Takes no lock, because a sum may hold
 * the lock for long and calls the cache meanwhile.
 */
bool content_tree_is_dirty(content_tree *t);
GBytes *content_tree_save(content_tree *t);
/* Returns NULL when bytes were not written by content_tree_save. */
content_tree *content_tree_load(const void *bytes, size_t n);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(content_tree, content_tree_unref)
