/* SPDX-License-Identifier: Apache-2.0 */
/*
 * content_scan: the disk side of content_tree: lists directories, reads links, hashes files on all cores.
 *
 *	struct content_session s = {.source = source, .root_fd = -1, .cancel = c};
 *	content_list(&s, dir, error) && content_hash(&s, nodes, error)
 *	content_session_done(&s);
 *
 * Thread: the one that holds the tree's lock; content_hash starts threads internally.
 */
#pragma once
#include "cache/content_node.h"
#include "cache/content_tree.h"

struct content_session {
	const struct content_source *source;
	int root_fd; /* owned, -1: not opened yet */
	cancel *cancel;
	bool changed; /* new digests were computed that should be saved */
};
void content_session_done(struct content_session *s);

/* Reads the directory: afterwards all children of dir are known. */
bool content_list(struct content_session *s, struct content_node *dir, GError **error);
/* The same for dir and everything beneath it. */
bool content_list_below(struct content_session *s, struct content_node *top, GError **error);
/* Compares every listed directory with the disk and drops the nodes that have changed. */
bool content_validate(struct content_session *s, struct content_node *root, GError **error);
/* Reads the target of a link. */
bool content_read_link(struct content_session *s, struct content_node *link, GError **error);
/* Computes missing digests of nodes (of struct content_node *): files, links and directory headers. */
bool content_hash(struct content_session *s, GPtrArray *nodes, GError **error);
