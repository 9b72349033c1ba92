/* SPDX-License-Identifier: Apache-2.0 */
/* contenthash_state: state shared by contenthash and contenthash_sum. Thread: mu guards all members except the atomic ones. */
#pragma once
#include "contenthash/node.h"
#include "contenthash/contenthash.h"

struct contenthash {
	gint refs; /* atomic */
	GMutex mu;
	struct contenthash_node *root;
	hasher *hasher;
	gint dirty;      /* atomic, set under mu: has unsaved changes */
	bool distrusted; /* the disk may have changed since the last comparison */
};

struct contenthash_session;
/* Returns "/a/b" without a trailing slash, "" for the root. */
char *contenthash_clean(const char *path);
/* Sets NOT_FOUND "P": not found. */
bool contenthash_not_found(const char *path, GError **error);
/* Resolves links inside the tree; *ret is NULL if there is no such entry. */
bool contenthash_resolve(struct contenthash_session *s, struct contenthash_node *root, const char *path, bool follow,
			 struct contenthash_node **ret, GError **error);
/* Returns a file's record digest or a directory's content digest. */
bool contenthash_sum_path(struct contenthash_session *s, contenthash *t, const char *path, bool follow,
			  struct digest *ret, GError **error);
/* Lists the nodes that wildcards and patterns match (borrowed), with digests computed. */
bool contenthash_select_nodes(struct contenthash_session *s, contenthash *t,
			      const struct contenthash_selector *selector, GPtrArray *ret, GError **error);
/* The same, combined into one digest. */
bool contenthash_select(struct contenthash_session *s, contenthash *t, const struct contenthash_selector *selector,
			struct digest *ret, GError **error);
