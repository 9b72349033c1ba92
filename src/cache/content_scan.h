/* SPDX-License-Identifier: Apache-2.0 */
/*
 * content_scan: the disk side of content_tree: lists directories, reads links, hashes files on all cores.
 *
 *	struct content_session s = {.source = source, .root_fd = -1, .cancel = c};
 *	content_list(&s, dir, error) && content_hash(&s, nodes, error)
 *	content_session_done(&s);
 *
 * Thread: the one that holds the tree's lock; content_hash has helpers of its own.
 */
#pragma once
#include "cache/content_node.h"
#include "cache/content_tree.h"

struct content_session {
	const struct content_source *source;
	int root_fd; /* owned, -1: not asked for yet */
	cancel *cancel;
	bool changed; /* something was learned that is worth saving */
};
void content_session_done(struct content_session *s);

/* Knows all children of dir from now on. */
bool content_list(struct content_session *s, struct content_node *dir, GError **error);
/* The same for everything beneath it. */
bool content_list_below(struct content_session *s, struct content_node *top, GError **error);
/* Compares every directory that was listed with the disk and forgets what is not so any more. */
bool content_validate(struct content_session *s, struct content_node *root, GError **error);
/* The target of a link. */
bool content_read_link(struct content_session *s, struct content_node *link, GError **error);
/* Digests of nodes (of struct content_node *) that have none: of files, links and headers. */
bool content_hash(struct content_session *s, GPtrArray *nodes, GError **error);
