/* SPDX-License-Identifier: Apache-2.0 */
/*
 * contenthash_scan: the disk side of contenthash: lists directories, reads links, hashes files on all cores.
 *
 *	struct contenthash_session s = {.source = source, .root_fd = -1, .cancel = c};
 *	contenthash_list_directory(&s, dir, error) && contenthash_hash(&s, nodes, error)
 *	contenthash_session_done(&s);
 *
 * It does not use os/tree_walk: directories are listed in the order in which selectors need them, each opened by its path
 * beneath the root, and validated ones stay listed.
 *
 * Thread: the one that holds the tree's lock; contenthash_hash starts threads internally.
 */
#pragma once
#include "contenthash/node.h"
#include "contenthash/contenthash.h"

struct contenthash_session {
	const struct contenthash_source *source;
	int root_fd; /* owned, -1: not opened yet */
	cancel *cancel;
	const contenthash_index *index; /* borrowed from the source; NULL: none, or not opened yet */
	bool changed;                   /* new digests were computed that should be saved */
};
void contenthash_session_done(struct contenthash_session *s);

/* Reads the directory: afterwards all children of dir are known. */
bool contenthash_list_directory(struct contenthash_session *s, struct contenthash_node *dir, GError **error);
/* The same for dir and everything beneath it. */
bool contenthash_list_below(struct contenthash_session *s, struct contenthash_node *top, GError **error);
/* Compares every listed directory with the disk and drops the nodes that have changed. */
bool contenthash_validate(struct contenthash_session *s, struct contenthash_node *root, GError **error);
/* Reads the target of a link. */
bool contenthash_read_link(struct contenthash_session *s, struct contenthash_node *link, GError **error);
/* Computes missing digests of nodes (of struct contenthash_node *): files, links and directory headers. */
bool contenthash_hash(struct contenthash_session *s, GPtrArray *nodes, GError **error);
