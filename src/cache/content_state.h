/* SPDX-License-Identifier: Apache-2.0 */
/* content_state: what content_tree and content_sum share. Thread: mu guards all but what is atomic. */
#pragma once
#include "cache/content_node.h"
#include "cache/content_tree.h"

struct content_tree {
	gint refs; /* atomic */
	GMutex mu;
	struct content_node *root;
	hasher *hasher;
	gint dirty;      /* atomic, set under mu: not saved yet */
	bool distrusted; /* the disk may have changed since */
};

struct content_session;
/* "/a/b" without a trailing slash, "" for the root. */
char *content_clean(const char *path);
/* NOT_FOUND "P": not found. */
bool content_not_found(const char *path, GError **error);
/* Links are resolved inside the tree; *ret NULL: there is no such entry. */
bool content_resolve(struct content_session *s, struct content_node *root, const char *path, bool follow,
		     struct content_node **ret, GError **error);
/* A file's record digest or a directory's content digest. */
bool content_sum_path(struct content_session *s, content_tree *t, const char *path, bool follow, struct digest *ret,
		      GError **error);
/* What wildcards and patterns take: nodes (borrowed), their digests made. */
bool content_select_nodes(struct content_session *s, content_tree *t, const struct cache_selector *selector,
			  GPtrArray *ret, GError **error);
/* The same, joined. */
bool content_select(struct content_session *s, content_tree *t, const struct cache_selector *selector,
		    struct digest *ret, GError **error);
