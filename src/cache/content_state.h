/* SPDX-License-Identifier: Apache-2.0 */
/* content_state: state shared by content_tree and content_sum. Thread: mu guards all members except the atomic ones. */
#pragma once
#include "cache/content_node.h"
#include "cache/content_tree.h"

struct content_tree {
	gint refs; /* atomic */
	GMutex mu;
	struct content_node *root;
	hasher *hasher;
	gint dirty;      /* atomic, set under mu: has unsaved changes */
	bool distrusted; /* the disk may have changed since the last comparison */
};

struct content_session;
/* Returns "/a/b" without a trailing slash, "" for the root. */
char *content_clean(const char *path);
/* Sets NOT_FOUND "P": not found. */
bool content_not_found(const char *path, GError **error);
/* Resolves links inside the tree; *ret is NULL if there is no such entry. */
bool content_resolve(struct content_session *s, struct content_node *root, const char *path, bool follow,
		     struct content_node **ret, GError **error);
/* Returns a file's record digest or a directory's content digest. */
bool content_sum_path(struct content_session *s, content_tree *t, const char *path, bool follow, struct digest *ret,
		      GError **error);
/* Lists the nodes that wildcards and patterns match (borrowed), with digests computed. */
bool content_select_nodes(struct content_session *s, content_tree *t, const struct cache_selector *selector,
			  GPtrArray *ret, GError **error);
/* The same, combined into one digest. */
bool content_select(struct content_session *s, content_tree *t, const struct cache_selector *selector,
		    struct digest *ret, GError **error);
