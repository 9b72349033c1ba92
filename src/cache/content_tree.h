/* SPDX-License-Identifier: Apache-2.0 */
/*
 * content_tree: the content digests of a tree (llb-and-solver.md section 11), each entry read once.
 *
 *	content_tree *t = content_tree_new();
 *	struct content_source source = {.open_root = open, .data = ref};
 *	content_tree_sum(t, &source, &selector, cancel, &digest, error)
 *
 * Directories are listed when something below them is asked for; files are hashed when their digest is, many at once.
 * Names a transfer announces need no listing. After a writer was at work without telling, content_tree_distrust makes
 * the next sum compare inodes with what was seen before. Thread: any; sums of one tree wait for each other.
 */
#pragma once
#include "base/cancel.h"
#include "cache/cache.h"

typedef struct content_tree content_tree;

struct content_source {
	/* The tree's root for reading, asked for at most once a sum and only if the disk is needed. */
	int (*open_root)(void *data, GError **error);
	void *data;
};

content_tree *content_tree_new(void);
content_tree *content_tree_ref(content_tree *t);
void content_tree_unref(content_tree *t);

/*
 * The digest of what one selector takes. Errors: NOT_FOUND "P": not found, INVALID_ARGUMENT for patterns,
 * UNKNOWN "too many links".
 */
bool content_tree_sum(content_tree *t, const struct content_source *source, const struct cache_selector *selector,
		      cancel *c, struct digest *ret, GError **error);
/* Appends the entries that the selector takes (struct cache_content_entry *), at most max in all; *ret_all false: more. */
bool content_tree_list(content_tree *t, const struct content_source *source, const struct cache_selector *selector,
		       cancel *c, guint max, GPtrArray *ret, bool *ret_all, GError **error);
/* What cache_ref_note_entry hands on. */
void content_tree_note(content_tree *t, const struct fssync_stat *stat, const struct digest *record_digest,
		       bool removed);
void content_tree_distrust(content_tree *t);

/* Whether there is something that content_tree_save did not write yet. Takes no lock: a sum may hold it for long, and asks
 * the cache for the tree meanwhile. */
bool content_tree_is_dirty(content_tree *t);
GBytes *content_tree_save(content_tree *t);
/* NULL when bytes are not of content_tree_save. */
content_tree *content_tree_load(const void *bytes, size_t n);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(content_tree, content_tree_unref)
